"""Levels and marks: what a store may call itself after a run.

They come from the checks that are *required* for them, out of the whole suite,
never from what happened to run. ``CORE`` takes every required check that no mark
asks for; each mark takes its own, and the capability that it stands for.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from strandlog.backend import Capabilities, Durability, Handles
from strandlog_conformance.suite import Check, Level
from strandlog_conformance.suite import durability as lasting
from strandlog_conformance.suite import handles as shared
from strandlog_conformance.verdicts import Outcome, Verdict

__all__ = ["Grade", "Mark", "Standing", "mark_of", "measured_durability", "required", "standing"]


class Mark(enum.Enum):
    """What a store may earn: the level, and the marks above it."""

    CORE = "CORE"
    OS = "OS"  # acknowledged entries survive the end of the process
    POWER = "POWER"  # and the loss of power, as far as the engine can promise
    MULTI = "MULTI"  # several processes at one location
    INTEGRITY = "INTEGRITY"  # damaged files are noticed
    PROTOCOL = "PROTOCOL"  # devices can keep their logs in it


_CLAIMS = {
    Mark.OS: lasting(Durability.OS),
    Mark.POWER: lasting(Durability.POWER),
    Mark.MULTI: shared(Handles.PROCESS),
}

# By category, where the capability alone does not tell what a check is about.
_CATEGORIES = {
    "proto": Mark.PROTOCOL,
    "corrupt": Mark.INTEGRITY,
    "crash": Mark.OS,
    "power": Mark.POWER,
}


@dataclass(frozen=True, slots=True)
class Grade:
    """One mark, and whether it was earned.

    Attributes:
        mark: Which.
        claimed: Whether the store declares what the mark stands for.
        withheld: Why it was not earned; empty if it was.
    """

    mark: Mark
    claimed: bool
    withheld: str

    @property
    def earned(self) -> bool:
        return not self.withheld


@dataclass(frozen=True, slots=True)
class Standing:
    """What a store has come to.

    Attributes:
        grades: One for each mark, ``CORE`` first.
        stand_in: Whether an imitation of its server was checked.
    """

    grades: Sequence[Grade]
    stand_in: bool

    @property
    def level(self) -> str:
        """``CORE+OS+POWER``, or empty without ``CORE``; an imitation is named as one."""
        if not self.grades[0].earned:
            return ""
        earned = "+".join(one.mark.value for one in self.grades if one.earned)
        return f"{earned} (STAND-IN)" if self.stand_in else earned

    @property
    def complete(self) -> bool:
        """Whether everything was earned that the store claims to be."""
        return all(one.earned for one in self.grades if one.claimed)

    @property
    def withheld(self) -> Mapping[str, str]:
        """Why a mark was not earned, of those that the store claims."""
        return {one.mark.value: one.withheld for one in self.grades if one.claimed and one.withheld}


def mark_of(check: Check) -> Mark:
    """Return the mark that a check is required for."""
    needs = _needs(check)
    of_category = _CATEGORIES.get(check.category)
    if of_category is not None:
        return of_category
    if "integrity" in needs:
        return Mark.INTEGRITY
    for mark in (Mark.POWER, Mark.MULTI):
        if _CLAIMS[mark].name in needs:
            return mark
    # What is left of the durable level is about files that outlive their process.
    return Mark.OS if _CLAIMS[Mark.OS].name in needs or check.level is Level.DURABLE else Mark.CORE


def required(mark: Mark, suite: Iterable[Check]) -> list[Check]:
    """Return the checks that *mark* takes."""
    return [one for one in suite if one.must and mark_of(one) is mark]


def standing(
    suite: Sequence[Check], outcomes: Sequence[Outcome], claims: Capabilities, *, cursors: bool
) -> Standing:
    """Return what a store with these claims has come to, out of the whole *suite*.

    A required check that failed takes everything: whoever declares what he does
    not keep has no level at all.
    """
    made = {one.check.id: one for one in outcomes}
    failed = [one.check.id for one in outcomes if one.verdict in _FAILED and one.check.must]
    broken = f"failed: {_listed(failed)}" if failed else ""
    grades: list[Grade] = []
    for mark in Mark:
        claimed = _claimed(mark, claims, cursors=cursors)
        withheld = broken or _missing(required(mark, suite), made) if claimed else "not declared"
        if not withheld and mark is Mark.POWER and not grades[1].earned:
            withheld = "it takes OS"
        grades.append(Grade(mark, claimed, withheld))
    return Standing(grades, any(one.verdict is Verdict.STAND_IN for one in outcomes))


def measured_durability(suite: Sequence[Check], outcomes: Sequence[Outcome]) -> Durability | None:
    """Return the durability that the checks have shown, whatever is declared.

    ``None`` if no check of it was made.
    """
    made = {one.check.id: one for one in outcomes}
    reopened = [
        one for one in required(Mark.CORE, suite) if lasting(Durability.PROCESS).name in _needs(one)
    ]
    steps = (
        (Durability.PROCESS, reopened),
        (Durability.OS, required(Mark.OS, suite)),
        (Durability.POWER, required(Mark.POWER, suite)),
    )
    shown = None
    for durability, checks in steps:
        if _missing(checks, made):
            break
        shown = durability
    return shown


def _needs(check: Check) -> set[str]:
    return {need.name for need in check.requires}


def _claimed(mark: Mark, claims: Capabilities, *, cursors: bool) -> bool:
    if mark is Mark.INTEGRITY:
        return claims.integrity
    if mark is Mark.PROTOCOL:
        return claims.sparse and claims.rehome and cursors
    return mark is Mark.CORE or _CLAIMS[mark].met_by(claims)


def _missing(checks: Sequence[Check], made: Mapping[str, Outcome]) -> str:
    """Return why these checks do not earn their mark; empty if they do."""
    if not any(one.id in made and made[one.id].verdict in _SHOWN for one in checks):
        return "none of its checks was made"
    reasons: dict[str, list[str]] = {}
    for one in checks:
        outcome = made.get(one.id)
        if outcome is None:
            reasons.setdefault("not chosen", []).append(one.id)
        elif outcome.verdict not in _HELD:
            reasons.setdefault(_why(outcome), []).append(one.id)
    return "; ".join(f"{why}: {_listed(names)}" for why, names in reasons.items())


# A capability that is not declared is refused, which other checks see to.
_SHOWN = frozenset({Verdict.PASS, Verdict.STAND_IN})
_HELD = _SHOWN | {Verdict.UNSUPPORTED}
_FAILED = frozenset({Verdict.FAIL, Verdict.FLAKY, Verdict.ERROR})


def _why(outcome: Outcome) -> str:
    if outcome.verdict is Verdict.NA_ENV:
        return f"cannot be checked here ({outcome.reason})"
    return str(outcome.verdict.value)


_NAMED = 3


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
