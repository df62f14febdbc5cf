"""What is true of the memory stores alone; what every store promises is checked by conformance."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from strandlog import Entry, Seq, VersionVector
from strandlog.backend import Durability, StoreUrl
from strandlog.backend.registry import open_cursor_store, open_log_store, open_stores, plugin
from strandlog.errors import StoreError, StoreUrlError
from strandlog_memory.testing import fresh_url

pytestmark = pytest.mark.anyio

NOTE = Entry(Seq(10, 1, "laptop"), "private", b'"note"')


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_name_is_one_location_for_the_whole_process(tmp_path: Path) -> None:
    """Two openers of one name, as two parts of one program are, see the same log."""
    async with fresh_url(tmp_path) as url, open_log_store(url) as one, open_log_store(url) as two:
        await one.append("alice", [NOTE])

        assert await two.head("alice") == NOTE.seq


async def test_a_name_outlives_its_openers(tmp_path: Path) -> None:
    """A program that closes its store and opens it again goes on where it was."""
    async with fresh_url(tmp_path) as url:
        async with open_log_store(url) as store:
            await store.append("alice", [NOTE])
            epoch = (await store.info()).epoch

        async with open_log_store(url) as store:
            assert await store.head("alice") == NOTE.seq
            assert (await store.info()).epoch == epoch


async def test_logs_and_cursors_of_a_name_are_kept_side_by_side(tmp_path: Path) -> None:
    """One URL for both kinds; erasing the log leaves its cursors to the cursor store."""
    async with fresh_url(tmp_path) as url:
        async with open_stores(url) as (log, cursors):
            await log.append("alice", [NOTE])
            await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 1}))
            await log.erase("alice")

        async with open_cursor_store(url) as cursors:
            assert await cursors.load("alice", "alice/phone") == {"laptop": 1}


async def test_without_a_name_each_opening_is_its_own() -> None:
    """Two tests of a user that both open ``memory://`` do not meet."""
    async with open_log_store("memory://") as one, open_log_store("memory://") as two:
        await one.append("alice", [NOTE])

        assert await two.tops("alice") == {}


async def test_only_a_name_promises_that_anything_is_kept(tmp_path: Path) -> None:
    """Nobody can open a nameless location again, so its store does not claim to last."""
    async with (
        fresh_url(tmp_path) as url,
        open_log_store("memory://") as nameless,
        open_log_store(url) as named,
    ):
        claims = [nameless.capabilities.durability, named.capabilities.durability]

    assert claims == [Durability.NONE, Durability.PROCESS]


async def test_a_fresh_location_is_freed_in_the_end(tmp_path: Path) -> None:
    """A suite of hundreds of checks does not fill the memory with what they left."""
    async with fresh_url(tmp_path) as url, open_log_store(url) as store:
        await store.append("alice", [NOTE])

    async with open_log_store(url) as store:
        assert await store.logs(limit=1) == []


async def test_a_path_is_refused() -> None:
    """``memory:///notes`` is most likely meant to be a file."""
    backend = plugin("memory").log
    assert backend is not None

    with pytest.raises(StoreUrlError, match="memory://name"):
        StoreUrl.parse("memory:///notes").check_location(backend.location)


def test_a_second_event_loop_is_refused() -> None:
    """As by the stores with a connection, which could only hang there."""
    opener = open_log_store("memory://")
    with asyncio.Runner() as first, asyncio.Runner() as second:
        store = first.run(opener.__aenter__())

        with pytest.raises(StoreError, match="another event loop"):
            second.run(store.tops("alice"))

        first.run(opener.__aexit__(None, None, None))


async def test_a_buffer_is_copied_on_its_way_in() -> None:
    """A caller that fills one buffer again and again does not change what it has stored."""
    buffer = bytearray(b'"one"')
    async with open_log_store("memory://") as store:
        entry = Entry(Seq(10, 1, "laptop"), "private", buffer)  # type: ignore[arg-type]
        await store.append("alice", [entry])
        buffer[:] = b'"two"'

        page = await store.read("alice", after=VersionVector(), limit=1, max_bytes=100)

    assert [entry.content for entry in page.entries] == [b'"one"']
