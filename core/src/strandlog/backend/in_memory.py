"""A log in memory: what a store is made of that reads all it keeps when it is opened.

Pure, as ``plan`` is. A store asks what a call comes to, writes the answer down
in its own way, and then applies it::

    change, appended = log.plan_append(entries)
    journal.write(change)  # if this fails, the log is as it was
    log.apply(change)

Reads cost what their page costs, however long the log is.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from strandlog.backend.plan import (
    Redaction,
    followers,
    plan,
    plan_following,
    plan_rehome,
    runs,
)
from strandlog.backend.rows import DeviceRows
from strandlog.errors import ErasedError
from strandlog.model import Entry, Identity, Seq
from strandlog.page import Appended, Page, cut_page
from strandlog.vector import VersionVector

__all__ = ["Change", "InMemoryLog"]


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one call makes of one log, to be kept whole or not at all; false if it is nothing.

    ``msgspec`` turns it into MessagePack or JSON and back. Fields are only ever
    added, each with a default: what an older version has written can be read.

    Attributes:
        erased: The tombstone is set, and everything else goes; or it is lifted.
        remove: Entries that go, by device: after one counter, up to another or to the last.
        unmask: Redactions to forget, since what redacts has moved.
        add: New entries, and those whose ``redacts`` follows what has moved.
        mask: Redactions to remember; targets that are held lose their content.
        tops: The tops that are new; after a move one may be lower.
        floor: The floors that are new.
    """

    erased: bool | None = None
    remove: dict[str, tuple[int, int | None]] = {}
    unmask: list[Redaction] = []
    add: list[Entry] = []
    mask: list[Redaction] = []
    tops: dict[str, int] = {}
    floor: dict[str, int] = {}

    def __bool__(self) -> bool:
        return self != _NOTHING


_NOTHING = Change()


class InMemoryLog:
    """The log of one user. No method awaits; it is not for several threads at once.

    The questions answer as those of :class:`LogStore` do. Each ``plan_…`` says
    what a call comes to and leaves the log as it is; ``apply`` does it.
    """

    def __init__(self, user: str) -> None:
        self.user = user
        self._devices: dict[str, DeviceRows] = {}
        self._masks: dict[Identity, set[Identity]] = {}
        self._erased = False
        self._generation = 0

    @property
    def is_known(self) -> bool:
        """Whether ``logs`` names it: something was ever kept in it, or it has a tombstone."""
        return self._erased or bool(self._devices)

    @property
    def generation(self) -> int:
        """How often the log was erased."""
        return self._generation

    @property
    def tops(self) -> VersionVector:
        return VersionVector({name: rows.top for name, rows in self._devices.items()})

    @property
    def floor(self) -> VersionVector:
        return VersionVector({name: rows.floor for name, rows in self._devices.items()})

    @property
    def head(self) -> Seq | None:
        newest = (rows.entries[rows.counters[-1]] for rows in self._held())
        return max((entry.seq for entry in newest), default=None)

    def digests(self, at: Mapping[str, int]) -> dict[str, str | None]:
        """See ``LogStore.digests``."""
        found = {name: self._rows(name).entries.get(counter) for name, counter in at.items()}
        return {name: entry.digest if entry else None for name, entry in found.items()}

    def read(
        self,
        *,
        after: VersionVector,
        devices: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """See ``LogStore.read``."""
        found = _merged(
            part
            for name, rows in self._devices.items()
            if devices is None or name in devices
            for part in rows.parts(scopes, after=after[name])
        )
        return cut_page(
            found,
            after=after,
            tops=self.tops,
            floor=self.floor,
            limit=limit,
            max_bytes=max_bytes,
            devices=devices,
        )

    def read_range(
        self,
        *,
        after: Seq | None = None,
        up_to: Seq | None = None,
        reverse: bool = False,
        scopes: Collection[str] | None = None,
        limit: int,
    ) -> Page:
        """See ``LogStore.read_range``."""
        parts = (
            part
            for rows in self._held()
            for part in rows.parts(
                scopes,
                after=0 if after is None else rows.covered_by(after),
                up_to=None if up_to is None else rows.covered_by(up_to),
                reverse=reverse,
            )
        )
        found = list(islice(_merged(parts, reverse=reverse), limit + 1))
        return Page(found[:limit], VersionVector(), len(found) > limit, self.tops, self.floor)

    def plan_append(
        self,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> tuple[Change, Appended]:
        """Return what an append changes, and what it returns.

        Raises:
            AppendError: See ``LogStore.append``.
        """
        if self._erased:
            raise ErasedError(self.user, self._generation)
        touched = runs(entries)
        redacted: dict[str, set[int]] = {}
        # Most logs have none, and the identity of every entry would be made for nothing.
        if self._masks:
            for device, counter in self._masks.keys() & {entry.identity for entry in entries}:
                redacted.setdefault(device, set()).add(counter)
        state = {
            name: self._rows(name).state(touched.get(name, ()), redacted.get(name, ()))
            for name in {*touched, *(upto or ()), *(floor or ())}
        }
        decided = plan(entries, state, upto=upto, floor=floor)
        tops = {name: top for name, top in decided.tops.items() if top != self._rows(name).top}
        change = Change(
            add=list(decided.add),
            mask=list(decided.redactions),
            tops=tops,
            floor=dict(decided.floor),
        )
        return change, decided.appended

    def plan_trim(self, device: str, *, up_to: int) -> Change:
        """Return what a trim changes; afterwards ``floor`` is what it returns."""
        rows = self._rows(device)
        floor = min(up_to, rows.counters[-1] - 1) if rows.counters else 0
        # Below a floor that was imported there may be entries, which go only now.
        return Change(
            remove={device: (0, floor)} if rows.between(0, floor) else {},
            floor={device: floor} if floor > rows.floor else {},
        )

    def plan_erase(self) -> Change:
        """Return what an erasure changes."""
        return _NOTHING if self._erased else Change(erased=True)

    def plan_restore(self) -> Change:
        """Return what lifting the tombstone changes."""
        return Change(erased=False) if self._erased else _NOTHING

    def plan_rehome(
        self,
        device: str,
        *,
        from_counter: int,
        to_device: str,
        unsent_after: Mapping[str, int] | None = None,
    ) -> tuple[Change, int]:
        """Return what moving a branch changes, and how many entries move.

        Raises:
            ForkError: See ``LogStore.rehome``.
        """
        rows, place = self._rows(device), self._rows(to_device)
        branch = [rows.entries[n] for n in rows.between(from_counter - 1)]
        held = [place.entries[n] for n in place.between(0, len(branch))]
        moved = plan_rehome(branch, to_device, held=held)
        if not moved or (1 in place.entries and place.entries[1].digest != moved[0].digest):
            return _NOTHING, 0
        trimmed = [entry for entry in moved if entry.counter <= place.floor]
        added, _ = self.plan_append(moved[len(trimmed) :])
        outside = [
            self._rows(by.device).entries[by.counter]
            for by in followers(self._redactions_of(branch), branch, unsent_after or {})
            if by.counter in self._rows(by.device).entries
        ]
        followed = plan_following(outside, branch, to_device)
        change = Change(
            remove={device: (from_counter - 1, None)},
            unmask=_redactions([*branch, *outside]),
            add=[*added.add, *followed],
            mask=[*added.mask, *_redactions([*trimmed, *followed])],
            tops={**added.tops, device: from_counter - 1},
        )
        return change, len(branch)

    def apply(self, change: Change) -> None:
        """Make a change that one of the plans has said, now or before the store was opened.

        Changes are applied in the order in which they were planned, each once.
        """
        if change.erased is not None:
            self._erased = change.erased
            if change.erased:
                self._generation += 1
                self._devices.clear()
                self._masks.clear()
        for name, (after, up_to) in change.remove.items():
            self._rows(name).remove(after, up_to)
        for target, by in change.unmask:
            others = self._masks.get(target, set())
            others.discard(by)
            if not others:
                self._masks.pop(target, None)
        for entry in change.add:
            self._devices.setdefault(entry.device, DeviceRows()).add(entry)
        for target, by in change.mask:
            self._masks.setdefault(target, set()).add(by)
            self._rows(target.device).mask(target.counter)
        for name, top in change.tops.items():
            self._devices.setdefault(name, DeviceRows()).top = top
        for name, counter in change.floor.items():
            self._devices.setdefault(name, DeviceRows()).floor = counter

    def _rows(self, device: str) -> DeviceRows:
        """Return a device's rows; one that is unknown has none."""
        return self._devices.get(device) or DeviceRows()

    def _redactions_of(self, entries: Iterable[Entry]) -> list[Redaction]:
        """Return what redacts any of these entries."""
        named = self._masks.keys() & {entry.identity for entry in entries}
        return [Redaction(target, by) for target in named for by in self._masks[target]]

    def _held(self) -> Iterator[DeviceRows]:
        return (rows for rows in self._devices.values() if rows.counters)


def _redactions(entries: Iterable[Entry]) -> list[Redaction]:
    return [Redaction(entry.redacts, entry.identity) for entry in entries if entry.redacts]


def _merged(parts: Iterable[Iterator[Entry]], *, reverse: bool = False) -> Iterator[Entry]:
    return heapq.merge(*parts, key=_place, reverse=reverse)


def _place(entry: Entry) -> tuple[int, int, str]:
    # A plain tuple: comparing two Seqs makes two such tuples each time.
    seq = entry.seq
    return seq.timestamp, seq.counter, seq.device
