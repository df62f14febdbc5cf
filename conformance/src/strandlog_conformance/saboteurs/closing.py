"""Stores that do not end well."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from types import TracebackType
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from strandlog import Appended, Entry
from strandlog.backend import Capabilities
from strandlog.errors import StoreClosedError
from strandlog_conformance.reference import (
    KeptLog,
    ReferenceCursorStore,
    ReferenceLogStore,
    Shelf,
)
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M41",
    "answers after it was closed",
    caught_by="life.closed_refuses_every_call",
    says="of a closed store: got no error",
    also=("life.context_manager_on_error", "cancel.during_close"),
)
class AnswersClosed(ReferenceLogStore):
    """Never looks whether it is open."""

    def refuse_if_closed(self) -> None:
        pass


@saboteur(
    "M133",
    "answers for cursors after it was closed",
    caught_by="cursor.closed_refuses_every_call",
    says="of a closed cursor store: got no error",
)
class CursorsAnswerClosed(ReferenceCursorStore):
    """Never looks whether it is open."""

    def refuse_if_closed(self) -> None:
        pass


@saboteur(
    "M42",
    "lets its driver's error escape",
    caught_by="life.closed_refuses_every_call",
    says="got ProgrammingError",
    also=("life.*", "cancel.during_close"),
)
class DriverSpeaks(ReferenceLogStore):
    """Leaves it to the driver to refuse."""

    def refuse_if_closed(self) -> None:
        if self.closed:
            raise sqlite3.ProgrammingError("cannot operate on a closed database")


_queues: WeakKeyDictionary[Shelf, dict[str, KeptLog]] = WeakKeyDictionary()


@saboteur(
    "M62",
    "drops what is still queued when it is closed",
    caught_by="life.close_while_busy",
    says="entries after Appended",
    also=("life.*", "harness.same_location_same_data", "rehome.seen_by_all", "model.*"),
)
class QueueDropped(ReferenceLogStore):
    """Acknowledges an append and writes it with the next call."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._queue = _queues.setdefault(kept, {})

    def kept(self, user: str) -> KeptLog:
        self.shelf.logs.update(self._queue)
        self._queue.clear()
        return super().kept(user)

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        self.kept("")
        return await super().logs(after=after, limit=limit)

    async def close(self) -> None:
        self._queue.clear()
        await super().close()

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        await self.turn()
        log = self.kept(user).copied()
        done = self.applied(log, user, entries, **how)
        if done.tops:
            self._queue[user] = log
        return done


@saboteur(
    "M63",
    "leaves a task behind for each opening",
    caught_by="life.open_close_200x_no_leak",
    says="after many openings",
    also=("harness.leaves_nothing_behind",),
)
class TaskLeft(ReferenceLogStore):
    """Watches something for ever."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._watch = asyncio.ensure_future(asyncio.sleep(3_600))


_closed: WeakSet[Shelf] = WeakSet()


@saboteur(
    "M183",
    "closes for every opener of the location",
    caught_by="life.close_is_own",
    says="StoreClosedError",
    also=("*",),
)
class ClosesForAll(ReferenceLogStore):
    """Shares a connection and does not count who uses it."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        _closed.discard(kept)

    def refuse_if_closed(self) -> None:
        if self.shelf in _closed:
            raise StoreClosedError("the connection is closed")

    async def close(self) -> None:
        _closed.add(self.shelf)


@saboteur(
    "M185",
    "breaks when another event loop calls it",
    caught_by="life.fork_and_loop_change",
    says="attached to a different loop",
)
class BoundToLoop(ReferenceLogStore):
    """Lets its driver find out."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._loop = asyncio.get_running_loop()

    async def turn(self) -> None:
        await super().turn()
        if asyncio.get_running_loop() is not self._loop:
            raise RuntimeError("a future attached to a different loop")


@saboteur(
    "M173",
    "breaks when it is closed twice",
    caught_by="life.close_idempotent",
    says="cannot close a closed database",
    also=("life.*", "cancel.during_close"),
)
class ClosesOnce(ReferenceLogStore):
    """Closes its driver whenever it is told to."""

    async def close(self) -> None:
        if self.closed:
            raise sqlite3.ProgrammingError("cannot close a closed database")
        await super().close()


@saboteur(
    "M134",
    "stays open when its context ends with an error",
    caught_by="life.context_manager_on_error",
    says="tops after the context ended: got no error",
)
class OpenAfterError(ReferenceLogStore):
    """Closes only after success."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            await self.close()
