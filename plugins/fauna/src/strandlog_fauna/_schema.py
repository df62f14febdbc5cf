"""The collections and indexes of a store, and how they come to be there.

Two facts of the server shape them. Documents have numbers for names, so what
has a key has a unique index. And strings sort by collation, not by their bytes:
so wherever order matters, an index holds numbers or a copy as bytes.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from strandlog.errors import StoreCorruptError, StoreUnavailableError, StoreVersionError
from strandlog_fauna._fql import q

if TYPE_CHECKING:
    from strandlog_fauna._database import Link

__all__ = ["ALL", "SCHEMA_VERSION", "Schema", "prepare"]

SCHEMA_VERSION = 1

ALL = 100_000
"""The most elements of a page that the server gives."""

_META = "1"

# entry:     u user, d device, n counter, t timestamp, c scope, k seq as bytes, w length
#            on the wire, h digest, q which append brought it, b record
# device:    top, floor, n and t of the newest entry held (0 if none), p greatest counter
#            that a redaction has named, v who wrote it last, o who did before, r the last
#            trims and what they came to, m and mn the last re-homing
# redaction: of td tc, by d n
# log:       l the user as bytes while there is a log or a tombstone, e erased, g generation,
#            x who erased and y who restored it last
# cursor:    r reader, d device, n counter
_COLLECTIONS = ("meta", "log", "device", "entry", "redaction", "cursor")


@dataclass(frozen=True, slots=True)
class _Index:
    source: str
    terms: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    unique: bool = False


_INDEXES = {
    "log_by_user": _Index("log", ("u",), unique=True),
    "log_listed": _Index("log", (), ("l",)),
    "device_by_name": _Index("device", ("u", "d"), unique=True),
    "device_by_user": _Index("device", ("u",), ("d", "top", "floor", "n", "t")),
    "entry_by_key": _Index("entry", ("u", "d", "n"), unique=True),
    "entry_by_counter": _Index("entry", ("u", "d"), ("n", "k", "t", "h", "q")),
    "entry_by_seq": _Index("entry", ("u", "d"), ("k", "w", "ref")),
    "entry_by_scope": _Index("entry", ("u", "d", "c"), ("k", "w", "ref")),
    "redaction_by_source": _Index("redaction", ("u", "d", "n"), unique=True),
    "redaction_by_target": _Index("redaction", ("u", "td"), ("tc", "ref")),
    "redaction_by_user": _Index("redaction", ("u",), ("ref",)),
    "cursor_by_key": _Index("cursor", ("u", "r", "d"), unique=True),
    "cursor_by_reader": _Index("cursor", ("u", "r"), ("d", "n", "ref")),
    "cursor_by_user": _Index("cursor", ("u",), ("r", "d", "n", "ref")),
}


class Schema:
    """The names of a store's collections and indexes, as expressions."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def collection(self, name: str) -> Any:
        return q.collection(self.prefix + name)

    def match(self, index: str, *terms: Any) -> Any:
        return q.match(q.index(self.prefix + index), *terms)

    def rows(self, index: str, *terms: Any, size: int = ALL) -> Any:
        """Return what is in an index, in its order."""
        return data(q.paginate(self.match(index, *terms), size=size))


def data(page: Any) -> Any:
    """Return the elements of a page."""
    return q.select("data", page)


def prepare(link: Link, name: str) -> str:
    """Make what is missing of the schema and return the store's epoch.

    Of several processes that do this at once, each piece is made by one and
    found by the others; one that ends half-way leaves what the next completes.

    Raises:
        StoreVersionError: The store was made by a newer version.
        StoreCorruptError: An index of ours is defined otherwise.
    """
    schema = link.schema
    meta = q.ref(schema.collection("meta"), _META)
    found = link.ask(_if_there(schema.collection("meta"), _if_there(meta, _fields(meta))))
    if found is None:
        link.ask(q.do(*(_made(schema, one) for one in _COLLECTIONS)))
        _check_indexes(schema, name, link.ask([_indexed(schema, one) for one in _INDEXES]))
        # Last: where it stands, everything else does.
        mark = {"version": SCHEMA_VERSION, "epoch": secrets.token_hex(8)}
        found = link.ask(
            q.if_(
                q.exists(meta),
                _fields(meta),
                q.select("data", q.create(meta, {"data": mark})),
            )
        )
    if not isinstance(found, dict) or not isinstance(found.get("version"), int):
        raise StoreCorruptError(
            f"{name}: {schema.prefix}meta does not say what is there: choose another prefix"
        )
    if found["version"] > SCHEMA_VERSION:
        raise StoreVersionError(
            f"{name}: has schema version {found['version']} and this strandlog-fauna knows up to"
            f" {SCHEMA_VERSION}: install a newer one"
        )
    return str(found["epoch"])


def _if_there(ref: Any, then: Any) -> Any:
    return q.if_(q.exists(ref), then, None)


def _fields(ref: Any) -> Any:
    return q.select("data", q.get(ref))


def _made(schema: Schema, name: str) -> Any:
    # No history: of what was redacted or erased no version may stay.
    create = q.create_collection({"name": schema.prefix + name, "history_days": 0})
    return q.if_(q.exists(schema.collection(name)), None, create)


def _indexed(schema: Schema, name: str) -> Any:
    """Return an expression that makes an index if need be, and gives its definition."""
    index, ref = _INDEXES[name], q.index(schema.prefix + name)
    create = q.create_index(
        {
            "name": schema.prefix + name,
            "source": schema.collection(index.source),
            "terms": [{"field": _path(field)} for field in index.terms],
            "values": [{"field": _path(field)} for field in index.values],
            "unique": index.unique,
            "serialized": True,
        }
    )
    parts = {"active": False, "unique": False, "terms": [], "values": []}
    return q.let(
        {"index": q.if_(q.exists(ref), q.get(ref), create)},
        [q.select(part, q.var("index"), default) for part, default in parts.items()],
    )


def _path(field: str) -> list[str]:
    return ["ref"] if field == "ref" else ["data", field]


def _check_indexes(schema: Schema, name: str, found: list[list[Any]]) -> None:
    for index, (active, unique, terms, values) in zip(_INDEXES, found, strict=True):
        wanted = _INDEXES[index]
        is_ours = (
            unique is wanted.unique
            and [one["field"] for one in terms] == [_path(field) for field in wanted.terms]
            and [one["field"] for one in values] == [_path(field) for field in wanted.values]
        )
        if not is_ours:
            raise StoreCorruptError(
                f"{name}: the index {schema.prefix}{index} is not as this store makes it:"
                " choose another prefix"
            )
        if not active:
            raise StoreUnavailableError(
                f"{name}: the index {schema.prefix}{index} is still being built: try again"
            )
