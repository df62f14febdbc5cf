"""Entries for checks, and how a whole log is read back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from functools import lru_cache

from strandlog import Entry, Identity, Page, Seq, VersionVector
from strandlog.backend import LogStore
from strandlog_conformance.expect import fail

__all__ = [
    "ALL",
    "NOTHING",
    "UNBOUNDED",
    "entry",
    "everything",
    "in_order",
    "pages",
    "rows",
    "series",
    "shuffled_devices",
    "state",
    "tops_of",
    "turns",
    "written",
]

NOTHING = VersionVector()
ALL = 1_000_000
"""A limit that no check reaches."""

UNBOUNDED = 1 << 40
"""A ``max_bytes`` that no check reaches."""


# Entries are values, and the suite asks for the same ones again and again.
@lru_cache(maxsize=1 << 15)
def entry(
    device: str,
    counter: int,
    *,
    at: int | None = None,
    content: bytes | None = None,
    scope: str = "private",
    redacts: Identity | None = None,
    meta: bytes | None = None,
) -> Entry:
    """Return an entry; unless told, its timestamp is ten times its counter."""
    text = b'"%s %d"' % (device.encode(), counter) if content is None else content
    stamp = counter * 10 if at is None else at
    return Entry(Seq(stamp, counter, device), scope, text, redacts=redacts, meta=meta)


def series(device: str, first: int, last: int, *, start: int = 0, step: int = 10) -> list[Entry]:
    """Return the entries *first* to *last* of a device, both included."""
    return [entry(device, n, at=start + n * step) for n in range(first, last + 1)]


def in_order(entries: Iterable[Entry]) -> list[Entry]:
    """Return *entries* as a log gives them: by timestamp, counter and device.

    Devices compare by their bytes, whatever the locale says.
    """
    return sorted(
        entries, key=lambda one: (one.seq.timestamp, one.counter, one.device.encode("ascii"))
    )


def tops_of(entries: Iterable[Entry]) -> VersionVector:
    """Return the greatest counter of each device."""
    tops: dict[str, int] = {}
    for one in entries:
        tops[one.device] = max(tops.get(one.device, 0), one.counter)
    return VersionVector(tops)


async def written(store: LogStore, user: str, entries: Iterable[Entry]) -> None:
    """Append *entries*, in as many batches as the store's ``max_batch`` asks for."""
    waiting = in_order(entries)
    size = store.capabilities.max_batch or len(waiting) or 1
    for first in range(0, len(waiting), size):
        await store.append(user, waiting[first : first + size])


async def rows(
    store: LogStore,
    user: str,
    *,
    after: VersionVector = NOTHING,
    devices: Collection[str] | None = None,
    scopes: Collection[str] | None = None,
) -> list[Entry]:
    """Read, in one page, what a reader with *after* lacks."""
    page = await store.read(
        user, after=after, devices=devices, scopes=scopes, limit=ALL, max_bytes=UNBOUNDED
    )
    return list(page.entries)


async def pages(
    store: LogStore,
    user: str,
    *,
    limit: int,
    max_bytes: int = UNBOUNDED,
    after: VersionVector = NOTHING,
    scopes: Collection[str] | None = None,
) -> list[Page]:
    """Read page by page until nothing more is due, as the hello loop does."""
    found: list[Page] = []
    async for _ in turns(f"pages of {limit} and {max_bytes} bytes"):
        page = await store.read(user, after=after, scopes=scopes, limit=limit, max_bytes=max_bytes)
        found.append(page)
        if not page.more:
            break
        if page.upto == after:
            fail(
                f"read(limit={limit}, max_bytes={max_bytes}) page {len(found)}",
                got=f"more=True and upto still {dict(after)}",
                want="an upto that moves, or more=False",
            )
        after = page.upto
    return found


async def turns(call: str, most: int = 5_000) -> AsyncIterator[int]:
    """Count the turns of a loop that is left by ``break``; other tasks run in between.

    A store that never awaits would otherwise keep the loop, and with it the
    clock of the check, to itself.
    """
    for turn in range(most):
        await asyncio.sleep(0)
        yield turn
    fail(call, got="no end", want=f"an end within {most} turns")


async def everything(store: LogStore, user: str) -> Page:
    """Read the whole log in seq order."""
    return await store.read_range(user, limit=ALL)


async def state(store: LogStore, user: str) -> dict[str, object]:
    """Return all that can be seen of a log, to be compared with what it was."""
    return {
        "read": await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED),
        "read_range": await everything(store, user),
        "reverse": await store.read_range(user, reverse=True, limit=ALL),
        "tops": await store.tops(user),
        "head": await store.head(user),
    }


def shuffled_devices() -> list[str]:
    """Return device names whose order differs between bytes, locales and cases."""
    return ["a", "B", "A", "b", "aa", "a-", "a.", "a_", "a~", "-", "0", "00", "10", "9", "_", "~"]
