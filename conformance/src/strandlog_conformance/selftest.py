"""The suite against itself: sound stores pass, and every faulty one is noticed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from strandlog.backend import Durability, Handles
from strandlog_conformance.crew import Answer, work
from strandlog_conformance.reference import CAPABILITIES, NOTIFYING, NotifyingLogStore, offer
from strandlog_conformance.reference.files import offer_files
from strandlog_conformance.report import Failure, StoreReport, Verdict
from strandlog_conformance.saboteurs.registry import Saboteur, all_saboteurs
from strandlog_conformance.suite import Check, all_checks
from strandlog_conformance.target import Target

__all__ = ["Kill", "Selftest", "Sound", "judge", "selftest", "sound", "sound_targets"]

_WORKER = "strandlog_conformance.trying"

# Longer than the slowest of them takes on a busy machine, checks that hang included.
_LIMIT_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Sound:
    """What came of a store without a fault.

    Attributes:
        store: Its name.
        totals: How many checks ended how.
        problems: Which of them did not pass, a sentence each.
    """

    store: str
    totals: Mapping[str, int]
    problems: Sequence[str]


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
        sound: Stores without a fault.
        kills: One for each faulty store that was tried.
        checks: Every check of the suite.
    """

    sound: Sequence[Sound]
    kills: Sequence[Kill]
    checks: Sequence[Check]

    @property
    def complete(self) -> bool:
        """Whether every faulty store was tried."""
        return len(self.kills) == len(all_saboteurs())

    @property
    def problems(self) -> list[str]:
        """What is wrong with the suite, a sentence each."""
        found = [
            f"{one.store}, which is sound: {text}" for one in self.sound for text in one.problems
        ]
        found += [f"{kill.saboteur.id}: {kill.problem}" for kill in self.kills if kill.problem]
        found += [f"{name}: no faulty store fails it" for name in self.toothless]
        if not self.kills:
            found.append("no faulty store was tried")
        return found

    @property
    def toothless(self) -> list[str]:
        """The checks that no faulty store fails: nothing shows that they bite.

        Empty unless every faulty store was tried.
        """
        if not self.complete:
            return []
        biting = {name for kill in self.kills for name in kill.failed}
        return [one.id for one in self.checks if one.id not in biting]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "sound": [
                {"store": one.store, "totals": dict(one.totals), "problems": [*one.problems]}
                for one in self.sound
            ],
            "kills": [
                {
                    "id": kill.saboteur.id,
                    "fault": kill.saboteur.fault,
                    "caught_by": kill.saboteur.caught_by,
                    "failed": [*kill.failed],
                    "problem": kill.problem,
                }
                for kill in self.kills
            ],
            "complete": self.complete,
            "toothless": self.toothless,
            "problems": self.problems,
        }


def sound_targets() -> list[Target]:
    """Return stores without a fault.

    One that can everything, one that is allowed little, one that tells of
    changes, and one that keeps all it has in files.
    """
    modest = replace(
        CAPABILITIES,
        durability=Durability.NONE,
        handles=Handles.ONE,
        sparse=False,
        rehome=False,
        max_entry=70_000,
        max_batch=64,
    )
    return [
        offer(),
        offer("modest", capabilities=modest),
        offer("notifying", log=NotifyingLogStore, capabilities=NOTIFYING),
        offer_files(),
    ]


async def selftest(
    *,
    only: Sequence[str] = (),
    seed: int = 0,
    processes: int = 2,
    on_kill: Callable[[Kill], None] | None = None,
) -> Selftest:
    """Run every check against sound stores and against the faulty ones (or some, by id).

    The work is done in other processes; what comes out does not depend on how many.
    """
    saboteurs = {one.id: one for one in all_saboteurs() if not only or one.id in only}
    names = [one.name for one in sound_targets()]
    kills: dict[str, Kill] = {}
    sounds: dict[str, Sound] = {}

    def take(answer: Answer) -> None:
        name = answer.job.partition("#")[0]
        if name in saboteurs:
            value = answer.value or {"failed": [], "problem": answer.problem}
            kills[name] = Kill(saboteurs[name], **value)
            if on_kill is not None:
                on_kill(kills[name])
        else:
            value = answer.value or {"totals": {}, "problems": [answer.problem]}
            sounds[name] = Sound(name, **value)

    # The sound ones first: they take longest, and nobody should wait for one at the end.
    jobs = [f"{name}#{seed}" for name in (*reversed(names), *saboteurs)]
    await work(_WORKER, jobs, hands=processes, limit_seconds=_LIMIT_SECONDS, on_answer=take)
    return Selftest(
        [sounds[name] for name in names], [kills[name] for name in saboteurs], all_checks()
    )


def sound(report: StoreReport) -> Sound:
    """Decide whether the suite finds fault with a store that has none."""
    problems = [
        f"it failed {outcome.check.id}: {_text(outcome.failure)}" for outcome in report.failures
    ]
    problems += [report.invalid()] if report.invalid() else []
    totals = {verdict.value: count for verdict, count in report.totals.items()}
    return Sound(report.store, totals, problems)


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
