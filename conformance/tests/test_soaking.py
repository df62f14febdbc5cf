"""A long run: what is up to chance is repeated with new seeds, until the time is up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strandlog_conformance.bare import run
from strandlog_conformance.case import Case
from strandlog_conformance.expect import fail
from strandlog_conformance.reference import offer
from strandlog_conformance.report import Verdict
from strandlog_conformance.soaking import soaked
from strandlog_conformance.suite import Check, all_checks

pytestmark = pytest.mark.anyio

SOUND = all_checks()[0]
SEEDS: list[float] = []


async def by_chance(case: Case) -> None:
    SEEDS.append(case.random.random())
    if len(SEEDS) == 4:
        fail("a call", got="bad luck", want="none")


async def always_the_same(_case: Case) -> None:
    SEEDS.append(-1)


def a_check(play: object, name: str = "test.chance") -> Check:
    return replace(SOUND, id=name, play=play, requires=(), cursors=False)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_seeds() -> None:
    SEEDS.clear()


async def test_a_failure_in_a_later_round_is_reported_with_its_seed() -> None:
    checks = [a_check(by_chance)]
    first = await run(offer(), checks, seed=10)

    report, rounds = await soaked(first, offer(), seed=10, soak_seconds=60, limit_seconds=5)

    [outcome] = report.outcomes
    assert (first.outcomes[0].verdict, outcome.verdict) == (Verdict.PASS, Verdict.FAIL)
    assert (outcome.seed, outcome.repro, rounds) == (13, "reference#test.chance#13", 3)
    assert len(set(SEEDS)) == 4


async def test_what_is_not_up_to_chance_is_not_repeated() -> None:
    first = await run(offer(), [a_check(always_the_same)])

    report, rounds = await soaked(first, offer(), seed=0, soak_seconds=60, limit_seconds=5)

    assert (report.totals, rounds, SEEDS) == ({Verdict.PASS: 1}, 0, [-1])


async def test_races_are_repeated_though_they_draw_nothing() -> None:
    """How tasks meet is chance as well; here the fourth time is the last."""

    async def race(case: Case) -> None:
        await always_the_same(case)
        if len(SEEDS) == 4:
            fail("a call", got="a race", want="none")

    first = await run(offer(), [a_check(race, "conc.race")])

    _, rounds = await soaked(first, offer(), seed=0, soak_seconds=60, limit_seconds=5)

    assert rounds == 3
