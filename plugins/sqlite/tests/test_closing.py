"""What becomes of a store that is not closed, or used from where it cannot answer."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest

from strandlog import Entry
from strandlog.backend.registry import open_log_store
from strandlog.errors import StoreError

Notes = Callable[..., list[Entry]]


def test_a_forgotten_store_is_warned_of_and_does_not_hang(url: str) -> None:
    """A script that never closes: it ends all the same, with a word about it."""
    program = """
import asyncio, gc, sys
from strandlog import Entry, Seq
from strandlog_sqlite._database import Handle
from strandlog_sqlite._log import SqliteLogStore
from strandlog_sqlite._open import open_database
from strandlog_sqlite import strandlog_log_store
from strandlog.backend import StoreUrl

async def main():
    handle = Handle(await open_database(StoreUrl.parse(sys.argv[1])))
    store = SqliteLogStore(handle, strandlog_log_store().capabilities)
    await store.append("alice", [Entry(Seq(1, 1, "laptop"), "private", b"1")])

asyncio.run(main())
gc.collect()
"""
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-W", "always", "-c", program, url],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    assert ended.stderr.count("notes.db: a store was not closed") == 2  # its two connections
    assert "Traceback" not in ended.stderr


def test_a_second_event_loop_is_refused(url: str, notes: Notes) -> None:
    """The answer of the thread would go to the first loop; the second would wait for ever."""
    opener = open_log_store(url)
    with asyncio.Runner() as first, asyncio.Runner() as second:
        store = first.run(opener.__aenter__())

        with pytest.raises(StoreError, match="another event loop"):
            second.run(store.append("alice", notes(1, 1)))

        first.run(opener.__aexit__(None, None, None))
