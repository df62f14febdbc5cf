"""What lies in the directory: stores of every released version, keys that sort as they should."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import plyvel
import pytest
from hypothesis import given
from hypothesis import strategies as st

import strandlog_leveldb
from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend import CursorStore, LogStore
from strandlog.backend.registry import open_log_store, open_stores
from strandlog.errors import StoreCorruptError, TooLargeError
from strandlog_leveldb import _rows, _schema

Notes = Callable[..., list[Entry]]

DATA = Path(__file__).parent / "data"
GOLDEN = Path(strandlog_leveldb.__file__).parent / "golden"
VERSIONS = sorted(path.stem for path in DATA.glob("v*.json"))

REDACTED = Entry(Seq(1, 1, "phone"), "private", b"1")

names = st.text("ab~.", min_size=1, max_size=4)
counters = st.integers(1, 999_999_999_999)


def _described(entry: Entry) -> list[object]:
    return [
        entry.seq.encode(),
        entry.scope,
        entry.content and entry.content.decode(),
        list(entry.redacts) if entry.redacts else None,
        entry.meta and entry.meta.decode(),
        entry.digest,
    ]


def _stored(path: Path) -> dict[bytes, bytes]:
    database = plyvel.DB(str(path))
    found = dict(database)
    database.close()
    (path / "STRANDLOG").write_bytes(b"")
    return found


def _store(path: Path, changes: dict[bytes, bytes]) -> None:
    database = plyvel.DB(str(path))
    for key, value in changes.items():
        database.put(key, value)
    database.close()
    (path / "STRANDLOG").write_bytes(b"")


def test_there_is_a_store_of_every_version() -> None:
    """Whoever makes a new version adds the store that its successors have to read."""
    assert [f"v{n}" for n in range(1, _schema.SCHEMA_VERSION + 1)] == VERSIONS


@pytest.mark.anyio
@pytest.mark.parametrize("version", VERSIONS)
async def test_stores_of_every_version_are_read(path: Path, url: str, version: str) -> None:
    """All that an older version has left is found, and the store can be written."""
    wanted = json.loads((DATA / f"{version}.json").read_bytes())
    shutil.copytree(GOLDEN / version, path)
    async with open_stores(url) as (log, cursors):
        held = {}
        for user in await log.logs(limit=10):
            page = await log.read(user, after=VersionVector(), limit=100, max_bytes=1 << 20)
            held[user] = {
                "entries": [_described(entry) for entry in page.entries],
                "tops": dict(page.tops),
                "floor": dict(page.floor),
            }
        readers = await cursors.readers("alice")
        info = await log.info()
        added = await log.append("alice", [Entry(Seq(9 << 40, 13, "laptop"), "private", b"1")])

    assert held == wanted["logs"]
    assert {reader: dict(vector) for reader, vector in readers.items()} == wanted["cursors"]
    assert info.epoch == wanted["epoch"]
    assert added.tops == {"laptop": 13}


@pytest.mark.anyio
async def test_every_key_of_a_log_goes_with_it(path: Path, url: str, notes: Notes) -> None:
    """An erased log leaves its tombstone, and the log whose name begins alike has its keys."""
    async with open_stores(url) as (log, cursors):
        for user in ("al", "alice"):
            await log.append(user, notes(1, 5))
            await log.append(user, notes(1, 3, device="phone", scope="friend"))
            by = Seq(2_000, 4, "phone")
            await log.append(user, [Entry(by, "private", b"1", redacts=Identity("laptop", 2))])
            await cursors.advance(user, f"{user}/phone", VersionVector({"laptop": 1}))
        await log.erase("al")
        await cursors.erase("al")

    keys = _stored(path)
    assert sorted(key[:1] for key in keys if b"alice" not in key) == [b"\x00", b"l", b"\xff"]
    assert Counter(chr(key[0]) for key in keys if b"alice" in key) == Counter(
        {"c": 1, "d": 2, "e": 9, "l": 1, "m": 1, "r": 1, "s": 9, "t": 2}
    )


@given(st.lists(st.tuples(names, names, counters), min_size=2, max_size=20, unique=True))
def test_entries_sort_by_user_device_and_counter(entries: list[tuple[str, str, int]]) -> None:
    """All of one device lie together in the order of their counters, whatever the names are."""
    ordered = sorted(entries, key=lambda entry: _schema.entry_key(*entry))

    assert len({entry[:2] for entry in entries}) == 1 + sum(
        before[:2] != after[:2] for before, after in pairwise(ordered)
    )
    assert all(
        before[2] < after[2] for before, after in pairwise(ordered) if before[:2] == after[:2]
    )


@given(names, names, names, counters)
def test_the_keys_of_a_user_are_nobody_elses(user: str, other: str, name: str, n: int) -> None:
    """One user's name may be how another's begins, or go on with a device's name."""
    beginning = _schema.prefix(b"e", user)
    key = _schema.entry_key(other, name, n)

    assert (beginning <= key <= _schema.prefix_end(beginning)) == (user == other)


@given(st.dictionaries(names, counters))
def test_vectors_come_back(counters: dict[str, int]) -> None:
    vector = VersionVector(counters)

    assert _schema.vector_of(_schema.vector_body(vector)) == vector


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("kind", "call"),
    [
        (b"c", lambda both: both[1].load("alice", "phone")),
        (b"d", lambda both: both[0].tops("alice")),
        (b"l", lambda both: both[0].append("alice", [])),
        (b"m", lambda both: both[0].append("alice", [REDACTED])),
        (b"t", lambda both: both[0].tops("alice")),
    ],
)
async def test_a_value_under_the_wrong_key_is_damage(
    path: Path,
    url: str,
    notes: Notes,
    kind: bytes,
    call: Callable[[tuple[LogStore, CursorStore]], Awaitable[object]],
) -> None:
    """It has a checksum over its key too: what turns up elsewhere is not believed."""
    async with open_stores(url) as (log, cursors):
        for device in ("laptop", "tablet"):
            await log.append("alice", notes(1, 2, device=device))
            await log.append("bobby", notes(1, 2, device=device))
        redaction = Entry(Seq(2_000, 3, "laptop"), "private", b"1", redacts=REDACTED.identity)
        await log.append("alice", [redaction])
        await log.append("bobby", [redaction])
        for user in ("alice", "bobby"):
            await cursors.advance(user, "phone", VersionVector({"laptop": 1}))
    stored = _stored(path)
    [source, *_] = [key for key in stored if key[:1] == kind and b"bobby" in key]
    _store(path, {source.replace(b"bobby", b"alice"): stored[source]})

    async with open_stores(url) as both:
        with pytest.raises(StoreCorruptError, match="is damaged"):
            await call(both)


@pytest.mark.anyio
async def test_what_a_scope_names_has_to_be_of_that_scope(
    path: Path, url: str, notes: Notes
) -> None:
    """A key that names a private entry among those for friends shows it to nobody."""
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2))
    _store(path, {_schema.scope_key("alice", "laptop", "friend", 2): b""})

    async with open_log_store(url) as store:
        with pytest.raises(StoreCorruptError, match="laptop 2 is not the entry of 'friend'"):
            await store.read(
                "alice", after=VersionVector(), scopes=["friend"], limit=9, max_bytes=9_999
            )


@pytest.mark.anyio
async def test_a_listed_device_has_a_top(path: Path, url: str, notes: Notes) -> None:
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2))
    key = _schema.device_key("alice", "phone")
    _store(path, {key: _schema.checked(key)})

    async with open_log_store(url) as store:
        with pytest.raises(StoreCorruptError, match="listed and has no top"):
            await store.tops("alice")


def test_a_record_that_leveldb_cannot_keep_is_refused(
    monkeypatch: pytest.MonkeyPatch, notes: Notes
) -> None:
    """It keeps the length in 32 bits; the limit is lowered here, for want of memory."""
    monkeypatch.setattr(_rows, "_RECORD_MAX", 50)
    changes: dict[bytes, bytes | None] = {}

    with pytest.raises(TooLargeError) as caught:
        _rows.put_entry(changes, "alice", notes(7, 7)[0])

    assert (caught.value.limit, caught.value.counter, changes) == (50, 7, {})
