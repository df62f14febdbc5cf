"""A wall clock that tests set by hand."""

from __future__ import annotations

__all__ = ["ManualClock"]


class ManualClock:
    """A wall clock that stands still until it is told to move.

    Attributes:
        millis: What it shows, in milliseconds since 1970; set it at will.
    """

    def __init__(self, millis: int = 1_700_000_000_000) -> None:
        self.millis = millis

    def __call__(self) -> int:
        return self.millis

    def advance(self, millis: int) -> None:
        """Move on, or back with a negative number."""
        self.millis += millis
