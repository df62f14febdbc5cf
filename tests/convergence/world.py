"""A small world in which anything may happen to anybody: devices, a friend, a server."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from strandlog import Reader
from strandlog.access import FriendsPolicy
from strandlog.backend import CursorStore, LogStore
from strandlog.backend.registry import plugin
from strandlog.backend.url import StoreUrl
from strandlog.client import Draft, Replica, Transport
from strandlog.errors import ConnectionLostError
from strandlog.protocol.codec import encode_entry
from strandlog.protocol.limits import Limits
from strandlog.testing import LocalServer, ManualClock

USERS = ("alice", "bob")

Stores = tuple[LogStore, CursorStore]


@dataclass(slots=True)
class Device:
    """One machine: which device it believes to be, its stores and its clock."""

    reader: Reader
    stores: Stores
    clock: ManualClock
    follow: tuple[str, ...] = ()
    saved: Stores | None = None


@dataclass(slots=True)
class World:
    """Everything that a run has made; *story* tells what happened, in order."""

    opened: AsyncExitStack
    chance: random.Random
    server: Stores
    limits: Limits
    devices: dict[str, Device] = field(default_factory=dict)
    shown: dict[str, frozenset[str]] = field(default_factory=dict)
    saved: Stores | None = None
    written: int = 0
    server_lost_data: bool = False
    story: list[str] = field(default_factory=list)

    async def stores(self) -> Stores:
        memory = plugin("memory")
        assert memory.log is not None
        assert memory.cursors is not None
        url = StoreUrl.parse("memory://")
        return (
            await self.opened.enter_async_context(memory.log.open(url)),
            await self.opened.enter_async_context(memory.cursors.open(url)),
        )

    async def copy(self, stores: Stores, *, log: bool = True, cursors: bool = True) -> Stores:
        """Return new stores with what these hold now; of what is left out, nothing."""
        made = await self.stores()
        for user in USERS:
            page = await stores[0].read_range(user, limit=100_000)
            if log and page.tops:
                await made[0].append(user, page.entries, upto=page.tops)
            for reader, vector in (await stores[1].readers(user)).items():
                if cursors:
                    await made[1].reset(user, reader, vector)
        return made

    async def contents(self, stores: Stores) -> list[bytes | None]:
        return [e.content for e in (await stores[0].read_range("alice", limit=100_000)).entries]

    async def wire(self, stores: Stores, scopes: frozenset[str] | None = None) -> list[bytes]:
        """Return alice's log as it would stand in frames."""
        page = await stores[0].read_range("alice", scopes=scopes, limit=100_000)
        return [encode_entry(entry) for entry in page.entries]

    # -- what may happen -----------------------------------------------------------

    async def add(self, name: str) -> None:
        device = self.devices[name]
        replica = self.replica(device)
        drafts = []
        for _ in range(self.chance.choice([1, 1, 2, 3, 5])):
            self.written += 1
            scope = self.chance.choice(["private", "friend"])
            drafts.append(Draft(b'"%d"' % self.written, scope))
        added = await replica.add_many(drafts)
        self.story.append(f"{name} adds {[(e.device, e.counter, e.content) for e in added]}")

    async def sync(self, name: str, *, cut: bool) -> None:
        device = self.devices[name]
        server = LocalServer(
            *self.server, access=FriendsPolicy({"alice": self.shown}), limits=self.limits
        )
        left = self.chance.choice([None, None, 0, 1, 2, 3, 4, 5, 7]) if cut else None
        replica = self.replica(device)
        end = "in full"
        async with replica.events() as events:
            try:
                await replica.sync(_Cutting(server, left).connect)
            except ConnectionLostError:
                end = f"cut after {left} frames"
            told = [
                type(events.receive_nowait()).__name__
                for _ in range(events.statistics().current_buffer_used)
            ]
        self.story.append(f"{name} syncs, {end}: {told}")

    async def save(self, name: str) -> None:
        self.devices[name].saved = await self.copy(self.devices[name].stores)
        self.story.append(f"{name} is backed up")

    async def restore(self, name: str) -> None:
        device = self.devices[name]
        if device.saved is not None:
            what = self.chance.choice(["both", "log", "cursors"])
            device.stores = await self._mixed(device.stores, device.saved, what)
            self.story.append(f"{name} is set back: {what}")

    async def wipe(self, name: str) -> None:
        self.devices[name].stores = await self.stores()
        self.story.append(f"{name} is wiped")

    async def clone(self, name: str) -> None:
        device = self.devices[name]
        clock = ManualClock(device.clock.millis + 7)
        copy = Device(device.reader, await self.copy(device.stores), clock, device.follow)
        self.devices[f"{name}+{len(self.devices)}"] = copy
        self.story.append(f"{name} is copied to another machine")

    async def save_server(self, _: str) -> None:
        self.saved = await self.copy(self.server)
        self.story.append("the server is backed up")

    async def restore_server(self, _: str) -> None:
        if self.saved is not None:
            what = self.chance.choice(["both", "log", "cursors"])
            self.server = await self._mixed(self.server, self.saved, what)
            self.server_lost_data = True
            self.story.append(f"the server is set back: {what}")

    async def wipe_server(self, _: str) -> None:
        self.server = await self.stores()
        self.server_lost_data = True
        self.story.append("the server is wiped")

    async def grant(self, _: str) -> None:
        scopes = self.chance.choice([{"friend"}, {"friend", "private"}, {"private"}])
        self.shown["bob"] = frozenset(scopes)
        self.story.append(f"bob may see {sorted(scopes)}")

    async def _mixed(self, now: Stores, then: Stores, what: str) -> Stores:
        log = then if what != "cursors" else now
        cursors = then if what != "log" else now
        return (await self.copy(log, cursors=False))[0], (await self.copy(cursors, log=False))[1]

    def replica(self, device: Device) -> Replica:
        log, cursors = device.stores
        user, name = device.reader
        return Replica(user, name, log=log, cursors=cursors, follow=device.follow, now=device.clock)


@dataclass(slots=True)
class _Cutting:
    """Connects to a server, and lets only so many frames through."""

    server: LocalServer
    left: int | None

    @asynccontextmanager
    async def connect(self, reader: Reader) -> AsyncIterator[Transport]:
        async with self.server.connect(reader) as transport:
            yield _Cut(self, transport)

    def count(self) -> None:
        if self.left is not None:
            if self.left == 0:
                raise ConnectionLostError("the network is cut")
            self.left -= 1


@dataclass(slots=True)
class _Cut:
    wire: _Cutting
    transport: Transport

    async def send(self, frame: bytes) -> None:
        self.wire.count()
        await self.transport.send(frame)

    async def receive(self) -> bytes | str:
        frame = await self.transport.receive()
        self.wire.count()  # too late: the server has acted, and nobody hears of it
        return frame


@asynccontextmanager
async def make_world(seed: int) -> AsyncIterator[World]:
    """Make a world in which nothing has happened yet; the seed decides what will."""
    chance = random.Random(seed)
    async with AsyncExitStack() as opened:
        limits = Limits(page_messages=chance.choice([1, 2, 3, 200]))
        world = World(opened, chance, (None, None), limits)  # type: ignore[arg-type]  # below
        world.server = await world.stores()
        world.shown["bob"] = frozenset({"friend"})
        for reader in ("alice/laptop", "alice/phone", "alice/desk", "bob/phone"):
            # Right, an hour slow, a little fast, and four months ahead.
            off = chance.choice([0, 0, -3_600_000, 5_000, 10**10])
            world.devices[reader] = Device(
                Reader.parse(reader),
                await world.stores(),
                ManualClock(1_700_000_000_000 + off),
                ("alice",) if reader.startswith("bob") else (),
            )
        yield world
