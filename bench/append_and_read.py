"""How fast a store appends and reads, beside the same work done without it.

Both sides take turns in one process, on the same disk, with the same schema and
durability; each row of the table gives their times and, round by round, the
ratio between them. README.md says how to read it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import sqlite3
import statistics
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from strandlog import Entry, Seq, VersionVector
from strandlog.backend import LogStore, pack
from strandlog.backend.registry import open_log_store

BATCHES = (1, 100, 1000)
PAGES = (200, 1000)
CONTENT = b'"' + b"x" * 198 + b'"'
HELD = 20_000  # entries in the log that is read
MILLIS = 1_710_763_200_000
NO_LIMIT = 1 << 30


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are measured.

    Attributes:
        append: Adds a batch to the log of a user.
        read: Reads a page of the log of ``reader`` after a counter.
    """

    append: Callable[[str, Sequence[Entry]], Awaitable[None]]
    read: Callable[[int, int], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured of one kind of call; times are microseconds a call, one for each round."""

    what: str
    entries: int
    store: list[float]
    plain: list[float]

    @property
    def ratios(self) -> list[float]:
        """How much of the plain speed is left, for each pair of neighbours."""
        return [plain / store for store, plain in zip(self.store, self.plain, strict=True)]


def entries_of(first: int, last: int) -> list[Entry]:
    """Return entries of one device, every fourth for friends."""
    return [
        Entry(
            Seq(MILLIS + counter, counter, "laptop"),
            "private" if counter % 4 else "friend",
            CONTENT,
        )
        for counter in range(first, last + 1)
    ]


def store_side(store: LogStore) -> Side:
    """Return the store as it is."""

    async def append(user: str, batch: Sequence[Entry]) -> None:
        await store.append(user, batch)

    async def read(after: int, limit: int) -> int:
        page = await store.read(
            "reader", after=VersionVector({"laptop": after}), limit=limit, max_bytes=NO_LIMIT
        )
        return len(page.entries)

    return Side(append, read)


class PlainSqlite:
    """The statements that the store runs, run with ``sqlite3`` alone and on rows that are ready."""

    def __init__(self, path: Path, durability: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute(f"PRAGMA synchronous = {durability}")
        self._rows: dict[int, tuple[object, ...]] = {}

    def prepare(self, entries: Sequence[Entry]) -> None:
        """Make the rows beforehand: to pack an entry is the store's work, not SQLite's."""
        for entry in entries:
            seq = entry.seq
            record = pack("reader", entry)
            self._rows[seq.counter] = (seq.counter, seq.timestamp, entry.scope, record)

    async def append(self, user: str, batch: Sequence[Entry]) -> None:
        """Append to a device of the user, which is made if it is not there."""
        execute = self.connection.execute
        execute("BEGIN IMMEDIATE")
        found = execute("SELECT id FROM device WHERE user = ? AND name = 'laptop'", (user,))
        top = batch[-1].seq.counter
        row = found.fetchone()
        if row is None:
            [row] = execute(
                "INSERT INTO device (user, name, top, floor) VALUES (?, 'laptop', ?, 0)"
                " RETURNING id",
                (user, top),
            ).fetchall()
        else:
            execute("UPDATE device SET top = ? WHERE id = ?", (top, row[0]))
        self.connection.executemany(
            f"INSERT INTO entry VALUES ({row[0]}, ?, ?, ?, ?)",  # noqa: S608  # a number
            [self._rows[entry.seq.counter] for entry in batch],
        )
        execute("COMMIT")

    async def read(self, after: int, limit: int) -> int:
        """Fetch the rows of a page."""
        rows = self.connection.execute(
            "SELECT counter, timestamp, scope, record FROM entry"
            " WHERE device = (SELECT id FROM device WHERE user = 'reader' AND name = 'laptop')"
            " AND counter > ? ORDER BY counter LIMIT ?",
            (after, limit),
        ).fetchall()
        return len(rows)


class PlainLeveldb:
    """The keys and values that the store writes, put with ``plyvel`` alone, records ready."""

    def __init__(self, path: Path, durability: str) -> None:
        import plyvel

        self.database = plyvel.DB(str(path), create_if_missing=True, write_buffer_size=16 << 20)
        self._sync = durability == "full"
        self._records: dict[int, bytes] = {}

    def prepare(self, entries: Sequence[Entry]) -> None:
        """Pack the entries beforehand: that is the store's work, not LevelDB's."""
        self._records = {entry.seq.counter: pack("reader", entry) for entry in entries}

    async def append(self, user: str, batch: Sequence[Entry]) -> None:
        """Put records, scopes and the top of a device."""
        device, top = _key(user, "laptop"), batch[-1].seq.counter.to_bytes(8, "big")
        self.database.get(b"t" + device)
        writes = self.database.write_batch(sync=self._sync)
        for entry in batch:
            counter = entry.seq.counter.to_bytes(8, "big")
            writes.put(b"e" + device + counter, self._records[entry.seq.counter])
            writes.put(b"s" + device + _key(entry.scope) + counter, b"")
        writes.put(b"t" + device, top)
        writes.write()

    async def read(self, after: int, limit: int) -> int:
        """Take the keys and records of a page."""
        begin = b"e" + _key("reader", "laptop")
        with self.database.iterator(
            start=begin + (after + 1).to_bytes(8, "big"), stop=begin + b"\xff"
        ) as rows:
            return len(list(islice(rows, limit)))


def _key(*names: str) -> bytes:
    return b"".join(len(name).to_bytes(2, "big") + name.encode() for name in names)


class PlainLists:
    """A list for each user, in order."""

    def __init__(self) -> None:
        self._lists: dict[str, list[Entry]] = {}

    async def append(self, user: str, batch: Sequence[Entry]) -> None:
        """Extend the list."""
        self._lists.setdefault(user, []).extend(batch)

    async def read(self, after: int, limit: int) -> int:
        """Find the place and cut a slice."""
        entries = self._lists["reader"]
        begin = bisect_right(entries, after, key=lambda entry: entry.seq.counter)
        return len(entries[begin : begin + limit])


@asynccontextmanager
async def sqlite_sides(place: Path, durability: str) -> AsyncIterator[tuple[Side, Side]]:
    """Open two files with the same tables: one by the store, one without it."""
    async with open_log_store(f"sqlite:///{place}/plain.db"):
        pass  # makes the tables
    plain = PlainSqlite(place / "plain.db", durability)
    plain.prepare(entries_of(1, HELD))
    with closing(plain.connection):
        async with open_log_store(f"sqlite:///{place}/store.db?durability={durability}") as store:
            yield store_side(store), Side(plain.append, plain.read)


@asynccontextmanager
async def leveldb_sides(place: Path, durability: str) -> AsyncIterator[tuple[Side, Side]]:
    """Open two directories with the same keys: one by the store, one without it."""
    plain = PlainLeveldb(place / "plain", durability)
    plain.prepare(entries_of(1, HELD))
    with closing(plain.database):
        async with open_log_store(f"leveldb:///{place}/store?durability={durability}") as store:
            yield store_side(store), Side(plain.append, plain.read)


@asynccontextmanager
async def memory_sides(_place: Path, _durability: str) -> AsyncIterator[tuple[Side, Side]]:
    """Open a store in memory, beside lists."""
    plain = PlainLists()
    async with open_log_store("memory://") as store:
        yield store_side(store), Side(plain.append, plain.read)


SIDES = {"leveldb": leveldb_sides, "memory": memory_sides, "sqlite": sqlite_sides}


async def measure(store: Side, plain: Side, rounds: int) -> list[Row]:
    """Let both sides take turns, and note what each call took."""
    entries = entries_of(1, HELD)
    for first in range(0, HELD, 1000):
        for side in (store, plain):
            await side.append("reader", entries[first : first + 1000])
    rows = []
    for size in BATCHES:
        calls = max(4, min(100, 4000 // size))
        row = Row(f"append({size})", size, [], [])
        rows.append(row)
        for turn in range(rounds):
            for side, times in _order(row, store, plain, turn):
                user = f"writer {size} {turn}"
                began = time.perf_counter()
                for first in range(0, calls * size, size):
                    await side.append(user, entries[first : first + size])
                times.append((time.perf_counter() - began) / calls * 1e6)
    for size in PAGES:
        calls = 8000 // size
        row = Row(f"read({size})", size, [], [])
        rows.append(row)
        for turn in range(rounds):
            for side, times in _order(row, store, plain, turn):
                began = time.perf_counter()
                found = [await side.read(after * size, size) for after in range(calls)]
                times.append((time.perf_counter() - began) / calls * 1e6)
                if set(found) != {size}:
                    raise SystemExit(f"read({size}) gave {set(found)} entries")
    return rows


def _order(row: Row, store: Side, plain: Side, turn: int) -> list[tuple[Side, list[float]]]:
    # Who comes second finds warm caches, so that changes from round to round.
    both = [(store, row.store), (plain, row.plain)]
    return both if turn % 2 else both[::-1]


def spread(values: Sequence[float], form: str) -> str:
    """Return least, median and greatest."""
    found = (min(values), statistics.median(values), max(values))
    return " / ".join(format(value, form) for value in found)


def as_table(name: str, rows: Sequence[Row]) -> str:
    """Return what a person reads."""
    lines = [
        f"{name}: microseconds a call, ratio = plain / store; least / median / greatest",
        f"{'call':14}{'store':>28}{'plain':>28}{'ratio':>22}{'entries/s':>12}",
    ]
    for row in rows:
        rate = row.entries / statistics.median(row.store) * 1e6
        lines.append(
            f"{row.what:14}{spread(row.store, '.0f'):>28}{spread(row.plain, '.1f'):>28}"
            f"{spread(row.ratios, '.2f'):>22}{rate:>12,.0f}"
        )
    return "\n".join(lines) + "\n"


def as_json(name: str, durability: str, rows: Sequence[Row]) -> str:
    """Return one line for a program."""
    found = {
        row.what: {
            "store_micros": row.store,
            "plain_micros": row.plain,
            "ratio_median": statistics.median(row.ratios),
        }
        for row in rows
    }
    about = {
        "store": name,
        "durability": durability,
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "calls": found,
    }
    return json.dumps(about) + "\n"


async def bench(name: str, rounds: int, place: Path | None, durability: str) -> list[Row]:
    """Measure one kind of store in a directory of its own."""
    with tempfile.TemporaryDirectory(dir=place) as directory:
        async with SIDES[name](Path(directory), durability) as (store, plain):
            return await measure(store, plain, rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=sorted(SIDES), action="append", help="default: all")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--place", type=Path, help="a directory on the disk to be measured")
    parser.add_argument("--durability", choices=("full", "normal"), default="full")
    parser.add_argument("--json", action="store_true", help="one line of JSON for each store")
    given = parser.parse_args(arguments)
    for name in given.store or sorted(SIDES):
        rows = asyncio.run(bench(name, given.rounds, given.place, given.durability))
        text = as_json(name, given.durability, rows) if given.json else as_table(name, rows) + "\n"
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
