"""The portable log, on the memory store: what it checks, and what it reads to the end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from strandlog import Appended, Entry, Identity, Log, Seq, open_log
from strandlog.backend import Capabilities
from strandlog.errors import (
    BackendError,
    GapError,
    InvalidArgumentError,
    InvalidContentError,
    InvalidNameError,
    StoreUrlError,
    TooLargeError,
    UnsupportedError,
)
from strandlog.log import PAGE_LIMIT

pytestmark = pytest.mark.anyio


def _entry(counter: int, device: str = "phone", *, scope: str = "private", **parts: Any) -> Entry:
    """Build an entry; two devices that write by turns, the phone first."""
    timestamp = 10 * counter + (device != "phone")
    return Entry(Seq(timestamp, counter, device), scope, parts.pop("content", b"1"), **parts)


def _log_of(entries: int) -> list[Entry]:
    """Return a log of that many entries in seq order, by phone and desk in turns."""
    return [
        _entry(1 + number // 2, "desk" if number % 2 else "phone", scope="ab"[number % 3 == 0])
        for number in range(entries)
    ]


@pytest.fixture
async def log() -> AsyncIterator[Log]:
    async with open_log("memory://") as log:
        yield log


async def test_what_was_appended_is_read(log: Log) -> None:
    entries = [_entry(1), _entry(1, "desk"), _entry(2)]

    appended = await log.append("alice", entries)

    page = await log.read("alice")
    assert appended == Appended(page.tops, 3, 0)
    assert (page.entries, page.upto, page.more) == (entries, page.tops, False)
    assert page.tops == await log.tops("alice") == {"phone": 2, "desk": 1}
    assert await log.head("alice") == entries[-1].seq
    assert await log.logs() == ["alice"]


async def test_append_takes_a_generator(log: Log) -> None:
    await log.append("alice", (_entry(counter) for counter in (1, 2, 3)))

    assert await log.tops("alice") == {"phone": 3}


async def test_a_generator_that_raises_leaves_the_log_as_it_was(log: Log) -> None:
    def failing() -> Iterator[Entry]:
        yield _entry(1)
        raise LookupError("the caller's own")

    with pytest.raises(LookupError, match="the caller's own"):
        await log.append("alice", failing())

    assert await log.tops("alice") == {}
    assert (await log.append("alice", [_entry(1)])).added == 1


async def test_nothing_to_append_is_fine(log: Log) -> None:
    appended = await log.append("alice", [])

    assert (appended.tops, appended.added, await log.logs()) == (await log.tops("alice"), 0, [])


@pytest.mark.parametrize("content", [b"", b" 1", b"{", b'"\xff"', b"1 2", b"[" * 129 + b"]" * 129])
async def test_one_bad_content_refuses_the_batch(content: bytes, log: Log) -> None:
    """It would stand in the middle of a frame some day, and break it for every reader."""
    with pytest.raises(InvalidContentError, match="content"):
        await log.append("alice", [_entry(1), _entry(2, content=content)])

    assert await log.tops("alice") == {}


@pytest.mark.parametrize("meta", [b"", b"{", b"1", b'"a"', b"[]", b"null", b" {}"])
async def test_meta_that_is_no_object_refuses_the_batch(meta: bytes, log: Log) -> None:
    with pytest.raises(InvalidContentError, match="meta"):
        await log.append("alice", [_entry(1, meta=meta)])

    assert await log.tops("alice") == {}


async def test_an_entry_without_content_is_stored(log: Log) -> None:
    gone = _entry(1, redacts=Identity("desk", 4)).without_content()

    await log.append("alice", [gone])

    assert (await log.read("alice")).entries == [gone]


NAMES: dict[str, Callable[[Log], Awaitable[object]]] = {
    "append": lambda log: log.append("a/b", [_entry(1)]),
    "append upto": lambda log: log.append("alice", [], upto={"a/b": 1}),
    "append floor": lambda log: log.append("alice", [], floor={"a b": 1}),
    "digests": lambda log: log.digests("a/b", {}),
    "digests device": lambda log: log.digests("alice", {"a/b": 1}),
    "read": lambda log: log.read(".."),
    "read after": lambda log: log.read("alice", after={"\ud800": 1}),
    "read devices": lambda log: log.read("alice", devices=["phone", "a\0b"]),
    "read scopes": lambda log: log.read("alice", scopes=["friend", "A"]),
    "range": lambda log: log.read_range(""),
    "range scopes": lambda log: log.read_range("alice", scopes=["a,b"]),
    "tops": lambda log: log.tops("a b"),
    "head": lambda log: log.head("a#b"),
    "logs after": lambda log: log.logs(after="a b"),
    "trim": lambda log: log.trim("a/b", "phone", up_to=1),
    "trim device": lambda log: log.trim("alice", "a/b", up_to=1),
    "rehome": lambda log: log.rehome("a/b", "phone", from_counter=1, to_device="x"),
    "rehome from": lambda log: log.rehome("alice", "a/b", from_counter=1, to_device="x"),
    "rehome to": lambda log: log.rehome("alice", "phone", from_counter=1, to_device=".."),
    "erase": lambda log: log.erase("a/b"),
    "restore": lambda log: log.restore("a/b"),
}


@pytest.mark.parametrize("call", NAMES)
async def test_a_hostile_name_goes_no_further(call: str, log: Log) -> None:
    """A store need not ask itself what a name could do to its keys or its queries."""
    with pytest.raises(InvalidNameError):
        await NAMES[call](log)

    assert await log.logs() == []


RANGES: dict[str, Callable[[Log], Awaitable[object]]] = {
    "read limit": lambda log: log.read("alice", limit=-1),
    "read max_bytes": lambda log: log.read("alice", max_bytes=-1),
    "range limit": lambda log: log.read_range("alice", limit=-1),
    "logs limit": lambda log: log.logs(limit=-1),
    "after": lambda log: log.read("alice", after={"phone": -1}),
    "upto": lambda log: log.append("alice", [], upto={"phone": 10**12}),
    "trim below 0": lambda log: log.trim("alice", "phone", up_to=-1),
    "trim above all": lambda log: log.trim("alice", "phone", up_to=10**12),
    "rehome 0": lambda log: log.rehome("alice", "phone", from_counter=0, to_device="x"),
    "rehome above": lambda log: log.rehome("alice", "phone", from_counter=10**12, to_device="x"),
    "rehome to itself": lambda log: log.rehome("alice", "x", from_counter=2, to_device="x"),
}  # fmt: skip


@pytest.mark.parametrize("call", RANGES)
async def test_a_number_outside_its_range_goes_no_further(call: str, log: Log) -> None:
    with pytest.raises(InvalidArgumentError):
        await RANGES[call](log)

    assert await log.logs() == []


async def test_digests_answer_for_every_device_that_was_asked_for(log: Log) -> None:
    await log.append("alice", [_entry(1), _entry(2)])

    digests = await log.digests("alice", {"phone": 2, "desk": 1, "laptop": 0})

    assert digests == {"phone": _entry(2).digest, "desk": None, "laptop": None}


def _narrow(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the store promise less than it can do."""
    narrow = Capabilities(sparse=False, max_batch=2)
    monkeypatch.setattr(type(log.store), "capabilities", narrow)


async def test_a_copy_with_holes_is_not_asked_of_a_store_that_promises_none(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    _narrow(log, monkeypatch)

    with pytest.raises(UnsupportedError):
        await log.append("alice", [_entry(1)], upto={"phone": 1})

    assert (await log.append("alice", [_entry(1)])).added == 1


async def test_a_batch_above_the_stores_limit_is_refused(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    _narrow(log, monkeypatch)

    with pytest.raises(TooLargeError) as refused:
        await log.append("alice", [_entry(1), _entry(2), _entry(3)])

    assert refused.value.limit == 2
    assert (await log.append("alice", [_entry(1), _entry(2)])).added == 2


async def test_a_refused_batch_is_the_stores_to_name(log: Log) -> None:
    with pytest.raises(GapError):
        await log.append("alice", [_entry(2)])


async def test_a_page_is_what_a_reader_lacks(log: Log) -> None:
    await log.append("alice", _log_of(8))

    page = await log.read("alice", after={"phone": 3, "desk": 4}, limit=9)
    cut = await log.read("alice", after={"phone": 3}, devices=["phone"], scopes=["b", "a"], limit=0)

    assert page.entries == [_log_of(8)[6]]
    assert (cut.entries, cut.more) == ([], True)


SIZES = (0, 1, PAGE_LIMIT - 1, PAGE_LIMIT, PAGE_LIMIT + 1, 2 * PAGE_LIMIT, 2 * PAGE_LIMIT + 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scopes", [None, ["b"]], ids=["every scope", "one scope"])
async def test_a_whole_log_is_read_either_way(
    size: int, scopes: list[str] | None, log: Log
) -> None:
    """Across pages, every entry once, also where a page ends between two."""
    written = _log_of(size)
    await log.append("alice", written)
    expected = [entry for entry in written if scopes is None or entry.scope in scopes]

    forwards = [entry async for entry in log.entries("alice", scopes=scopes)]
    backwards = [entry async for entry in log.entries("alice", scopes=scopes, reverse=True)]

    assert forwards == expected
    assert backwards == expected[::-1]


@pytest.mark.parametrize("reverse", [False, True])
async def test_a_range_leaves_after_out_and_takes_up_to_in(reverse: bool, log: Log) -> None:
    written = _log_of(3 * PAGE_LIMIT)
    await log.append("alice", written)

    between = [
        entry
        async for entry in log.entries(
            "alice", after=written[99].seq, up_to=written[499].seq, reverse=reverse
        )
    ]

    assert between == (written[100:500][::-1] if reverse else written[100:500])


async def test_an_entry_that_arrives_ahead_is_seen(log: Log) -> None:
    await log.append("alice", _log_of(PAGE_LIMIT + 10))
    late = Entry(Seq(10**6, 1, "laptop"), "private", b"1")

    seen: list[Entry] = []
    async for entry in log.entries("alice"):
        if not seen:
            await log.append("alice", [late])
        seen.append(entry)

    assert seen == [*_log_of(PAGE_LIMIT + 10), late]


async def test_reading_backwards_skips_nothing_where_an_entry_was_trimmed(log: Log) -> None:
    """The next page begins with the last entry seen; if that is gone, with one not seen yet."""
    written = _log_of(2 * PAGE_LIMIT)
    await log.append("alice", written)
    last_of_page = written[-PAGE_LIMIT]

    seen: list[Entry] = []
    async for entry in log.entries("alice", reverse=True):
        seen.append(entry)
        if entry == last_of_page:
            await log.trim("alice", entry.device, up_to=entry.counter)

    left = [entry for entry in written if entry.device != last_of_page.device or entry in seen]
    assert seen == left[::-1]


@pytest.mark.parametrize(
    ("url", "error", "hint"),
    [
        ("notes.db", StoreUrlError, "sqlite:///notes.db"),
        ("nosuch://x", BackendError, "pip install strandlog-nosuch"),
        ("memory:///x", StoreUrlError, "memory://name"),
        ("memory://?pool=1", StoreUrlError, "'pool'"),
    ],
)
async def test_a_url_that_cannot_be_opened_says_the_next_step(
    url: str, error: type[Exception], hint: str
) -> None:
    with pytest.raises(error) as refused:
        async with open_log(url):
            pass

    assert hint in str(refused.value)
