"""Reads of a log, each on one snapshot of the file.

A page is merged of *ranges*: what one device wrote, or what it wrote in one
scope. Each range is a cursor of SQLite that begins where the reader stopped, is
in seq order by its index, and is stepped only as far as the page goes. So the
cost is that of the page, however long the log is and however much of it is
hidden, and SQLite has nothing to sort. (One compound statement for all ranges
takes two to four times as long: it fetches a whole page from each of them.)
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import islice
from typing import Self

from strandlog import Entry, Page, Seq, VersionVector
from strandlog.backend import cut_page
from strandlog_sqlite._rows import Device, device_of, devices_of, entry_of, vector_of

__all__ = ["digests", "floors", "head", "logs", "page", "page_of_range", "tops"]

# Which index serves is written down, not left to the planner: statistics that
# somebody collects in the file must not turn a search into a scan.
ABOVE = """
    SELECT counter, timestamp, scope, record FROM entry NOT INDEXED
    WHERE device = ? AND counter > ?
    ORDER BY counter
"""
IN_SCOPE = """
    SELECT counter, timestamp, scope, record FROM entry INDEXED BY entry_by_scope
    WHERE device = ? AND scope = ? AND (timestamp, counter) BETWEEN (?, ?) AND (?, ?)
    ORDER BY timestamp, counter
"""
IN_SCOPE_REVERSED = """
    SELECT counter, timestamp, scope, record FROM entry INDEXED BY entry_by_scope
    WHERE device = ? AND scope = ? AND (timestamp, counter) BETWEEN (?, ?) AND (?, ?)
    ORDER BY timestamp DESC, counter DESC
"""
FIRST_ABOVE = """
    SELECT timestamp, counter FROM entry NOT INDEXED
    WHERE device = ? AND counter > ?
    ORDER BY counter LIMIT 1
"""
NEWEST = """
    SELECT counter, timestamp, scope, record FROM entry NOT INDEXED
    WHERE device = ?
    ORDER BY counter DESC LIMIT 1
"""
ONE = """
    SELECT counter, timestamp, scope, record FROM entry NOT INDEXED
    WHERE device = ? AND counter = ?
"""
NEXT_SCOPE = """
    SELECT min(scope) FROM entry INDEXED BY entry_by_scope
    WHERE device = ? AND scope > ?
"""
LOGS = """
    SELECT user FROM device INDEXED BY device_by_name WHERE user > :after
    UNION
    SELECT user FROM tombstone WHERE user > :after AND erased
    ORDER BY user LIMIT :limit
"""

Place = tuple[int, int]
"""A timestamp and a counter: where an entry lies among those of its device."""

_FIRST: Place = (0, 0)
_LAST: Place = (1 << 62, 0)


def page(
    connection: sqlite3.Connection,
    user: str,
    *,
    after: VersionVector,
    devices: Collection[str] | None,
    scopes: Collection[str] | None,
    limit: int,
    max_bytes: int,
) -> Page:
    """Return what ``LogStore.read`` asks for."""
    known = devices_of(connection, user)
    due = [
        device
        for device in known
        if device.top > after[device.name] and (devices is None or device.name in devices)
    ]
    with _Ranges(connection, user) as ranges:
        for device in due:
            if scopes is None:
                ranges.add(device, ABOVE, (device.id, after[device.name]))
            else:
                _add_scopes(ranges, connection, device, after[device.name], scopes)
        return cut_page(
            ranges.merged(),
            after=after,
            tops=tops(user, known),
            floor=floors(user, known),
            limit=limit,
            max_bytes=max_bytes,
            devices=devices,
        )


def page_of_range(
    connection: sqlite3.Connection,
    user: str,
    *,
    after: Seq | None,
    up_to: Seq | None,
    reverse: bool,
    scopes: Collection[str] | None,
    limit: int,
) -> Page:
    """Return what ``LogStore.read_range`` asks for."""
    known = devices_of(connection, user)
    statement = IN_SCOPE_REVERSED if reverse else IN_SCOPE
    with _Ranges(connection, user) as ranges:
        for device in known:
            first = _FIRST if after is None else _place_above(device, after)
            last = _LAST if up_to is None else _place_up_to(device, up_to)
            for scope in _scopes_of(connection, device) if scopes is None else scopes:
                ranges.add(device, statement, (device.id, scope, *first, *last))
        found = list(islice(ranges.merged(reverse=reverse), limit + 1))
    return Page(
        found[:limit],
        VersionVector(),
        len(found) > limit,
        tops(user, known),
        floors(user, known),
    )


def head(connection: sqlite3.Connection, user: str) -> Seq | None:
    """Return the greatest seq of a log."""
    newest = [
        entry_of(user, device, row)
        for device in devices_of(connection, user)
        for row in connection.execute(NEWEST, (device.id,))
    ]
    return max((entry.seq for entry in newest), default=None)


def digests(
    connection: sqlite3.Connection, user: str, at: Mapping[str, int]
) -> dict[str, str | None]:
    """Return the digests of single entries."""
    found: dict[str, str | None] = dict.fromkeys(at)
    for name, counter in at.items():
        device = device_of(connection, user, name)
        if device is not None:
            for row in connection.execute(ONE, (device.id, counter)):
                found[name] = entry_of(user, device, row).digest
    return found


def logs(connection: sqlite3.Connection, *, after: str | None, limit: int) -> list[str]:
    """Return users that have a log or its tombstone."""
    rows = connection.execute(LOGS, {"after": after or "", "limit": limit})
    return [user for (user,) in rows]


def tops(user: str, devices: Iterable[Device]) -> VersionVector:
    """Return the tops that device rows hold."""
    return vector_of(user, ((device.name, device.top) for device in devices))


def floors(user: str, devices: Iterable[Device]) -> VersionVector:
    """Return the floors that device rows hold."""
    return vector_of(user, ((device.name, device.floor) for device in devices))


class _Ranges:
    """Cursors that are open side by side, and closed together: one left open holds its snapshot."""

    def __init__(self, connection: sqlite3.Connection, user: str) -> None:
        self._connection = connection
        self._user = user
        self._cursors = ExitStack()
        self._ranges: list[Iterator[Entry]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._cursors.close()

    def add(self, device: Device, statement: str, parameters: tuple[object, ...]) -> None:
        """Open a range of *device*'s entries."""
        rows = self._connection.execute(statement, parameters)
        self._cursors.enter_context(closing(rows))
        self._ranges.append(entry_of(self._user, device, row) for row in rows)

    def merged(self, *, reverse: bool = False) -> Iterator[Entry]:
        """Return the entries of all ranges in seq order."""
        return heapq.merge(*self._ranges, key=_order, reverse=reverse)


def _order(entry: Entry) -> tuple[int, int, str]:
    # A plain tuple: comparing two Seqs makes two such tuples each time.
    seq = entry.seq
    return seq.timestamp, seq.counter, seq.device


def _add_scopes(
    ranges: _Ranges,
    connection: sqlite3.Connection,
    device: Device,
    after: int,
    scopes: Iterable[str],
) -> None:
    # What lies above a counter lies at or above its timestamp too, so the first
    # entry above gives the place at which every scope is entered.
    for first in connection.execute(FIRST_ABOVE, (device.id, after)):
        for scope in scopes:
            ranges.add(device, IN_SCOPE, (device.id, scope, *first, *_LAST))


def _scopes_of(connection: sqlite3.Connection, device: Device) -> Iterator[str]:
    """Yield the scopes in which a device has entries: one search for each."""
    scope = ""
    while True:
        [scope] = connection.execute(NEXT_SCOPE, (device.id, scope)).fetchone()
        if scope is None:
            return
        yield scope


def _place_above(device: Device, seq: Seq) -> Place:
    # Of two entries with the same timestamp and counter, the device decides.
    return seq.timestamp, seq.counter + (device.name <= seq.device)


def _place_up_to(device: Device, seq: Seq) -> Place:
    return seq.timestamp, seq.counter - (device.name > seq.device)
