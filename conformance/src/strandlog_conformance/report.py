"""The arithmetic of verdicts, and what a run as a whole comes to."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from strandlog.backend import Capabilities
from strandlog_conformance.levels import Standing, standing
from strandlog_conformance.measuring import Latency
from strandlog_conformance.suite import Check, Level
from strandlog_conformance.verdicts import IDENTITY, Failure, Outcome, Verdict
from strandlog_conformance.waivers import Waiver

__all__ = [
    "IDENTITY",
    "ExitCode",
    "Failure",
    "Outcome",
    "Report",
    "RunFacts",
    "StoreReport",
    "Verdict",
]

_RAN = frozenset(
    {Verdict.PASS, Verdict.FAIL, Verdict.FLAKY, Verdict.WAIVED, Verdict.STAND_IN}
    | {Verdict.UNDERCLAIMED}
)
_FAILED = frozenset({Verdict.FAIL, Verdict.FLAKY})


class ExitCode(enum.IntEnum):
    """How a run ends."""

    PASSED = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3  # whatever the verdicts are, they are not an answer


@dataclass(frozen=True, slots=True)
class StoreReport:
    """Everything that was found out about one store.

    Attributes:
        store: Its name in the run.
        planned: The checks that were to be made.
        outcomes: One for each.
        distribution: Where the store comes from.
        problem: Why it could not be reached at all; empty if it could.
        capabilities: What it declares; ``None`` if it could not be reached.
        cursors: Whether it keeps cursors too.
        scheme: The entry point that answers to it.
        latency: How long its calls took; ``None`` if that was not measured.
        waived: The waivers that were used.
        absent: What the environment lacks to have such a store at all; empty if nothing.
    """

    store: str
    planned: Sequence[Check]
    outcomes: Sequence[Outcome]
    distribution: str = ""
    problem: str = ""
    capabilities: Capabilities | None = None
    cursors: bool = True
    scheme: str = ""
    latency: Latency | None = None
    waived: Sequence[Waiver] = ()
    absent: str = ""

    @property
    def totals(self) -> dict[Verdict, int]:
        """How often each verdict was given; verdicts never given are left out."""
        counted = Counter(outcome.verdict for outcome in self.outcomes)
        return {verdict: counted[verdict] for verdict in Verdict if counted[verdict]}

    @property
    def failures(self) -> list[Outcome]:
        bad = _FAILED | {Verdict.ERROR}
        return [one for one in self.outcomes if one.verdict in bad]

    def invalid(self) -> str:
        """Return why the outcomes are no answer about this store; empty if they are."""
        if self.problem:
            return self.problem
        if [one.check.id for one in self.outcomes] != [one.id for one in self.planned]:
            return (
                f"{len(self.planned)} checks were planned and {len(self.outcomes)} have a verdict"
            )
        totals = self.totals
        if self.absent:
            return ""
        if not _RAN & set(totals):
            return "no check ran"
        if broken := totals.get(Verdict.ERROR):
            return f"the harness broke in {broken} checks"
        if missed := totals.get(Verdict.NOT_RUN):
            return f"{missed} planned checks were not run"
        identity = [one.verdict for one in self.outcomes if one.check.id == IDENTITY]
        if identity and identity[0] not in (Verdict.PASS, Verdict.STAND_IN):
            return "the store under test is not the one that was named"
        return ""

    def failed(self) -> bool:
        """Return whether a check failed that every store must pass."""
        return any(one.verdict in _FAILED and one.check.must for one in self.outcomes)

    def standing(self, suite: Sequence[Check]) -> Standing | None:
        """Return which marks were earned, out of the whole *suite*; ``None`` if there is no answer.

        A selection of the checks never earns a mark.
        """
        if self.invalid() or self.absent:
            return None
        claims = self.capabilities or Capabilities()
        return standing(suite, self.outcomes, claims, cursors=self.cursors)

    def level(self, suite: Sequence[Check]) -> str:
        """Return the level and marks that the store has earned, such as ``CORE+OS``."""
        found = self.standing(suite)
        return found.level if found else ""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is to be known of a run besides its verdicts.

    Attributes:
        started: When it began, as ISO 8601 in UTC.
        seconds: How long it took.
        argv: How it was called, without secrets.
        level: How much was asked for.
        only: The patterns of the checks that were chosen; none is all.
        fast: Whether fewer repetitions were asked for.
        timeout_seconds: How long one check might take.
        retries: How often a failed check was repeated.
        soak_rounds: How often the checks that draw chance were repeated with a new seed.
    """

    started: str = ""
    seconds: float = 0.0
    argv: Sequence[str] = ()
    level: Level = Level.ALL
    only: Sequence[str] = ()
    fast: bool = False
    timeout_seconds: float = 0.0
    retries: int = 0
    soak_rounds: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run.

    Attributes:
        suite: Every check of the suite, chosen or not.
        stores: What was found, in the order in which the stores were named.
        seed: The seed of the run.
        missing: Stores that were required and are not among those that ran.
        problems: What else makes the run no answer: a waiver that does not hold.
        facts: How the run was made.
        shipped: The ids of the checks that the suite has to have.
    """

    suite: Sequence[Check]
    stores: Sequence[StoreReport]
    seed: int
    missing: Sequence[str] = field(default=())
    problems: Sequence[str] = field(default=())
    facts: RunFacts = field(default=RunFacts())
    shipped: Sequence[str] = field(default=())

    def standing(self, store: StoreReport) -> Standing | None:
        """Return which marks a store has earned in this run; ``None`` if there is no answer."""
        # That another store could not be reached takes nothing from this one.
        return None if self._broken() else store.standing(self.suite)

    def level(self, store: StoreReport) -> str:
        """Return the level and marks that a store has earned in this run."""
        found = self.standing(store)
        return found.level if found else ""

    def exit_code(self) -> ExitCode:
        """Return how the run ends; an invalid one is never a success."""
        if self.invalid():
            return ExitCode.INVALID
        return ExitCode.FAILED if any(one.failed() for one in self.stores) else ExitCode.PASSED

    def invalid(self) -> list[str]:
        """Return why the run is no answer, a sentence for each reason."""
        reasons = [f"{name} was required and was not checked" for name in self.missing]
        if all(one.absent for one in self.stores):
            reasons.append("no store was checked")
        reasons += [f"{one.store}: {why}" for one in self.stores if (why := one.invalid())]
        return [*reasons, *self._broken()]

    def _broken(self) -> list[str]:
        """Return what is wrong with the run itself, whatever the stores did."""
        known = {one.id for one in self.suite}
        gone = [name for name in self.shipped if name not in known]
        return [*(f"{name} is not among the checks any more" for name in gone), *self.problems]
