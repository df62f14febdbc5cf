"""The reference store once more, with notifications."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from strandlog import Appended, Entry, VersionVector
from strandlog.backend import Capabilities
from strandlog_conformance.reference.log import CAPABILITIES, ReferenceLogStore
from strandlog_conformance.reference.shelf import Shelf

__all__ = ["NOTIFYING", "NotifyingLogStore"]

NOTIFYING = replace(CAPABILITIES, notify=True)

_END = None


class NotifyingLogStore(ReferenceLogStore):
    """Tells every subscriber of its location who has been changed."""

    def __init__(self, kept: Shelf, capabilities: Capabilities = NOTIFYING) -> None:
        super().__init__(kept, capabilities)
        self._mine: list[asyncio.Queue[str | None]] = []

    def tell(self, user: str) -> None:
        """Name a user to all who listen at this location."""
        for queue in self.shelf.listeners:
            queue.put_nowait(user)

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        done = await super().append(user, entries, **how)
        self.tell(user)
        return done

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        floors = await super().trim(user, device, up_to=up_to)
        self.tell(user)
        return floors

    async def erase(self, user: str) -> None:
        await super().erase(user)
        self.tell(user)

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        moved = await super().rehome(user, device, **how)
        self.tell(user)
        return moved

    def subscribe(self) -> AsyncIterator[str]:
        self.refuse_if_closed()
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.shelf.listeners.append(queue)
        self._mine.append(queue)
        return self._named(queue)

    async def _named(self, queue: asyncio.Queue[str | None]) -> AsyncIterator[str]:
        try:
            while (user := await queue.get()) is not _END:
                yield user
        finally:
            if queue in self.shelf.listeners:
                self.shelf.listeners.remove(queue)

    async def close(self) -> None:
        for queue in self._mine:
            queue.put_nowait(_END)
        self._mine.clear()
        await super().close()
