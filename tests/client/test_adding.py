"""A replica takes entries offline, whatever else goes on."""

from __future__ import annotations

import anyio
import pytest

from strandlog import Identity, Reader, Seq, VersionVector
from strandlog.client import Draft
from strandlog.errors import InvalidContentError, InvalidNameError
from strandlog.protocol.own import SERVER

from .conftest import World, contents

pytestmark = pytest.mark.anyio


async def test_entry_is_in_the_store_when_add_returns(world: World) -> None:
    log, cursors = await world.stores()

    added = await world.on("alice", "laptop", log, cursors).add(b'{"text":"hi"}', scope="friend")

    assert added.seq == Seq(world.clock.millis, 1, "laptop")
    assert (await log.read_range("alice", limit=9)).entries == [added]


async def test_one_bad_draft_refuses_all_of_them(world: World) -> None:
    replica = await world.replica("alice", "laptop")

    with pytest.raises(InvalidContentError):
        await replica.add_many([Draft(b"1"), Draft(b"[1,"), Draft(b"3")])

    assert await contents(replica) == []


async def test_bad_scope_adds_nothing_and_the_next_entry_has_no_hole_before_it(
    world: World,
) -> None:
    replica = await world.replica("alice", "laptop")
    with pytest.raises(InvalidNameError):
        await replica.add(b"1", scope="Friends!")

    added = await replica.add(b"2")

    assert added.counter == 1


async def test_tasks_that_add_at_once_get_counters_without_holes(world: World) -> None:
    replica = await world.replica("alice", "laptop")

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(replica.add, b"%d" % number)

    entries = [entry async for entry in replica.log.entries("alice")]
    assert [entry.counter for entry in entries] == list(range(1, 21))


async def test_two_replicas_on_one_store_share_its_counters(world: World) -> None:
    """Another process on the same file takes a counter that this one thought to be free."""
    log, cursors = await world.stores()
    one, other = (world.on("alice", "laptop", log, cursors) for _ in range(2))

    added = [await replica.add(b"0") for replica in (one, other, one, other, other, one)]

    assert [entry.counter for entry in added] == [1, 2, 3, 4, 5, 6]


async def test_timestamp_rises_although_the_clock_goes_back(world: World) -> None:
    replica = await world.replica("alice", "laptop")
    first = await replica.add(b"1")
    world.clock.advance(-3_600_000)

    second = await replica.add(b"2")

    assert second.seq.timestamp == first.seq.timestamp + 1


async def test_timestamp_rises_after_a_restart_with_an_older_clock(world: World) -> None:
    log, cursors = await world.stores()
    first = await world.on("alice", "laptop", log, cursors).add(b"1")
    world.clock.advance(-3_600_000)

    second = await world.on("alice", "laptop", log, cursors).add(b"2")

    assert second.seq.timestamp == first.seq.timestamp + 1


async def test_reply_sorts_after_what_it_answers(world: World) -> None:
    """The phone's clock is an hour slow, and yet its reply comes after the question."""
    server = await world.server()
    laptop = await world.replica("alice", "laptop")
    phone = await world.replica("alice", "phone", now=lambda: world.clock.millis - 3_600_000)
    question = await laptop.add(b'"question"')
    await laptop.sync(server.connect)
    await phone.sync(server.connect)

    reply = await phone.add(b'"reply"')

    assert reply.seq > question.seq


async def test_device_in_2099_does_not_pull_others_there(world: World) -> None:
    server = await world.server()
    laptop = await world.replica("alice", "laptop", now=lambda: 4_070_908_800_000)
    phone = await world.replica("alice", "phone")
    await laptop.add(b'"from 2099"')
    await laptop.sync(server.connect)
    await phone.sync(server.connect)

    added = await phone.add(b'"today"')

    assert added.seq.timestamp == world.clock.millis
    assert await contents(phone) == [b'"today"', b'"from 2099"']


async def test_status_tells_what_is_unsent_and_since_when(world: World) -> None:
    server = await world.server()
    replica = await world.replica("alice", "laptop")
    await replica.add(b"1")
    await replica.sync(server.connect)
    world.clock.advance(1000)
    since = await replica.add(b"2")
    await replica.add(b"3")

    status = await replica.status()

    assert status.reader == Reader("alice", "laptop")
    assert (status.last_added, status.last_synced, status.unsent) == (3, 1, 2)
    assert status.unsent_since == since.seq.timestamp
    assert status.tops == VersionVector({"laptop": 3})


async def test_what_is_added_after_the_log_was_set_back_is_not_taken_for_sent(
    world: World,
) -> None:
    """The log is restored from a backup and the cursor, in another store, is not."""
    server = await world.server()
    log, cursors = await world.stores()
    before = world.on("alice", "laptop", log, cursors)
    await before.add_many([Draft(b"1"), Draft(b"2"), Draft(b"3")])
    await before.sync(server.connect)
    restored, _ = await world.stores()
    await restored.append("alice", (await log.read_range("alice", limit=1)).entries)
    replica = world.on("alice", "laptop", restored, cursors)

    await replica.add(b'"news"')

    assert (await cursors.load("alice", SERVER)) == {"laptop": 1}
    await replica.sync(server.connect)
    assert sorted(str(one) for one in await contents(replica)) == sorted(
        str(one) for one in (b"1", b"2", b"3", b'"news"')
    )


async def test_redaction_names_its_target(world: World) -> None:
    replica = await world.replica("alice", "laptop")
    target = await replica.add(b'"oops"')

    await replica.add(b"null", redacts=target.identity)

    entries = [entry async for entry in replica.log.entries("alice")]
    assert [(entry.content, entry.redacts) for entry in entries] == [
        (None, None),
        (b"null", Identity("laptop", 1)),
    ]
