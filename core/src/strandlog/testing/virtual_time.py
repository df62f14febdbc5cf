"""An event loop in which time passes only while everybody waits, and then at once."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

__all__ = ["StalledError", "run_virtually"]

ResultT = TypeVar("ResultT")


class StalledError(Exception):
    """Everybody waits, and nothing is left that could ever happen."""


def run_virtually(main: Coroutine[Any, Any, ResultT]) -> ResultT:
    """Run *main* to its end in an event loop of its own whose clock begins at 0.

    ``asyncio.sleep(3600)`` takes no time. What happens at which moment depends on
    nothing but *main*, so a run can be repeated, provided that all that it awaits
    happens in this loop: no thread, no socket, no other process.

    Raises:
        StalledError: It waits for something that nothing will bring about.
    """
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = 0.0
        super().__init__(_Skipping(self._pass))

    def time(self) -> float:
        return self._virtual

    def _pass(self, seconds: float) -> None:
        self._virtual += seconds


class _Skipping(selectors.BaseSelector):
    """Looks whether a file is ready, and where others would wait lets the time pass."""

    def __init__(self, let_pass: Callable[[float], None]) -> None:
        self._files = selectors.DefaultSelector()
        self._let_pass = let_pass

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._files.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._files.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._files.select(0)
        if not ready and timeout is None:
            raise StalledError("everybody waits, and nothing is left that could happen")
        if not ready and timeout:
            self._let_pass(timeout)
        return ready

    def close(self) -> None:
        self._files.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._files.get_map()
