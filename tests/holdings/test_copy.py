"""Copies: the same log on every backend, whatever stood in the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from strandlog import Appended, Entry, Identity, VersionVector
from strandlog.backend import Capabilities
from strandlog.backend.registry import open_stores
from strandlog.errors import (
    ErasedError,
    LogsDifferError,
    StoreUnavailableError,
    TooLargeError,
    UnsupportedError,
)
from strandlog.holdings import Stores, copy_log, copy_logs, export_hash, export_lines, verify_log
from strandlog_memory._handle import Handle
from strandlog_memory._log import MemoryLogStore
from strandlog_memory._schema import Data

from .conftest import note

pytestmark = pytest.mark.anyio


class Narrow(MemoryLogStore):
    """A store of our own kind that is allowed less, or gives up after some batches."""

    def __init__(self, *, most: int | None = None, entry: int | None = None, **less: Any) -> None:
        super().__init__(Handle(Data()), replace(Capabilities(sparse=True), max_batch=most, **less))
        self.batches: list[int] = []
        self.left = 1_000_000
        self.bytes_at_once = entry

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        size = sum(one.wire_length for one in entries)
        if self.bytes_at_once is not None and size > self.bytes_at_once:
            raise TooLargeError(f"{size} bytes at once", limit=self.bytes_at_once)
        if not self.left:
            raise StoreUnavailableError("the network is down")
        self.left -= 1
        self.batches.append(len(entries))
        return await super().append(user, entries, **how)


async def _lines(stores: Stores) -> list[bytes]:
    return [line async for line in export_lines(stores)]


@pytest.mark.parametrize("way", [("sqlite", "leveldb", "memory"), ("leveldb", "memory", "sqlite")])
async def test_a_copy_of_a_copy_is_the_log(
    source: Stores, url: Callable[[str], str], way: tuple[str, ...]
) -> None:
    """Redactions, floors, holes, tombstones and cursors go along, from backend to backend."""
    wanted = await _lines(source)
    async with (
        open_stores(url(way[0])) as first,
        open_stores(url(way[1])) as second,
        open_stores(url(way[2])) as third,
    ):
        for left, right in ((source, first), (first, second), (second, third)):
            async for _ in copy_logs(left, right):
                pass

            assert await _lines(right) == wanted
            assert [await right[0].head(user) for user in ("alice", "bob", "carol")] == [
                await source[0].head(user) for user in ("alice", "bob", "carol")
            ]


async def test_what_was_redacted_stays_redacted(source: Stores, target: Stores) -> None:
    """A redaction also masks what comes later, in the copy too."""
    async for _ in copy_logs(source, target):
        pass

    await target[0].append("alice", [note("phone", n) for n in range(8, 21)])
    page = await target[0].read(
        "alice", after=VersionVector({"phone": 19}), devices={"phone"}, limit=9, max_bytes=9_999
    )
    assert [entry.redacted for entry in page.entries] == [True]


async def test_a_log_that_was_erased_thrice_was_erased_thrice(
    source: Stores, target: Stores
) -> None:
    copied = await copy_log(source, target, "carol")

    assert copied.erased
    with pytest.raises(ErasedError) as caught:
        await target[0].append("carol", [note("desk", 1)])
    assert caught.value.generation == 3


async def test_a_copy_that_was_broken_off_is_completed(source: Stores) -> None:
    """Wherever it was: repeated, it adds what is missing and nothing twice."""
    async with open_stores("memory://") as (_, cursors):
        for batches in range(1, 5):
            store = Narrow(most=8)
            store.left = batches
            with pytest.raises(StoreUnavailableError):
                await copy_log(source, (store, cursors), "alice")
            before = len((await store.read_range("alice", limit=999)).entries)
            store.left = 1_000_000
            again = await copy_log(source, (store, cursors), "alice")

            assert (before > 0, before + again.added) == (True, 37)


async def test_a_repeated_copy_writes_nothing(source: Stores) -> None:
    store = Narrow()
    async with open_stores("memory://") as (_, cursors):
        await copy_log(source, (store, cursors), "alice")
        store.batches.clear()

        again = await copy_log(source, (store, cursors), "alice")

    assert (again.added, store.batches) == (0, [])


async def test_what_came_since_is_added(source: Stores, target: Stores) -> None:
    """Entries, a redaction of what was copied, a higher floor, and a cursor that was set back."""
    await copy_log(source, target, "alice")
    await source[0].append("alice", [note("laptop", 41, redacts=Identity("laptop", 35))])
    await source[0].trim("alice", "laptop", up_to=20)
    await source[1].reset("alice", "alice/phone", VersionVector({"laptop": 1}))
    await source[1].forget("alice", "bob/desk#friend")

    copied = await copy_log(source, target, "alice")

    assert (copied.added, copied.cursors) == (1, 1)
    assert await export_hash(target, "alice") == await export_hash(source, "alice")


async def test_holes_are_filled_in(source: Stores, target: Stores) -> None:
    """The target had a friend's view of the log."""
    page = await source[0].read(
        "alice", after=VersionVector(), scopes={"friend"}, limit=99, max_bytes=99_999
    )
    await target[0].append("alice", page.entries, upto=page.upto, floor=page.floor)

    copied = await copy_log(source, target, "alice")

    assert copied.added == 37 - len(page.entries)


@pytest.mark.parametrize(
    ("entries", "says", "where"),
    [
        ([note("tablet", 1)], "covers tablet up to 1, the source up to 0", ("tablet", 1)),
        (
            [note("phone", n, meta=b'{"id":1}') for n in range(1, 9)],
            "another phone 6",
            ("phone", 6),
        ),
        ([note("phone", 1, meta=b'{"id":2}')], "has another phone 1", ("phone", 1)),
        (
            [note("laptop", n) for n in range(1, 9)],
            "the source has trimmed up to 10",
            ("laptop", 7),
        ),
    ],
)
async def test_a_target_with_another_log_is_left_alone(
    source: Stores, target: Stores, entries: list[Entry], says: str, where: tuple[str, int]
) -> None:
    """Nothing is mixed: the target is what it was, and the error names where they part."""
    await target[0].append("alice", entries[:7])
    before = await _lines(target)

    with pytest.raises(LogsDifferError, match=f"alice: the target .*{says}") as caught:
        await copy_log(source, target, "alice")

    assert (caught.value.user, caught.value.device, caught.value.counter) == ("alice", *where)
    assert await _lines(target) == before


async def test_a_target_that_knows_less_of_an_entry_is_left_alone(
    source: Stores, target: Stores
) -> None:
    """Its content was taken away there: a copy could not bring it back."""
    await target[0].append("bob", [note("desk", 3).without_content()], upto={"desk": 3})  # type: ignore[arg-type]

    with pytest.raises(LogsDifferError, match="the target has desk 3 without its content"):
        await copy_log(source, target, "bob")


async def test_erased_on_one_side_only_is_refused(source: Stores, target: Stores) -> None:
    await target[0].erase("alice")
    await target[0].append("carol", [note("desk", 1)])

    with pytest.raises(LogsDifferError, match="alice: the target has erased it"):
        await copy_log(source, target, "alice")
    with pytest.raises(LogsDifferError, match="carol: the source has erased this log"):
        await copy_log(source, target, "carol")


async def test_a_target_without_sparse_takes_what_has_no_holes(source: Stores) -> None:
    """The capability is asked for where it is needed, and only there."""
    async with open_stores("memory://") as (_, cursors):
        plain = (Narrow(sparse=False), cursors)
        await copy_log(source, plain, "alice")

        assert await export_hash(plain, "alice") == await export_hash(source, "alice")
        with pytest.raises(UnsupportedError, match="bob: the source has no desk 1"):
            await copy_log(source, plain, "bob")
        assert await plain[0].tops("bob") == {}


async def test_batches_are_no_larger_than_the_target_takes(source: Stores) -> None:
    async with open_stores("memory://") as (_, cursors):
        store = Narrow(most=7)
        await copy_log(source, (store, cursors), "alice")

        assert max(store.batches) == 7


async def test_a_batch_that_is_too_large_in_bytes_is_halved(source: Stores) -> None:
    """The limit is not known before: it is found by trying."""
    async with open_stores("memory://") as (_, cursors):
        store = Narrow(entry=400)
        copied = await copy_log(source, (store, cursors), "alice")
        tight = Narrow(entry=60)

        assert (copied.added, max(store.batches) > 1) == (37, True)
        with pytest.raises(TooLargeError, match="alice: the target does not take laptop 11") as no:
            await copy_log(source, (tight, cursors), "alice")
        assert no.value.counter == 11


async def test_other_logs_of_the_target_stay(source: Stores, target: Stores) -> None:
    await target[0].append("dave", [note("desk", 1)])

    users = [copied.user async for copied in copy_logs(source, target)]

    assert users == ["alice", "bob", "carol"]
    assert await target[0].logs(limit=9) == ["alice", "bob", "carol", "dave"]


async def test_a_long_log_is_the_same_everywhere(url: Callable[[str], str]) -> None:
    """20,000 entries go from SQLite to LevelDB to memory, and back to a SQLite file."""
    async with (
        open_stores(url("sqlite")) as first,
        open_stores(url("leveldb")) as second,
        open_stores("memory://") as third,
        open_stores(f"{url('sqlite')}-again") as last,
    ):
        for start in range(1, 10_001, 2_500):
            batch = range(start, start + 2_500)
            await first[0].append("alice", [note(d, n) for n in batch for d in ("laptop", "phone")])
        added = [
            (await copy_log(*pair, "alice")).added
            for pair in ((first, second), (second, third), (third, last))
        ]

        assert added == [20_000] * 3
        for stores in (second, third, last):
            assert await stores[0].tops("alice") == {"laptop": 10_000, "phone": 10_000}
            assert await stores[0].head("alice") == await first[0].head("alice")
            assert await export_hash(stores) == await export_hash(first)
        assert (await verify_log(last, "alice", dense=True)).problems == []
