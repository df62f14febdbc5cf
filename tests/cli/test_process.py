"""The command among other processes: pipes, signals, what it loads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]

STORE = ("--store", "sqlite:///notes.db")


def test_lines_go_in_by_a_pipe_and_come_out_by_another(strandlog: Run) -> None:
    text = "fix: the door\n\nit stuck, im Flur 🚪\n"
    added = strandlog("add", "alice/laptop", "-", *STORE, stdin=text)
    log = strandlog("log", "alice", "--json", *STORE)

    assert (added.returncode, added.stderr, log.returncode, log.stderr) == (0, "", 0, "")
    assert [line.partition(',"content":')[2] for line in log.stdout.splitlines()] == [
        '"fix: the door"}',
        '""}',
        '"it stuck, im Flur 🚪"}',
    ]


def test_reader_that_has_seen_enough_is_no_failure(strandlog: Run, start: Start) -> None:
    """As in "strandlog log alice | head -1", of a log that fills the pipe many times."""
    strandlog("add", "alice/laptop", "-", *STORE, stdin="x" * 99 + "\n" + "y" * 99 + "\n" * 4000)
    process = start("log", "alice", "--json", *STORE)
    assert process.stdout is not None
    assert process.stderr is not None

    first = process.stdout.readline()
    process.stdout.close()
    status = process.wait(60)

    assert "x" * 99 in first
    assert (status, process.stderr.read()) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_under_the_output_is_one_line(
    strandlog: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    strandlog("add", "alice/laptop", "one", *STORE)
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "strandlog", "log", "alice", *STORE],
            cwd=tmp_path,
            env=environment,
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )

    assert (ended.returncode, ended.stderr) == (1, "strandlog: No space left on device\n")


def test_interrupted_add_says_how_much_is_there(strandlog: Run, start: Start) -> None:
    """Two lines have come, more may come, and somebody presses Ctrl-C."""
    process = start("add", "alice/laptop", "-", *STORE)
    assert process.stdin is not None
    process.stdin.write("one\ntwo\n")
    process.stdin.flush()
    _wait_for(lambda: strandlog("tops", "alice", "--json", *STORE).stdout == '{"laptop":2}\n')

    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    assert (process.returncode, told.strip()) == (
        130,
        "strandlog: interrupted; 2 entries added",
    )


def test_long_work_is_shown_on_a_terminal_and_nowhere_else(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """stdout is a pipe here and stderr a terminal, as before "| wc"."""
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        ended = subprocess.run(
            [sys.executable, "-m", "strandlog", "add", "alice/laptop", "-", *STORE],
            cwd=tmp_path,
            env=environment | {"TERM": "xterm"},
            input=b"one\ntwo\n",
            stdout=subprocess.PIPE,
            stderr=theirs,
            check=False,
        )
        os.close(theirs)
        shown = screen.read(65_536).decode()

    assert ended.returncode == 0
    assert "adding" in shown
    assert ended.stdout.startswith(b"alice/laptop: 2 entries added; own top 2, head 0")
    assert ended.stdout.count(b"\n") == 1


def test_help_loads_nothing_slow(tmp_path: Path) -> None:
    """Help and completion are waited for: no server, event loop or driver comes along."""
    source = (
        "import sys; from strandlog.cli import program\n"
        "program.main(['--help'], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    slow = {"aiosqlite", "anyio._backends._asyncio", "asyncio", "pluggy", "sqlite3", "stamina"}
    slow |= {"starlette", "uvicorn", "websockets", "strandlog_conformance", "strandlog_sqlite"}
    assert slow & set(told.stdout.splitlines()[-1].split()) == set()


def _wait_for(so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline, "it never came to that"
