"""Processes that are killed lose nothing that was acknowledged, and double nothing."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

from .conftest import DEADLINE_SECONDS, Run, Serve, Start

ENTRIES = 20_000


def _lines(name: str, count: int = ENTRIES) -> str:
    return "".join(f"{name} writes line {number}\n" for number in range(count))


def _contents(strandlog: Run, store: str) -> list[str]:
    listed = strandlog("log", "alice", "--json", "--store", f"sqlite:///{store}.db")
    assert listed.returncode == 0, listed.stderr
    return [json.loads(line)["content"] for line in listed.stdout.splitlines()]


def _wait_for_top(database: Path, least: int) -> None:
    """Return once the server file holds *least* entries of some device."""
    give_up = time.monotonic() + DEADLINE_SECONDS
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        while time.monotonic() < give_up:
            [(top,)] = connection.execute("SELECT max(top) FROM device")
            if (top or 0) >= least:
                return
    raise AssertionError(f"the server did not get {least} entries in {DEADLINE_SECONDS} s")


def test_server_killed_in_an_upload_has_each_entry_once_in_the_end(
    tmp_path: Path, strandlog: Run, start: Start, serve: Serve
) -> None:
    """The server dies by SIGKILL in the middle of 20,000 entries, starts again, all sync."""
    laptop = ("--store", "sqlite:///laptop.db")
    phone = ("--store", "sqlite:///phone.db")
    strandlog("add", "alice/laptop", "-", *laptop, stdin=_lines("laptop"))
    strandlog("add", "alice/phone", "-", *phone, stdin=_lines("phone", 100))
    first, url = serve()
    upload = start("sync", "alice/laptop", url, *laptop)

    _wait_for_top(tmp_path / "server.db", 1_000)
    first.send_signal(signal.SIGKILL)
    first.wait(DEADLINE_SECONDS)
    _, told = upload.communicate(timeout=DEADLINE_SECONDS)
    held = len(_contents(strandlog, "server"))
    _, url = serve()
    for device, store in (("laptop", laptop), ("phone", phone), ("laptop", laptop)):
        synced = strandlog("sync", f"alice/{device}", url, *store)
        assert synced.returncode == 0, synced.stderr

    assert upload.returncode == 1, told
    assert 1_000 <= held < ENTRIES, "the kill came too late to be in the middle"
    everything = sorted([*_lines("laptop").splitlines(), *_lines("phone", 100).splitlines()])
    assert sorted(_contents(strandlog, "server")) == everything
    assert sorted(_contents(strandlog, "laptop")) == everything
    assert _contents(strandlog, "phone") == _contents(strandlog, "server")


DIES_BEFORE_A_CURSOR = """
    import os, signal, sys
    import anyio
    from strandlog.backend import CursorStore
    from strandlog.backend.registry import open_stores
    from strandlog.client import Replica, websocket_transport

    async def main(user, device, store, url, follow):
        async with open_stores(store) as (log, cursors):

            async def die(user, reader, vector):
                os.kill(os.getpid(), signal.SIGKILL)

            cursors.reset = die
            replica = Replica(user, device, log=log, cursors=cursors, follow=follow)
            await replica.sync(websocket_transport(url))

    anyio.run(main, *sys.argv[1:5], sys.argv[5:])
"""


def _die_before_a_cursor(tmp_path: Path, *arguments: str) -> int:
    script = tmp_path / "dies.py"
    script.write_text(textwrap.dedent(DIES_BEFORE_A_CURSOR))
    ended = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=tmp_path,
        timeout=DEADLINE_SECONDS,
        check=False,
    )
    return ended.returncode


def test_client_killed_between_page_and_cursor_has_each_entry_once(
    tmp_path: Path, strandlog: Run, serve: Serve
) -> None:
    """The log comes before the cursor: dying between the two costs a repetition only."""
    strandlog("add", "alice/laptop", "-", "--store", "sqlite:///laptop.db", stdin=_lines("l", 500))
    strandlog("add", "alice/phone", "-", "--store", "sqlite:///phone.db", stdin=_lines("p", 500))
    _, url = serve()
    strandlog("sync", "alice/laptop", url, "--store", "sqlite:///laptop.db")

    died = _die_before_a_cursor(tmp_path, "alice", "phone", "sqlite:///phone.db", url)
    after_death = len(_contents(strandlog, "phone"))
    synced = strandlog("sync", "alice/phone", url, "--store", "sqlite:///phone.db")

    assert died == -signal.SIGKILL
    assert after_death > 500, "the page was not stored before the cursor"
    assert synced.returncode == 0, synced.stderr
    everything = sorted([*_lines("l", 500).splitlines(), *_lines("p", 500).splitlines()])
    assert sorted(_contents(strandlog, "phone")) == everything
    assert sorted(_contents(strandlog, "server")) == everything


def test_friend_killed_between_page_and_cursor_misses_nothing(
    tmp_path: Path, strandlog: Run, serve: Serve
) -> None:
    """The same for a sparse copy, whose cursor says what its view has covered."""
    (tmp_path / "friends.json").write_text('{"friends": {"alice": ["bob"]}}')
    laptop = ("--store", "sqlite:///laptop.db")
    for scope in ("private", "friend", "private", "friend"):
        lines = _lines(scope, 150)
        strandlog("add", "alice/laptop", "-", "--scope", scope, *laptop, stdin=lines)
    _, url = serve("--friends", "friends.json")
    strandlog("sync", "alice/laptop", url, *laptop)

    died = _die_before_a_cursor(tmp_path, "bob", "phone", "sqlite:///bob.db", url, "alice")
    bob = ("--store", "sqlite:///bob.db", "--follow", "alice")
    synced = strandlog("sync", "bob/phone", url, *bob)

    assert died == -signal.SIGKILL
    assert synced.returncode == 0, synced.stderr
    assert _contents(strandlog, "bob") == _lines("friend", 150).splitlines() * 2
