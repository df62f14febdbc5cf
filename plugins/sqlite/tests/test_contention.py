"""Several programs on one file, several tasks on one store, and calls that are given up."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest

from strandlog import Entry, VersionVector
from strandlog.backend import LogStore
from strandlog.backend.registry import open_log_store, open_stores
from strandlog.errors import StoreClosedError, StoreUnavailableError
from strandlog_sqlite._open import _use_log

pytestmark = pytest.mark.anyio

Notes = Callable[..., list[Entry]]


@contextmanager
def _another_program(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that shares nothing with ours but the file."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    with closing(connection):
        yield connection


@pytest.fixture
async def store(url: str) -> AsyncIterator[LogStore]:
    async with open_log_store(url) as store:
        yield store


async def test_an_append_waits_for_another_program(
    path: Path, store: LogStore, notes: Notes
) -> None:
    """Its transaction ends, and ours begins and sees what it wrote; nobody sees an error."""
    with _another_program(path) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO cursor VALUES ('bob', 'bob/phone', 'desk', 1)")
        append = asyncio.ensure_future(store.append("alice", notes(1, 3)))
        assert await store.tops("alice") == {}
        assert not append.done()

        other.execute("COMMIT")

        assert (await append).added == 3


async def test_waiting_has_an_end(path: Path, url: str, notes: Notes) -> None:
    """After busy_timeout the caller is told, by our error; later the same call succeeds."""
    async with open_log_store(f"{url}?busy_timeout=0.01") as store:
        with _another_program(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreUnavailableError, match="another process") as caught:
                await store.append("alice", notes(1, 3))
            other.execute("COMMIT")

        assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
        assert (await store.append("alice", notes(1, 3))).added == 3


async def test_readers_do_not_wait_for_a_writer(path: Path, store: LogStore, notes: Notes) -> None:
    """They see what was there before it began."""
    await store.append("alice", notes(1, 3))
    with _another_program(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        other.execute("UPDATE device SET top = 99")

        assert await store.tops("alice") == {"laptop": 3}


async def test_switching_to_the_log_waits_where_sqlite_does_not(path: Path) -> None:
    """Two programs create one file: the second finds it locked at its first try, not its second."""
    tries = []

    def release_at_the_second(statement: str) -> None:
        tries.append(statement)
        if len(tries) == 2:
            other.execute("ROLLBACK")

    with _another_program(path) as other, _another_program(path) as ours:
        other.execute("BEGIN IMMEDIATE")
        ours.set_trace_callback(release_at_the_second)

        _use_log(ours, busy_timeout_seconds=10)

        ours.set_trace_callback(None)
        assert ours.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert len(tries) == 2


async def test_switching_to_the_log_gives_up_in_the_end(path: Path) -> None:
    with _another_program(path) as other, _another_program(path) as ours:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(sqlite3.OperationalError, match="locked"):
            _use_log(ours, busy_timeout_seconds=0)


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancelled_append_is_completed(store: LogStore, notes: Notes, turns: int) -> None:
    """Whenever its task is cancelled: once begun it is there, whole, before the task has ended."""
    append = asyncio.ensure_future(store.append("alice", notes(1, 50)))
    begun = False
    for _ in range(turns):
        await asyncio.sleep(0)
        begun = True
    append.cancel()
    await asyncio.wait([append])

    assert await store.tops("alice") == ({"laptop": 50} if begun else {})
    assert (await store.append("alice", notes(1, 51))).tops == {"laptop": 51}


async def test_a_timeout_completes_what_it_ends(path: Path, store: LogStore, notes: Notes) -> None:
    """The scope of a library that cancels again and again, while the append waits for a lock."""
    with _another_program(path) as other:
        other.execute("BEGIN IMMEDIATE")
        asyncio.get_running_loop().call_later(0.05, other.execute, "COMMIT")
        with anyio.move_on_after(0.01) as scope:
            await store.append("alice", notes(1, 3))

    assert scope.cancelled_caught
    assert await store.tops("alice") == {"laptop": 3}


async def test_a_cancelled_reader_leaves_the_connection_clean(
    store: LogStore, notes: Notes
) -> None:
    """A snapshot that stayed open would show the past for ever."""
    await store.append("alice", notes(1, 3))
    read = asyncio.ensure_future(
        store.read("alice", after=VersionVector(), limit=9, max_bytes=1 << 20)
    )
    await asyncio.sleep(0)
    read.cancel()
    await asyncio.wait([read])
    await store.append("alice", notes(4, 4))

    assert await store.tops("alice") == {"laptop": 4}


async def test_closing_answers_what_was_asked_before(url: str, notes: Notes) -> None:
    """Twenty appends run when the store is closed: each is stored, and what comes later refused."""
    async with open_log_store(url) as store:
        running = [
            asyncio.ensure_future(store.append("alice", notes(1, 5, device=f"device{n}")))
            for n in range(20)
        ]
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(StoreClosedError):
            await store.append("alice", [])
        answers = await asyncio.gather(*running)

    assert [answer.added for answer in answers] == [5] * 20
    async with open_log_store(url) as store:
        assert await store.tops("alice") == {f"device{n}": 5 for n in range(20)}


async def test_a_cancelled_close_closes(url: str) -> None:
    """Who gives up waiting for the end does not stop it."""
    async with open_log_store(url) as store:
        close = asyncio.ensure_future(store.close())
        await asyncio.sleep(0)
        close.cancel()
        await asyncio.wait([close])

        assert close.cancelled()
        with pytest.raises(StoreClosedError):
            await store.tops("alice")


async def test_both_may_be_closed_apart(url: str, notes: Notes) -> None:
    """A log store and a cursor store on one connection: the end of one is not the other's."""
    async with open_stores(url) as (log, cursors):
        await log.append("alice", notes(1, 1))
        await log.close()

        await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 1}))

        assert await cursors.load("alice", "alice/phone") == {"laptop": 1}
        with pytest.raises(StoreClosedError):
            await log.tops("alice")
