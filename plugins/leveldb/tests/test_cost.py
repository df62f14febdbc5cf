"""What a call costs: the page instead of the log, and one hop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import plyvel
import pytest

from strandlog import Entry, Seq, VersionVector
from strandlog.backend import LogStore
from strandlog.backend.registry import open_stores
from strandlog_leveldb import _database, _read, _rows
from strandlog_leveldb._driver import View

pytestmark = pytest.mark.anyio

Notes = Callable[..., list[Entry]]


class Counting:
    """A database that counts what is taken out of it."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.taken = 0

    def get(self, key: bytes, **options: Any) -> bytes | None:
        self.taken += 1
        found: bytes | None = self._database.get(key, **options)
        return found

    def iterator(self, **options: Any) -> CountingRows:
        return CountingRows(self, self._database.iterator(**options))


class CountingRows:
    """An iterator of the driver that counts its rows."""

    def __init__(self, counting: Counting, rows: Any) -> None:
        self._counting = counting
        self._rows = rows

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._rows.close()

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for row in self._rows:
            self._counting.taken += 1
            yield row


async def _filled(url: str, notes: Notes, length: int) -> None:
    async with open_stores(f"{url}?durability=normal") as (log, cursors):
        for user in ("al", "alice", "alice2"):
            for counter in range(1, length + 1, 10):
                await log.append(user, notes(counter, counter + 9))
                await log.append(user, notes(counter, counter + 9, device="phone"))
            await log.append(user, notes(1, 3, device="desk", scope="friend"))
        for turn in range(length):
            await cursors.advance("alice", "alice/phone", VersionVector({"laptop": turn}))


async def _costs(url: str, length: int) -> dict[str, int]:
    """Return how many keys the same questions take out of a store."""
    database = plyvel.DB(url.removeprefix("leveldb:///"))
    after = VersionVector({"laptop": length - 7, "phone": length - 7})
    late = Seq(1_000 + length - 5, length - 5, "laptop")
    questions: dict[str, Callable[[View], object]] = {
        "page": lambda view: _read.page(
            view, "alice", after=after, devices=None, scopes=None, limit=5, max_bytes=9_999
        ),
        "page for friends": lambda view: _read.page(
            view, "alice", after=VersionVector(), devices=None, scopes=["friend"],
            limit=5, max_bytes=9_999,
        ),
        "page of nothing new": lambda view: _read.page(
            view, "alice", after=VersionVector({"laptop": length, "phone": length, "desk": 3}),
            devices=None, scopes=None, limit=5, max_bytes=9_999,
        ),
        "backwards": lambda view: _read.page_of_range(
            view, "alice", after=None, up_to=None, reverse=True, scopes=None, limit=5
        ),
        "head": lambda view: _read.head(view, "alice"),
        "digests": lambda view: _read.digests(view, "alice", {"laptop": 5, "phone": 3}),
        "scopes": lambda view: list(_rows.scopes_of(view, "alice", "laptop")),
        "logs": lambda view: _read.logs(view, after=None, limit=9),
        "search": lambda view: _read.page_of_range(
            view, "alice", after=late, up_to=None, reverse=False, scopes=None, limit=5
        ),
    }  # fmt: skip
    costs = {}
    for what, ask in questions.items():
        counting = Counting(database)
        ask(View(counting, "notes"))
        costs[what] = counting.taken
    database.close()
    return costs


async def test_costs_do_not_grow_with_the_log(url: str, notes: Notes) -> None:
    """Ten times the entries, all of them hidden from friends: the same few keys are looked at.

    A place in the order is searched for by halves, which costs four steps more for each
    of three devices.
    """
    await _filled(f"{url}1", notes, 100)
    await _filled(f"{url}2", notes, 1000)

    short, long = await _costs(f"{url}1", 100), await _costs(f"{url}2", 1000)

    assert {what: long[what] - short[what] for what in long if what != "search"} == {
        what: 0 for what in long if what != "search"
    }
    assert long["search"] - short["search"] <= 4 * 3
    # Three devices listed, the end of the list, three tops.
    assert long["page of nothing new"] == 7
    assert max(count for what, count in long.items() if what != "search") <= 25


async def test_a_call_is_one_hop(url: str, notes: Notes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hop costs as much as reading ten entries."""
    hops: list[object] = []
    submit = _database._submit

    def counted(thread: Any, job: Callable[[], object]) -> Any:
        hops.append(job)
        return submit(thread, job)

    monkeypatch.setattr(_database, "_submit", counted)
    counts = {}
    async with open_stores(url) as (log, cursors):

        async def count(what: str, call: Any) -> None:
            hops.clear()
            await call
            counts[what] = len(hops)

        vector = VersionVector({"laptop": 2})
        await count("append", log.append("alice", notes(1, 50) + notes(1, 50, device="phone")))
        await count("read", _read_all(log))
        await count("digests", log.digests("alice", {"laptop": 1, "phone": 2}))
        await count("head", log.head("alice"))
        await count("trim", log.trim("alice", "laptop", up_to=3))
        await count("advance", cursors.advance("alice", "r", vector))
        await count("readers", cursors.readers("alice"))
        await count("erase", log.erase("alice"))
        await count("info", log.info())

    assert counts == dict.fromkeys(counts, 1) | {"info": 0}


async def _read_all(log: LogStore) -> None:
    await log.read("alice", after=VersionVector(), limit=100, max_bytes=1 << 20)
