"""The plain runner: plays checks one after the other in the running event loop.

Everything else (pytest, the command line, a browser) stands on it.
"""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from pathlib import Path
from types import CoroutineType

from strandlog.backend import Capabilities
from strandlog.errors import StoreUnavailableError, StrandlogError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import CheckFailed, NotApplicable, Underclaimed
from strandlog_conformance.masking import Masked
from strandlog_conformance.measuring import Latency, Meter
from strandlog_conformance.places import Places
from strandlog_conformance.report import Failure, Outcome, StoreReport, Verdict
from strandlog_conformance.suite import Check, Level, all_checks
from strandlog_conformance.target import Target

__all__ = [
    "LIMIT_SECONDS",
    "NoLocationError",
    "UnreachableError",
    "absent",
    "limit_of",
    "not_run",
    "reach",
    "run",
    "run_check",
]

LIMIT_SECONDS = 20.0
"""How long one check may take: many times what the slowest needs on a slow disk."""

# So many times longer may a check take that starts processes and lets them die.
_DURABLE_FACTOR = 3

# How long a check whose time is up may take to notice; after that it is left behind.
_GRACE_SECONDS = 2.0

_CHECKING = "checking"
_SCENARIOS = Path(__file__).parent / "scenarios"


async def run(
    target: Target,
    checks: Sequence[Check] | None = None,
    *,
    seed: int = 0,
    fast: bool = False,
    limit_seconds: float = LIMIT_SECONDS,
    retries: int = 0,
    measure: bool = False,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> StoreReport:
    """Make *checks* (all of them unless told) of one store.

    A check that failed is repeated up to *retries* times; if it passes then it
    is flaky, which is no better than failed. With *measure* the report tells
    how long a few calls took. Cancelled, it raises as usual; what *on_outcome*
    was told until then stays true.
    """
    planned = all_checks() if checks is None else list(checks)
    outcomes = []
    latency = None
    with Places() as places:
        try:
            target = await reach(target, places, limit_seconds=limit_seconds)
        except NoLocationError as error:
            return absent(target, planned, str(error), seed=seed)
        except UnreachableError as error:
            return not_run(target, planned, str(error), seed=seed)
        if measure:
            latency = await _measured(target, places, limit_seconds)
        for check in planned:
            outcome = await run_check(
                check,
                target,
                places,
                seed=seed,
                fast=fast,
                limit_seconds=limit_seconds,
                retries=retries,
            )
            outcomes.append(outcome)
            if on_outcome is not None:
                on_outcome(outcome)
    return StoreReport(
        target.name,
        planned,
        outcomes,
        target.distribution,
        capabilities=target.capabilities,
        cursors=target.cursors is not None,
        scheme=target.scheme,
        latency=latency,
    )


def not_run(target: Target, planned: Sequence[Check], problem: str, *, seed: int) -> StoreReport:
    """Return the report on a store of which nothing could be found out."""
    outcomes = [
        Outcome(check, target.name, Verdict.NOT_RUN, seed, reason=problem) for check in planned
    ]
    return StoreReport(
        target.name, planned, outcomes, target.distribution, problem, scheme=target.scheme
    )


def absent(target: Target, planned: Sequence[Check], lack: str, *, seed: int) -> StoreReport:
    """Return the report on a store for which there is no place in this environment."""
    outcomes = [Outcome(check, target.name, Verdict.NA_ENV, seed, reason=lack) for check in planned]
    return StoreReport(
        target.name, planned, outcomes, target.distribution, absent=lack, scheme=target.scheme
    )


async def run_check(
    check: Check,
    target: Target,
    places: Places,
    *,
    seed: int = 0,
    fast: bool = False,
    limit_seconds: float = LIMIT_SECONDS,
    retries: int = 0,
) -> Outcome:
    """Make one check of one store and return the verdict; a check never raises."""
    if reason := check.missing(target.capabilities, cursors=target.cursors is not None):
        return Outcome(check, target.name, Verdict.UNSUPPORTED, seed, reason=reason)
    limit_seconds = limit_of(check, limit_seconds)
    first = await _made(check, target, places, seed, limit_seconds, fast=fast)
    if first.verdict is not Verdict.FAIL:
        return first
    for number in range(1, retries + 1):
        again = await _made(check, target, places, seed, limit_seconds, fast=fast)
        if again.verdict in (Verdict.PASS, Verdict.STAND_IN):
            reason = f"it failed, and passed when it was repeated ({number} of {retries})"
            return replace(first, verdict=Verdict.FLAKY, reason=reason)
    return first


def limit_of(check: Check, limit_seconds: float) -> float:
    """Return how long one check may take where others may take *limit_seconds*."""
    return limit_seconds * (_DURABLE_FACTOR if check.level is Level.DURABLE else 1)


async def _made(
    check: Check, target: Target, places: Places, seed: int, limit_seconds: float, *, fast: bool
) -> Outcome:
    """Make one check once."""
    case = Case(check.id, target, places, seed=seed, fast=fast)
    play = _Play(check.id, check.play, case)
    untouched = case.random.getstate()
    began = time.perf_counter()
    async with _limited(play, limit_seconds) as (task, stuck):
        verdict, reason, failure = _judge(play, task, stuck)
    if verdict is Verdict.PASS and target.capabilities.stand_in:
        verdict = Verdict.STAND_IN
    masked = Masked([case.url, target.url])
    return Outcome(
        check,
        target.name,
        verdict,
        seed,
        time.perf_counter() - began,
        masked.text(reason),
        failure and _masked(failure, masked),
        by_chance=case.random.getstate() != untouched,
    )


def _masked(failure: Failure, masked: Masked) -> Failure:
    return Failure(*(masked.text(getattr(failure, one.name)) for one in fields(failure)))


async def _measured(target: Target, places: Places, limit_seconds: float) -> Latency | None:
    """Return how long calls take; ``None`` of a store that fails at this."""
    meter = Meter()
    play = _Play("latency", meter.play, Case("latency", target, places, seed=0, fast=True))
    async with _limited(play, limit_seconds) as (task, _):
        if task.done() and not task.cancelled():
            # Taken notice of: what is wrong with the store the checks will tell.
            task.exception()
    return meter.latency


class _Play:
    """One check on its way: what it is doing tells whose fault an error is."""

    def __init__(self, name: str, play: Callable[[Case], Awaitable[None]], case: Case) -> None:
        self.name = name
        self.case = case
        self.phase = "preparing the location"
        self.failed: BaseException | None = None
        self._play = play

    async def run(self) -> None:
        try:
            await self.case.prepare()
            self.phase = _CHECKING
            try:
                await self._play(self.case)
            except BaseException as error:
                self.failed = error
                raise
            self.phase = "removing what the check has made"
        finally:
            await self.case.clean_up()


@asynccontextmanager
async def _limited(
    play: _Play, limit_seconds: float
) -> AsyncIterator[tuple[asyncio.Task[None], str]]:
    """Run *play* until it ends or its time is up; then also say which tasks ran."""
    # A task of its own, waited for from outside: a store may swallow the
    # cancellation, and then the run has to go on without it.
    task = asyncio.create_task(play.run(), name=f"conformance {play.name}")
    try:
        await asyncio.wait({task}, timeout=limit_seconds)
        stuck = "" if task.done() else _tasks()
        if stuck:
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE_SECONDS)
        yield task, stuck
    finally:
        if not task.done():
            task.cancel()


def _judge(
    play: _Play, task: asyncio.Task[None], stuck: str
) -> tuple[Verdict, str, Failure | None]:
    if stuck:
        got = "it was still running" if task.done() else "it was still running, also when cancelled"
        return Verdict.FAIL, "", Failure("the whole check", got, "an end in time", stuck)
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is None:
        return Verdict.PASS, "", None
    # What goes wrong while cleaning up after a failed check is its consequence.
    error = play.failed or error
    trace = "".join(traceback.format_exception(error))
    if play.phase != _CHECKING:
        text = f"{type(error).__name__}: {error}"
        return Verdict.ERROR, play.phase, Failure(play.phase, text, "no error", trace)
    if isinstance(error, NotApplicable):
        return Verdict.NA_ENV, str(error), None
    if isinstance(error, Underclaimed):
        return Verdict.UNDERCLAIMED, str(error), None
    # A story notes on its error what had travelled until then.
    wire = "\n".join(getattr(error, "__notes__", []))
    trace = trace.replace(wire, "").rstrip() if wire else trace
    if isinstance(error, CheckFailed):
        return Verdict.FAIL, "", Failure(error.call, error.got, error.want, trace, wire)
    got = f"{type(error).__name__}: {error}"
    return Verdict.FAIL, "", Failure(_calling(error), got, "no error", trace, wire)


def _calling(error: BaseException) -> str:
    """Return the line of the check from which an error came."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).parent == _SCENARIOS:
            return f"{frame.line} ({Path(frame.filename).name}:{frame.lineno})"
    return "the whole check"


def _tasks() -> str:
    """Return where every task of the loop stands, down to what it waits for."""
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    return "\n".join(f"{task.get_name()}:\n{''.join(_waiting(task))}" for task in tasks)


def _waiting(task: asyncio.Task[object]) -> Iterator[str]:
    """Yield the lines at which a task and the coroutines that it awaits stand."""
    awaited: object = task.get_coro()
    # A coroutine knows the next one as cr_await; what is no coroutine ends the chain.
    while isinstance(awaited, CoroutineType):
        frame = awaited.cr_frame
        if frame is not None:
            yield from traceback.format_list(traceback.extract_stack(frame, limit=1))
        awaited = awaited.cr_await


class UnreachableError(Exception):
    """The store cannot be opened at all; the message says why."""


class NoLocationError(UnreachableError):
    """Nothing here names a place for such a store: no server of its kind, say."""


async def reach(target: Target, places: Places, *, limit_seconds: float = LIMIT_SECONDS) -> Target:
    """Open the store once; return the target with what that store says it can do.

    The options of a URL may take something back from what the backend declares.
    Where a URL names a new location each time (``memory://``), the checks get
    locations of their own.

    Raises:
        UnreachableError: It cannot be opened.
    """
    found: list[tuple[str, Capabilities]] = []

    async def look(case: Case) -> None:
        for _ in range(2):
            async with case.open_log() as store:
                found.append(((await store.info()).epoch, store.capabilities))

    play = _Play("opening", look, Case("opening", target, places, seed=0, fast=True))
    async with _limited(play, limit_seconds) as (task, stuck):
        if stuck:
            raise UnreachableError("opening it did not come to an end")
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
    if error is not None:
        if play.phase != _CHECKING and isinstance(error, StoreUnavailableError):
            raise NoLocationError(str(error)) from error
        kind = "" if isinstance(error, StrandlogError) else f"{type(error).__name__}: "
        raise UnreachableError(f"it cannot be opened: {kind}{error}") from error
    (epoch, capabilities), (second_epoch, _) = found
    if epoch != second_epoch and target.url:
        if target.fresh_url is None:
            raise UnreachableError("each opening of this URL is a new location: give it a name")
        return await reach(replace(target, url=""), places, limit_seconds=limit_seconds)
    return replace(target, declared=capabilities)
