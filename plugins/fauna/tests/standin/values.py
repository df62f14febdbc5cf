"""Values of the query language, as Python values, and the names of their types.

``None``, ``bool``, ``int``, ``float``, ``str``, ``bytes``, ``list`` and ``dict``
stand for themselves; the classes here are the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Value = Any
Position = tuple[str | int, ...]

COLLECTIONS = "collections"
INDEXES = "indexes"
NATIVE = (COLLECTIONS, INDEXES, "databases", "functions", "roles", "keys")


@dataclass(frozen=True, slots=True)
class Ref:
    """A reference.

    Attributes:
        kind: ``""`` for a native collection itself, ``collections`` for a collection,
            ``indexes`` for an index, else the name of the document's collection.
        id: The name, or the number of a document.
        native: Whether *kind* is a native collection and not one of a user.
    """

    kind: str
    id: str | int
    native: bool = False


def collection_ref(name: str) -> Ref:
    return Ref(COLLECTIONS, name, native=True)


def index_ref(name: str) -> Ref:
    return Ref(INDEXES, name, native=True)


class Pending:
    """The time of the transaction that runs: known when it commits."""


PENDING = Pending()


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a document, a collection or an index.

    Attributes:
        fields: ``data`` of a document; the definition of the others.
        created: Whether this value came out of a create form of this query.
    """

    ref: Ref
    ts: int | Pending
    fields: Mapping[str, Value]
    created: bool = field(default=False, compare=False)

    def lookup(self, name: str) -> Value:
        """Return a top-level field, ``None`` where there is none."""
        if name == "ref":
            return self.ref
        if name == "ts":
            return self.ts
        return self.fields.get(name)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a set."""

    data: list[Value]
    before: list[Value] | None = None
    after: list[Value] | None = None


class SetValue:
    """What all sets have in common: see ``sets``."""

    __slots__ = ()


def type_name(value: Value) -> str:
    """Return the name by which error texts call the type of a value."""
    if isinstance(value, Ref):
        return _REF_NAMES.get(value.kind, "Ref") if value.native else "Ref"
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    raise AssertionError(value)


_REF_NAMES = {
    "": "Collection Ref",
    COLLECTIONS: "Collection Ref",
    INDEXES: "Index Ref",
    "databases": "Database Ref",
    "functions": "User Function Ref",
    "keys": "Key Ref",
}

# A bool is an int too, so its line comes first.
_NAMES: tuple[tuple[type, str], ...] = (
    (type(None), "Null"),
    (bool, "Boolean"),
    (int, "Integer"),
    (float, "Double"),
    (str, "String"),
    (bytes, "Bytes"),
    (list, "Array"),
    (Page, "Page"),
    (SetValue, "Set"),
    (Document, "Object"),
    (dict, "Object"),
    (Pending, "Unresolved Transaction Time"),
)


def elements(value: Value, at: Position) -> list[tuple[Value, Position]]:
    """Return the elements of an array with their positions; a single value is its own element."""
    if isinstance(value, list):
        return [(one, (*at, place)) for place, one in enumerate(value)]
    return [(value, at)]
