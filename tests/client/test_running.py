"""A replica that stays connected: news both ways, lost connections, other writers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest

from strandlog import Reader
from strandlog.client import (
    Draft,
    Recovered,
    Rehomed,
    ServerLostData,
    Transport,
    Uploaded,
    Withdrawn,
)
from strandlog.errors import ConnectionLostError, RejectedError, SupersededError
from strandlog.model import Entry
from strandlog.testing import LocalServer

from .conftest import World, contents

pytestmark = pytest.mark.anyio

DEADLINE_SECONDS = 10.0


async def test_live_entry_arrives_at_the_other_device(world: World) -> None:
    server = await world.server()
    laptop, phone = await world.replica("alice", "laptop"), await world.replica("alice", "phone")

    async with anyio.create_task_group() as tasks, phone.arrivals() as arrivals:
        tasks.start_soon(laptop.run, server.connect)
        tasks.start_soon(phone.run, server.connect)
        added = await laptop.add(b'"live"')
        with anyio.fail_after(DEADLINE_SECONDS):
            arrived = await anext(arrivals)
        tasks.cancel_scope.cancel()

    assert arrived == added


async def test_lost_connection_is_opened_again(world: World) -> None:
    server = await world.server()
    laptop, phone = await world.replica("alice", "laptop"), await world.replica("alice", "phone")

    async with anyio.create_task_group() as tasks, phone.arrivals() as arrivals:
        tasks.start_soon(laptop.run, server.connect)
        tasks.start_soon(phone.run, server.connect)
        with anyio.fail_after(DEADLINE_SECONDS):
            first = await laptop.add(b"1")
            assert await anext(arrivals) == first
            server.disconnect()
            second = await laptop.add(b"2")
            arrived = await anext(arrivals)
        tasks.cancel_scope.cancel()

    assert arrived == second


async def test_server_that_cannot_be_reached_is_tried_again(world: World) -> None:
    server = await world.server()
    replica = await world.replica("alice", "laptop")
    tries: list[Reader] = []

    @asynccontextmanager
    async def connect(reader: Reader) -> AsyncIterator[Transport]:
        tries.append(reader)
        if len(tries) < 3:
            raise ConnectionLostError("nobody answers")
        async with server.connect(reader) as transport:
            yield transport

    async with anyio.create_task_group() as tasks, replica.events() as events:
        await replica.add(b"1")
        tasks.start_soon(replica.run, connect)
        with anyio.fail_after(DEADLINE_SECONDS):
            event = await events.receive()
        tasks.cancel_scope.cancel()

    assert event == Uploaded(1, 1)
    assert len(tries) == 3


class Superseding:
    """A server's end that lets every connection be superseded."""

    def __init__(self) -> None:
        self.connections = 0

    @asynccontextmanager
    async def connect(self, reader: Reader) -> AsyncIterator[Transport]:
        self.connections += 1
        yield self

    async def send(self, frame: bytes) -> None:
        return None

    async def receive(self) -> bytes:
        return b'["error",{"code":"superseded","message":"a newer one came","fatal":true}]'


async def test_two_writers_of_one_device_are_reported_the_third_time(world: World) -> None:
    replica = await world.replica("alice", "laptop")
    server = Superseding()

    with pytest.raises(SupersededError, match="a newer one came"):
        await replica.run(server.connect, superseded_wait_seconds=0)

    assert server.connections == 3


async def test_no_counter_is_assigned_while_own_entries_come_back(world: World) -> None:
    """A wiped device writes while its lost entries are on their way: it waits for them."""
    server = await world.server()
    before = await world.replica("alice", "laptop")
    await before.add_many([Draft(b"%d" % number) for number in range(450)])
    await before.sync(server.connect)
    wiped = await world.replica("alice", "laptop")
    adding: list[Entry] = []

    async with anyio.create_task_group() as tasks:

        async def add() -> None:
            adding.append(await wiped.add(b'"new"'))

        @asynccontextmanager
        async def connect(reader: Reader) -> AsyncIterator[Transport]:
            async with server.connect(reader) as transport:
                pages = 0

                class Watched:
                    async def send(self, frame: bytes) -> None:
                        await transport.send(frame)

                    async def receive(self) -> bytes | str:
                        nonlocal pages
                        pages += 1
                        if pages == 2:
                            tasks.start_soon(add)
                            await anyio.wait_all_tasks_blocked()
                        return await transport.receive()

                yield Watched()

        with anyio.fail_after(DEADLINE_SECONDS):
            await wiped.sync(connect)

    assert [entry.counter for entry in adding] == [451]
    assert wiped.reader == Reader("alice", "laptop")


async def test_wiped_device_gets_its_own_entries_back(world: World) -> None:
    server = await world.server()
    before = await world.replica("alice", "laptop")
    await before.add_many([Draft(b"1"), Draft(b"2")])
    await before.sync(server.connect)
    wiped = await world.replica("alice", "laptop")

    async with wiped.events() as events:
        await wiped.sync(server.connect)

        assert isinstance(events.receive_nowait(), Recovered)
    assert (await wiped.status()).last_synced == 2
    assert (await wiped.add(b"3")).counter == 3


async def test_clone_goes_on_under_a_new_name_and_remembers_it(world: World) -> None:
    """A store file is copied to a second machine, and both write."""
    server = await world.server()
    laptop = await world.replica("alice", "laptop")
    shared = await laptop.add(b'"shared"')
    log, cursors = await world.stores()
    await log.append("alice", [shared])
    clone = world.on("alice", "laptop", log, cursors)
    await laptop.add(b'"of the laptop"')
    await clone.add(b'"of the clone"')
    await laptop.sync(server.connect)

    async with clone.events() as events:
        await clone.sync(server.connect)
        moved = next(e for e in [events.receive_nowait() for _ in range(1)])
    await laptop.sync(server.connect)

    assert isinstance(moved, Rehomed)
    assert (moved.from_device, moved.from_counter, moved.moved) == ("laptop", 2, 1)
    assert clone.reader.device == moved.to_device
    again = world.on("alice", "laptop", log, cursors)
    assert (await again.add(b'"more"')).device == moved.to_device
    assert sorted(str(one) for one in await contents(laptop)) == sorted(
        str(one) for one in (b'"shared"', b'"of the laptop"', b'"of the clone"')
    )


async def test_wiped_server_is_healed_by_its_clients_and_says_so(world: World) -> None:
    first = await world.server()
    laptop = await world.replica("alice", "laptop")
    await laptop.add(b"1")
    await laptop.sync(first.connect)
    second = await world.server()

    async with laptop.events() as events:
        await laptop.sync(second.connect)
        told = events.receive_nowait()

    assert told == ServerLostData(1, 0)
    assert (await laptop.status()).last_synced == 1


class Picky:
    """A policy that refuses an entry for its content."""

    async def visible(self, reader: Reader, user: str) -> frozenset[str] | None:
        return frozenset()

    async def admit(self, reader: Reader, entries: list[Entry]) -> None:
        for entry in entries:
            if entry.content == b'"spam"':
                raise RejectedError(entry.counter, "no spam")


async def test_entry_refused_for_good_is_withdrawn_and_later_ones_arrive(world: World) -> None:
    log, cursors = await world.stores()
    server = LocalServer(log, cursors, access=Picky())  # type: ignore[arg-type]  # takes a list
    laptop = await world.replica("alice", "laptop")
    await laptop.add_many([Draft(b"1"), Draft(b'"spam"'), Draft(b"3")])

    async with laptop.events() as events:
        await laptop.sync(server.connect)
        told = events.receive_nowait()

    assert isinstance(told, Withdrawn)
    assert told.identity == ("laptop", 2)
    on_server = (await log.read_range("alice", limit=9)).entries
    assert [entry.content for entry in on_server] == [b"1", None, b"3"]
    assert await contents(laptop) == [b"1", b'"spam"', b"3"]


async def test_friend_sees_what_is_shared_and_a_later_grant_brings_the_rest(world: World) -> None:
    friends = {"alice": {"bob": frozenset({"friend"})}}
    server = await world.server(friends=friends)
    laptop = await world.replica("alice", "laptop")
    bob = await world.replica("bob", "phone", follow=["alice"])
    await laptop.add(b'"diary"')
    await laptop.add(b'"news"', scope="friend")
    await laptop.add(b'"diary again"')
    await laptop.sync(server.connect)
    await bob.sync(server.connect)
    before = await contents(bob)

    friends["alice"]["bob"] = frozenset({"friend", "private"})
    await bob.sync(server.connect)

    assert before == [b'"news"']
    assert await contents(bob) == [b'"diary"', b'"news"', b'"diary again"']
