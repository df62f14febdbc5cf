"""What a story of the protocol is played on: devices, a server, and wires to cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from strandlog import Entry, Identity, Reader, VersionVector
from strandlog.access import FriendsPolicy
from strandlog.client import Draft, Event, Replica, Status, Transport
from strandlog.errors import ConnectionLostError, RejectedError
from strandlog.protocol.codec import encode_entry
from strandlog.protocol.limits import Limits
from strandlog.testing import LocalServer, ManualClock
from strandlog_conformance.disks import Disk, ProcessDiedError, Side
from strandlog_conformance.expect import fail, same

__all__ = ["USER", "Device", "Frame", "Pair", "Server", "Trip", "hello", "names", "texts"]

EventT = TypeVar("EventT")

USER = "alice"
"""Whose log a story is about, unless it says otherwise."""

_FRAMES_MAX = 400
"""More than any exchange of a story takes: what goes on after these goes on for ever."""

_ROUNDS_MAX = 12
"""Far more than any repair has taken: three or four."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame that travelled.

    Attributes:
        reader: Whose connection it was.
        upwards: Whether it went to the server.
        text: The very bytes.
    """

    reader: str
    upwards: bool
    text: bytes

    @property
    def content(self) -> Any:
        """The frame as ``[type, body]``; as it came, if it is no JSON."""
        try:
            return json.loads(self.text)
        except ValueError:
            return repr(self.text)


@dataclass(slots=True)
class Trip:
    """One exchange of a device with the server.

    Attributes:
        sent: The frames that the device sent.
        got: The frames that it got.
        events: What it told its application.
        cut: Whether the exchange was broken off.
    """

    sent: list[Any] = field(default_factory=list)
    got: list[Any] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    cut: bool = False

    @property
    def up(self) -> list[str]:
        """Every message that was sent, as ``"laptop 8"``."""
        return names(self.sent)

    @property
    def down(self) -> list[str]:
        """Every message that came."""
        return names(self.got)

    def told(self, kind: type[EventT]) -> list[EventT]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


class Server:
    """The server: its disk, what it allows, and what it shows to whom.

    Attributes:
        disk: What it keeps; put another one in its place to set it back.
        limits: What it takes and gives at most.
        shown: For each log who else may see which scopes of it.
        refused: Contents that it refuses for good.
    """

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self.disk = Disk(pair.server_side)
        self.limits = Limits()
        self.shown: dict[str, dict[str, frozenset[str]]] = {}
        self.refused: set[bytes] = set()

    def show(self, scopes: Collection[str], *, to: str, of: str = USER) -> None:
        """Let one user see these scopes of another's log from now on, and no others."""
        self.shown.setdefault(of, {})[to] = frozenset(scopes)

    def local(self) -> LocalServer:
        """Return the process that answers."""
        policy = _Policy(self.shown, self.refused)
        return LocalServer(self.disk.log, self.disk.cursors, access=policy, limits=self.limits)

    async def post(self, reader: str, frame: object) -> tuple[str, Any]:
        """Answer one frame, given as an object or as the very bytes, as ``POST`` does."""
        text = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
        self._pair.frames.append(Frame(reader, upwards=True, text=text))
        answer = await self.local().post(Reader.parse(reader), text)
        self._pair.frames.append(Frame(reader, upwards=False, text=answer))
        kind, body = json.loads(answer)
        return kind, body

    async def texts(self, user: str = USER) -> list[str | None]:
        """Return what the messages of a log say, in its order."""
        return texts(await self.disk.entries(user))

    async def cursor(self, reader: str, user: str = USER) -> VersionVector:
        """Return what the server knows a reader to have."""
        return await self.disk.cursors.load(user, reader)

    async def restore(self, saved: Disk) -> None:
        """Set the server back to what it held when *saved* was copied."""
        self.disk = await saved.copied()


class Device:
    """One machine: which device it takes itself for, and its disk.

    Every exchange and every entry is the work of a new process: what is not on
    the disk is forgotten.
    """

    def __init__(
        self, pair: Pair, reader: Reader, *, follow: Sequence[str], behind_millis: int
    ) -> None:
        self._pair = pair
        self.reader = reader
        self.disk = Disk(pair.device_side)
        self._follow = follow
        self._behind_millis = behind_millis

    def _now(self) -> int:
        return self._pair.clock() - self._behind_millis

    def _replica(self) -> Replica:
        user, device = self.reader
        disk = self.disk
        return Replica(
            user, device, log=disk.log, cursors=disk.cursors, follow=self._follow, now=self._now
        )

    async def add(
        self, *said: str, scope: str = "private", redacts: Identity | None = None
    ) -> list[Entry]:
        """Write messages, a millisecond apart; each says one of *said*."""
        drafts = [Draft(json.dumps(text).encode(), scope, redacts) for text in said]
        added = await self._replica().add_many(drafts)
        self._pair.clock.advance(len(drafts))
        return added

    async def add_raw(self, *contents: bytes) -> list[Entry]:
        """Write messages with these very contents, all at once."""
        return await self._replica().add_many([Draft(content) for content in contents])

    async def sync(self, *, cut_after: int | None = None) -> Trip:
        """Exchange with the server; after so many frames the wire is cut."""
        trip = Trip()
        replica = self._replica()
        wires = _Wires(self._pair, trip, self._pair.server.local(), cut_after)
        async with replica.events() as events:
            try:
                await replica.sync(wires.connect)
            except (ConnectionLostError, ProcessDiedError):
                trip.cut = True
            waiting = events.statistics().current_buffer_used
            trip.events = [events.receive_nowait() for _ in range(waiting)]
        return trip

    async def status(self) -> Status:
        """Return where the device stands."""
        return await self._replica().status()

    async def entries(self, user: str = "") -> list[Entry]:
        """Return the copy of a log, the own one unless told, in its order."""
        return await self.disk.entries(user or self.reader.user)

    async def texts(self, user: str = "") -> list[str | None]:
        """Return what its messages say."""
        return texts(await self.entries(user))

    async def tops(self, user: str = "") -> VersionVector:
        """Return how far each device is covered."""
        return await self.disk.log.tops(user or self.reader.user)

    async def backup(self) -> Disk:
        """Return a copy of the disk."""
        return await self.disk.copied()

    async def restore(self, saved: Disk, *, log: bool = True, cursors: bool = True) -> None:
        """Set the disk back, or only its logs or its cursors."""
        now = self.disk
        self.disk = await now.copied(log=saved if log else now, cursors=saved if cursors else now)

    def wipe(self) -> None:
        """Begin with an empty disk, under the same name."""
        self.disk = Disk(self._pair.device_side)


class Pair:
    """Devices on one backend and a server on another, with nothing in between but frames.

    Attributes:
        device_side: Where the devices keep what they have.
        server_side: Where the server does.
        server: The server.
        clock: The time; it stands still until somebody writes.
        random: Chance: the same for each pair of backends.
        fast: Whether the run was asked to make do with fewer repetitions.
        frames: Every frame that travelled, in order.
    """

    def __init__(self, device_side: Side, server_side: Side, *, chance: int, fast: bool) -> None:
        self.device_side = device_side
        self.server_side = server_side
        self.clock = ManualClock()
        self.random = Random(chance)  # noqa: S311  # no secret
        self.fast = fast
        self.frames: list[Frame] = []
        self.server = Server(self)

    def device(self, name: str, *, follow: Sequence[str] = (), behind_millis: int = 0) -> Device:
        """Return a machine with an empty disk: ``"laptop"`` of alice, or ``"bob/phone"``."""
        reader = Reader.parse(name if "/" in name else f"{USER}/{name}")
        return Device(self, reader, follow=follow, behind_millis=behind_millis)

    async def reopen(self) -> None:
        """End every process and begin anew on what was stored."""
        await self.device_side.reopen()
        if self.server_side is not self.device_side:
            await self.server_side.reopen()

    async def settle(self, *devices: Device) -> list[str | None]:
        """Let all sync until nothing changes, and demand that they agree then.

        Returns what the messages of the server's log say, that of the first device's user.
        """
        user = devices[0].reader.user
        before: list[object] = []
        for _ in range(_ROUNDS_MAX):
            trips = [await device.sync() for device in devices]
            same([trip.cut for trip in trips], [False] * len(trips), "exchanges that were cut")
            now: list[object] = [await one.entries(user) for one in devices]
            now.append(await self.server.disk.entries(user))
            if now == before:
                break
            before = now
        else:
            fail("syncing again and again", got=f"changes in round {_ROUNDS_MAX}", want="an end")
        held = await self.server.disk.entries(user)
        tops = await self.server.disk.log.tops(user)
        for device in devices:
            if device.reader.user == user:
                same(await device.entries(), held, f"the log on {device.reader}, want the server's")
                same(await device.tops(), tops, f"the tops on {device.reader}, want the server's")
                same((await device.status()).unsent, 0, f"entries that {device.reader} has to send")
        return texts(held)


class _Policy(FriendsPolicy):
    """Shows scopes to users, and refuses certain contents for good."""

    def __init__(
        self, shown: Mapping[str, Mapping[str, frozenset[str]]], refused: Collection[bytes]
    ) -> None:
        super().__init__(shown)
        self._refused = refused

    async def admit(self, reader: Reader, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if entry.content in self._refused:
                raise RejectedError(entry.counter, "this is not taken here")


@dataclass(slots=True)
class _Wires:
    """Connects a device, notes every frame, and lets only so many through."""

    pair: Pair
    trip: Trip
    server: LocalServer
    left: int | None
    count: int = 0

    @asynccontextmanager
    async def connect(self, reader: Reader) -> AsyncIterator[Transport]:
        async with self.server.connect(reader) as transport:
            yield _Wire(self, str(reader), transport)

    async def let_through(self) -> None:
        # Other tasks run in between: a store that never awaits would otherwise keep
        # the loop, and with it the clock of the check, to itself.
        await asyncio.sleep(0)
        self.count += 1
        if self.count > _FRAMES_MAX:
            fail("sync", got=f"more than {_FRAMES_MAX} frames", want="an end")
        if self.left is not None:
            if self.left == 0:
                raise ConnectionLostError("the wire is cut")
            self.left -= 1


@dataclass(slots=True)
class _Wire:
    wires: _Wires
    reader: str
    transport: Transport

    async def send(self, frame: bytes) -> None:
        await self.wires.let_through()
        self._note(frame, self.wires.trip.sent, upwards=True)
        await self.transport.send(frame)

    async def receive(self) -> bytes:
        frame = await self.transport.receive()
        await self.wires.let_through()  # too late: the server has acted, and nobody hears of it
        data = frame.encode() if isinstance(frame, str) else frame
        self._note(data, self.wires.trip.got, upwards=False)
        return data

    def _note(self, text: bytes, frames: list[Any], *, upwards: bool) -> None:
        frame = Frame(self.reader, upwards, text)
        self.wires.pair.frames.append(frame)
        frames.append(frame.content)


def hello(seq: int, entries: Sequence[Entry] = (), **more: Any) -> list[Any]:
    """Return a hello as a client writes it that nobody here wrote."""
    body: dict[str, Any] = {"seq": seq, **more}
    if entries:
        body["messages"] = [json.loads(encode_entry(entry)) for entry in entries]
    return ["hello", body]


def names(frames: Iterable[Any]) -> list[str]:
    """Return every message of these frames, as ``"laptop 8"``."""
    found: list[str] = []
    for _, body in frames:
        for message in body.get("messages", ()):
            _, counter, device = message["seq"].split(":")
            found.append(f"{device} {int(counter)}")
    return found


def texts(entries: Iterable[Entry]) -> list[str | None]:
    """Return what entries say; ``None`` where there is no content."""
    return [None if one.content is None else json.loads(one.content) for one in entries]
