"""What came of one check of one store."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from strandlog_conformance.suite import Check

__all__ = ["IDENTITY", "Failure", "Outcome", "Verdict"]

IDENTITY = "harness.is_the_named_store"
"""The check without which no other says anything about the store that was named."""


class Verdict(enum.Enum):
    """What came of one check of one store."""

    PASS = "PASS"  # noqa: S105  # not a password
    FAIL = "FAIL"
    FLAKY = "FLAKY"  # failed, and passed when it was repeated
    ERROR = "ERROR"  # the suite or its harness broke; says nothing about the store
    UNSUPPORTED = "UNSUPPORTED"  # a capability is not declared; its refusal is checked
    UNDERCLAIMED = "UNDERCLAIMED"  # it does what it does not declare
    NA_ENV = "NA-ENV"  # the environment lacks something
    WAIVED = "WAIVED"
    STAND_IN = "STAND-IN"  # passed, but against an imitation of its server
    NOT_RUN = "NOT-RUN"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a check failed.

    Attributes:
        call: What was asked.
        got: What came.
        want: What the contract says.
        trace: Where, with the tasks that ran if the time was up.
        wire: Every frame that had travelled, if it was a story of the protocol.
    """

    call: str
    got: str
    want: str
    trace: str = ""
    wire: str = ""

    @property
    def text(self) -> str:
        """The failure in one line."""
        return f"{self.call}: got {self.got}, want {self.want}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The verdict on one check of one store.

    Attributes:
        check: The check.
        store: The name of the store, or of the pair.
        verdict: What came of it.
        seed: Where its chance began.
        seconds: How long it took.
        reason: Why it was not made, or what else there is to say.
        failure: How it failed; also of one that was waived.
        by_chance: Whether it drew chance: with another seed it does something else.
    """

    check: Check
    store: str
    verdict: Verdict
    seed: int
    seconds: float = 0.0
    reason: str = ""
    failure: Failure | None = None
    by_chance: bool = False

    @property
    def repro(self) -> str:
        """What to give to ``--repro`` to see it again."""
        return f"{self.store}#{self.check.id}#{self.seed}"
