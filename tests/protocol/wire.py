"""Engines on a wire that a test holds in its hands: one server, any number of devices.

Nothing moves by itself. A frame lies on its wire, as bytes, until a test lets it
through, drops it, doubles it or cuts the wire; so every crossing of frames and
failures can be written down. Stores are in memory, and can be set back.
"""

from __future__ import annotations

import asyncio
import copy
import json
import secrets
from collections import deque
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from strandlog import Entry, Reader, VersionVector
from strandlog.access import AccessPolicy, FriendsPolicy
from strandlog.backend import CursorStore, LogStore
from strandlog.backend.registry import open_stores
from strandlog.client.local import Draft, LocalLog, Status
from strandlog.driver import Driver
from strandlog.errors import StrandlogError
from strandlog.model import Identity
from strandlog.protocol.client import ClientSession
from strandlog.protocol.codec import decode_client_frame, decode_server_frame, encode_frame
from strandlog.protocol.events import Event
from strandlog.protocol.frames import error_frame
from strandlog.protocol.limits import Limits
from strandlog.protocol.own import SERVER
from strandlog.protocol.server import ServerSession
from strandlog.testing import ManualClock
from strandlog_memory._schema import Data, data_at, forget

ResultT = TypeVar("ResultT")
EventT = TypeVar("EventT")

START = 1_700_000_000_000
ALL = 1_000_000

_ROUNDS = 1_000  # more frames than any story here needs: engines that go on talk in circles


class Storage:
    """The disk of one machine: a log store and a cursor store that can be set back."""

    def __init__(self, data: Data, log: LogStore, cursors: CursorStore) -> None:
        self.data = data
        self.log = log
        self.cursors = cursors

    def backup(self) -> Data:
        """Return a copy of everything."""
        kept = Data()
        kept.logs = copy.deepcopy(self.data.logs)
        kept.cursors = copy.deepcopy(self.data.cursors)
        return kept

    def restore(self, kept: Data, *, logs: bool = True, cursors: bool = True) -> None:
        """Set the disk back to a copy, or one of its two stores."""
        if logs:
            self.data.logs = copy.deepcopy(kept.logs)
        if cursors:
            self.data.cursors = copy.deepcopy(kept.cursors)

    def wipe(self) -> None:
        """Lose everything."""
        self.restore(Data())


class World:
    """One server, its devices, and the clock by which all of them stamp."""

    def __init__(self) -> None:
        # The stores are bound to a running loop, and never wait for it.
        self._loop = asyncio.new_event_loop()
        self._opened = AsyncExitStack()
        self.clock = ManualClock(START)
        self.server = Server(self)

    def do(self, work: Coroutine[Any, Any, ResultT]) -> ResultT:
        return self._loop.run_until_complete(work)

    def device(self, name: str, *, user: str = "alice") -> Device:
        """Return a new device with an empty disk."""
        return Device(self, Reader(user, name))

    def storage(self) -> Storage:
        """Return an empty disk."""
        name = secrets.token_hex(8)
        log, cursors = self.do(self._opened.enter_async_context(open_stores(f"memory://{name}")))
        self._opened.callback(forget, name)
        return Storage(data_at(name), log, cursors)

    def read(self, storage: Storage, user: str = "alice") -> list[Entry]:
        """Return the whole log of *user* on a disk, in seq order."""
        page = self.do(
            storage.log.read(user, after=VersionVector(), limit=ALL, max_bytes=ALL * 1000)
        )
        return list(page.entries)

    def tops(self, storage: Storage, user: str = "alice") -> VersionVector:
        return self.do(storage.log.tops(user))

    def agree(self, *devices: Device) -> list[Any]:
        """Let all sync until nothing is left to do; return what all of them and the server hold."""
        for _ in range(3):
            for device in devices:
                device.sync()
        for device in devices:
            assert device.read() == self.server.read()
            assert device.last_synced == device.tops()[device.reader.device]
        return self.server.texts()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.do(self._opened.aclose())
        self._loop.close()


class Server:
    """A server's disk and policy; each connection to it is a :class:`Wire`."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.storage = world.storage()
        self.access: AccessPolicy = FriendsPolicy()
        self.limits = Limits()
        self.epoch = "epoch"

    @property
    def driver(self) -> Driver:
        return Driver(self.storage.log, self.storage.cursors, self.access)

    def befriend(self, shown: Mapping[str, Mapping[str, Iterable[str]]]) -> None:
        """Show ``{whose log: {who: scopes}}``, and nothing else from now on."""
        self.access = FriendsPolicy(
            {u: {f: frozenset(s) for f, s in by.items()} for u, by in shown.items()}
        )

    def connect(self, reader: Reader) -> Wire:
        return Wire(self, reader)

    def raw(self, name: str) -> Raw:
        """Open a connection of ``user/device`` for frames that are written by hand."""
        return Raw(self, Reader.parse(name))

    def post(self, name: str, frame: object) -> Any:
        """Answer one frame as ``POST`` does."""
        raw = Raw(self, Reader.parse(name), stream=False)
        [answer] = raw.say(frame)
        return answer

    def read(self, user: str = "alice") -> list[Entry]:
        return self.world.read(self.storage, user)

    def texts(self, user: str = "alice") -> list[Any]:
        return texts(self.read(user))

    def cursor(self, reader: str, user: str = "alice") -> VersionVector:
        return self.world.do(self.storage.cursors.load(user, reader))


class Wire:
    """One connection: frames in both directions, moved by the test alone.

    Attributes:
        up: What lies between client and server, oldest first.
        down: What lies between server and client, oldest first.
    """

    def __init__(self, server: Server, reader: Reader, *, stream: bool = True) -> None:
        self.server = server
        self.session = ServerSession(
            reader, limits=server.limits, epoch=server.epoch, stream=stream
        )
        self.up: deque[bytes] = deque()
        self.down: deque[bytes] = deque()

    def serve(self) -> None:
        """Let the server take every frame that lies before it."""
        while self.up:
            self.serve_one(self.up.popleft())

    def serve_one(self, data: bytes) -> None:
        try:
            frame = decode_client_frame(data)
        except StrandlogError as error:
            self.down.append(encode_frame(error_frame(error, ref=error.ref)))
            return
        answers = self.server.world.do(self.server.driver.run(self.session.receive(frame)))
        self.down.extend(encode_frame(answer) for answer in answers)

    def push(self) -> None:
        """Let the server look for what is due on this connection."""
        for user in sorted(self.session.live_logs):
            while frames := self.server.world.do(self.server.driver.run(self.session.push(user))):
                self.down.extend(encode_frame(frame) for frame in frames)


class Raw(Wire):
    """A connection whose client is the test: it writes JSON and reads JSON."""

    def say(self, frame: object) -> list[Any]:
        """Send one frame, as an object or as the very text; return what comes of it."""
        text = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        self.up.append(text)
        self.serve()
        return self.hear(push=False)

    def hear(self, *, push: bool = True) -> list[Any]:
        """Return every frame that has come, or that the server pushes now."""
        if push:
            self.push()
        frames = [json.loads(data) for data in self.down]
        self.down.clear()
        return frames


class Device:
    """A device with its disk, its part of the log, and at most one connection.

    Attributes:
        events: Everything its sessions have told the application.
        sent: Every frame it ever sent, read back.
    """

    def __init__(self, world: World, reader: Reader) -> None:
        self.world = world
        self.storage = world.storage()
        self.asked = reader
        self.events: list[Event] = []
        self.sent: list[Any] = []
        self.wire: Wire | None = None
        self.session: ClientSession | None = None
        self.restart()

    @property
    def reader(self) -> Reader:
        return self.local.reader

    def restart(self) -> None:
        """End the process and begin a new one on the same disk."""
        self.cut()
        driver = Driver(self.storage.log, self.storage.cursors)
        self.local = LocalLog(self.asked, driver, now=self.world.clock)

    # -- the application ---------------------------------------------------------

    def add(
        self, *values: object, scope: str = "private", redacts: Identity | None = None
    ) -> list[Entry]:
        """Add one entry for each value; the clock moves on by a millisecond each."""
        entries: list[Entry] = []
        for value in values:
            self.world.clock.advance(1)
            draft = Draft(json.dumps(value).encode(), scope, redacts)
            entries += self.world.do(self.local.add([draft]))
        return entries

    def read(self, user: str = "alice") -> list[Entry]:
        return self.world.read(self.storage, user)

    def texts(self, user: str = "alice") -> list[Any]:
        return texts(self.read(user))

    def tops(self, user: str = "alice") -> VersionVector:
        return self.world.tops(self.storage, user)

    def status(self) -> Status:
        return self.world.do(self.local.status())

    @property
    def last_synced(self) -> int:
        cursor = self.world.do(self.storage.cursors.load(self.reader.user, SERVER))
        return cursor[self.reader.device]

    def told(self, kind: type[EventT]) -> list[EventT]:
        """Return the events of one kind, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]

    # -- one connection, step by step --------------------------------------------

    def connect(self, *, live: bool = False, follow: Iterable[str] = ()) -> Wire:
        """Open a connection; nothing is sent yet."""
        self.cut()
        reader = self.world.do(self.local.load())
        self.session = ClientSession(reader, session=self.world.clock(), live=live, follow=follow)
        self.wire = self.world.server.connect(reader)
        return self.wire

    def cut(self) -> None:
        """Lose the connection and all that is on it."""
        self.wire = self.session = None
        if hasattr(self, "local"):
            self.local.note_recovering(False)

    def say(self) -> list[Any]:
        """Put what the client has to say on the wire; return it, read back."""
        assert self.session is not None
        assert self.wire is not None
        frames = self.world.do(self._next_frames(self.session))
        return self._put(frames)

    def take(self) -> None:
        """Let the oldest frame from the server through to the client."""
        assert self.session is not None
        assert self.wire is not None
        self.world.do(self._take(self.session, self.wire.down.popleft()))

    def answer(self, frame: object) -> None:
        """Answer the client in the server's place, to which nothing gets through."""
        assert self.wire is not None
        self.wire.up.clear()
        self.wire.down.append(json.dumps(frame).encode())
        self.take()

    def ack(self) -> list[Any]:
        """Put the acks that are due on the wire."""
        assert self.session is not None
        return self._put(self.world.do(self.local.driver.run(self.session.acknowledge())))

    def _put(self, frames: Iterable[Any]) -> list[Any]:
        assert self.wire is not None
        encoded = [encode_frame(frame) for frame in frames]
        self.wire.up.extend(encoded)
        said = [json.loads(data) for data in encoded]
        self.sent += said
        return said

    # -- in one go ---------------------------------------------------------------

    def settle(self) -> None:
        """Let frames run both ways until neither side has anything to say."""
        for _ in range(_ROUNDS):
            session, wire = self.session, self.wire
            assert session is not None
            assert wire is not None
            if session.renamed_to is not None:
                return
            said = self.say()
            wire.serve()
            wire.push()
            if not wire.down and not said:
                self.ack()
                wire.serve()
                return
            while wire.down and session.renamed_to is None:
                self.take()
        raise AssertionError(f"{self.reader} talks in circles: {self.sent[-4:]}")

    def sync(self, *, follow: Iterable[str] = ()) -> list[Event]:
        """Exchange once, under as many names as it takes; return what it told."""
        before = len(self.events)
        renamed = True
        while renamed:
            self.connect(follow=follow)
            self.settle()
            renamed = self.session is not None and self.session.renamed_to is not None
        self.cut()
        return self.events[before:]

    def go_live(self, *, follow: Iterable[str] = ()) -> Wire:
        """Connect, catch up and stay connected."""
        wire = self.connect(live=True, follow=follow)
        self.settle()
        return wire

    async def _next_frames(self, session: ClientSession) -> Iterable[Any]:
        async with self.local.held():
            return await self.local.driver.run(session.next_frames())

    async def _take(self, session: ClientSession, data: bytes) -> None:
        async with self.local.held():
            try:
                await self.local.driver.run(session.receive(decode_server_frame(data)))
            finally:
                self.events += session.next_events()
            if session.renamed_to is not None:
                await self.local.rename(session.renamed_to)
        self.local.note_recovering(session.recovering)


def texts(entries: Iterable[Entry]) -> list[Any]:
    """Return the contents, read; ``None`` where there is none."""
    return [None if e.content is None else json.loads(e.content) for e in entries]
