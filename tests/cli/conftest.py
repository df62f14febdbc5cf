"""The command as people and programs run it: as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

DEADLINE_SECONDS = 60.0

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]
Serve = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def environment() -> dict[str, str]:
    """What people have set, without what decides here: where, and when output leaves."""
    left_out = ("STRANDLOG_", "PYTHONUNBUFFERED")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "COLUMNS": "120", "NO_COLOR": "1"}


@pytest.fixture
def strandlog(tmp_path: Path, environment: dict[str, str]) -> Run:
    """Run the command to its end, in an empty directory."""

    def run(*words: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "strandlog", *words],
            cwd=tmp_path,
            env=environment | env,
            capture_output=True,
            encoding="utf-8",
            timeout=DEADLINE_SECONDS,
            check=False,
            input=stdin,
        )

    return run


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Start]:
    """Start the command. What still runs in the end is killed, and earlier what takes too long.

    So a line that is read of it comes, or is empty.
    """
    running: list[subprocess.Popen[str]] = []
    deadlines: list[threading.Timer] = []

    def begin(*words: str, **env: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "strandlog", *words],
            cwd=tmp_path,
            env=environment | env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        running.append(process)
        deadlines.append(threading.Timer(DEADLINE_SECONDS, process.kill))
        deadlines[-1].start()
        return process

    yield begin
    for deadline in deadlines:
        deadline.cancel()
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def serve(start: Start) -> Serve:
    """Start a server on ``server.db`` and a free port; give its process and its URL."""

    def begin(*words: str) -> tuple[subprocess.Popen[str], str]:
        process = start("serve", "--store", "sqlite:///server.db", "--port", "0", *words)
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("strandlog: serving on ws://127.0.0.1:"), line
        return process, line.split()[3].rstrip(";")

    return begin


@pytest.fixture
def server(serve: Serve) -> str:
    """The URL of a server that runs."""
    return serve()[1]
