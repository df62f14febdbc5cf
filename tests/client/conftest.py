"""Replicas on memory stores, and a server without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from strandlog.access import FriendsPolicy
from strandlog.backend import CursorStore, LogStore
from strandlog.backend.registry import open_stores
from strandlog.client import Replica
from strandlog.testing import LocalServer, ManualClock


@dataclass(slots=True)
class World:
    """Makes stores that last as long as the test, and what works on them."""

    opened: AsyncExitStack
    clock: ManualClock

    async def stores(self) -> tuple[LogStore, CursorStore]:
        return await self.opened.enter_async_context(open_stores("memory://"))

    async def server(
        self, *, friends: dict[str, dict[str, frozenset[str]]] | None = None
    ) -> LocalServer:
        log, cursors = await self.stores()
        return LocalServer(log, cursors, access=FriendsPolicy(friends))

    async def replica(
        self,
        user: str,
        device: str,
        *,
        follow: Iterable[str] = (),
        now: Callable[[], int] | None = None,
    ) -> Replica:
        log, cursors = await self.stores()
        return self.on(user, device, log, cursors, follow=follow, now=now)

    def on(
        self,
        user: str,
        device: str,
        log: LogStore,
        cursors: CursorStore,
        *,
        follow: Iterable[str] = (),
        now: Callable[[], int] | None = None,
    ) -> Replica:
        return Replica(user, device, log=log, cursors=cursors, follow=follow, now=now or self.clock)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as opened:
        yield World(opened, ManualClock())


async def contents(replica: Replica, user: str = "alice") -> list[bytes | None]:
    """Return the contents of a log, in its order."""
    return [entry.content async for entry in replica.log.entries(user)]
