"""Reads of a log, each one query: so each sees one and the same state.

A page is merged of *ranges*: what one device wrote, or what it wrote in one
scope, from where the reader stopped. Each is a stretch of an index in seq order,
and the server merges them, as far as the page goes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from strandlog import Entry, Page, Seq, VersionVector
from strandlog.backend import cut_page
from strandlog.errors import InvalidArgumentError, StoreCorruptError
from strandlog_fauna._database import Link
from strandlog_fauna._fql import q
from strandlog_fauna._schema import ALL, Schema, data
from strandlog_fauna._state import entry_of

__all__ = ["digests", "head", "logs", "page", "page_of_range", "tops"]


def page(
    link: Link,
    user: str,
    *,
    after: VersionVector,
    devices: Collection[str] | None,
    scopes: Collection[str] | None,
    limit: int,
    max_bytes: int,
) -> Page:
    """Return what ``LogStore.read`` asks for."""
    schema = link.schema
    limit = min(limit, ALL - 1)
    seen = q.select([q.var("d")], dict(after), 0)
    wanted = [q.gt(q.var("top"), seen)]
    if devices is not None:
        wanted.append(q.select([q.var("d")], dict.fromkeys(devices, True), False))
    due = q.filter_(q.lambda_(["d", "top", "_", "_", "_"], q.and_(*wanted)), q.var("devices"))
    # Inside one device the order by counter is that by seq: the first entry above
    # gives the seq at which every range of the device is entered.
    held = schema.match("entry_by_counter", user, q.var("d"))
    starts = q.map_(
        q.lambda_(
            ["d", "_", "_", "_", "_"],
            [
                q.var("d"),
                q.select(
                    ["data", 0, 1],
                    q.paginate(q.range(held, [q.add(seen, 1)], []), size=1),
                    False,
                ),
            ],
        ),
        due,
    )
    there = q.filter_(q.lambda_(["d", "k"], q.not_(q.equals(q.var("k"), False))), starts)
    ranges = q.map_(q.lambda_(["d", "k"], _range(schema, user, scopes, [q.var("k")], [])), there)
    rows, found = link.ask(_paged(schema, user, ranges, limit + 1, scopes, max_bytes=max_bytes))
    return cut_page(
        _entries(user, found),
        after=after,
        tops=_vector(user, rows, 1),
        floor=_vector(user, rows, 2),
        limit=limit,
        max_bytes=max_bytes,
        devices=devices,
    )


def page_of_range(
    link: Link,
    user: str,
    *,
    after: Seq | None,
    up_to: Seq | None,
    reverse: bool,
    scopes: Collection[str] | None,
    limit: int,
) -> Page:
    """Return what ``LogStore.read_range`` asks for."""
    schema = link.schema
    limit = min(limit, ALL - 1)
    # Nothing lies between bytes and the same bytes with a zero behind them.
    lower = [] if after is None else [after.encode().encode() + b"\0"]
    upper = [] if up_to is None else [up_to.encode().encode()]
    if after is not None and up_to is not None and after >= up_to:
        scopes = ()
    ranges = q.map_(
        q.lambda_(["d", "_", "_", "_", "_"], _range(schema, user, scopes, lower, upper)),
        q.var("devices"),
    )
    rows, found = link.ask(_paged(schema, user, ranges, limit + 1, scopes, reverse=reverse))
    entries = _entries(user, found)
    return Page(
        entries[:limit],
        VersionVector(),
        len(entries) > limit,
        _vector(user, rows, 1),
        _vector(user, rows, 2),
    )


def _range(
    schema: Schema, user: str, scopes: Collection[str] | None, lower: Any, upper: Any
) -> Any:
    """Return the set of what the device ``d`` wrote between two bounds."""
    if scopes is None:
        return q.range(schema.match("entry_by_seq", user, q.var("d")), lower, upper)
    return q.union(
        *(
            q.range(schema.match("entry_by_scope", user, q.var("d"), scope), lower, upper)
            for scope in scopes
        )
    )


def _paged(
    schema: Schema,
    user: str,
    ranges: Any,
    size: int,
    scopes: Collection[str] | None,
    *,
    max_bytes: int | None = None,
    reverse: bool = False,
) -> Any:
    """Return the devices of a log and the first documents of the merged *ranges*.

    With *max_bytes*, no more of them than a page of so many bytes needs, and the one after it.
    """
    devices = {"devices": schema.rows("device_by_user", user)}
    if scopes is not None and not scopes:
        return q.let(devices, [q.var("devices"), []])
    merged = q.union(q.var("ranges"))
    document = q.let(
        {"entry": q.select("data", q.get(q.var("ref")))},
        [q.select(field, q.var("entry")) for field in ("d", "n", "k", "c", "b")],
    )
    keys = data(q.paginate(q.reverse(merged) if reverse else merged, size=size))
    if max_bytes is not None:
        keys = _within(keys, max_bytes)
    found = q.map_(q.lambda_(["_", "_", "ref"], document), keys)
    return q.let(
        {**devices, "ranges": ranges},
        [q.var("devices"), q.if_(q.is_empty(q.var("ranges")), [], found)],
    )


def _within(keys: Any, max_bytes: int) -> Any:
    """Return the first of *keys*: what stands in no more bytes, at least one, and the next."""
    taken, size = (q.select(place, q.var("sum")) for place in (0, 1))
    fits = q.or_(q.lt(taken, 2), q.lte(size, max_bytes))
    counted = q.lambda_(
        ["sum", "key"],
        q.if_(fits, [q.add(taken, 1), q.add(size, q.select(1, q.var("key")))], q.var("sum")),
    )
    return q.let(
        {"keys": keys},
        q.take(q.select(0, q.reduce(counted, [0, 0], q.var("keys"))), q.var("keys")),
    )


def _entries(user: str, rows: Iterable[Any]) -> list[Entry]:
    found = []
    for device, counter, key, scope, record in rows:
        entry = entry_of(user, device, counter, record)
        if entry.seq.encode().encode() != bytes(key) or entry.scope != scope:
            raise StoreCorruptError(
                f"{user}: the record of {device} {counter} is filed under {key!r} {scope!r}"
            )
        found.append(entry)
    return found


def digests(link: Link, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
    """Return the digests of single entries."""
    key = link.schema.match("entry_by_key", user, q.var("d"), q.var("n"))
    digest = q.if_(q.exists(key), q.select(["data", "h"], q.get(key)), None)
    pairs = [[device, counter] for device, counter in at.items()]
    found = link.ask(q.map_(q.lambda_(["d", "n"], digest), pairs))
    return dict(zip(at, found, strict=True))


def tops(link: Link, user: str) -> VersionVector:
    """Return the top of every device."""
    return _vector(user, link.ask(link.schema.rows("device_by_user", user)), 1)


def head(link: Link, user: str) -> Seq | None:
    """Return the greatest seq of a log."""
    rows = link.ask(link.schema.rows("device_by_user", user))
    try:
        newest = [
            Seq(timestamp, counter, name) for name, _, _, counter, timestamp in rows if counter
        ]
    except InvalidArgumentError as error:
        raise StoreCorruptError(f"{user}: a device is damaged: {error}") from error
    return max(newest, default=None)


def logs(link: Link, *, after: str | None, limit: int) -> list[str]:
    """Return users that have a log or its tombstone."""
    lower = [] if after is None else [after.encode() + b"\0"]
    listed = q.range(link.schema.match("log_listed"), lower, [])
    found = link.ask(data(q.paginate(listed, size=min(limit, ALL))))
    return [name.decode("ascii", "replace") for name in found]


def _vector(user: str, rows: Iterable[Any], place: int) -> VersionVector:
    try:
        return VersionVector({row[0]: row[place] for row in rows})
    except InvalidArgumentError as error:
        raise StoreCorruptError(f"{user}: a counter is damaged: {error}") from error
