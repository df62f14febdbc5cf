"""How the calls on a real store are carried out: one at a time, and while nothing else happens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, Protocol, Self, TypeVar

__all__ = ["Direct", "Hands", "Workshop", "hands_for"]

ResultT = TypeVar("ResultT")


class Hands(Protocol):
    """Carries out a coroutine of a store as if it took no time."""

    def do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Return what *work* comes to, or raise what it raises."""

    def close(self) -> None:
        """Let go of what is needed for that."""


class Direct:
    """For stores in memory, which never wait for anything."""

    def do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        try:
            while True:
                if work.send(None) is not None:
                    work.close()
                    raise RuntimeError("this store waits for something: give it a workshop")
        except StopIteration as stop:
            result: ResultT = stop.value
            return result

    def close(self) -> None:
        return None


class Workshop:
    """For stores with threads or files: an event loop with real time, in a thread of its own.

    The simulation stands still while it works. So it is the same again each time.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated disks")
        self._thread.start()

    def do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self


def hands_for(scheme: str) -> Hands:
    """Return hands that suit a backend."""
    return Direct() if scheme == "memory" else Workshop()
