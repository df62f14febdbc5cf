"""The file: how it is made, recognised, brought up to date and left alone."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import strandlog_sqlite
from strandlog import Entry, VersionVector
from strandlog.backend.registry import open_log_store, open_stores
from strandlog.errors import (
    StoreCorruptError,
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
    StoreVersionError,
)
from strandlog_sqlite import _schema

pytestmark = pytest.mark.anyio

Notes = Callable[..., list[Entry]]

DATA = Path(__file__).parent / "data"
GOLDEN = Path(strandlog_sqlite.__file__).parent / "golden"


def _run(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement).fetchall()


def _names(directory: Path) -> list[str]:
    return [one.name for one in directory.iterdir() if one.is_file()]


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _pragma(path: Path, name: str) -> object:
    with closing(sqlite3.connect(path)) as connection:
        [value] = connection.execute(f"PRAGMA {name}").fetchone()
        return value


async def test_a_new_file_says_what_it_is(path: Path, url: str) -> None:
    """Anybody can tell from the file alone: whose it is, which version, and that it has a log."""
    async with open_log_store(url):
        pass

    names = ("application_id", "user_version", "journal_mode")
    assert [_pragma(path, name) for name in names] == [0x7374726C, 1, "wal"]


async def test_a_closed_store_is_one_file(path: Path, url: str, notes: Notes) -> None:
    """Who copies the file of a closed store has copied the store."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 3))

    assert _names(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("query", "synchronous"), [("", 2), ("?durability=full", 2), ("?durability=normal", 1)]
)
async def test_durability_is_what_the_url_asks_for(url: str, query: str, synchronous: int) -> None:
    """SQLite syncs its log at every commit with 2, and only at checkpoints with 1."""
    async with open_log_store(url + query) as store:
        database = store._handle._database  # type: ignore[attr-defined]
        found = await database._writer.run(lambda c: c.execute("PRAGMA synchronous").fetchall())

    assert found == [(synchronous,)]


async def test_less_durability_is_not_claimed_to_be_more(url: str) -> None:
    """The claim of a store that was opened with less is less."""
    async with open_log_store(url) as full, open_log_store(f"{url}?durability=normal") as normal:
        claims = [store.capabilities.durability.value for store in (full, normal)]

    assert claims == ["power", "os"]


@pytest.mark.parametrize("name", [":memory:", "100%.db", "a b?c#d.db", "ünï.db"])
async def test_any_file_name_is_a_file(tmp_path: Path, notes: Notes, name: str) -> None:
    """Names that mean something to SQLite or to URLs are still names of files."""
    quoted = name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    async with open_log_store(f"sqlite:///{tmp_path}/{quoted}") as store:
        await store.append("alice", notes(1, 1))

    assert _names(tmp_path) == [name]


async def test_a_relative_path_starts_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``sqlite:///notes.db`` is what a user types, and means the present directory."""
    monkeypatch.chdir(tmp_path)
    async with open_log_store("sqlite:///notes.db"):
        pass

    assert (tmp_path / "notes.db").exists()


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """The message says which directory, and what to do."""
    with pytest.raises(StoreUnavailableError, match=r"no directory .*nowhere: create it first"):
        async with open_log_store(f"sqlite:///{tmp_path}/nowhere/notes.db"):
            pass


async def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match="is a directory"):
        async with open_log_store(f"sqlite:///{tmp_path}"):
            pass


async def test_what_is_no_database_is_named_and_left_alone(path: Path, url: str) -> None:
    """A slip of the pen in a URL does not cost a document."""
    _write(path, b"Dear diary, " * 1000)

    with pytest.raises(StoreCorruptError, match=r"notes\.db.*not a database"):
        async with open_log_store(url):
            pass

    assert _bytes(path) == b"Dear diary, " * 1000


async def test_a_database_of_something_else_is_left_alone(path: Path, url: str) -> None:
    """Nor does it cost the database of another program."""
    _run(path, "CREATE TABLE recipe (name)")
    before = _bytes(path)

    with pytest.raises(StoreCorruptError, match="not one of strandlog"):
        async with open_log_store(url):
            pass

    assert _bytes(path) == before


async def test_an_empty_file_becomes_a_store(path: Path, url: str, notes: Notes) -> None:
    """As ``mktemp`` makes it."""
    _write(path, b"")
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 1))

        assert await store.tops("alice") == {"laptop": 1}


async def test_a_newer_file_is_refused_untouched(path: Path, url: str) -> None:
    """A newer version may mean anything: not a byte changes, and nothing is left beside it."""
    async with open_log_store(url):
        pass
    _run(path, "PRAGMA user_version = 99")
    before = _bytes(path)

    with pytest.raises(StoreVersionError, match=r"version 99 .* knows up to 1: install a newer"):
        async with open_log_store(url):
            pass

    assert _bytes(path) == before
    assert _names(path.parent) == [path.name]


async def test_a_newer_file_that_was_not_closed_is_refused_untouched(path: Path, url: str) -> None:
    """A newer program was killed: its last changes are in the log beside the file, and stay."""
    async with open_log_store(url):
        pass
    killed = "import os, sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)"
    killed += "; c.execute('PRAGMA user_version = 99'); os._exit(9)"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", killed, str(path))
    await process.wait()
    log = path.with_name(f"{path.name}-wal")
    before = (_bytes(path), _bytes(log))

    with pytest.raises(StoreVersionError):
        async with open_log_store(url):
            pass

    assert (_bytes(path), _bytes(log)) == before


@pytest.mark.parametrize("version", range(1, _schema.SCHEMA_VERSION + 1))
async def test_files_of_every_version_are_read(path: Path, url: str, version: int) -> None:
    """What users have on their disks reads the same for ever."""
    shutil.copy(GOLDEN / f"v{version}.sqlite", path)
    expected = json.loads((DATA / f"v{version}.json").read_text())
    async with open_stores(url) as (log, cursors):
        logs = {}
        for user in await log.logs(limit=10):
            page = await log.read(user, after=VersionVector(), limit=100, max_bytes=1 << 20)
            logs[user] = {
                "entries": [
                    [
                        entry.seq.encode(),
                        entry.scope,
                        entry.content and entry.content.decode(),
                        entry.redacts and list(entry.redacts),
                        entry.meta and entry.meta.decode(),
                        entry.digest,
                    ]
                    for entry in page.entries
                ],
                "tops": dict(page.tops),
                "floor": dict(page.floor),
            }
        readers = {reader: dict(v) for reader, v in (await cursors.readers("alice")).items()}
        epoch = (await log.info()).epoch

    assert logs == expected["logs"]
    assert readers == expected["cursors"]
    assert epoch == expected["epoch"]


async def test_an_older_file_is_brought_up_to_date(
    path: Path, url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps run once, in order, and what was there is still there."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2))
    steps = (*_schema._STEPS, ("CREATE TABLE a (b)",), ("ALTER TABLE a RENAME TO c",))
    monkeypatch.setattr(_schema, "_STEPS", steps)
    monkeypatch.setattr(_schema, "SCHEMA_VERSION", 3)

    async with open_log_store(url):
        pass

    async with open_log_store(url) as store:
        assert await store.tops("alice") == {"laptop": 2}
    _run(path, "SELECT * FROM c")
    assert _pragma(path, "user_version") == 3


async def test_a_migration_that_fails_changes_nothing(
    path: Path, url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps or none: the older program can still open the file."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2))
    with monkeypatch.context() as newer:
        newer.setattr(_schema, "_STEPS", (*_schema._STEPS, ("CREATE TABLE a (b)", "oops")))
        newer.setattr(_schema, "SCHEMA_VERSION", 2)
        with pytest.raises(StoreError, match="syntax error"):
            async with open_log_store(url):
                pass

    async with open_log_store(url) as store:
        assert await store.tops("alice") == {"laptop": 2}
    assert _pragma(path, "user_version") == 1


async def test_processes_that_open_at_once_make_one_store(url: str) -> None:
    """Four programs start with no file there; each writes its device, and nothing is lost."""
    program = """
import asyncio, sys
from strandlog import Entry, Seq
from strandlog.backend.registry import open_log_store

async def main(url, device):
    print(flush=True)
    sys.stdin.readline()
    async with open_log_store(url) as store:
        for n in range(1, 21):
            await store.append("alice", [Entry(Seq(n, n, device), "private", b"1")])
        print((await store.info()).epoch)

asyncio.run(main(*sys.argv[1:]))
"""
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, url, f"device{n}", stdin=pipe, stdout=pipe
        )
        for n in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        await process.stdout.readline()
    outputs = await asyncio.gather(*(process.communicate(b"\n") for process in processes))

    async with open_log_store(url) as store:
        tops = await store.tops("alice")
        epoch = (await store.info()).epoch
    assert tops == {f"device{n}": 20 for n in range(4)}
    assert {output.strip().decode() for output, _ in outputs} == {epoch}


async def test_read_only_writes_nothing(path: Path, url: str, notes: Notes) -> None:
    """An archive can be looked at: all reads work, and the directory is as it was."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 3))
    before = _bytes(path)
    async with open_stores(f"{url}?read_only=true") as (log, cursors):
        page = await log.read("alice", after=VersionVector(), limit=9, max_bytes=1 << 20)
        with pytest.raises(StoreReadOnlyError, match="read_only=true"):
            await log.append("alice", notes(4, 4))
        with pytest.raises(StoreReadOnlyError, match="read_only=true"):
            await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 1}))

    assert list(page.entries) == notes(1, 3)
    assert _bytes(path) == before
    assert _names(path.parent) == [path.name]


async def test_read_only_sees_what_others_write(url: str, notes: Notes) -> None:
    """It follows a store in use, as ``tail`` follows a file."""
    async with open_log_store(url) as store, open_log_store(f"{url}?read_only=true") as reader:
        await store.append("alice", notes(1, 2))

        assert await reader.tops("alice") == {"laptop": 2}


async def test_read_only_creates_nothing(path: Path, url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="does not exist"):
        async with open_log_store(f"{url}?read_only=true"):
            pass

    assert _names(path.parent) == []


async def test_read_only_does_not_migrate(path: Path, url: str) -> None:
    """An older file has to be opened for writing once."""
    _write(path, b"")

    with pytest.raises(StoreReadOnlyError, match="once without read_only"):
        async with open_log_store(f"{url}?read_only=true"):
            pass

    assert _bytes(path) == b""
