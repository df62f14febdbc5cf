"""What becomes of a store that is not closed, or used from where it cannot answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from strandlog import Entry, VersionVector
from strandlog.backend.registry import open_log_store
from strandlog.errors import StoreClosedError, StoreError
from strandlog_leveldb._database import Handle, open_database
from strandlog_leveldb._driver import View
from strandlog_leveldb._schema import LAST, checked

Notes = Callable[..., list[Entry]]

PROGRAM = """
import asyncio, gc, sys
from strandlog import Entry, Seq
from strandlog_leveldb import strandlog_log_store
from strandlog_leveldb._database import Handle, open_database
from strandlog_leveldb._driver import View
from strandlog_leveldb._schema import LAST, checked
from strandlog_leveldb._log import LeveldbLogStore

async def main():
    handle = Handle(await open_database(sys.argv[1], create=True, sync=True))
    store = LeveldbLogStore(handle, strandlog_log_store().capabilities)
    await store.append("alice", [Entry(Seq(1, 1, "laptop"), "private", b"1")])
    return store

store = asyncio.run(main())
"""


@pytest.mark.parametrize("end", ["", "del store; gc.collect()"])
def test_a_forgotten_store_is_warned_of_and_does_not_hang(url: str, end: str) -> None:
    """A script that never closes: it ends all the same, with a word about it, and sealed."""
    path = url.removeprefix("leveldb:///")
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "always", "-c", PROGRAM + end, path],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert ended.stderr.count(f"ResourceWarning: {path}: a store was not closed") == 1
    assert "Traceback" not in ended.stderr


def test_a_forgotten_store_can_be_opened_again(url: str, notes: Notes) -> None:
    """Its lock goes with it."""
    path = url.removeprefix("leveldb:///")

    async def forget() -> None:
        handle = Handle(await open_database(path, create=True, sync=True))
        await handle.read(lambda view: view.value(b""))

    with pytest.warns(ResourceWarning, match="was not closed"):
        asyncio.run(forget())

    async def use() -> VersionVector:
        async with open_log_store(url) as store:
            await store.append("alice", notes(1, 1))
            return await store.tops("alice")

    assert asyncio.run(use()) == {"laptop": 1}


def test_a_second_event_loop_is_refused(url: str, notes: Notes) -> None:
    """The answer of the thread would go to the first loop; the second would wait for ever."""
    opener = open_log_store(url)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        store = first.run(opener.__aenter__())

        with pytest.raises(StoreError, match="another event loop"):
            second.run(store.append("alice", notes(1, 1)))
        with pytest.raises(StoreError, match="another event loop"):
            second.run(store.close())

        first.run(opener.__aexit__(None, None, None))


@pytest.mark.anyio
async def test_an_opening_that_is_cancelled_holds_nothing(url: str, notes: Notes) -> None:
    """Whenever it is cancelled, the next opener finds the directory free and no thread left."""
    threads = threading.active_count()
    for turns in range(8):
        opener = open_log_store(url)
        opening = asyncio.ensure_future(opener.__aenter__())
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

        async with open_log_store(url) as store:
            await store.append("alice", notes(1, 1))

    assert threading.active_count() == threads


@pytest.mark.anyio
async def test_what_was_asked_before_closing_is_answered(url: str, notes: Notes) -> None:
    """Calls that wait for a thread are carried out; those that come later are refused."""
    async with open_log_store(url) as store:
        before = [asyncio.ensure_future(store.append("alice", notes(1, n))) for n in range(1, 9)]
        reading = asyncio.ensure_future(store.tops("bob"))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)

        with pytest.raises(StoreClosedError):
            await store.append("alice", [])

        await closing
        assert [(await done).added for done in before] == [1] * 8
        assert await reading == {}


@pytest.mark.anyio
async def test_closing_waits_for_a_long_read(path: Path) -> None:
    """A database that is closed under a reader takes the process with it."""
    handle = Handle(await open_database(str(path), create=True, sync=True))
    go_on = threading.Event()

    def job(view: View) -> bytes | None:
        assert go_on.wait(20)
        return view.value(LAST)

    reading = asyncio.ensure_future(handle.read(job))
    closing = asyncio.ensure_future(handle.close())
    closed, _ = await asyncio.wait([closing], timeout=0.2)
    go_on.set()

    assert not closed
    assert await reading == checked(LAST)
    await closing


@pytest.mark.anyio
async def test_closing_that_is_cancelled_closes(url: str) -> None:
    """Who gives up waiting has closed all the same."""
    opener = open_log_store(url)
    store = await opener.__aenter__()
    closing = asyncio.ensure_future(store.close())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing

    async with open_log_store(url) as again:
        assert await again.logs(limit=1) == []
    await opener.__aexit__(None, None, None)
