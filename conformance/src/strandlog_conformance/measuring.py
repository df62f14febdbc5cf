"""How long the calls of a store take here: told in reports, judged by nobody."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from strandlog import VersionVector
from strandlog_conformance.case import Case
from strandlog_conformance.samples import series

__all__ = ["Latency", "Meter"]

_CALLS = 100
_PAGE = 50


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds of a call: the middle one, and the one that 99 of 100 undercut."""

    append_p50: float
    append_p99: float
    read_p50: float
    read_p99: float


class Meter:
    """Takes the time of appends of one entry and of pages of 50.

    Attributes:
        latency: What was found; ``None`` until then.
    """

    def __init__(self) -> None:
        self.latency: Latency | None = None

    async def play(self, case: Case) -> None:
        """Fill a log of the case's own, an entry at a time, and read it again."""
        user = case.user()
        appends, reads = [], []
        async with case.open_log() as store:
            for one in series("phone", 1, _CALLS):
                began = time.perf_counter()
                await store.append(user, [one])
                appends.append(time.perf_counter() - began)
            for _ in range(_CALLS):
                began = time.perf_counter()
                await store.read(user, after=VersionVector(), limit=_PAGE, max_bytes=1 << 20)
                reads.append(time.perf_counter() - began)
        self.latency = Latency(*_middle_and_last(appends), *_middle_and_last(reads))


def _middle_and_last(seconds: Sequence[float]) -> tuple[float, float]:
    ranked = sorted(seconds)
    return _millis(ranked[len(ranked) // 2]), _millis(ranked[len(ranked) * 99 // 100])


def _millis(seconds: float) -> float:
    return round(seconds * 1000, 3)
