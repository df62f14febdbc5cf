"""The stories that say what the protocol is for, and a stage to play them on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from strandlog.backend.registry import open_stores
from strandlog.client import Connect, Replica, Transport
from strandlog.log import Log
from strandlog.model import Identity, Reader
from strandlog.protocol.codec import decode_client_frame, decode_server_frame, encode_entry
from strandlog.protocol.frames import Add, Hello, Push, Reply

if TYPE_CHECKING:
    from strandlog.backend.store import LogStore

__all__ = ["STORIES", "Frame", "Outcome", "Stage", "Story"]

USER = "alice"

_NOON = 1_710_763_200_000  # a Monday in March 2024: stories that look the same every time


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame as it travelled; *upwards* is from the device to the server."""

    device: str
    upwards: bool
    text: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a story comes to: which entries travelled, and whether both sides then agree."""

    sent: Sequence[Identity]
    received: Sequence[Identity]
    equal: bool = True


@dataclass(slots=True)
class Stage:
    """A server that runs, and room for devices.

    Attributes:
        server_log: What the server holds.
        connect: Connects a device to the server.
        fresh_url: Names a store that does not exist yet.
        show: Is given every frame of the exchange that the story is about.
    """

    server_log: LogStore
    connect: Connect
    fresh_url: Callable[[], AbstractAsyncContextManager[str]]
    show: Callable[[Frame], None]
    _now: Callable[[], int] = field(default_factory=lambda: count(_NOON, 1000).__next__)

    @asynccontextmanager
    async def device(self, name: str) -> AsyncIterator[Replica]:
        """Give a device with an empty store."""
        async with AsyncExitStack() as opened:
            url = await opened.enter_async_context(self.fresh_url())
            log, cursors = await opened.enter_async_context(open_stores(url))
            yield Replica(USER, name, log=log, cursors=cursors, now=self._now)

    async def add(self, replica: Replica, *contents: str) -> None:
        """Add entries, one after the other, as somebody does who writes."""
        for content in contents:
            await replica.add(b'"%b"' % content.encode())

    async def sync(self, *replicas: Replica) -> None:
        """Bring devices up to date; that belongs to what was before the story."""
        for replica in replicas:
            await replica.sync(self.connect)

    async def watch(self, replica: Replica) -> Outcome:
        """Sync a device, show the frames, and say what came of it."""
        frames: list[Frame] = []

        def note(frame: Frame) -> None:
            frames.append(frame)
            self.show(frame)

        await replica.sync(_overheard(self.connect, note))
        return Outcome(
            [one for frame in frames if frame.upwards for one in _carried(frame)],
            [one for frame in frames if not frame.upwards for one in _carried(frame)],
            await _lines(replica.log) == await _lines(Log(self.server_log)),
        )


@dataclass(frozen=True, slots=True)
class Story:
    """Something that happens to devices, and what has to come of it."""

    title: str
    told: str
    expected: Outcome
    play: Callable[[Stage], Awaitable[Outcome]]


def _numbers(first: int, last: int) -> list[str]:
    return [f"m{number}" for number in range(first, last + 1)]


def _ids(device: str, first: int, last: int) -> list[Identity]:
    return [Identity(device, counter) for counter in range(first, last + 1)]


async def _written_offline(stage: Stage) -> Outcome:
    async with stage.device("laptop") as laptop:
        await stage.add(laptop, *_numbers(1, 7))
        await stage.sync(laptop)
        await stage.add(laptop, "m8", "m9")
        return await stage.watch(laptop)


async def _newer_on_the_server(stage: Stage) -> Outcome:
    async with stage.device("laptop") as laptop, stage.device("phone") as phone:
        await stage.add(laptop, *_numbers(1, 7))
        await stage.sync(laptop, phone)
        await stage.add(phone, "a", "b", "c")
        await stage.sync(phone)
        return await stage.watch(laptop)


async def _news_on_both_sides(stage: Stage) -> Outcome:
    async with stage.device("laptop") as laptop, stage.device("phone") as phone:
        await stage.add(laptop, "m1", "m2")
        await stage.sync(laptop, phone)
        await stage.add(laptop, "m3", "m4", "m5")
        await stage.add(phone, *"abcde")
        await stage.sync(phone)
        return await stage.watch(laptop)


async def _each_device_counts_by_itself(stage: Stage) -> Outcome:
    async with (
        stage.device("desk") as desk,
        stage.device("laptop") as laptop,
        stage.device("phone") as phone,
    ):
        await stage.add(laptop, *_numbers(1, 42))
        await stage.add(phone, *_numbers(1, 46))
        await stage.sync(laptop, phone, desk)
        await stage.add(laptop, *_numbers(43, 52))
        await stage.add(phone, *_numbers(47, 52))
        await stage.sync(laptop, phone)
        return await stage.watch(desk)


STORIES = (
    Story(
        "written offline",
        "The server has 1 to 7 of the laptop. The laptop adds 8 and 9 without a network,"
        " and then greets.",
        Outcome(sent=_ids("laptop", 8, 9), received=[]),
        _written_offline,
    ),
    Story(
        "newer on the server",
        "The laptop has added nothing since 7. Meanwhile the phone has added a, b and c.",
        Outcome(sent=[], received=_ids("phone", 1, 3)),
        _newer_on_the_server,
    ),
    Story(
        "news on both sides",
        "The laptop adds 3, 4 and 5 offline while the phone adds a to e. The laptop gets"
        " these five, and not its own three back.",
        Outcome(sent=_ids("laptop", 3, 5), received=_ids("phone", 1, 5)),
        _news_on_both_sides,
    ),
    Story(
        "each device counts by itself",
        "The desk holds 42 entries of the laptop and 46 of the phone. Both are now at 52:"
        " ten and six are due, and nothing else.",
        Outcome(sent=[], received=[*_ids("laptop", 43, 52), *_ids("phone", 47, 52)]),
        _each_device_counts_by_itself,
    ),
)


def _overheard(connect: Connect, note: Callable[[Frame], None]) -> Connect:
    """Return what connects in the same way and notes every frame."""

    class Overheard:
        def __init__(self, device: str, transport: Transport) -> None:
            self._device = device
            self._transport = transport

        async def send(self, frame: bytes) -> None:
            note(Frame(self._device, True, frame))
            await self._transport.send(frame)

        async def receive(self) -> bytes | str:
            received = await self._transport.receive()
            text = received.encode() if isinstance(received, str) else received
            note(Frame(self._device, False, text))
            return received

    @asynccontextmanager
    async def overheard(reader: Reader) -> AsyncIterator[Transport]:
        async with connect(reader) as transport:
            yield Overheard(reader.device, transport)

    return overheard


def _carried(frame: Frame) -> list[Identity]:
    """Return which entries travelled in a frame."""
    decoded = (decode_client_frame if frame.upwards else decode_server_frame)(frame.text)
    if isinstance(decoded, Hello | Reply | Add | Push):
        return [entry.identity for entry in decoded.messages]
    return []


async def _lines(log: Log) -> list[bytes]:
    return [encode_entry(entry) async for entry in log.entries(USER)]
