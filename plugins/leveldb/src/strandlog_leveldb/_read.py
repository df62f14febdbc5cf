"""Reads of a log, each on one snapshot.

A page is merged of *ranges*: what one device wrote, or what it wrote in one
scope. Each range begins where the reader stopped, is in seq order by its keys,
and is stepped only as far as the page goes. So the cost is that of the page,
however long the log is and however much of it is hidden.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from strandlog import Entry, Page, Seq, VersionVector
from strandlog.backend import cut_page
from strandlog_leveldb._driver import View
from strandlog_leveldb._rows import Device, devices_of, entries_of, entry_at, log_of
from strandlog_leveldb._schema import log_key, prefix_end

__all__ = ["digests", "floors", "head", "logs", "page", "page_of_range", "tops"]


def page(
    view: View,
    user: str,
    *,
    after: VersionVector,
    devices: Collection[str] | None,
    scopes: Collection[str] | None,
    limit: int,
    max_bytes: int,
) -> Page:
    """Return what ``LogStore.read`` asks for."""
    known = devices_of(view, user)
    ranges = [
        entries_of(view, user, device.name, scope=scope, after=after[device.name])
        for device in known
        if device.top > after[device.name] and (devices is None or device.name in devices)
        for scope in _each(scopes)
    ]
    return cut_page(
        _merged(ranges),
        after=after,
        tops=tops(known),
        floor=floors(known),
        limit=limit,
        max_bytes=max_bytes,
        devices=devices,
    )


def page_of_range(
    view: View,
    user: str,
    *,
    after: Seq | None,
    up_to: Seq | None,
    reverse: bool,
    scopes: Collection[str] | None,
    limit: int,
) -> Page:
    """Return what ``LogStore.read_range`` asks for."""
    known = devices_of(view, user)
    ranges = []
    for device in known:
        first = 0 if after is None else _covered_by(view, user, device, after)
        last = device.top if up_to is None else _covered_by(view, user, device, up_to)
        ranges += [
            entries_of(
                view, user, device.name, scope=scope, after=first, up_to=last, reverse=reverse
            )
            for scope in _each(scopes)
            if first < last
        ]
    found = list(islice(_merged(ranges, reverse=reverse), limit + 1))
    return Page(found[:limit], VersionVector(), len(found) > limit, tops(known), floors(known))


def head(view: View, user: str) -> Seq | None:
    """Return the greatest seq of a log."""
    newest = [
        next(entries_of(view, user, device.name, up_to=device.top, reverse=True), None)
        for device in devices_of(view, user)
    ]
    return max((entry.seq for entry in newest if entry), default=None)


def digests(view: View, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
    """Return the digests of single entries."""
    found = {name: entry_at(view, user, name, counter) for name, counter in at.items()}
    return {name: entry.digest if entry else None for name, entry in found.items()}


def logs(view: View, *, after: str | None, limit: int) -> list[str]:
    """Return users that have a log or its tombstone."""
    # The one that follows is the same with a zero at its end.
    first = log_key("") if after is None else log_key(after) + b"\0"
    users = (
        key[1:].decode()
        for key, value in view.scan(first, prefix_end(log_key("")))
        if (log := log_of(key, value)).live or log.erased
    )
    return list(islice(users, limit))


def tops(devices: Sequence[Device]) -> VersionVector:
    """Return the tops of devices."""
    return VersionVector({device.name: device.top for device in devices})


def floors(devices: Sequence[Device]) -> VersionVector:
    """Return the floors of devices."""
    return VersionVector({device.name: device.floor for device in devices})


def _each(scopes: Collection[str] | None) -> Collection[str | None]:
    """Return the scopes that make a range each; ``None`` is the range of all of them."""
    return (None,) if scopes is None else set(scopes)


def _covered_by(view: View, user: str, device: Device, seq: Seq) -> int:
    """Return the greatest counter of which nothing sorts behind *seq*: a binary search."""

    def place(counter: int) -> tuple[int, int, str]:
        first = next(entries_of(view, user, device.name, after=counter - 1), None)
        return _order(first) if first else _BEHIND_ALL

    wanted = (seq.timestamp, seq.counter, seq.device)
    return bisect_right(range(1, device.top + 1), wanted, key=place)


_BEHIND_ALL = (1 << 64, 0, "")


def _merged(ranges: Sequence[Iterator[Entry]], *, reverse: bool = False) -> Iterator[Entry]:
    if len(ranges) == 1:
        return ranges[0]
    return heapq.merge(*ranges, key=_order, reverse=reverse)


def _order(entry: Entry) -> tuple[int, int, str]:
    # A plain tuple: comparing two Seqs makes two such tuples each time.
    seq = entry.seq
    return seq.timestamp, seq.counter, seq.device
