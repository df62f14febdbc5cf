"""Programs that fail are made as short as they may be, and print as calls."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import pytest

from strandlog import VersionVector
from strandlog_conformance.drawing import LARGE, SMALL, draw
from strandlog_conformance.expect import CheckFailed
from strandlog_conformance.programs import Append, Pages, Read, Step, Trim
from strandlog_conformance.samples import series
from strandlog_conformance.shrinking import Failing, shrink

FAILED = CheckFailed("a call", "one thing", "another")


def drawn(seed: int, count: int = 60) -> list[Step]:
    return draw(Random(seed), count, SMALL, sparse=True, rehome=True, reopen=True, cursors=True)


def test_program_is_the_same_again_for_the_same_seed() -> None:
    assert drawn(7) == drawn(7) != drawn(8)


def test_program_asks_only_for_what_is_declared() -> None:
    kinds = {type(step).__name__ for step in draw(Random(1), 400, LARGE, max_batch=5)}
    batches = [step for step in draw(Random(1), 400, LARGE, max_batch=5) if type(step) is Append]

    assert kinds.isdisjoint({"Rehome", "Reopen", "Advance", "Reset", "Forget", "EraseCursors"})
    assert max(len(step.entries) for step in batches) == 5
    assert {step.upto for step in batches} == {None}


@pytest.mark.anyio
async def test_what_a_failure_does_not_need_is_left_out() -> None:
    """It fails if anything is trimmed after a 3 was appended: all else goes, inside steps too."""

    async def play(steps: Sequence[Step]) -> Failing | None:
        appended = False
        for at, step in enumerate(steps):
            if isinstance(step, Append):
                appended |= any((one.device, one.counter) == ("a", 3) for one in step.entries)
            if appended and isinstance(step, Trim):
                return Failing(steps[: at + 1], FAILED)
        return None

    upto = VersionVector({"a": 9})
    steps = [*drawn(1, 40), Append(1, 1, tuple(series("a", 1, 5)), upto), *drawn(2, 40), Trim(1, 1)]
    failing = await play(steps)
    assert failing is not None

    shortest = await shrink(failing, play, left=lambda: True)

    [append, trim] = shortest.steps
    assert isinstance(append, Append)
    assert [(one.device, one.counter) for one in append.entries] == [("a", 3)]
    assert trim == Trim()


@pytest.mark.anyio
async def test_program_that_fails_now_and_then_says_so() -> None:
    async def play(_: Sequence[Step]) -> Failing | None:
        return None

    shortest = await shrink(Failing([Trim()] * 20, FAILED), play, left=lambda: True)

    assert str(shortest) == "not every time; 12 steps, then " + "; ".join(["trim(log 0)"] * 8)


@pytest.mark.anyio
async def test_nothing_is_tried_when_the_time_is_up() -> None:
    steps = [Trim(), Pages(), Read()]

    async def play(tried: Sequence[Step]) -> Failing | None:
        return Failing(tried, FAILED)

    shortest = await shrink(Failing(steps, FAILED), play, left=lambda: False)

    assert shortest.steps == steps


def test_steps_print_as_calls() -> None:
    append = Append(1, 1, tuple(series("a", 1, 2)), VersionVector({"a": 2}))

    assert str(append) == (
        "append(log 1, entries=[a:1@10, a:2@20], upto={'a': 2}) through opener 2"
    )
