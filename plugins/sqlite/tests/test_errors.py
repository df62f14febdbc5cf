"""What goes wrong below reaches the caller in our words, with the driver's error as its cause."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from strandlog import Entry, VersionVector
from strandlog.backend import LogStore
from strandlog.backend.registry import open_log_store
from strandlog.errors import (
    StoreCorruptError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    TooLargeError,
)

pytestmark = pytest.mark.anyio

Notes = Callable[..., list[Entry]]


@pytest.fixture
async def store(url: str) -> AsyncIterator[LogStore]:
    async with open_log_store(url) as store:
        yield store


async def _on_writer(store: LogStore, statement: str) -> None:
    """Run a statement on the connection with which the store writes."""
    database = store._handle._database  # type: ignore[attr-defined]
    await database._writer.run(lambda c: c.execute(statement).fetchall())


async def test_a_full_disk(store: LogStore, notes: Notes) -> None:
    """Nothing of the batch is stored; once there is room, the same call succeeds."""
    await _on_writer(store, "PRAGMA max_page_count = 20")
    with pytest.raises(StoreFullError, match="make room") as caught:
        await store.append("alice", notes(1, 5000))

    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert await store.tops("alice") == {}
    await _on_writer(store, "PRAGMA max_page_count = 100000")
    assert (await store.append("alice", notes(1, 5000))).added == 5000


async def test_a_write_that_fails(url: str, notes: Notes) -> None:
    """The system refuses to write on: nothing is claimed, and later nothing of it is there."""
    resource = pytest.importorskip("resource")
    allowed = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 10))
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, allowed[1]))
        try:
            with pytest.raises((StoreUnavailableError, StoreFullError)):
                await store.append("alice", notes(11, 5000))
            assert await store.tops("alice") == {"laptop": 10}
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, allowed)
        await store.append("alice", notes(11, 5000))

    async with open_log_store(url) as store:
        assert await store.tops("alice") == {"laptop": 5000}


async def test_a_file_that_cannot_be_written(store: LogStore, notes: Notes) -> None:
    """It is not our option that forbids it, and the message says what would help."""
    await _on_writer(store, "PRAGMA query_only = ON")

    with pytest.raises(StoreReadOnlyError, match="make the file and its directory writable"):
        await store.append("alice", notes(1, 1))


async def test_the_connection_that_reads_cannot_write(url: str) -> None:
    """Whatever a later change of the code would make it try, on a file that is there already."""
    async with open_log_store(url):
        pass
    async with open_log_store(url) as store:
        database = store._handle._database  # type: ignore[attr-defined]

        with pytest.raises(StoreReadOnlyError):
            await database._reader.run(lambda c: c.execute("DELETE FROM cursor"))


async def test_an_entry_larger_than_sqlite_takes(store: LogStore, notes: Notes) -> None:
    """With SQLite's limit lowered from its gigabyte; the entry before it is not stored either."""
    database = store._handle._database  # type: ignore[attr-defined]
    await database._writer.run(lambda c: c.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 10_000))
    large = Entry(notes(2, 2)[0].seq, "private", b"1" * 20_000)

    with pytest.raises(TooLargeError):
        await store.append("alice", [*notes(1, 1), large])

    assert await store.tops("alice") == {}


async def test_a_file_that_is_cut_short(path: Path, url: str, notes: Notes) -> None:
    """Half of the file is gone."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2000))
    with path.open("r+b") as file:
        file.truncate(40_960)

    with pytest.raises(StoreCorruptError, match=r"notes\.db"):
        async with open_log_store(url) as store:
            await store.read("alice", after=VersionVector(), limit=5000, max_bytes=1 << 30)


async def test_a_file_whose_directory_goes(path: Path, url: str, notes: Notes) -> None:
    """What can be repaired from outside, such as a mount that comes back, may be tried again."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 1))
    path.parent.rename(path.parent.with_name("elsewhere"))

    with pytest.raises(StoreUnavailableError, match="no directory"):
        async with open_log_store(url):
            pass


DAMAGE = {
    "a byte of the content": (
        "UPDATE entry SET record = CAST(substr(record, 1, 60) || '7' || substr(record, 62) AS BLOB)"
        " WHERE counter = 2"
    ),
    "the counter": "UPDATE entry SET counter = 4 WHERE counter = 2",
    "the timestamp": "UPDATE entry SET timestamp = 9 WHERE counter = 2",
    "the scope": "UPDATE entry SET scope = 'friend' WHERE counter = 2",
    "the device": "UPDATE device SET name = 'lbptop' WHERE name = 'laptop'",
    "the user": "UPDATE device SET user = 'alice' WHERE user = 'bob'",
    "the text of the scope": "UPDATE entry SET scope = CAST(x'ff' AS TEXT) WHERE counter = 2",
    "the top": "UPDATE device SET top = -1 WHERE name = 'phone'",
}


@pytest.mark.parametrize("statement", DAMAGE.values(), ids=DAMAGE.keys())
async def test_damage_is_found(path: Path, url: str, notes: Notes, statement: str) -> None:
    """Whatever byte of a row changes, the row is refused and never believed."""
    async with open_log_store(url) as store:
        await store.append("alice", [*notes(1, 3), *notes(1, 1, device="phone")])
        await store.append("bob", notes(1, 1, device="desk"))
    with closing(sqlite3.connect(path)) as connection, connection:
        changed = connection.execute(statement).rowcount
    assert changed == 1

    async with open_log_store(url) as store:
        with pytest.raises(StoreCorruptError):
            await store.read("alice", after=VersionVector(), limit=9, max_bytes=1 << 20)


async def test_a_duplicate_of_a_damaged_entry_is_no_duplicate(
    path: Path, url: str, notes: Notes
) -> None:
    """The client must not be told that the server holds what it has lost."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 3))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE entry SET record = zeroblob(99) WHERE counter = 2")

    async with open_log_store(url) as store:
        with pytest.raises(StoreCorruptError, match="alice: the record of laptop 2 is damaged"):
            await store.append("alice", notes(2, 2))
