"""The hybrid clock: timestamps that follow the wall clock and never fall."""

from __future__ import annotations

from collections.abc import Callable

from strandlog.model import TIMESTAMP_MAX

__all__ = ["MAX_SKEW_MILLIS", "HybridClock"]

MAX_SKEW_MILLIS = 24 * 60 * 60 * 1000  # a day ahead: the protocol page, Clock


class HybridClock:
    """Stamps the entries of one device.

    A stamp is the greatest of the wall clock, the last own stamp plus one, and
    the highest stamp seen from others plus one; so a reply sorts after what it
    answers although the clock of this device may be slow. A stamp that lies
    more than *max_skew_millis* ahead of the wall clock is not followed: one
    device in 2099 would otherwise pull all others there.

    Args:
        now: Returns the wall clock in milliseconds since 1970.
        last: The timestamp of the device's last own entry, 0 if there is none.
        max_skew_millis: How far ahead another's stamp is still believed.
    """

    def __init__(
        self, now: Callable[[], int], *, last: int = 0, max_skew_millis: int = MAX_SKEW_MILLIS
    ) -> None:
        self._now = now
        self._last = last
        self._seen = 0
        self._max_skew_millis = max_skew_millis

    def observe(self, timestamp: int) -> bool:
        """Take note of another device's stamp; return whether it is credible.

        An incredible stamp (too far ahead) changes nothing.
        """
        now = self._now()
        if timestamp > now + self._max_skew_millis:
            return False
        self._seen = max(self._believed(now), timestamp)
        return True

    def stamp(self) -> int:
        """Return the timestamp, in milliseconds, for the next own entry.

        It rises from call to call. Only at the greatest timestamp there is does
        it repeat, which the protocol allows: the counter then keeps the order.
        """
        now = self._now()
        self._last = min(max(now, self._last + 1, self._believed(now) + 1), TIMESTAMP_MAX)
        return self._last

    def _believed(self, now: int) -> int:
        # Judged again at each use: the wall clock may have been set back since.
        return self._seen if self._seen <= now + self._max_skew_millis else 0
