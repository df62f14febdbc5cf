"""The machines of a simulation, what connects them, and what can happen to them."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from strandlog.backend.store import CursorStore, LogStore
from strandlog.client.local import Draft
from strandlog.client.replica import Replica
from strandlog.client.transport import Transport
from strandlog.errors import ConnectionLostError, StrandlogError
from strandlog.model import Entry, Identity, Reader
from strandlog.protocol.limits import Limits
from strandlog.protocol.own import SERVER
from strandlog.server.app import SyncApp
from strandlog.testing.simulation.disks import Cabinet, Disk
from strandlog.testing.simulation.network import Wire
from strandlog.testing.simulation.process import Fault, Gate, Process

__all__ = ["Device", "Server", "World"]

_EPOCH_MILLIS = 1_700_000_000_000
_ALL = 1_000_000_000
_VISITS_SECONDS = 20.0  # how often a device syncs that does not stay connected
_AGAIN_SECONDS = 15.0  # when an application tries again after an error
_LEAK_SECONDS = 1.0  # how long a frame may be under way between reading and sending


@dataclass(slots=True, eq=False)
class Device:
    """One machine of a user.

    Attributes:
        name: How the story calls it.
        reader: As whom it was set up; a copy of a machine has the same.
        disk: What it keeps.
        stays: Whether it stays connected, or comes by now and then.
        follow: Whose logs it follows.
        clock_millis: How far its clock is off, at the beginning.
        clock_rate: How fast its clock goes; 0 stands still.
        offline: Whether it cannot reach the server.
        process: What runs on it; ``None`` while it is off.
        replica: The replica in that process.
        saved: Its last backup.
        wires: Its connections.
    """

    name: str
    reader: Reader
    disk: Disk
    stays: bool
    follow: tuple[str, ...]
    clock_millis: float = 0.0
    clock_rate: float = 1.0
    offline: bool = False
    process: Process | None = None
    replica: Replica | None = None
    saved: Disk | None = None
    wires: set[Wire] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Server:
    """The machine of the server."""

    disk: Disk
    limits: Limits
    process: Process | None = None
    app: SyncApp | None = None
    saved: Disk | None = None
    wires: set[Wire] = field(default_factory=set)
    lost_data: bool = False


class World:
    """Everything of one run.

    Attributes:
        users: Whose logs there are; the first one's is written by several devices.
        devices: The machines by name, copies included.
        story: What has happened, a line each.
        breaches: Which promises were broken.
        written: What was written and acknowledged, by content; and whose it is.
        doubtful: What was written and not acknowledged, or was to be redacted.
        gone: Of ``written`` what no machine holds any more, because of what happened to them.
    """

    def __init__(
        self,
        seed: str,
        *,
        users: Sequence[str],
        client_disks: Cabinet,
        server_disks: Cabinet,
        limits: Limits,
        slowest_seconds: float,
    ) -> None:
        self.users = tuple(users)
        self.devices: dict[str, Device] = {}
        self.story: list[str] = []
        self.breaches: list[str] = []
        self.written: dict[str, str] = {}
        self.doubtful: set[str] = set()
        self.gone: set[str] = set()
        self.frames = 0
        self._seed = seed
        self._numbers: dict[str, int] = {}
        self._client_disks = client_disks
        self._server_disks = server_disks
        self._slowest_seconds = slowest_seconds
        self._shown: dict[str, dict[str, frozenset[str]]] = {}
        self._shown_lately: list[tuple[float, dict[str, dict[str, frozenset[str]]]]] = []
        self.server = Server(server_disks.new(), limits)

    # -- the frame of the story ----------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return asyncio.get_running_loop().time()

    def tell(self, text: str) -> None:
        """Add a line to the story."""
        self.story.append(f"{self.now:9.3f} s  {text}")

    def break_promise(self, text: str) -> None:
        """Note that something is as it must never be."""
        self.breaches.append(text)
        self.tell(f"BROKEN: {text}")

    def chance(self, purpose: str) -> random.Random:
        """Return chance for one purpose: no other purpose changes what it gives."""
        number = self._numbers[purpose] = self._numbers.get(purpose, 0) + 1
        return random.Random(f"{self._seed} {purpose} {number}")  # noqa: S311  # no secret

    # -- machines ------------------------------------------------------------------

    def add_device(
        self,
        name: str,
        *,
        stays: bool,
        follow: Sequence[str] = (),
        clock_millis: float = 0.0,
        clock_rate: float = 1.0,
    ) -> None:
        """Set up a machine called ``user/device``, and start it."""
        self.devices[name] = Device(
            name,
            Reader.parse(name),
            self._client_disks.new(),
            stays,
            tuple(follow),
            clock_millis,
            clock_rate,
        )
        self.start_device(self.devices[name])

    def start_server(self) -> None:
        """Start the server, unless it runs."""
        server = self.server
        if server.process is not None:
            return
        self._server_disks.reopen(server.disk)
        server.process = Process(
            "server",
            self.chance("server"),
            on_crash=self.crash_server,
            on_error=self._unforeseen,
        )
        server.app = SyncApp(
            cast("LogStore", Gate(server.process, server.disk, "log")),
            cast("CursorStore", Gate(server.process, server.disk, "cursors")),
            access=self,
            limits=server.limits,
            clock=asyncio.get_running_loop().time,
        )

    def start_device(self, device: Device) -> None:
        """Start the program on a machine, unless it runs."""
        if device.process is not None:
            return
        self._client_disks.reopen(device.disk)
        process = Process(
            device.name,
            self.chance(device.name),
            on_crash=lambda: self.crash_device(device),
            on_error=self._unforeseen,
        )

        def clock() -> int:
            passed = self.now * 1000 * device.clock_rate
            return int(_EPOCH_MILLIS + device.clock_millis + passed)

        replica = Replica(
            *device.reader,
            log=cast("LogStore", Gate(process, device.disk, "log")),
            cursors=cast("CursorStore", Gate(process, device.disk, "cursors")),
            follow=device.follow,
            now=clock,
        )
        device.process, device.replica = process, replica
        process.start(self._listen(device, replica), "events")
        process.start(self._live(device, process, replica), "sync")

    async def _live(self, device: Device, process: Process, replica: Replica) -> None:
        connect = self._connect(device, process)
        while True:
            try:
                if device.stays:
                    await replica.run(connect)
                else:
                    await replica.sync(connect)
                    await asyncio.sleep(_VISITS_SECONDS)
            except StrandlogError as error:
                self.tell(f"{device.name}: {type(error).__name__}: {error}")
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self, device: Device, replica: Replica) -> None:
        async with replica.events() as events:
            async for event in events:
                self.tell(f"{device.name} reports {event}")

    def _connect(self, device: Device, process: Process) -> Any:
        @asynccontextmanager
        async def connect(reader: Reader) -> AsyncIterator[Transport]:
            chance = self.chance(f"wire of {device.name}")
            await asyncio.sleep(chance.uniform(0.0, self._slowest_seconds))
            server = self.server
            if device.offline or server.process is None or server.app is None:
                raise ConnectionLostError("the server cannot be reached")
            wire = Wire(reader, chance, slowest=self._slowest_seconds, seen=self._see)
            device.wires.add(wire)
            server.wires.add(wire)
            server.process.start(wire.serve(server.app), f"connection of {device.name}")
            try:
                yield wire
            finally:
                if process.alive:
                    wire.hang_up()
                else:
                    wire.cut()
                device.wires.discard(wire)

        return connect

    def _unforeseen(self, where: str, error: BaseException) -> None:
        self.break_promise(f"{where} ended with {type(error).__name__}: {error}")

    def stop_device(self, device: Device) -> None:
        """End what runs on a machine, in the middle of whatever it does."""
        if device.process is not None:
            device.process.end()
            device.process = device.replica = None
        self.cut(device)

    def crash_device(self, device: Device) -> None:
        """Stop it now; it is started again soon."""
        self.tell(f"{device.name} crashes")
        self.stop_device(device)
        self._later(5.0, lambda: self.start_device(device))

    def stop_server(self) -> None:
        """End the server, in the middle of whatever it does."""
        if self.server.process is not None:
            self.server.process.end()
            self.server.process = self.server.app = None
        for wire in sorted(self.server.wires, key=lambda wire: str(wire.reader)):
            wire.cut()
        self.server.wires.clear()

    def crash_server(self) -> None:
        """Stop it now; it is started again soon."""
        self.tell("the server crashes")
        self.stop_server()
        self._later(3.0, self.start_server)

    def _later(self, seconds: float, act: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, act)

    def cut(self, device: Device) -> None:
        """Break the connections of a machine."""
        for wire in list(device.wires):
            wire.cut()
        device.wires.clear()

    # -- writing -------------------------------------------------------------------

    def write(self, device: Device, drafts: Sequence[Draft]) -> None:
        """Let the application on a machine write something; it may still be at it afterwards."""
        if device.process is None or device.replica is None:
            return
        user = device.reader.user
        tokens = [draft.content.decode() for draft in drafts]
        self.doubtful.update(tokens)
        device.process.start(self._write(device, device.replica, drafts, user), "writes")

    async def _write(
        self, device: Device, replica: Replica, drafts: Sequence[Draft], user: str
    ) -> None:
        disk = device.disk
        try:
            entries = await replica.add_many(drafts)
        except StrandlogError as error:
            self.tell(f"{device.name} could not write: {type(error).__name__}: {error}")
            return
        names = ", ".join(f"{entry.device} {entry.counter}" for entry in entries)
        self.tell(f"{device.name} has written {names}: {[d.content.decode() for d in drafts]}")
        for draft in drafts:
            if draft.redacts is None:
                token = draft.content.decode()
                self.doubtful.discard(token)
                self.written[token] = user
        if device.disk is disk:
            self._check_synced(device, replica.reader)

    def _check_synced(self, device: Device, reader: Reader) -> None:
        tops = device.disk.hands.do(device.disk.log.tops(reader.user))
        synced = device.disk.hands.do(device.disk.cursors.load(reader.user, SERVER))
        if synced[reader.device] > tops[reader.device]:
            self.break_promise(
                f"{device.name} takes {synced[reader.device]} of its entries for synced"
                f" and holds {tops[reader.device]}"
            )

    # -- looking -------------------------------------------------------------------

    def entries(self, disk: Disk, user: str, scopes: frozenset[str] | None = None) -> list[Entry]:
        """Return the log of a user as it is on a disk."""
        page = disk.hands.do(disk.log.read_range(user, scopes=scopes, limit=_ALL))
        return list(page.entries)

    def alive(self) -> set[str]:
        """Return what the server or a device of the writer's holds."""
        found: set[str] = set()
        for user in self.users:
            disks = [self.server.disk, *(one.disk for one in self.devices_of(user))]
            for disk in disks:
                found.update(
                    entry.content.decode()
                    for entry in self.entries(disk, user)
                    if entry.content is not None
                )
        return found

    def devices_of(self, user: str) -> list[Device]:
        """Return the machines of a user."""
        return [device for device in self.devices.values() if device.reader.user == user]

    def replace_disk(self, machine: Device | Server, disk: Disk) -> None:
        """Put another disk in place of a machine's, which is off; note what is gone with it."""
        before = self.alive()
        machine.disk = disk
        self.gone |= before - self.alive()

    # -- who may see what ----------------------------------------------------------

    def show(self, user: str, friend: str, scopes: frozenset[str]) -> None:
        """Let a friend see these scopes of a log from now on."""
        self._shown_lately.append((self.now, {u: dict(by) for u, by in self._shown.items()}))
        self._shown.setdefault(user, {})[friend] = scopes

    def shown(self, user: str, friend: str) -> frozenset[str]:
        """Return the scopes of a log that a friend may see now."""
        return self._shown.get(user, {}).get(friend, frozenset())

    async def visible(self, reader: Reader, user: str) -> frozenset[str] | None:
        """Answer as the server's access policy."""
        return self.shown(user, reader.user)

    async def admit(self, reader: Reader, entries: Sequence[Entry]) -> None:
        """Take everything, as the server's access policy."""

    # -- what travels --------------------------------------------------------------

    def _see(self, wire: Wire, way: str, text: str) -> None:
        self.frames += 1
        if way == ">":
            return
        kind, body = json.loads(text)
        user = body.get("user", wire.reader.user)
        if user != wire.reader.user:
            self._check_secrecy(wire.reader, user, body)
        elif kind == "ack" or (kind == "hello" and "seq" in body):
            acked = body.get("tops", {})
            if "seq" in body:
                acked = {**acked, wire.reader.device: body["seq"]}
            self._check_acknowledged(user, acked)

    def _check_acknowledged(self, user: str, acked: dict[str, int]) -> None:
        disk = self.server.disk
        tops = disk.hands.do(disk.log.tops(user))
        for device, counter in acked.items():
            if tops[device] < counter:
                self.break_promise(
                    f"the server acknowledges {device} {counter} of {user} and holds {tops[device]}"
                )

    def _check_secrecy(self, reader: Reader, user: str, body: dict[str, Any]) -> None:
        allowed = set(self.shown(user, reader.user))
        for at, shown in self._shown_lately:
            if at >= self.now - _LEAK_SECONDS:
                allowed |= shown.get(user, {}).get(reader.user, frozenset())
        for message in body.get("messages", ()):
            if message.get("scope", "private") not in allowed:
                self.break_promise(f"{reader} is sent {message['seq']} of {user}'s")

    # -- faults --------------------------------------------------------------------

    def arm(self, process: Process | None, fault: Fault) -> None:
        """Let something happen at one of the next calls of a process."""
        if process is not None:
            process.fault = fault

    def mixed(self, machine: Device | Server, log: Disk, cursors: Disk) -> Disk:
        """Return a disk for a machine with the log of one disk and the cursors of another."""
        cabinet = self._server_disks if isinstance(machine, Server) else self._client_disks
        return cabinet.mixed(log, cursors)

    def empty(self, machine: Device | Server) -> Disk:
        """Return an empty disk for a machine."""
        cabinet = self._server_disks if isinstance(machine, Server) else self._client_disks
        return cabinet.new()

    def target(self, device: Device, chance: random.Random) -> tuple[Identity, str, str] | None:
        """Choose an entry of the writer's log to redact: identity, scope, content."""
        held = [
            (entry.identity, entry.scope, entry.content.decode())
            for entry in self.entries(device.disk, device.reader.user)
            if entry.content is not None and entry.redacts is None
        ]
        return chance.choice(held) if held else None
