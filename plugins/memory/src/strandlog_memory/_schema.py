"""How logs and cursors lie in memory, and the locations that several openers share."""

from __future__ import annotations

import secrets
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend import DeviceState, Held, Redaction

__all__ = ["SCHEMA_VERSION", "Data", "DeviceRows", "LogRows", "data_at", "forget"]

SCHEMA_VERSION = 1


@dataclass(slots=True)
class DeviceRows:
    """What is held of one device.

    Entries are found by counter. Sorted counters, once for all of them and once
    for each scope, are where reads begin: inside one device the order by counter
    is the order by seq. So neither the length of the log nor what a scope hides
    costs a reader anything, and a late upload moves no other device's rows.
    """

    top: int = 0
    floor: int = 0
    entries: dict[int, Entry] = field(default_factory=dict)
    counters: list[int] = field(default_factory=list)
    by_scope: dict[str, list[int]] = field(default_factory=dict)

    @property
    def newest(self) -> Entry | None:
        return self.entries[self.counters[-1]] if self.counters else None

    def add(self, entry: Entry) -> None:
        """Hold a new entry."""
        counter = entry.seq.counter
        self.entries[counter] = entry
        for counters in (self.counters, self.by_scope.setdefault(entry.scope, [])):
            # Nearly always it is the newest; only a hole that is filled needs a search.
            if not counters or counters[-1] < counter:
                counters.append(counter)
            else:
                insort(counters, counter)

    def redact(self, counter: int) -> None:
        """Take away the content of an entry, if it is held."""
        if counter in self.entries:
            self.entries[counter] = self.entries[counter].without_content()

    def remove(self, *, after: int, up_to: int | None = None) -> list[Entry]:
        """Drop the entries of a range of counters, and return them."""
        begin, end = _cut(self.counters, after, up_to)
        removed = [self.entries.pop(counter) for counter in self.counters[begin:end]]
        for counters in (self.counters, *self.by_scope.values()):
            begin, end = _cut(counters, after, up_to)
            del counters[begin:end]
        return removed

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

    def ranges(
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


@dataclass(slots=True)
class LogRows:
    """One user's log.

    Attributes:
        devices: By name.
        redactions: By target, which entries take its content away.
        erased: Whether the tombstone stands.
        generation: How often the log was erased.
    """

    devices: dict[str, DeviceRows] = field(default_factory=dict)
    redactions: dict[Identity, set[Identity]] = field(default_factory=dict)
    erased: bool = False
    generation: int = 0

    def device(self, name: str) -> DeviceRows:
        """Return a device's rows; one that is unknown has none."""
        return self.devices.get(name) or DeviceRows()

    def entry(self, identity: Identity) -> Entry | None:
        """Return one entry, or ``None`` if it is not held."""
        return self.device(identity.device).entries.get(identity.counter)

    def redactions_of(self, entries: Iterable[Entry]) -> list[Redaction]:
        """Return what redacts any of these entries."""
        named = self.redactions.keys() & {entry.identity for entry in entries}
        return [Redaction(target, by) for target in named for by in self.redactions[target]]

    def redact(self, redaction: Redaction) -> None:
        """Note a redaction, and take the content of its target away if that is held."""
        target, by = redaction
        self.redactions.setdefault(target, set()).add(by)
        self.device(target.device).redact(target.counter)

    def lift_redaction(self, by: Entry) -> None:
        """Forget that *by* redacts something, if it does. What it masked stays masked."""
        if by.redacts is None:
            return
        others = self.redactions.get(by.redacts, set()) - {by.identity}
        if others:
            self.redactions[by.redacts] = others
        else:
            self.redactions.pop(by.redacts, None)

    @property
    def tops(self) -> VersionVector:
        return VersionVector({name: rows.top for name, rows in self.devices.items()})

    @property
    def floor(self) -> VersionVector:
        return VersionVector({name: rows.floor for name, rows in self.devices.items()})


class Data:
    """One location. What is done under its lock is seen whole by others, or not at all."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.epoch = secrets.token_hex(8)
        self.logs: dict[str, LogRows] = {}
        self.cursors: dict[str, dict[str, VersionVector]] = {}

    def log(self, user: str) -> LogRows:
        """Return a user's log; one that is unknown is empty."""
        return self.logs.get(user) or LogRows()


_named: dict[str, Data] = {}


def data_at(name: str) -> Data:
    """Return what is kept under *name* for as long as the process lives; without one, new data."""
    return _named.setdefault(name, Data()) if name else Data()


def forget(name: str) -> None:
    """Let go of what is kept under *name*; those who have it open keep it."""
    _named.pop(name, None)


def _cut(counters: Sequence[int], after: int, up_to: int | None) -> tuple[int, int]:
    """Return the slice of *counters* from *after*, excluded, to *up_to*, included."""
    end = len(counters) if up_to is None else bisect_right(counters, up_to)
    return bisect_right(counters, after), end
