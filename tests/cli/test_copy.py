"""``copy``, ``export`` and ``verify``, on stores in files."""

from __future__ import annotations

import json
import signal
import sqlite3
import time
from contextlib import closing
from hashlib import sha256
from pathlib import Path

from .conftest import DEADLINE_SECONDS, Run, Start

ENTRIES = 20_000


def _fill(strandlog: Run, count: int = 5) -> None:
    lines = "".join(f"line {number}\n" for number in range(count))
    for device in ("laptop", "phone"):
        done = strandlog("add", f"alice/{device}", "-", "--store", "sqlite:///a.db", stdin=lines)
        assert done.returncode == 0, done.stderr
    strandlog("add", "alice/phone", "--redacts", "laptop:2", "--store", "sqlite:///a.db")
    strandlog("add", "bob/desk", "hello", "--store", "sqlite:///a.db")


def _export(strandlog: Run, url: str) -> str:
    done = strandlog("export", url)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_copy_says_what_it_copied(strandlog: Run) -> None:
    """And the hash that it prints is that of either export."""
    _fill(strandlog)

    done = strandlog("copy", "sqlite:///a.db", "leveldb:///b")

    text = _export(strandlog, "sqlite:///a.db")
    assert done.stdout.splitlines() == [
        "alice: 11 entries, 11 new; 0 cursors",
        "bob: 1 entry, 1 new; 0 cursors",
        "2 logs: 12 entries copied; both stores hold the same",
        f"sha256 of the export: {sha256(text.encode()).hexdigest()}",
    ]
    assert (done.returncode, done.stderr) == (0, "")
    assert _export(strandlog, "leveldb:///b") == text


def test_a_copy_tells_programs(strandlog: Run) -> None:
    _fill(strandlog)

    done = strandlog("copy", "sqlite:///a.db", "sqlite:///b.db", "--user", "bob", "--json")

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["event"], one["added"]) for one in told] == [("copied", 1), ("done", 1)]
    assert told[0]["sha256"] == told[1]["sha256"]
    assert _export(strandlog, "sqlite:///b.db").splitlines() == [
        line
        for line in _export(strandlog, "sqlite:///a.db").splitlines()
        if '"bob"' in line or "desk" in line
    ]


def test_a_killed_copy_is_completed_by_the_next(
    tmp_path: Path, strandlog: Run, start: Start
) -> None:
    """SIGKILL comes in the middle of 40,000 entries; nothing is lost, nothing is doubled."""
    _fill(strandlog, ENTRIES)
    copy = start("copy", "sqlite:///a.db", "sqlite:///b.db")

    _wait_for_top(tmp_path / "b.db", 1_000)
    copy.send_signal(signal.SIGKILL)
    copy.wait(DEADLINE_SECONDS)
    before = strandlog("tops", "alice", "--store", "sqlite:///b.db", "--json")
    again = strandlog("copy", "sqlite:///a.db", "sqlite:///b.db", "--json")

    held = sum(json.loads(before.stdout).values())
    [alice, *_] = [json.loads(line) for line in again.stdout.splitlines()]
    assert 1_000 <= held < 2 * ENTRIES, "the kill came too late to be in the middle"
    assert (alice["entries"], alice["added"]) == (2 * ENTRIES + 1, 2 * ENTRIES + 1 - held)
    assert _export(strandlog, "sqlite:///b.db") == _export(strandlog, "sqlite:///a.db")


def _wait_for_top(database: Path, least: int) -> None:
    """Return once the file holds *least* entries of some device."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < give_up:
        try:
            with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
                [(top,)] = connection.execute("SELECT max(top) FROM device")
        except sqlite3.OperationalError:
            continue  # it is only being made
        if (top or 0) >= least:
            return
    raise AssertionError(f"the copy did not come to {least} entries in {DEADLINE_SECONDS} s")


def test_a_target_with_another_log_is_refused(strandlog: Run) -> None:
    _fill(strandlog)
    strandlog("add", "alice/laptop", "other", "--store", "sqlite:///b.db")

    done = strandlog("copy", "sqlite:///a.db", "sqlite:///b.db")

    assert done.returncode == 1
    assert done.stderr == (
        "strandlog: alice: the target has another laptop 1 than the source: take another target\n"
    )


def test_wrong_uses_are_told_apart(strandlog: Run) -> None:
    """A misspelt source makes no empty store, nor does it copy one."""
    _fill(strandlog)
    codes = {
        "same": strandlog("copy", "sqlite:///a.db", "sqlite:///a.db").returncode,
        "source": strandlog("copy", "sqlite:///c.db", "sqlite:///d.db").returncode,
        "user": strandlog("copy", "sqlite:///a.db", "sqlite:///d.db", "--user", "dave").returncode,
        "name": strandlog("export", "sqlite:///a.db", "--user", "a b").returncode,
        "scheme": strandlog("verify", "sqlite:///a.db", "parchment:///x").returncode,
    }

    assert codes == {"same": 2, "source": 1, "user": 1, "name": 2, "scheme": 2}


def test_two_stores_are_verified_and_compared(strandlog: Run) -> None:
    _fill(strandlog)
    strandlog("copy", "sqlite:///a.db", "leveldb:///b")

    done = strandlog("verify", "sqlite:///a.db", "leveldb:///b")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "24 entries in 4 logs: no problems\n"


def test_a_difference_is_a_problem(strandlog: Run) -> None:
    _fill(strandlog)
    strandlog("copy", "sqlite:///a.db", "sqlite:///b.db")
    strandlog("add", "alice/phone", "one more", "--store", "sqlite:///b.db")
    strandlog("add", "carol/desk", "alone", "--store", "sqlite:///b.db")

    done = strandlog("verify", "sqlite:///a.db", "sqlite:///b.db", "--json")

    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    assert [one for one in told if one["event"] in ("differs", "done")] == [
        {
            "event": "differs",
            "user": "alice",
            "device": "phone",
            "counter": 7,
            "problem": "sqlite:///a.db covers phone up to 6, sqlite:///b.db up to 7",
        },
        {
            "event": "differs",
            "user": "carol",
            "device": None,
            "counter": None,
            "problem": "sqlite:///a.db has nothing of this log and sqlite:///b.db has this log",
        },
        {"event": "done", "logs": 5, "entries": 26, "problems": 2},
    ]


def test_damage_is_a_problem(tmp_path: Path, strandlog: Run) -> None:
    _fill(strandlog)
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection, connection:
        connection.execute("UPDATE entry SET record = zeroblob(60) WHERE counter = 4")

    done = strandlog("verify", "sqlite:///a.db")

    assert done.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "sqlite:///a.db: alice: the record of laptop 4 is damaged",
        "sqlite:///a.db: alice: the record of phone 4 is damaged",
    ]
    assert done.stdout.endswith(" entries in 2 logs: 2 problems\n")
