"""How often something may happen."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["TokenBucket"]


class TokenBucket:
    """Lets something happen *burst* times at once, and *per_second* times for long.

    Args:
        per_second: How many tokens come back in a second.
        burst: How many tokens there are at most, and to begin with.
        clock: Returns seconds that never go back.
    """

    __slots__ = ("_burst", "_clock", "_filled", "_per_second", "_tokens")

    def __init__(self, per_second: float, burst: float, *, clock: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled = clock()

    def take(self) -> float:
        """Take one token and return 0, or take none and return the seconds until there is one."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._per_second)
        self._filled = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) / self._per_second
