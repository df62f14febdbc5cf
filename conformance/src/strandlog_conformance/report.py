"""Verdicts, their arithmetic, and what a run as a whole comes to."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from strandlog_conformance.suite import Check, manifest_hash

__all__ = ["IDENTITY", "ExitCode", "Failure", "Outcome", "Report", "StoreReport", "Verdict"]

SCHEMA = 1
"""The version of the JSON form of a report."""

IDENTITY = "harness.is_the_named_store"
"""The check without which no other says anything about the store that was named."""


class Verdict(enum.Enum):
    """What came of one check of one store."""

    PASS = "PASS"  # noqa: S105  # not a password
    FAIL = "FAIL"
    ERROR = "ERROR"  # the suite or its harness broke; says nothing about the store
    UNSUPPORTED = "UNSUPPORTED"  # a capability is not declared; its refusal is checked
    NA_ENV = "NA-ENV"  # the environment lacks something
    WAIVED = "WAIVED"
    STAND_IN = "STAND-IN"  # passed, but against an imitation of its server
    NOT_RUN = "NOT-RUN"


_RAN = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.WAIVED, Verdict.STAND_IN})


class ExitCode(enum.IntEnum):
    """How a run ends."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3  # whatever the verdicts are, they are not an answer


@dataclass(frozen=True, slots=True)
class Failure:
    """How a check failed.

    Attributes:
        call: What was asked.
        got: What came.
        want: What the contract says.
        trace: Where, with the tasks that ran if the time was up.
    """

    call: str
    got: str
    want: str
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one check of one store."""

    check: Check
    store: str
    verdict: Verdict
    seed: int
    seconds: float = 0.0
    reason: str = ""
    failure: Failure | None = None

    @property
    def repro(self) -> str:
        """What to give to ``--repro`` to see it again."""
        return f"{self.store}#{self.check.id}#{self.seed}"


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Everything that was found out about one store.

    Attributes:
        store: Its name in the run.
        planned: The checks that were to be made.
        outcomes: One for each.
        distribution: Where the store comes from.
        problem: Why it could not be reached at all; empty if it could.
    """

    store: str
    planned: Sequence[Check]
    outcomes: Sequence[Outcome]
    distribution: str = ""
    problem: str = ""

    @property
    def totals(self) -> dict[Verdict, int]:
        """How often each verdict was given; verdicts never given are left out."""
        counted = Counter(outcome.verdict for outcome in self.outcomes)
        return {verdict: counted[verdict] for verdict in Verdict if counted[verdict]}

    @property
    def failures(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.verdict in (Verdict.FAIL, Verdict.ERROR)]

    def invalid(self) -> str:
        """Return why the outcomes are no answer about this store; empty if they are."""
        if self.problem:
            return self.problem
        if [one.check.id for one in self.outcomes] != [one.id for one in self.planned]:
            return (
                f"{len(self.planned)} checks were planned and {len(self.outcomes)} have a verdict"
            )
        totals = self.totals
        if not _RAN & set(totals):
            return "no check ran"
        if broken := totals.get(Verdict.ERROR):
            return f"the harness broke in {broken} checks"
        if missed := totals.get(Verdict.NOT_RUN):
            return f"{missed} planned checks were not run"
        if any(one.check.id == IDENTITY and one.verdict is Verdict.FAIL for one in self.outcomes):
            return "the store under test is not the one that was named"
        return ""

    def failed(self) -> bool:
        """Return whether a check failed that every store must pass."""
        return any(one.verdict is Verdict.FAIL and one.check.must for one in self.outcomes)

    def level(self, suite: Sequence[Check]) -> str:
        """Return the level that the store has reached, out of the whole *suite*.

        Empty when something required failed or did not run: a selection of the
        checks never earns a level.
        """
        required = {one.id for one in suite if one.must}
        held = {
            one.check.id
            for one in self.outcomes
            if one.verdict in (Verdict.PASS, Verdict.UNSUPPORTED, Verdict.NA_ENV)
        }
        return "" if self.invalid() or self.failed() or required - held else "CORE"


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    Attributes:
        suite: Every check of the suite, chosen or not.
        stores: What was found, in the order in which the stores were named.
        seed: The seed of the run.
        missing: Stores that were required and are not among those that ran.
    """

    suite: Sequence[Check]
    stores: Sequence[StoreReport]
    seed: int
    missing: Sequence[str] = field(default=())

    def exit_code(self) -> ExitCode:
        """Return how the run ends; an invalid one is never a success."""
        if self.invalid():
            return ExitCode.INVALID
        return ExitCode.FAILED if any(one.failed() for one in self.stores) else ExitCode.PASSED

    def invalid(self) -> list[str]:
        """Return why the run is no answer, a sentence for each reason."""
        reasons = [f"{name} was required and was not checked" for name in self.missing]
        if not self.stores:
            reasons.append("no store was checked")
        reasons += [f"{one.store}: {why}" for one in self.stores if (why := one.invalid())]
        return reasons

    def as_json(self) -> dict[str, object]:
        """Return the report as plain data."""
        return {
            "schema": SCHEMA,
            "suite": {"checks": len(self.suite), "manifest_sha256": manifest_hash(self.suite)},
            "run": {
                "seed": self.seed,
                "exit_code": int(self.exit_code()),
                "invalid": self.invalid(),
            },
            "stores": [self._store_json(one) for one in self.stores],
        }

    def _store_json(self, store: StoreReport) -> dict[str, object]:
        return {
            "store": store.store,
            "distribution": store.distribution,
            "level": store.level(self.suite),
            "problem": store.problem,
            "totals": {
                "planned": len(store.planned),
                **{verdict.value: count for verdict, count in store.totals.items()},
            },
            "checks": [_outcome_json(one) for one in store.outcomes],
        }


def _outcome_json(outcome: Outcome) -> dict[str, object]:
    check = outcome.check
    return {
        "id": check.id,
        "category": check.category,
        "rule": check.rule,
        "must": check.must,
        "verdict": outcome.verdict.value,
        "seconds": round(outcome.seconds, 4),
        "reason": outcome.reason,
        "failure": asdict(outcome.failure) if outcome.failure else None,
        "suspects": list(check.kills) if outcome.failure else [],
        "seed": outcome.seed,
    }
