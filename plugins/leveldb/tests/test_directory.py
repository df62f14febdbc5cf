"""The directory: how it is made, recognised, held by one opener and left alone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
import plyvel
import pytest

from strandlog import Entry, VersionVector
from strandlog.backend import StoreUrl
from strandlog.backend.registry import open_cursor_store, open_log_store, open_stores, plugin
from strandlog.errors import (
    BrokenBackendError,
    StoreCorruptError,
    StoreLockedError,
    StoreUnavailableError,
    StoreUrlError,
    StoreVersionError,
)
from strandlog_leveldb import _place, _schema

pytestmark = pytest.mark.anyio

Notes = Callable[..., list[Entry]]

OPEN_ELSEWHERE = """
import asyncio, sys
from strandlog.backend.registry import open_log_store
from strandlog.errors import StoreLockedError

async def main():
    try:
        async with open_log_store(sys.argv[1]):
            print("opened")
    except StoreLockedError:
        print("locked")

asyncio.run(main())
"""


def _content(directory: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in directory.iterdir()}


def _names(directory: Path) -> list[str]:
    return [file.name for file in directory.iterdir()]


def _opened_elsewhere(url: str) -> str:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-c", OPEN_ELSEWHERE, url],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    ).stdout.strip()


def _make(directory: Path, *names: str) -> None:
    directory.mkdir()
    for name in names:
        (directory / name).touch()


async def _open(url: str) -> None:
    async with open_log_store(url):
        pass


async def test_one_url_for_both_is_opened_once(url: str, notes: Notes) -> None:
    """Logs and cursors of one URL share the database, which takes one opener."""
    async with open_stores(url) as (log, cursors):
        await log.append("alice", notes(1, 3))
        await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 2}))
        await log.erase("alice")

    async with open_cursor_store(url) as cursors:
        assert await cursors.readers("alice") == {"alice/phone": {"laptop": 2}}


async def test_the_other_of_two_that_share_goes_on(url: str, notes: Notes) -> None:
    """The database is closed with the last of its stores, whichever that is."""
    async with open_stores(url) as (log, cursors):
        await cursors.close()
        await log.append("alice", notes(1, 1))

        assert await log.tops("alice") == {"laptop": 1}


def _half_make(directory: Path) -> None:
    """Leave what loss of power may leave of a store that was being made: names without content."""
    place = _place.Place.take(str(directory), create=True)
    place.break_seal()
    (directory / "MANIFEST-000001").touch()
    (directory / "CURRENT").write_text("MANIFEST-000001\n")
    place.leave(seal=False)


async def test_a_store_that_was_half_made_is_made_anew(path: Path, url: str, notes: Notes) -> None:
    """LevelDB cannot open what is left of it, and nothing was acknowledged in it."""
    await anyio.to_thread.run_sync(_half_make, path)

    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2))
    async with open_log_store(url) as store:
        assert await store.tops("alice") == {"laptop": 2}


async def test_a_store_that_was_half_made_is_none(path: Path, url: str) -> None:
    """Who wants no new store is told so."""
    await anyio.to_thread.run_sync(_half_make, path)

    with pytest.raises(StoreUnavailableError, match="never made to the end"):
        await _open(f"{url}?create_if_missing=false")


async def test_a_second_opener_is_told_to_share(url: str, notes: Notes) -> None:
    """In the same process too; and the first one goes on."""
    async with open_log_store(url) as store:
        with pytest.raises(StoreLockedError, match="share it if they are opened together"):
            async with open_cursor_store(url):
                pass
        await store.append("alice", notes(1, 1))

        assert await store.tops("alice") == {"laptop": 1}


async def test_a_second_opener_does_not_break_the_lock(url: str) -> None:
    """An attempt in this process would release the lock of LevelDB for all other processes."""
    async with open_log_store(url):
        with pytest.raises(StoreLockedError):
            await _open(url)

        assert _opened_elsewhere(url) == "locked"

    assert _opened_elsewhere(url) == "opened"


async def test_the_lock_does_not_hang_on_files_that_somebody_reads(path: Path, url: str) -> None:
    """A backup that reads the whole directory closes the lock file too."""
    async with open_log_store(url):
        _content(path)

        assert _opened_elsewhere(url) == "locked"


async def test_one_directory_by_two_names_is_one(path: Path, url: str) -> None:
    path.with_name("link").symlink_to(path)
    async with open_log_store(url):
        with pytest.raises(StoreLockedError):
            await _open(f"leveldb:///{path.parent}/link")


async def test_who_holds_leveldb_itself_is_another_opener(path: Path, url: str) -> None:
    """A tool that looks into the directory by its own means."""
    await _open(url)
    database = plyvel.DB(str(path))
    (path / "STRANDLOG").write_bytes(b"")

    with pytest.raises(StoreLockedError):
        await _open(url)

    database.close()


async def test_who_had_it_open_meanwhile_is_noticed(path: Path, url: str, notes: Notes) -> None:
    """Any program that knows LevelDB may have changed anything; the message says how to go on."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 1))
    plyvel.DB(str(path)).close()
    with pytest.raises(StoreCorruptError, match="empty the file STRANDLOG"):
        await _open(url)

    (path / "STRANDLOG").write_bytes(b"")

    async with open_log_store(url) as store:
        assert await store.tops("alice") == {"laptop": 1}


async def test_a_relative_path_starts_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``leveldb:///notes`` is what a user types, and means the present directory."""
    monkeypatch.chdir(tmp_path)
    await _open("leveldb:///notes")

    assert (tmp_path / "notes" / "CURRENT").exists()


@pytest.mark.parametrize("name", ["100%", "a b?c#d", "ünï"])
async def test_any_name_is_a_directory(tmp_path: Path, name: str) -> None:
    quoted = name.replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    await _open(f"leveldb:///{tmp_path}/{quoted}")

    assert _names(tmp_path) == [name]


async def test_a_missing_parent_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError, match=r"no directory .*nowhere: create it first"):
        await _open(f"leveldb:///{tmp_path}/nowhere/notes")


async def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("Dear diary")

    with pytest.raises(StoreUnavailableError, match="is a file"):
        await _open(f"leveldb:///{tmp_path}/notes.db")


async def test_an_empty_directory_becomes_a_store(path: Path, url: str, notes: Notes) -> None:
    """Its rights may have been set beforehand."""
    _make(path)
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 1))

    assert (path / "CURRENT").exists()


async def test_a_directory_for_something_else_is_left_alone(path: Path, url: str) -> None:
    """A slip of the pen in a URL does not strew files among somebody's documents."""
    _make(path, "diary.txt")

    with pytest.raises(StoreUnavailableError, match=r"holds diary\.txt: name a directory of its"):
        await _open(url)

    assert _content(path) == {"diary.txt": b""}


async def test_a_database_of_something_else_is_left_alone(path: Path, url: str) -> None:
    """LevelDB would write into it at once, were it only to look what it is."""
    database = plyvel.DB(str(path), create_if_missing=True)
    database.put(b"recipe", b"soup")
    database.close()
    before = _content(path)

    with pytest.raises(StoreCorruptError, match="not one of strandlog"):
        await _open(url)

    assert _content(path) == before


async def test_a_database_of_something_else_is_not_filled(path: Path, url: str) -> None:
    """Nor if our file was put beside it, as the message offers."""
    database = plyvel.DB(str(path), create_if_missing=True)
    database.put(b"recipe", b"soup")
    database.close()
    (path / "STRANDLOG").touch()

    with pytest.raises(StoreCorruptError, match="not one of strandlog"):
        await _open(url)

    database = plyvel.DB(str(path))
    assert list(database) == [(b"recipe", b"soup")]
    database.close()


async def test_what_is_not_to_be_made_is_not_made(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreUnavailableError, match="create_if_missing=false makes none"):
        await _open(f"{url}?create_if_missing=false")

    assert _names(tmp_path) == []


async def test_what_is_there_is_opened_without_making(url: str, notes: Notes) -> None:
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 1))

    async with open_log_store(f"{url}?create_if_missing=false") as store:
        assert await store.tops("alice") == {"laptop": 1}


async def test_a_store_that_was_killed_while_it_was_made_is_made(path: Path, url: str) -> None:
    """LevelDB makes its list before it says that it is the current one."""
    _make(path, "STRANDLOG", "LOCK", "LOG", "MANIFEST-000001", "000001.dbtmp")

    async with open_log_store(url) as store:
        assert await store.logs(limit=1) == []


async def test_a_store_that_was_killed_before_its_first_write_is_made(path: Path, url: str) -> None:
    """LevelDB is there, and nothing in it."""
    plyvel.DB(str(path), create_if_missing=True).close()
    (path / "STRANDLOG").touch()

    async with open_log_store(url) as store:
        assert len((await store.info()).epoch) == 16


async def test_a_newer_store_is_refused_untouched(path: Path, url: str, notes: Notes) -> None:
    """Not a byte of it changes, not even of the files that LevelDB changes when it is opened."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 3))
    line = (path / "STRANDLOG").read_text()
    text = line.replace("strandlog-leveldb 1 ", "strandlog-leveldb 2 ").rpartition(" ")[0]
    (path / "STRANDLOG").write_text(f"{text} {_place._checksum(text)}\n")
    before = _content(path)

    with pytest.raises(StoreVersionError, match=r"version 2, and this .* up to 1: install a"):
        await _open(url)

    assert _content(path) == before


async def test_a_newer_store_is_refused_by_what_is_in_it(path: Path, url: str) -> None:
    """Also if the file that says so was replaced by an empty one."""
    await _open(url)
    database = plyvel.DB(str(path))
    body = _schema.number(2) + bytes(8)
    database.put(_schema.META, _schema.checked(_schema.META, body))
    database.close()
    (path / "STRANDLOG").write_bytes(b"")

    with pytest.raises(StoreVersionError, match="schema version 2"):
        await _open(url)


async def test_unknown_options_are_named(url: str) -> None:
    """It cannot be opened for reading only, and does not act as if."""
    with pytest.raises(StoreUrlError, match="'read_only'; it takes: create_if_missing, durability"):
        await _open(f"{url}?read_only=true")


async def test_a_missing_driver_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is listed all the same; opened, it says what to install and opens nothing else."""
    monkeypatch.setitem(sys.modules, "plyvel", None)
    backend = plugin("leveldb").log
    assert backend is not None

    with pytest.raises(BrokenBackendError, match="pip install plyvel") as caught:
        async with backend.open(StoreUrl.parse(url)):
            pass

    assert isinstance(caught.value.__cause__, ImportError)


def test_listing_does_not_load_the_driver() -> None:
    """``strandlog stores`` neither waits for it nor needs it."""
    program = """
import sys
from strandlog.backend.registry import plugin
plugin("leveldb")
print("plyvel" in sys.modules)
"""
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "False\n"
