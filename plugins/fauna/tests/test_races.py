"""Several programs and several tasks at one log."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from strandlog import VersionVector
from strandlog.backend.registry import open_cursor_store, open_log_store

from .conftest import Notes, url_of
from .standin.http import StandIn

pytestmark = pytest.mark.anyio

APPENDER = """
import asyncio, random, sys
from strandlog import Entry, Seq
from strandlog.backend.registry import open_log_store
from strandlog.errors import GapError

url, seed = sys.argv[1], int(sys.argv[2])

def note(n):
    return Entry(Seq(1000 + n, n, "laptop"), "private", b'"note %d"' % n)

async def main():
    chance = random.Random(seed)
    added = 0
    async with open_log_store(url) as store:
        while (top := (await store.tops("alice"))["laptop"]) < 40:
            first = max(1, top - chance.randrange(3))
            batch = [note(n) for n in range(first, min(40, top + chance.randrange(1, 6)) + 1)]
            try:
                added += (await store.append("alice", batch)).added
            except GapError:
                pass
    print(added)

asyncio.run(main())
"""


async def test_eight_programs_write_one_device(either: StandIn) -> None:
    """They overlap all the time; each entry is there once, and one of them has brought it."""
    url = url_of(either, query="?timeout=60")
    command = [sys.executable, "-c", APPENDER, url]
    programs = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220, S603
        for seed in range(8)
    ]
    told = [await asyncio.to_thread(program.communicate, timeout=120) for program in programs]

    async with open_log_store(url) as store:
        page = await store.read("alice", after=VersionVector(), limit=99, max_bytes=1 << 20)
    assert [program.returncode for program in programs] == [0] * 8
    assert [entry.counter for entry in page.entries] == list(range(1, 41))
    assert sum(int(text) for text, _ in told) == 40


async def test_forty_advances_at_once_end_at_the_greatest(either: StandIn) -> None:
    async with open_cursor_store(url_of(either, query="?timeout=60")) as cursors:
        vectors = [VersionVector({"laptop": n, f"d{n % 3}": n}) for n in range(1, 41)]
        await asyncio.gather(*(cursors.advance("alice", "bob/desk", one) for one in vectors))

        found = await cursors.load("alice", "bob/desk")

    assert found == {"laptop": 40, "d0": 39, "d1": 40, "d2": 38}


async def test_two_devices_of_one_user_are_not_in_each_others_way(
    either: StandIn, notes: Notes
) -> None:
    async with open_log_store(url_of(either)) as store:
        await store.append("alice", notes(1, 1) + notes(1, 1, device="phone"))
        either.engine.conflicts = 0

        await asyncio.gather(
            *(store.append("alice", notes(2, 9, device=name)) for name in ("laptop", "phone"))
        )

        assert either.engine.conflicts == 0


async def test_many_open_a_new_database_at_once(either: StandIn) -> None:
    """Each piece of the schema is made once; all find the same store."""

    async def epoch() -> str:
        async with open_log_store(url_of(either, query="?timeout=60")) as store:
            return (await store.info()).epoch

    assert len({*await asyncio.gather(*(epoch() for _ in range(6)))}) == 1
