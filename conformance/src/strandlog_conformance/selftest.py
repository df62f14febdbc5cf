"""The suite against itself: sound stores pass, and every faulty one is noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from strandlog.backend import Durability, Handles
from strandlog_conformance.bare import run
from strandlog_conformance.reference import CAPABILITIES, offer
from strandlog_conformance.report import Failure, StoreReport, Verdict
from strandlog_conformance.saboteurs.registry import Saboteur, all_saboteurs
from strandlog_conformance.suite import Check, all_checks
from strandlog_conformance.target import Target

__all__ = ["Kill", "Selftest", "judge", "selftest", "sound_targets"]


@dataclass(frozen=True, slots=True)
class Kill:
    """What the suite found out about one faulty store.

    Attributes:
        saboteur: The store.
        failed: The checks that it failed.
        problem: What is wrong with the suite; empty if it noticed what it should.
    """

    saboteur: Saboteur
    failed: Sequence[str]
    problem: str


@dataclass(frozen=True, slots=True)
class Selftest:
    """What came of the whole.

    Attributes:
        sound: Reports on stores without a fault.
        kills: One for each faulty store.
        checks: Every check of the suite.
    """

    sound: Sequence[StoreReport]
    kills: Sequence[Kill]
    checks: Sequence[Check]

    @property
    def problems(self) -> list[str]:
        """What is wrong with the suite, a sentence each."""
        found = [
            f"{report.store}, which is sound, failed {outcome.check.id}: {_text(outcome.failure)}"
            for report in self.sound
            for outcome in report.failures
        ]
        found += [
            f"{report.store}: {report.invalid()}" for report in self.sound if report.invalid()
        ]
        found += [f"{kill.saboteur.id}: {kill.problem}" for kill in self.kills if kill.problem]
        if not self.kills:
            found.append("no faulty store was tried")
        return found

    @property
    def toothless(self) -> list[str]:
        """The checks that no faulty store fails: nothing shows that they bite.

        Empty unless every faulty store was tried.
        """
        if len(self.kills) < len(all_saboteurs()):
            return []
        biting = {name for kill in self.kills for name in kill.failed}
        return [one.id for one in self.checks if one.id not in biting]


def sound_targets() -> list[Target]:
    """Return stores without a fault: one that can everything, one that is allowed little."""
    modest = replace(
        CAPABILITIES,
        durability=Durability.NONE,
        handles=Handles.ONE,
        sparse=False,
        rehome=False,
        max_entry=70_000,
        max_batch=64,
    )
    return [offer(), offer("modest", capabilities=modest)]


async def selftest(
    *,
    only: Sequence[str] = (),
    seed: int = 0,
    on_kill: Callable[[Kill], None] | None = None,
) -> Selftest:
    """Run every check against sound stores and against the faulty ones (or some, by id)."""
    checks = all_checks()
    sound = [await run(target, checks, seed=seed, fast=True) for target in sound_targets()]
    kills = []
    for one in all_saboteurs():
        if only and one.id not in only:
            continue
        kill = judge(one, await run(one.target, one.tries(checks), seed=seed, fast=True))
        kills.append(kill)
        if on_kill is not None:
            on_kill(kill)
    return Selftest(sound, kills, checks)


def judge(saboteur: Saboteur, report: StoreReport) -> Kill:
    """Decide whether a faulty store was noticed by its check, and for the right reason."""
    failures = {one.check.id: one.failure for one in report.outcomes if one.verdict is Verdict.FAIL}
    broken = [one.check.id for one in report.outcomes if one.verdict is Verdict.ERROR]
    unexpected = [name for name in failures if not saboteur.may_fail(name)]
    named = failures.get(saboteur.caught_by)
    problem = ""
    if broken:
        problem = f"the harness broke in {', '.join(broken)}"
    elif named is None:
        others = f"; it failed {', '.join(failures)}" if failures else ""
        problem = f"{saboteur.caught_by} did not notice: {saboteur.fault}{others}"
    elif saboteur.says not in _text(named):
        problem = f"{saboteur.caught_by} failed with {_text(named)}, without {saboteur.says!r}"
    elif unexpected:
        problem = f"it also failed {', '.join(unexpected)}"
    return Kill(saboteur, list(failures), problem)


def _text(failure: Failure | None) -> str:
    return f"{failure.call}: got {failure.got}, want {failure.want}" if failure else ""
