"""Faults on purpose: what a network and a busy server do now and then."""

from __future__ import annotations

import enum
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable


class Fault(enum.Enum):
    """What goes wrong with a request; each says what has become of its transaction."""

    CONTENDED = "409"  # not run
    TOO_MANY = "429"  # not run
    UNAVAILABLE = "503"  # not run
    BAD_GATEWAY = "502"  # run, and an answer that is not JSON
    DROP_BEFORE = "drop before"  # not run, the connection ends
    DROP_AFTER = "drop after"  # run, and the connection ends without an answer
    DELAY = "delay"  # run, answered late
    HANG = "hang"  # not run, never answered


class Faults:
    """Says, request by request, what is to go wrong."""

    def __init__(self, choose: Callable[[int], Fault | None] = lambda _: None) -> None:
        self.delay_seconds = 0.05
        self.counts: dict[Fault | None, int] = {}
        self._choose = choose
        self._queued: deque[Fault | None] = deque()
        self._lock = threading.Lock()
        self._number = 0

    def push(self, faults: Iterable[Fault | None]) -> None:
        """Queue the fates of the next requests; ``None`` lets one through."""
        with self._lock:
            self._queued.extend(faults)

    def choose(self, function: Callable[[int], Fault | None]) -> None:
        """Decide by the number of the request from now on, beginning with 0."""
        with self._lock:
            self._choose, self._number = function, 0

    def next(self) -> Fault | None:
        with self._lock:
            queued = bool(self._queued)
            fault = self._queued.popleft() if queued else None
            choose, number = self._choose, self._number
            self._number += not queued
        if not queued:
            # Without the lock: a test may hold one request up until another has come.
            fault = choose(number)
        with self._lock:
            self.counts[fault] = self.counts.get(fault, 0) + 1
        return fault


def at_random(rate: float, seed: int) -> Callable[[int], Fault | None]:
    """Return a choice that fails a part of the requests, the same part for the same seed."""
    chance = random.Random(seed)
    kinds = [fault for fault in Fault if fault not in (Fault.HANG, Fault.DELAY)]
    return lambda _: chance.choice(kinds) if chance.random() < rate else None


def every_other(fault: Fault) -> Callable[[int], Fault | None]:
    """Return a choice by which every request meets *fault* before its repetition gets through."""
    return lambda number: fault if number % 2 == 0 else None
