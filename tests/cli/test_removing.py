"""``trim``, ``erase`` and ``restore``, on a log in a file."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

from strandlog import Entry, Seq, VersionVector
from strandlog.backend.registry import open_stores
from strandlog.cli import program
from strandlog.client.local import wall_clock
from strandlog.errors import ErasedError

URL = "sqlite:///server.db"
DAY = 86_400_000


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file with four entries of a laptop, two of them old, and a reader."""
    monkeypatch.chdir(tmp_path)
    now = wall_clock()
    stamps = [now - 90 * DAY, now - 60 * DAY, now - DAY, now]
    entries = [Entry(Seq(at, n, "laptop"), "private", b"1") for n, at in enumerate(stamps, 1)]

    async def fill() -> None:
        async with open_stores(URL) as (log, cursors):
            await log.append("alice", entries)
            await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 2}))

    anyio.run(fill)


def _run(*words: str, stdin: str = "") -> Result:
    words = (*words, "--store", URL)
    return CliRunner().invoke(program, words, input=stdin, env={"STRANDLOG_STORE": None})


def _counters() -> list[int]:
    async def read() -> list[int]:
        async with open_stores(URL) as (log, _):
            return [entry.counter for entry in (await log.read_range("alice", limit=9)).entries]

    return anyio.run(read)


def test_trim_removes_up_to_a_counter_and_shows_the_floors() -> None:
    result = _run("trim", "alice/laptop", "--up-to", "1")

    assert (result.exit_code, result.stdout) == (0, "alice: laptop:1 trimmed\n")
    assert _counters() == [2, 3, 4]


def test_trim_keeps_what_is_young_enough() -> None:
    result = _run("trim", "alice/laptop", "--keep-days", "30", "--json")

    assert json.loads(result.stdout) == {"user": "alice", "floors": {"laptop": 2}}
    assert _counters() == [3, 4]


def test_trim_keeps_the_newest_whatever_its_age() -> None:
    _run("trim", "alice/laptop", "--keep-days", "0")

    assert _counters() == [4]


@pytest.mark.parametrize("words", [(), ("--up-to", "1", "--keep-days", "1")])
def test_trim_is_told_how_much_in_one_way(words: tuple[str, ...]) -> None:
    result = _run("trim", "alice/laptop", *words)

    assert (result.exit_code, "either --up-to or --keep-days" in result.stderr) == (2, True)
    assert _counters() == [1, 2, 3, 4]


def test_erase_asks_first() -> None:
    result = _run("erase", "alice", stdin="n\n")

    assert result.exit_code != 0
    assert _counters() == [1, 2, 3, 4]


def test_erase_leaves_neither_entries_nor_cursors() -> None:
    result = _run("erase", "alice", "--yes")

    async def look() -> object:
        async with open_stores(URL) as (log, cursors):
            with pytest.raises(ErasedError):
                await log.append("alice", [])
            return await cursors.readers("alice")

    assert (result.exit_code, result.stdout) == (0, "alice: erased\n")
    assert (_counters(), anyio.run(look)) == ([], {})


def test_restore_says_how_often_the_log_was_erased() -> None:
    _run("erase", "alice", "--yes", "--json")
    _run("restore", "alice", "--json")
    _run("erase", "alice", "--yes", "--json")
    result = _run("restore", "alice", "--json")

    assert json.loads(result.stdout) == {"user": "alice", "generation": 2}
