"""What is held of one device in memory: found by counter, read in order.

A part of :mod:`strandlog.backend.in_memory`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Sequence

from strandlog.backend.plan import DeviceState, Held
from strandlog.model import Entry, Seq

__all__ = ["DeviceRows"]


class DeviceRows:
    """What is held of one device.

    Entries are found by counter. Sorted counters, once for all of them and once
    for each scope, are where reads begin: inside one device the order by counter
    is the order by seq. So neither the length of the log nor what a scope hides
    costs a reader anything, and a late upload moves no other device's rows.
    """

    __slots__ = ("by_scope", "counters", "entries", "floor", "top")

    def __init__(self) -> None:
        self.top = 0
        self.floor = 0
        self.entries: dict[int, Entry] = {}
        self.counters: list[int] = []
        self.by_scope: dict[str, list[int]] = {}

    def add(self, entry: Entry) -> None:
        """Hold an entry that is new, or in the place of one that differs in what it redacts."""
        counter = entry.seq.counter
        is_held = counter in self.entries
        self.entries[counter] = entry
        if is_held:
            return
        for counters in (self.counters, self.by_scope.setdefault(entry.scope, [])):
            # Nearly always it is the newest; only a hole that is filled needs a search.
            if not counters or counters[-1] < counter:
                counters.append(counter)
            else:
                insort(counters, counter)

    def mask(self, counter: int) -> None:
        """Take away the content of an entry, if it is held."""
        if counter in self.entries:
            self.entries[counter] = self.entries[counter].without_content()

    def between(self, after: int, up_to: int | None = None) -> list[int]:
        """Return the counters that are held in a range."""
        begin, end = _cut(self.counters, after, up_to)
        return self.counters[begin:end]

    def remove(self, after: int, up_to: int | None) -> None:
        """Let go of a range of counters."""
        for counter in self.between(after, up_to):
            del self.entries[counter]
        for counters in (self.counters, *self.by_scope.values()):
            begin, end = _cut(counters, after, up_to)
            del counters[begin:end]

    def state(self, runs: Iterable[tuple[int, int]], redacted: Collection[int]) -> DeviceState:
        """Return what ``plan`` has to know of the device, for a batch with these runs."""
        near: set[int] = set()
        for first, last in runs:
            begin, end = bisect_left(self.counters, first), bisect_right(self.counters, last)
            near.update(self.counters[max(begin - 1, 0) : end + 1])
        found = [self.entries[counter] for counter in sorted(near)]
        held = [Held(one.counter, one.seq.timestamp, one.digest) for one in found]
        return DeviceState(self.top, self.floor, held, redacted)

    def covered_by(self, seq: Seq) -> int:
        """Return the greatest counter whose seq is not greater than *seq*, or 0."""
        found = bisect_right(self.counters, seq, key=lambda counter: self.entries[counter].seq)
        return self.counters[found - 1] if found else 0

    def parts(
        self,
        scopes: Collection[str] | None,
        *,
        after: int,
        up_to: int | None = None,
        reverse: bool = False,
    ) -> Iterator[Iterator[Entry]]:
        """Yield what lies in a range of counters: one ordered iterator for each scope."""
        lists = (
            [self.counters]
            if scopes is None
            else [self.by_scope[scope] for scope in scopes if scope in self.by_scope]
        )
        for counters in lists:
            places = range(*_cut(counters, after, up_to))
            yield self._at(counters, reversed(places) if reverse else iter(places))

    def _at(self, counters: Sequence[int], places: Iterator[int]) -> Iterator[Entry]:
        return (self.entries[counters[place]] for place in places)


def _cut(counters: Sequence[int], after: int, up_to: int | None) -> tuple[int, int]:
    """Return the slice of *counters* from *after*, excluded, to *up_to*, included."""
    end = len(counters) if up_to is None else bisect_right(counters, up_to)
    return bisect_right(counters, after), end
