"""What is committed: documents, definitions, index rows; and how a transaction sees it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from .order import Key, order_key
from .schema import Index
from .values import COLLECTIONS, INDEXES, Document, Ref, Value

Terms = tuple[Any, ...]


class Row(NamedTuple):
    """One entry of an index: its place in the order, its values, whose it is."""

    key: Key
    values: tuple[Value, ...]
    ref: Ref


Rows = list[tuple[Terms, Row]]


class ConflictError(Exception):
    """Something that the transaction has read is not so any more."""


@dataclass(slots=True)
class Store:
    """The committed state. Lists of rows are replaced, never changed: who reads one keeps it."""

    # Of each collection its own, so that the others' number does not matter.
    shelves: dict[tuple[bool, str], dict[Ref, Document]] = field(default_factory=dict)
    indexes: dict[str, Index] = field(default_factory=dict)
    by_source: dict[str, dict[str, Index]] = field(default_factory=dict)
    rows: dict[tuple[str, Terms], list[Row]] = field(default_factory=dict)
    changed: dict[object, int] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    # Numbers as large as those of the real server, so that a careless float shows.
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(360_000_000_000_000_000))
    last: int = field(default_factory=lambda: time.time_ns() // 1000)

    def next_time(self) -> int:
        """Return a transaction time, in microseconds; it always rises."""
        self.last = max(self.last + 1, time.time_ns() // 1000)
        return self.last

    def shelf(self, ref: Ref) -> dict[Ref, Document]:
        """Return the documents of the collection that *ref* leads to."""
        return self.shelves.setdefault((ref.native, ref.kind), {})

    def documents_of(self, collections: Iterable[str]) -> list[Document]:
        return [one for name in collections for one in self.shelves.get((False, name), {}).values()]

    def indexes_of(self, collection: str) -> Iterable[Index]:
        return self.by_source.get(collection, {}).values()

    def add_index(self, index: Index) -> None:
        self.indexes[index.name] = index
        for name in index.sources:
            self.by_source.setdefault(name, {})[index.name] = index

    def drop_index(self, name: str) -> None:
        for source in self.indexes.pop(name).sources:
            del self.by_source[source][name]
        for place in [place for place in self.rows if place[0] == name]:
            del self.rows[place]

    def replace_rows(self, changes: RowChanges, at: int) -> None:
        """Take rows out of their places and put others in."""
        for place, (gone, new) in changes.places.items():
            left = {row.key for row in gone}
            rows = [row for row in self.rows.get(place, ()) if row.key not in left] + new
            rows.sort(key=lambda row: row.key)
            if rows:
                self.rows[place] = rows
            else:
                self.rows.pop(place, None)
            self.changed[place] = at


class RowChanges:
    """What a transaction takes from indexes and adds to them, by index and terms."""

    def __init__(self) -> None:
        self.places: dict[tuple[str, Terms], tuple[list[Row], list[Row]]] = {}

    def note(self, index: Index, gone: Rows, new: Rows) -> None:
        for which, rows in enumerate((gone, new)):
            for terms, row in rows:
                self.places.setdefault((index.name, terms), ([], []))[which].append(row)


class Transaction:
    """One query's view: what is committed, what it has written itself, what it has read."""

    def __init__(self, store: Store, *, may_write: bool = True) -> None:
        self.store = store
        self.may_write = may_write
        self.written: dict[Ref, Document | None] = {}
        self.began = store.last
        self._read: set[object] = set()
        self._definitions: dict[Ref, Document | None] = {}
        self._own: dict[tuple[str, Terms], dict[Ref, list[Row]]] = {}
        self._noted: dict[Ref, dict[str, Rows]] = {}

    def document(self, ref: Ref) -> Document | None:
        """Return the present version of what *ref* names."""
        if ref in self.written:
            return self.written[ref]
        self._read.add(ref)
        return self.store.shelf(ref).get(ref)

    def index(self, name: str) -> Index | None:
        ref = Ref(INDEXES, name, native=True)
        found = self.document(ref)
        if found is None or ref not in self.written:
            return self.store.indexes.get(name)
        return Index.of(found)

    def resolves(self, ref: Ref) -> bool:
        """Return whether the collection or index that *ref* needs exists."""
        if ref.native:
            if ref.kind not in (COLLECTIONS, INDEXES):
                return True
            return self.document(ref) is not None
        return self.document(Ref(COLLECTIONS, ref.kind, native=True)) is not None

    def write(self, ref: Ref, document: Document | None) -> None:
        """Write a version of a document; ``None`` deletes it."""
        self.written[ref] = document
        if ref.native:
            if ref.kind == INDEXES:
                self._definitions[ref] = document
            # A new definition concerns what was written before it too.
            for one in [one for one in self.written if not one.native]:
                self._note(one, self.written[one])
        else:
            self._note(ref, document)

    def _note(self, ref: Ref, document: Document | None) -> None:
        for name, rows in self._noted.pop(ref, {}).items():
            for terms, _ in rows:
                self._own[name, terms].pop(ref, None)
        noted = self._noted[ref] = {}
        for index in self.indexes_of(ref.kind):
            noted[index.name] = rows_of(index, document)
            for terms, row in noted[index.name]:
                self._own.setdefault((index.name, terms), {}).setdefault(ref, []).append(row)

    def rows(self, index: Index, terms: Terms) -> list[Row]:
        """Return the rows of an index under *terms*, in order. The list must not be changed."""
        if index.serialized or index.unique:
            self._read.add((index.name, terms))
        committed = self.store.rows.get((index.name, terms), [])
        if Ref(INDEXES, index.name, native=True) in self.written:
            # Made by this very query: nothing of it is committed yet.
            committed = [
                row
                for document in self.store.documents_of(index.sources)
                for at, row in rows_of(index, document)
                if at == terms and document.ref not in self.written
            ]
            committed.sort(key=lambda row: row.key)
        own = self._own.get((index.name, terms), {})
        if not own and not self._hides(index, committed):
            return committed
        merged = [row for row in committed if row.ref not in self.written]
        merged += [row for rows in own.values() for row in rows]
        merged.sort(key=lambda row: row.key)
        return merged

    def _hides(self, index: Index, committed: list[Row]) -> bool:
        """Return whether this query has written any of the documents in *committed*."""
        if not any(ref.kind in index.sources for ref in self.written):
            return False
        return any(row.ref in self.written for row in committed)

    def taken(self, index: Index, document: Document) -> bool:
        """Return whether another document has the terms and values of this one."""
        return any(
            row.key[:-1] == mine.key[:-1] and row.ref != document.ref
            for terms, mine in self._noted[document.ref][index.name]
            for row in self.rows(index, terms)
        )

    def indexes_of(self, collection: str) -> list[Index]:
        """Return the indexes of a collection, those that this query defines included."""
        found = {index.name: index for index in self.store.indexes_of(collection)}
        for ref, document in self._definitions.items():
            found.pop(str(ref.id), None)
            if document is not None and collection in Index.of(document).sources:
                found[str(ref.id)] = Index.of(document)
        return list(found.values())

    def check(self) -> None:
        """Raise if what was read has changed since.

        Raises:
            ConflictError: It has; the query has to run again.
        """
        if any(self.store.changed.get(what, 0) > self.began for what in self._read):
            raise ConflictError

    def commit(self) -> int:
        """Make what was written true for all; return the transaction's time."""
        if not self.written:
            return self.store.last
        now = self.store.next_time()
        changes = RowChanges()
        # Definitions first: rows of a document are made for the indexes that hold then.
        for ref, document in sorted(self.written.items(), key=lambda one: not one[0].native):
            shelf = self.store.shelf(ref)
            old = shelf.pop(ref, None)
            new = None if document is None else replace(document, ts=now, created=False)
            if new is not None:
                shelf[ref] = new
            self.store.changed[ref] = now
            if ref.native:
                self._define(ref, old, new, changes)
            else:
                for index in self.store.indexes_of(ref.kind):
                    changes.note(index, rows_of(index, old), self._rows_of(index, new, ref))
        self.store.replace_rows(changes, now)
        return now

    def _rows_of(self, index: Index, document: Document | None, ref: Ref) -> Rows:
        """Return the rows of a document that is committed, most often those made before."""
        if index.covers_ts or index.name not in self._noted.get(ref, {}):
            return rows_of(index, document)
        return self._noted[ref][index.name]

    def _define(
        self, ref: Ref, old: Document | None, new: Document | None, changes: RowChanges
    ) -> None:
        if ref.kind == INDEXES:
            if old is not None:
                self.store.drop_index(str(ref.id))
            if new is not None:
                index = Index.of(new)
                self.store.add_index(index)
                for document in self.store.documents_of(index.sources):
                    if document.ref not in self.written:
                        changes.note(index, [], rows_of(index, document))
        elif new is None:
            for lost in self.store.shelves.pop((False, str(ref.id)), {}).values():
                for index in self.store.indexes_of(lost.ref.kind):
                    changes.note(index, rows_of(index, lost), [])


def rows_of(index: Index, document: Document | None) -> Rows:
    """Return the rows that *document* has in *index*, with the terms that they stand under."""
    if document is None or document.ref.native or document.ref.kind not in index.sources:
        return []
    return [
        (terms_key(terms), Row(row_key(index, values, document.ref), values, document.ref))
        for terms in _combinations(document, [term.field for term in index.terms])
        for values in _combinations(document, [value.field for value in index.values])
    ]


def terms_key(terms: Iterable[Value]) -> Terms:
    """Return what is equal only for the very same terms: 1 is not 1.0, ``a`` is not ``A``."""
    return tuple((type(term).__name__, order_key(term)) for term in terms)


def row_key(index: Index, values: Iterable[Value], ref: Ref) -> Key:
    parts = [
        Backwards(order_key(value)) if field.reverse else order_key(value)
        for value, field in zip(values, index.values, strict=True)
    ]
    return (*parts, order_key(ref))


class Backwards:
    """An order turned round, for values that an index keeps in reverse."""

    __slots__ = ("key",)

    def __init__(self, key: Key) -> None:
        self.key = key

    def __lt__(self, other: Backwards) -> bool:
        return other.key < self.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


def _combinations(
    document: Document, fields: list[tuple[str | int, ...]]
) -> list[tuple[Value, ...]]:
    """Return the values of some fields; arrays fan out. Nothing if all of them are null."""
    if not fields:
        return [()]
    spread = [_leaves(_at(document, path)) for path in fields]
    found = itertools.product(*spread)
    return [values for values in found if any(value is not None for value in values)]


def _at(document: Document, path: tuple[str | int, ...]) -> Value:
    found: Value = document.lookup(str(path[0]))
    for step in path[1:]:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return found


def _leaves(value: Value) -> list[Value]:
    if isinstance(value, list):
        return [leaf for one in value for leaf in _leaves(one)]
    # Objects cannot be indexed; in their place stands null.
    return [None if isinstance(value, dict) else value]
