"""What has reached the disk before an append returns, seen from the calls to the system."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from strandlog.backend.registry import open_log_store
from strandlog_leveldb._place import Place

pytestmark = pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")

APPENDER = Path(__file__).parent / "appender.py"


def _traced(path: Path, query: str, count: int, *options: str) -> list[str]:
    """Return what an appender did: its words, syncs and new files, in their order."""
    trace = path.with_name("trace")
    subprocess.run(  # noqa: S603
        [
            *("strace", "-f", "-y", "-qq", "-o", str(trace)),
            *("-e", "trace=write,fsync,fdatasync,openat,rename"),
            *(sys.executable, str(APPENDER), f"leveldb:///{path}{query}", "1", str(count)),
            *options,
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    found = []
    for line in trace.read_text().splitlines():
        if words := re.search(r'write\(1<.*?>, "([^"\\]*)', line):
            found.append(words[1])
        elif synced := re.search(rf"f(?:data)?sync\(\d+<{path}/?(.*?)>", line):
            found.append(f"sync {synced[1] or '.'}")
        elif made := re.search(rf'openat\(.*"{path}/(.*?)", .*O_CREAT', line):
            found.append(f"create {made[1]}")
    return found


def _between(done: list[str], begin: str) -> list[list[str]]:
    """Return what was done before each word that begins so, since the one before."""
    parts: list[list[str]] = [[]]
    for step in done:
        if step.startswith(begin):
            parts.append([])
        else:
            parts[-1].append(step)
    return parts[1:-1]


def test_every_append_is_synced_before_it_returns(path: Path) -> None:
    """Loss of power at any moment finds the log on the disk."""
    done = _traced(path, "", 20)
    begin = done.index("open")
    appends = _between(["acknowledged", *done[begin:]], "acknowledged")

    assert len(appends) == 20
    assert [steps for steps in appends if "sync 000003.log" not in steps] == []


def test_normal_syncs_nothing_on_the_way(path: Path) -> None:
    """What it gains; the log is with the system, which outlives the process."""
    done = _traced(path, "?durability=normal", 20)
    begin = done.index("open")
    appends = _between(["acknowledged", *done[begin:]], "acknowledged")

    assert appends == [["open"], *[[]] * 19]


def test_a_new_log_is_in_its_directory_before_it_counts(path: Path) -> None:
    """LevelDB syncs what is in it, but not that there is one."""
    done = _traced(path, "", 40, "--size", "1000000")
    unsynced: set[str] = set()
    risky = []
    for step in done:
        word, _, name = step.partition(" ")
        if word == "create" and name.endswith(".log"):
            unsynced.add(name)
        elif step == "sync .":
            unsynced.clear()
        elif word == "acknowledged" and unsynced:
            risky.append((step, *unsynced))

    assert len({step for step in done if re.match(r"create .*\.log", step)}) > 2
    assert risky == []


@pytest.mark.parametrize(("changed_ago_seconds", "syncs"), [(-10, 2), (10, 1)])
def test_changes_in_one_tick_are_told_apart(
    path: Path, monkeypatch: pytest.MonkeyPatch, changed_ago_seconds: int, syncs: int
) -> None:
    """Times of files are coarse: a log that is made right after a sync may show none.

    So a time that is not well past says nothing, and one that is says that nothing changed.
    """
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    place = Place.take(str(path), create=True)
    synced.clear()
    changed_at = time.time_ns() - changed_ago_seconds * 10**9
    for name in ("000001.log", "000002.log"):
        (path / name).touch()
        os.utime(path, ns=(0, changed_at))
        place.sync()
    place.leave(seal=False)

    assert len(synced) == syncs


def test_the_seal_is_broken_before_and_made_after(path: Path) -> None:
    """Until the file that says so is synced LevelDB has not been opened, and it is the last."""
    _traced(path, "", 1)
    done = _traced(path, "", 0)

    assert done.index("sync STRANDLOG") < done.index("create LOG")
    assert done[-1] == "sync STRANDLOG"


@pytest.mark.anyio
async def test_less_durability_is_not_claimed_to_be_more(url: str) -> None:
    """The claim of a store that was opened with less is less."""
    async with open_log_store(url) as store:
        full = store.capabilities.durability.value
    async with open_log_store(f"{url}?durability=normal") as store:
        normal = store.capabilities.durability.value

    assert (full, normal) == ("power", "os")
