"""Section M: random programs, with the plainest store beside the one under test."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from strandlog.backend import Durability, LogStore
from strandlog.errors import AppendError, SeqError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import CheckFailed, attempt, same
from strandlog_conformance.programs import Append, Reopen, Step, random_steps
from strandlog_conformance.reference import ReferenceLogStore, Shelf
from strandlog_conformance.suite import check

# A failing program is cut down for this long; the check has 20 seconds in all.
_SHRINKING_SECONDS = 6.0


@check(
    "model.random_ops",
    rule="a store answers as the contract's plainest implementation does",
    kills=("M81",),
)
async def random_ops(case: Case) -> None:
    """Random programs on few devices and counters, so that every call meets another's traces.

    When an answer differs, the program is cut down as far as it still fails.
    """
    for turn in range(case.scale(16, 10)):
        chance = random.Random(case.random.random())  # noqa: S311  # no secret
        steps = random_steps(
            chance,
            case.scale(90, 60),
            sparse=case.capabilities.sparse,
            reopen=case.capabilities.durability is not Durability.NONE,
        )
        failure = await _play(case, steps)
        if failure is not None:
            shortest, failure = await _shrink(case, steps, failure)
            program = "; ".join(str(step) for step in shortest)
            raise CheckFailed(f"program {turn}: {program}", failure.got, failure.want)


async def _shrink(
    case: Case, steps: Sequence[Step], failure: CheckFailed
) -> tuple[Sequence[Step], CheckFailed]:
    """Leave out what is not needed for a failure, larger parts first."""
    now = asyncio.get_running_loop().time
    deadline = now() + _SHRINKING_SECONDS
    size = max(len(steps) // 2, 1)
    while True:
        at = 0
        while at < len(steps) and now() < deadline:
            shorter = [*steps[:at], *steps[at + size :]]
            found = await _play(case, shorter)
            if found is None:
                at += size
            else:
                steps, failure = shorter, found
        if size == 1 or now() >= deadline:
            return steps, failure
        size //= 2


async def _play(case: Case, steps: Sequence[Step]) -> CheckFailed | None:
    """Play a program on both stores; return how they differ."""
    users = [case.user(), case.user()]
    shelf = Shelf()
    async with ReferenceLogStore(shelf) as reference:
        remaining = list(steps)
        while True:
            async with case.open_log() as store:
                try:
                    while remaining:
                        step = remaining.pop(0)
                        if isinstance(step, Reopen):
                            break
                        await _compare(store, reference, step, users)
                    else:
                        return None
                except CheckFailed as failed:
                    return failed


async def _compare(
    store: LogStore, reference: ReferenceLogStore, step: Step, users: Sequence[str]
) -> None:
    allowed: list[AppendError] = []
    if isinstance(step, Append):
        allowed = offences(reference, step, users)
    want = await attempt(step.do(reference, users))
    got = await attempt(step.do(store, users))
    if isinstance(got, BaseException) or isinstance(want, BaseException):
        known = not isinstance(got, SeqError) or got.previous > 0
        rightly: Sequence[object] = allowed or [want]
        texts = [_error_text(one, previous=known) for one in rightly]
        text = _error_text(got, previous=known)
        if text not in texts:
            same(text, " or ".join(texts), str(step))
    else:
        same(got, want, str(step))


def _error_text(outcome: object, *, previous: bool) -> str:
    """Return an error with its attributes; a store need not know a ``previous``."""
    if not isinstance(outcome, BaseException):
        return f"no error, but {outcome!r}"
    told = {name: value for name, value in vars(outcome).items() if previous or name != "previous"}
    return f"{type(outcome).__name__} {told}"


def offences(reference: ReferenceLogStore, step: Append, users: Sequence[str]) -> list[AppendError]:
    """Return every error with which an append could rightly be refused.

    A batch may break a rule in several devices, and in one device both the row
    of counters and that of timestamps; a store may come upon either first.
    """
    log = reference.kept(users[step.log])
    found = reference.erased(users[step.log])
    if found:
        return found
    for device in {one.device for one in step.entries}:
        mine = sorted(
            (one for one in step.entries if one.device == device), key=lambda one: one.counter
        )
        upto = None if step.upto is None else step.upto[device]
        loose = log.copied()
        loose.entries = {**{one.identity: one for one in mine}, **loose.entries}
        for action in (
            lambda: reference.add(log.copied(), device, mine, upto, 0),  # noqa: B023
            lambda: reference.refuse_falling(loose, device),  # noqa: B023
        ):
            try:
                action()
            except AppendError as error:
                found.append(error)
    return found
