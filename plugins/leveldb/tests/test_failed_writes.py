"""After a write that failed nothing is written any more, until the store is opened again.

LevelDB itself goes on: behind the piece of a record that is left it writes, syncs
and acknowledges, and drops all of that when it is opened again.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from strandlog.backend.registry import open_log_store

pytestmark = pytest.mark.anyio

APPENDER = Path(__file__).parent / "appender.py"

traced = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")


class Told(NamedTuple):
    """What the appender said.

    Attributes:
        acknowledged: The counters of the appends that succeeded.
        refused: Counter, error and message of the others.
        reads: How many entries it read in the end.
    """

    acknowledged: list[int]
    refused: list[tuple[int, str, str]]
    reads: int


def _append(url: str, first: int, count: int, *options: str, under: tuple[str, ...] = ()) -> Told:
    ended = subprocess.run(  # noqa: S603
        [*under, sys.executable, str(APPENDER), url, str(first), str(count), *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == ""
    found = re.findall(r"^refused (\w+) (\d+) (.*)$", ended.stdout, re.MULTILINE)
    [reads] = re.findall(r"^reads (\d+)$", ended.stdout, re.MULTILINE)
    return Told(
        [int(one) for one in re.findall(r"^acknowledged (\d+)$", ended.stdout, re.MULTILINE)],
        [(int(counter), error, message) for error, counter, message in found],
        int(reads),
    )


def _faulty(directory: Path, suffix: str, fault: str) -> tuple[str, ...]:
    """Return how to run a program for which calls on new files of LevelDB fail."""
    numbers = [int(path.stem) for path in directory.iterdir() if path.suffix in (".ldb", ".log")]
    new = range(max(numbers) + 1, max(numbers) + 50)
    paths = [word for number in new for word in ("-P", f"{directory}/{number:06}{suffix}")]
    return ("strace", "-f", "-qq", "-o", "/dev/null", *paths, "-e", f"inject={fault}")


async def _top(url: str) -> int:
    async with open_log_store(url) as store:
        return (await store.tops("alice"))["laptop"]


async def _assert_nothing_was_lost(url: str, told: Told, last: int) -> None:
    """Hold what is found later against what was said at the time."""
    failed_at = told.acknowledged[-1] + 1

    # One that failed may be found all the same, if it was the sync that failed.
    assert await _top(url) in (failed_at - 1, failed_at)
    assert told.acknowledged == list(range(1, failed_at))
    assert [counter for counter, _, _ in told.refused] == [failed_at] * (last + 1 - failed_at)
    assert told.reads == len(told.acknowledged)


@pytest.mark.parametrize("limit", [5_000, 40_000])
async def test_a_limit_of_the_file_size_loses_nothing(url: str, limit: int) -> None:
    """The log may not grow any more; many appends are tried after that, as many as it takes.

    A driver that goes on acknowledges some of them: the first that fit, or those
    that come when it begins a new log.
    """
    count = limit // 100
    told = _append(url, 1, count, "--file-limit", str(limit))

    assert len(told.refused) > 20
    await _assert_nothing_was_lost(url, told, count)


async def test_room_that_comes_back_is_not_used(url: str) -> None:
    """Somebody makes room while the store is open, and then the program is killed.

    LevelDB alone acknowledges 997 of these 1000 and finds 139 of them again.
    """
    told = _append(url, 1, 1000, "--file-limit", "40000", "--lift", "--kill")

    assert len(told.refused) > 500
    await _assert_nothing_was_lost(url, told, 1000)


async def test_the_errors_say_what_to_do(url: str) -> None:
    """First what failed and that the store has to be opened again, then why nothing goes on."""
    told = _append(url, 1, 60, "--file-limit", "5000")

    assert {error for _, error, _ in told.refused} == {"StoreFullError"}
    (_, _, first), (_, _, second), *_ = told.refused
    assert "File too large: nothing was acknowledged" in first
    assert first.endswith("close the store and open it again")
    assert second.endswith("nothing is written any more: close the store and open it again")


async def test_reopened_it_writes_again(url: str) -> None:
    """Once there is room the store goes on where it was, with what was refused before."""
    told = _append(url, 1, 60, "--file-limit", "5000")
    first = told.acknowledged[-1] + 1

    again = _append(url, first, 10)

    assert again.acknowledged == list(range(first, first + 10))
    assert again.reads == first + 9


@traced
@pytest.mark.parametrize("when", [1, 7])
@pytest.mark.parametrize(
    ("call", "error", "named"),
    [
        ("write", "ENOSPC", "StoreFullError"),
        ("write", "EIO", "StoreUnavailableError"),
        ("fdatasync", "EIO", "StoreUnavailableError"),
        ("fdatasync", "ENOSPC", "StoreFullError"),
    ],
)
async def test_any_write_to_the_log_may_fail(
    path: Path, url: str, *, call: str, error: str, named: str, when: int
) -> None:
    """One write fails, by the system's own hand, and all later ones would succeed."""
    assert _append(url, 1, 5).reads == 5
    under = _faulty(path, ".log", f"{call}:error={error}:when={when}")
    told = _append(url, 6, 50, under=under)

    failed_at = 5 + when
    assert told.acknowledged == list(range(6, failed_at))
    assert [(counter, kind) for counter, kind, _ in told.refused] == [(failed_at, named)] * (
        56 - failed_at
    )
    assert told.reads == failed_at - 1
    assert await _top(url) in (failed_at - 1, failed_at)


@traced
async def test_a_table_that_cannot_be_written_loses_nothing(path: Path, url: str) -> None:
    """What is in memory is to become a table, in the background, and there is no room for it."""
    assert _append(url, 1, 1).reads == 1
    under = _faulty(path, ".ldb", "openat:error=ENOSPC")
    told = _append(url, 2, 40, "--size", "1000000", under=under)

    assert len(told.refused) > 5
    assert {error for _, error, _ in told.refused} == {"StoreFullError"}
    assert told.acknowledged == list(range(2, told.acknowledged[-1] + 1))
    assert await _top(url) in (told.acknowledged[-1], told.acknowledged[-1] + 1)
