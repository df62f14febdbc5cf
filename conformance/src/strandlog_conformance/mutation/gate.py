"""What came of all mutants, and whether that is good enough."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strandlog_conformance.crew import Answer, work
from strandlog_conformance.mutation.mutants import all_mutants

__all__ = ["LEAST", "Fate", "Mutation", "mutate", "reviewed"]

LEAST = 0.97
"""Which share has to be noticed of the mutants that can be: those of no review."""

_WORKER = "strandlog_conformance.mutation.judging"
_REVIEW = Path(__file__).parent / "reviewed.toml"

# A mutant may well never end: then that is how it is noticed.
_LIMIT_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Fate:
    """What came of one mutant.

    Attributes:
        mutant: Its id.
        noticed: What noticed it: a check, or how it fell by itself; empty if nothing did.
    """

    mutant: str
    noticed: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """What came of those that were tried.

    Attributes:
        fates: One for each of them.
        known: Every mutant that there is, by id.
        reviewed: By id, why nothing can notice it.
    """

    fates: Sequence[Fate]
    known: frozenset[str]
    reviewed: Mapping[str, str]

    @property
    def survivors(self) -> list[str]:
        """The mutants that nothing noticed."""
        return [one.mutant for one in self.fates if not one.noticed]

    @property
    def noticed(self) -> int:
        """How many were noticed."""
        return len(self.fates) - len(self.survivors)

    @property
    def share(self) -> float:
        """Which share was noticed of those that can be."""
        equivalent = sum(name in self.reviewed for name in self.survivors)
        noticeable = len(self.fates) - equivalent
        return self.noticed / noticeable if noticeable else 1.0

    @property
    def problems(self) -> list[str]:
        """What is wrong with the suite, or with the review, a sentence each."""
        found = [
            f"nothing notices {name}: strengthen a check, or say in the review why it is equivalent"
            for name in self.survivors
            if name not in self.reviewed
        ]
        found += [
            f"{one.mutant} is reviewed as equivalent, but noticed by {one.noticed}"
            for one in self.fates
            if one.noticed and one.mutant in self.reviewed
        ]
        found += [
            f"{name} is reviewed, but there is no such mutant any more"
            for name in self.reviewed
            if name not in self.known
        ]
        if not self.fates:
            found.append("no mutant was tried")
        elif self.share < LEAST:
            found.append(f"only {self.share:.1%} of those that can be noticed are")
        return found

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "tried": len(self.fates),
            "known": len(self.known),
            "noticed": self.noticed,
            "survivors": {name: self.reviewed.get(name, "") for name in self.survivors},
            "problems": self.problems,
        }


def reviewed() -> dict[str, str]:
    """Return, by the id of a mutant, why nothing can notice it."""
    found: dict[str, dict[str, str]] = tomllib.loads(_REVIEW.read_text("utf-8"))
    return {
        f"{module} {name}": reason
        for module, part in found.items()
        for name, reason in part.items()
    }


async def mutate(
    *,
    every: int = 1,
    processes: int = 2,
    on_fate: Callable[[Fate], None] | None = None,
) -> Mutation:
    """Try every mutant, or one in *every*, in other processes.

    What comes out does not depend on how many these are.
    """
    known = [one.id for one in all_mutants()]

    def take(answer: Answer) -> None:
        if on_fate is not None:
            on_fate(_fate(answer))

    answers = await work(
        _WORKER, known[::every], hands=processes, limit_seconds=_LIMIT_SECONDS, on_answer=take
    )
    return Mutation([_fate(one) for one in answers], frozenset(known), reviewed())


def _fate(answer: Answer) -> Fate:
    return Fate(answer.job, answer.problem or answer.value)
