"""A long run: the checks that draw chance, again and again with new seeds."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from strandlog_conformance.bare import reach, run_check
from strandlog_conformance.places import Places
from strandlog_conformance.report import Outcome, StoreReport, Verdict
from strandlog_conformance.target import Target

__all__ = ["by_chance", "soaked"]

# What tasks and processes do at once comes out differently each time, with the
# same seed too.
_RACES = frozenset({"conc", "cancel", "crash"})

_SOUND = (Verdict.PASS, Verdict.STAND_IN)


def by_chance(outcome: Outcome) -> bool:
    """Return whether another repetition of a check may find something else."""
    raced = outcome.check.category in _RACES
    return outcome.verdict in _SOUND and (outcome.by_chance or raced)


async def soaked(
    report: StoreReport,
    target: Target,
    *,
    seed: int,
    soak_seconds: float,
    limit_seconds: float,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> tuple[StoreReport, int]:
    """Repeat what came out by chance until the time is up; return what came of it.

    A check that fails in some round is reported with the seed of that round and
    not repeated again. Also returned is the number of rounds that were begun;
    round *n* has the seed *seed* + *n*.
    """
    outcomes = {one.check.id: one for one in report.outcomes}
    end = time.monotonic() + soak_seconds
    rounds = 0
    with Places() as places:
        target = await reach(target, places, limit_seconds=limit_seconds)
        while time.monotonic() < end:
            again = [one for one in outcomes.values() if by_chance(one)]
            if not again:
                break
            rounds += 1
            for outcome in again:
                if time.monotonic() >= end:
                    break
                made = await run_check(
                    outcome.check,
                    target,
                    places,
                    seed=seed + rounds,
                    limit_seconds=limit_seconds,
                )
                if on_outcome is not None:
                    on_outcome(made)
                if made.verdict in (Verdict.FAIL, Verdict.ERROR):
                    reason = made.reason or f"in round {rounds} of a long run"
                    outcomes[outcome.check.id] = replace(made, reason=reason)
    return replace(report, outcomes=list(outcomes.values())), rounds
