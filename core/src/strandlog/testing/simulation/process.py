"""A process of the simulation: it has tasks and uses stores, and can die at any call of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from strandlog.errors import StoreUnavailableError
from strandlog.testing.simulation.disks import Disk
from strandlog.testing.simulation.hands import Hands

__all__ = ["Fault", "Gate", "Process"]

ResultT = TypeVar("ResultT")

# How long a call on a store takes at most, in seconds.
_CALL_SECONDS = 0.004


@dataclass(slots=True)
class Fault:
    """What is to happen at one of the next calls on a store.

    Attributes:
        calls: At which of them: 1 is the next.
        crash: Whether the process dies then; else the call raises.
        after: Whether the call is carried out before that.
    """

    calls: int
    crash: bool
    after: bool


class Process:
    """One run of a program on a machine, from its start to its end or its crash.

    Args:
        name: Whose.
        chance: Decides how long calls take.
        on_crash: Called when a fault has made it crash.
        on_error: Told of what ended a task and should not have.
    """

    def __init__(
        self,
        name: str,
        chance: random.Random,
        *,
        on_crash: Callable[[], None],
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        self.name = name
        self.alive = True
        self.fault: Fault | None = None
        self._chance = chance
        self._on_crash = on_crash
        self._on_error = on_error
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, object], what: str) -> asyncio.Task[Any]:
        """Run something in this process."""
        task = asyncio.create_task(work, name=f"{self.name}: {what}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and self.alive and (error := task.exception()) is not None:
            self._on_error(task.get_name(), error)

    def end(self) -> None:
        """End it at once: nothing of it reaches a store any more."""
        self.alive = False
        for task in list(self._tasks):
            task.cancel()

    async def call(self, hands: Hands, work: Callable[[], Coroutine[Any, Any, ResultT]]) -> ResultT:
        """Carry out one call on a store: it takes its time, and may be this process's last."""
        await self._pause()
        fault = self._due()
        if fault is not None and not fault.after:
            await self._suffer(fault)
        result = hands.do(work())
        if fault is not None and fault.after:
            await self._suffer(fault)
        await self._pause()
        return result

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(0.0, _CALL_SECONDS))
        if not self.alive:
            raise asyncio.CancelledError

    def _due(self) -> Fault | None:
        fault = self.fault
        if fault is None:
            return None
        fault.calls -= 1
        if fault.calls > 0:
            return None
        self.fault = None
        return fault

    async def _suffer(self, fault: Fault) -> None:
        if not fault.crash:
            raise StoreUnavailableError("the disk does not answer", retry_after_seconds=1.0)
        self._on_crash()
        raise asyncio.CancelledError


class Gate:
    """A store as a process sees it: every call passes through the process."""

    def __init__(self, process: Process, disk: Disk, half: str) -> None:
        self._process = process
        self._disk = disk
        self._half = half

    def __getattr__(self, name: str) -> Any:
        real = getattr(getattr(self._disk, self._half), name)
        if name in _PLAIN:
            return real

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await self._process.call(
                self._disk.hands,
                lambda: getattr(getattr(self._disk, self._half), name)(*args, **kwargs),
            )

        return call


_PLAIN = frozenset({"capabilities"})
