"""Section M: random programs, with the plainest store beside the one under test."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from strandlog.backend import Capabilities, Durability, Handles
from strandlog.errors import AppendError, ForkError, SeqError
from strandlog_conformance.case import Case
from strandlog_conformance.drawing import LARGE, SMALL, Pool, draw
from strandlog_conformance.expect import CheckFailed, attempt, same
from strandlog_conformance.pairs import Paired
from strandlog_conformance.places import Places
from strandlog_conformance.programs import Append, Bench, Rehome, Reopen, Step
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.shrinking import Failing, shrink
from strandlog_conformance.suite import check

# A failing program is cut down for this long; the check has 20 seconds in all.
_SHRINKING_SECONDS = 6.0


@check(
    "model.random_ops",
    rule="a store answers as the contract's plainest implementation does",
    kills=(
        "M360",
        "M81",
    ),
)
async def random_ops(case: Case) -> None:
    """Random programs on few devices and counters, so that every call meets another's traces.

    When an answer differs, the program is cut down as far as it still fails.
    """
    for turn in range(10):
        await _play_random(case, None, turn, SMALL, 110)


@check(
    "model.pair_differential",
    rule="two stores that are asked the same answer the same, errors and their fields too",
    kills=("M359",),
)
async def pair_differential(case: Case) -> None:
    """Random programs as an application's, on two stores: those of a pair, or the suite's own."""
    async with _other_case(case) as other:
        for turn in range(3):
            await _play_random(case, other, turn, LARGE, 60)


@asynccontextmanager
async def _other_case(case: Case) -> AsyncIterator[Case | None]:
    """Give the case of the other store of a pair; ``None`` where there is no pair."""
    target = case.target
    if not isinstance(target, Paired) or target.server is None:
        yield None
        return
    with Places() as places:
        other = Case("model.pair_differential", target.server, places, seed=0, fast=case.fast)
        try:
            await other.prepare()
            yield other
        finally:
            await other.clean_up()


async def _play_random(case: Case, other: Case | None, turn: int, pool: Pool, count: int) -> None:
    cases = [case] if other is None else [case, other]
    claims = [one.target.capabilities for one in cases]
    steps = draw(
        random.Random(case.random.random()),  # noqa: S311  # no secret
        count,
        pool,
        sparse=all(one.sparse for one in claims),
        rehome=all(one.rehome for one in claims),
        reopen=all(one.durability is not Durability.NONE for one in claims),
        cursors=all(one.target.cursors is not None for one in cases),
        max_batch=_least(claims),
    )
    failing = await _play(cases, steps)
    if failing is None:
        return
    now = asyncio.get_running_loop().time
    deadline = now() + _SHRINKING_SECONDS
    shortest = await shrink(
        failing, lambda shorter: _play(cases, shorter), left=lambda: now() < deadline
    )
    failure = shortest.failure
    raise CheckFailed(f"program {turn}: {shortest}", failure.got, failure.want)


def _least(claims: Sequence[Capabilities]) -> int | None:
    return min((one.max_batch for one in claims if one.max_batch is not None), default=None)


async def _play(cases: Sequence[Case], steps: Sequence[Step]) -> Failing | None:
    """Play a program on the stores and on the plainest one; return where they differ."""
    users = [cases[0].user(), cases[0].user()]
    for case in cases[1:]:
        for user in users:
            case.own(user)
    shelf = Shelf()
    reference = ReferenceLogStore(shelf)
    plainest = Bench([reference], [ReferenceCursorStore(shelf)], users)
    remaining = list(steps)
    while remaining:
        async with AsyncExitStack() as stack:
            benches = [await _opened(stack, case, users) for case in cases]
            try:
                while remaining:
                    step = remaining.pop(0)
                    if isinstance(step, Reopen):
                        break
                    await _compare(benches, plainest, reference, step)
            except CheckFailed as failed:
                return Failing(steps[: len(steps) - len(remaining)], failed)
    return None


async def _opened(stack: AsyncExitStack, case: Case, users: Sequence[str]) -> Bench:
    """Open the stores, twice if that is allowed."""
    logs, cursors = [], []
    for _ in range(1 if case.capabilities.handles is Handles.ONE else 2):
        if case.target.cursors is None:
            logs.append(await stack.enter_async_context(case.open_log()))
        else:
            log, cursor = await stack.enter_async_context(case.open_both())
            logs.append(log)
            cursors.append(cursor)
    return Bench(logs, cursors, users)


async def _compare(
    benches: Sequence[Bench], plainest: Bench, reference: ReferenceLogStore, step: Step
) -> None:
    """Make a call everywhere, and demand that the answers are equal."""
    allowed: list[AppendError] = []
    if isinstance(step, Append):
        allowed = offences(reference, step, plainest.users)
    want = await attempt(step.do(plainest))
    if isinstance(step, Rehome) and isinstance(want, Exception) and not isinstance(want, ForkError):
        return  # what the contract says nothing about: a name that was taken by somebody else
    answers = [await attempt(step.do(bench)) for bench in benches]
    for got in answers:
        _judge(got, want, allowed, str(step))
    for got in answers[1:]:
        if not isinstance(got, BaseException):
            same(got, answers[0], f"{step}, the second store's answer, not as the first one's")


def _judge(got: object, want: object, allowed: Sequence[AppendError], call: str) -> None:
    if not isinstance(got, BaseException) and not isinstance(want, BaseException):
        same(got, want, call)
        return
    known = not isinstance(got, SeqError) or got.previous > 0
    rightly: Sequence[object] = allowed or [want]
    texts = [_error_text(one, previous=known) for one in rightly]
    text = _error_text(got, previous=known)
    if text not in texts:
        same(text, " or ".join(texts), call)


def _error_text(outcome: object, *, previous: bool) -> str:
    """Return an error with its attributes; a store need not know a ``previous``."""
    if not isinstance(outcome, BaseException):
        return f"no error, but {outcome!r}"
    told = {name: value for name, value in vars(outcome).items() if previous or name != "previous"}
    told.pop("__notes__", None)
    return f"{type(outcome).__name__} {told}"


def offences(reference: ReferenceLogStore, step: Append, users: Sequence[str]) -> list[AppendError]:
    """Return every error with which an append could rightly be refused.

    Devices are judged in bytewise order. In one device a batch may break both
    the row of counters and that of timestamps; a store may come upon either first.
    """
    log = reference.kept(users[step.log])
    found = reference.erased(users[step.log])
    if found:
        return found
    named = {one.device for one in step.entries}
    for device in sorted(named):
        mine = sorted(
            (one for one in step.entries if one.device == device), key=lambda one: one.counter
        )
        upto = None if step.upto is None else step.upto[device]
        floor = step.floor[device] if step.floor else 0
        least = max(floor, log.floors.get(device, 0))
        loose = log.copied()
        fresh = {one.identity: one for one in mine if one.counter > least}
        loose.entries = {**fresh, **loose.entries}
        for action in (
            lambda: reference.add(log.copied(), device, mine, upto, floor),  # noqa: B023
            lambda: reference.refuse_falling(loose, device),  # noqa: B023
        ):
            try:
                action()
            except AppendError as error:
                found.append(error)
        if found:
            break
    return found
