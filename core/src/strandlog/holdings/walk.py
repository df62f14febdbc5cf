"""Walks through what a store holds: log by log, device by device, never all of it at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from strandlog.backend.store import CursorStore, LogStore
from strandlog.errors import LogsDifferError
from strandlog.model import Entry
from strandlog.vector import VersionVector

__all__ = [
    "PAGE_BYTES",
    "PAGE_LIMIT",
    "Outline",
    "Piece",
    "Stores",
    "count_entries",
    "entries",
    "outline",
    "pieces",
    "side_by_side",
    "users",
]

Stores = tuple[LogStore, CursorStore]
"""The log store and the cursor store that are opened as one."""

# A page is also what a copy appends at once, so larger ones save commits; and it is
# what a walk holds in memory.
PAGE_LIMIT = 500
PAGE_BYTES = 1 << 20

_USERS_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Outline:
    """What one log comes to, entries aside.

    Attributes:
        user: Whose log.
        tops: How far each device is covered.
        floor: Up to where each device was trimmed.
        erased: Whether all that is there is its tombstone.
    """

    user: str
    tops: VersionVector
    floor: VersionVector
    erased: bool

    @property
    def known(self) -> bool:
        """Whether the store has this log, or its tombstone."""
        return self.erased or bool(self.tops)

    @property
    def entries_at_most(self) -> int:
        """How many entries there are if the copy has no holes."""
        return sum(top - self.floor[device] for device, top in self.tops.items())


async def users(store: LogStore) -> AsyncIterator[str]:
    """Yield, in bytewise order, every user who has a log or a tombstone in *store*."""
    after: str | None = None
    while found := await store.logs(after=after, limit=_USERS_LIMIT):
        for user in found:
            yield user
        after = found[-1]


async def outline(store: LogStore, user: str, *, listed: bool | None = None) -> Outline:
    """Return the outline of a log; one that never was has an empty one.

    *listed* says whether ``logs`` names the user, for who knows already.
    """
    # Nothing is read: tops and floors of one snapshot are what is wanted.
    page = await store.read(user, after=VersionVector(), limit=0, max_bytes=0)
    if page.tops or page.floor:
        return Outline(user, page.tops, page.floor, erased=False)
    # A log without devices is listed for its tombstone alone.
    return Outline(user, page.tops, page.floor, erased=await _is_listed(store, user, listed=listed))


async def _is_listed(store: LogStore, user: str, *, listed: bool | None) -> bool:
    if listed is not None:
        return listed
    async for name in users(store):
        if name >= user:
            return name == user
    return False


async def count_entries(store: LogStore, user: str | None = None) -> int:
    """Return how many entries a store has, or one log of it, as if no copy had holes."""
    names = users(store) if user is None else _only(user)
    return sum([(await outline(store, name, listed=True)).entries_at_most async for name in names])


async def _only(user: str) -> AsyncIterator[str]:
    yield user


class Piece(NamedTuple):
    """Some entries of one device, by counter.

    Attributes:
        entries: They.
        covered: Up to which counter a reader covers the device who has taken them.
    """

    entries: Sequence[Entry]
    covered: int


async def pieces(
    store: LogStore, log: Outline, device: str, *, after: int, limit: int = PAGE_LIMIT
) -> AsyncIterator[Piece]:
    """Yield what *log* has of one device, after one counter and up to its top.

    There is at least one piece, which may have no entries. What was added since the
    outline was taken is left out.

    Raises:
        LogsDifferError: Entries of the outline went meanwhile: the log was trimmed,
            erased or re-homed.
    """
    top = log.tops[device]
    while True:
        page = await store.read(
            log.user,
            after=VersionVector({device: after}),
            devices={device},
            limit=limit,
            max_bytes=PAGE_BYTES,
        )
        if page.tops[device] < top or page.floor[device] != log.floor[device]:
            raise LogsDifferError(
                f"{log.user}: the log was trimmed, erased or re-homed while {device} was read:"
                " try again when nobody changes it",
                user=log.user,
                device=device,
            )
        after = min(page.upto[device], top)
        yield Piece([entry for entry in page.entries if entry.counter <= top], after)
        if not page.more or after == top:
            return


async def entries(
    store: LogStore, log: Outline, device: str, *, after: int = 0
) -> AsyncIterator[Entry]:
    """Yield the entries of one device by counter; see :func:`pieces`."""
    async for piece in pieces(store, log, device, after=after):
        for entry in piece.entries:
            yield entry


async def side_by_side(
    left: AsyncIterator[Entry], right: AsyncIterator[Entry]
) -> AsyncIterator[tuple[Entry | None, Entry | None]]:
    """Yield pairs of equal counters from two walks of one device; ``None`` where one lacks it."""
    mine, theirs = await anext(left, None), await anext(right, None)
    while mine is not None or theirs is not None:
        if theirs is None or (mine is not None and mine.counter < theirs.counter):
            yield mine, None
            mine = await anext(left, None)
        elif mine is None or theirs.counter < mine.counter:
            yield None, theirs
            theirs = await anext(right, None)
        else:
            yield mine, theirs
            mine, theirs = await anext(left, None), await anext(right, None)
