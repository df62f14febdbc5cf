"""Sets: a match and what is made of it. A set is described when it is made and read when used."""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, repeat
from typing import Any, NamedTuple

from .errors import undefined_ref
from .order import Key, order_key
from .schema import Index
from .store import Row, Transaction, row_key, terms_key
from .values import Document, Page, Position, Ref, SetValue, Value, index_ref

Cursor = list[Value]
Search = Callable[..., int]


class Run(NamedTuple):
    """A stretch of ascending rows, from the one at *first* to the one before *end*."""

    rows: Sequence[Row]
    first: int
    end: int

    def __len__(self) -> int:
        return max(self.end - self.first, 0)


@dataclass(frozen=True, slots=True)
class View:
    """Ordered rows, read one way or the other.

    Attributes:
        runs: One, or those that a union merges.
        backwards: Whether it is read from its end.
        width: How many values a row shows, its reference not counted.
        index: What says how cursors sort.
    """

    runs: Sequence[Run]
    backwards: bool
    width: int
    index: Index | None

    def __len__(self) -> int:
        return len(self.runs[0]) if len(self.runs) == 1 else sum(1 for _ in self)

    def __iter__(self) -> Iterator[Row]:
        if len(self.runs) == 1:
            return self._of(self.runs[0])
        return self._merged()

    def _of(self, run: Run) -> Iterator[Row]:
        places = range(run.first, run.end)
        return (run.rows[place] for place in (reversed(places) if self.backwards else places))

    def _merged(self) -> Iterator[Row]:
        """Yield the rows of all runs, each value as often as in the run that has it most often."""
        numbered = [zip(self._of(run), repeat(n)) for n, run in enumerate(self.runs)]
        merged = heapq.merge(*numbered, key=lambda one: one[0].key, reverse=self.backwards)
        for _, equals in groupby(merged, lambda one: one[0].key[:-1] or one[0].key):
            found: dict[int, list[Row]] = {}
            for row, number in equals:
                found.setdefault(number, []).append(row)
            yield from max(found.values(), key=len)

    def reversed(self) -> View:
        return replace(self, backwards=not self.backwards)

    def from_(self, cursor: Cursor) -> View:
        """Return what is at or behind *cursor*, in the view's own direction."""
        return self._before(cursor) if self.backwards else self._behind(cursor)

    def up_to(self, cursor: Cursor) -> View:
        """Return what is before or at *cursor*."""
        return self._behind(cursor) if self.backwards else self._before(cursor)

    def until(self, cursor: Cursor) -> View:
        """Return what is before *cursor*, which is out."""
        if self.backwards:
            return self._cut(cursor, bisect_right, None)
        return self._cut(cursor, None, bisect_left)

    def _behind(self, cursor: Cursor) -> View:
        return self._cut(cursor, bisect_left, None)

    def _before(self, cursor: Cursor) -> View:
        return self._cut(cursor, None, bisect_right)

    def _cut(self, cursor: Cursor, first: Search | None, end: Search | None) -> View:
        key = self._key(cursor)
        runs = [
            Run(
                run.rows,
                run.first if first is None else max(run.first, _search(first, run.rows, key)),
                run.end if end is None else min(run.end, _search(end, run.rows, key)),
            )
            for run in self.runs
        ]
        return replace(self, runs=runs)

    def _key(self, cursor: Cursor) -> Key:
        values, rest = cursor[: self.width], cursor[self.width :]
        if self.index is None or len(values) < self.width:
            return tuple(order_key(one) for one in cursor)
        whole = row_key(self.index, values, Ref("", ""))
        return (*whole[:-1], *(order_key(one) for one in rest[:1]))

    def shown(self, row: Row) -> Value:
        """Return what a page shows of a row."""
        if self.width == 0:
            return row.ref
        return row.values[0] if self.width == 1 else list(row.values)


def _search(search: Search, rows: Sequence[Row], key: Key) -> int:
    # A cursor may be a prefix: rows are compared as far as it goes.
    return search(rows, key, key=lambda row: row.key[: len(key)])


def cursor_of(row: Row) -> Cursor:
    return [*row.values, row.ref]


@dataclass(frozen=True)
class Match(SetValue):
    """The rows of an index under some terms."""

    index: str
    terms: tuple[Any, ...]

    def view(self, txn: Transaction, at: Position) -> View:
        index = txn.index(self.index)
        if index is None:
            raise undefined_ref(at, index_ref(self.index))
        # A set of several terms holds nothing under another number of them.
        fits = len(self.terms) == len(index.terms)
        rows = txn.rows(index, terms_key(self.terms)) if fits else []
        return View([Run(rows, 0, len(rows))], False, len(index.values), index)


@dataclass(frozen=True)
class Range(SetValue):
    """The part of a set between two bounds, both included; a bound may be a prefix."""

    source: SetValue
    lower: Value
    upper: Value

    def view(self, txn: Transaction, at: Position) -> View:
        found = view_of(self.source, txn, at)
        return found.from_(as_cursor(self.lower)).up_to(as_cursor(self.upper))


@dataclass(frozen=True)
class Reverse(SetValue):
    """A set, the other way round."""

    source: SetValue

    def view(self, txn: Transaction, at: Position) -> View:
        return view_of(self.source, txn, at).reversed()


@dataclass(frozen=True)
class Union(SetValue):
    """What is in any of some sets, each value as often as in the one that has it most often."""

    sources: tuple[SetValue, ...]

    def view(self, txn: Transaction, at: Position) -> View:
        runs: list[Run] = []
        views = [view_of(source, txn, at) for source in self.sources]
        for found in views:
            if found.backwards or len(found.runs) > 1:
                rows = sorted(found, key=lambda row: row.key)
                runs.append(Run(rows, 0, len(rows)))
            else:
                runs += found.runs
        return View(runs, False, views[0].width, views[0].index)


@dataclass(frozen=True)
class Filter(SetValue):
    """The elements of a set for which a lambda says true."""

    source: SetValue
    holds: Callable[[Value], bool]
    raw: Value

    def view(self, txn: Transaction, at: Position) -> View:
        found = view_of(self.source, txn, at)
        rows = [row for row in found if self.holds(found.shown(row))]
        if found.backwards:
            rows.reverse()
        return replace(found, runs=[Run(rows, 0, len(rows))])


def view_of(source: SetValue, txn: Transaction, at: Position) -> View:
    """Read a set."""
    assert isinstance(source, Match | Range | Reverse | Union | Filter)
    return source.view(txn, at)


def as_cursor(value: Value) -> Cursor:
    if isinstance(value, Page):
        return value.data
    return value if isinstance(value, list) else [value]


def paginate(
    view: View, *, size: int, after: Cursor | None = None, before: Cursor | None = None
) -> Page:
    """Return one page: from *after*, included, or up to *before*, excluded."""
    if before is not None:
        rows = list(view.until(before))
        if not size:
            return Page([], before, before)
        more = len(rows) > size
        shown = rows[-size:]
        data = [view.shown(row) for row in shown]
        return Page(data, cursor_of(shown[0]) if more else None, before)
    rest = view if after is None else view.from_(after)
    if not size:
        return Page([], after, after)
    found = [row for row, _ in zip(rest, range(size + 1), strict=False)]
    follows = cursor_of(found[size]) if len(found) > size else None
    return Page([view.shown(row) for row in found[:size]], after, follows)


def first_document(source: SetValue, txn: Transaction, at: Position) -> Document | None:
    """Return the document of a set's first element."""
    for row in view_of(source, txn, at):
        return txn.document(row.ref)
    return None
