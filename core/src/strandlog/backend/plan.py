"""What an append comes to: decided here, once for all stores.

Pure: a store reads a little state inside its transaction, asks :func:`plan`,
and writes what the plan says. A store may decide in its own language instead
(one SQL statement, say); conformance holds it to the same answers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from strandlog.errors import ForkError, GapError, SeqError, TrimmedError
from strandlog.model import Entry, Identity, Seq
from strandlog.page import Appended
from strandlog.vector import VersionVector

__all__ = [
    "DeviceState",
    "Held",
    "Plan",
    "Redaction",
    "followers",
    "plan",
    "plan_following",
    "plan_rehome",
    "runs",
]


class Redaction(NamedTuple):
    """That one entry takes away the content of another.

    Stores keep redactions under both identities: the target to find what a new
    entry has lost, *by* so that a redaction which is re-homed takes its mask along.
    """

    target: Identity
    by: Identity


@dataclass(frozen=True, slots=True)
class Held:
    """What must be known of an entry that a store holds already."""

    counter: int
    timestamp: int
    digest: str


@dataclass(frozen=True, slots=True)
class DeviceState:
    """What a store holds of one device, as far as a batch touches it.

    Attributes:
        top: How far the store covers the device.
        floor: Up to where it was trimmed.
        held: For each of the batch's :func:`runs`, the entries held within it and
            the nearest one on either side, ascending. So what a store reads here
            depends on the batch, even if its counters lie far apart.
        redacted: Which counters a redaction names, at least among the batch's.
    """

    top: int = 0
    floor: int = 0
    held: Sequence[Held] = ()
    redacted: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """What a store has to write for a batch, all of it in one transaction.

    Attributes:
        add: New entries, by device and counter; those that a redaction names
            have lost their content already.
        redactions: To remember for ever; targets that are held lose their content.
        tops: The tops after the batch of every device that it names.
        floor: The floors after the batch of the devices whose floor changes.
        duplicates: How many entries need nothing.
    """

    add: Sequence[Entry]
    redactions: Sequence[Redaction]
    tops: VersionVector
    floor: VersionVector
    duplicates: int

    @property
    def appended(self) -> Appended:
        return Appended(self.tops, len(self.add), self.duplicates)


def runs(entries: Iterable[Entry]) -> dict[str, list[tuple[int, int]]]:
    """Return the counters of each device in a batch as inclusive runs without holes, ascending."""
    counters: dict[str, set[int]] = {}
    for entry in entries:
        counters.setdefault(entry.seq.device, set()).add(entry.seq.counter)
    found: dict[str, list[tuple[int, int]]] = {}
    for device, numbers in counters.items():
        ends = sorted(n for n in numbers if n + 1 not in numbers)
        starts = sorted(n for n in numbers if n - 1 not in numbers)
        found[device] = list(zip(starts, ends, strict=True))
    return found


def plan(
    entries: Sequence[Entry],
    state: Mapping[str, DeviceState],
    *,
    upto: Mapping[str, int] | None = None,
    floor: Mapping[str, int] | None = None,
) -> Plan:
    """Decide what an append comes to.

    *state* names at least every device of *entries*, *upto* and *floor* that the
    store knows. The batch is judged by device in bytewise order; of one
    device, gaps and forks by counter come first, then timestamps that fall.

    Raises:
        GapError, ForkError, SeqError, TrimmedError: See ``LogStore.append``.
    """
    imported = floor or {}
    batch: dict[str, list[Entry]] = {}
    for entry in entries:
        batch.setdefault(entry.seq.device, []).append(entry)
    for mine in batch.values():
        mine.sort(key=lambda entry: entry.seq.counter)

    new: list[Entry] = []
    tops: dict[str, int] = {}
    floors: dict[str, int] = {}
    for device in sorted({*batch, *(upto or {}), *imported}):
        held = state.get(device, DeviceState())
        least = max(held.floor, imported.get(device, 0))
        covered = None if upto is None else max(held.top, least, upto.get(device, 0))
        added = _judge(device, batch.get(device, ()), held, least, covered)
        new += added
        tops[device] = max(held.top, least, covered or 0, added[-1].counter if added else 0)
        if least > held.floor:
            floors[device] = least

    # Only by what is new: a duplicate has had its effect. It may also come with
    # a *redacts* that the one held lacks, since it was withdrawn.
    redactions = [Redaction(entry.redacts, entry.identity) for entry in new if entry.redacts]
    masked = {redaction.target for redaction in redactions}
    masked |= {Identity(device, n) for device, held in state.items() for n in held.redacted}
    if masked:
        new = [entry.without_content() if entry.identity in masked else entry for entry in new]
    return Plan(
        new,
        redactions,
        VersionVector(tops),
        VersionVector(floors),
        len(entries) - len(new),
    )


def _judge(
    device: str,
    entries: Sequence[Entry],
    state: DeviceState,
    floor: int,
    covered: int | None,
) -> list[Entry]:
    """Return the new ones among one device's entries, which come by counter."""
    if entries and entries[-1].counter <= floor:
        raise TrimmedError(device, floor)
    held = {one.counter: one for one in state.held}
    new: dict[int, Entry] = {}
    top = max(state.top, floor)
    for entry in entries:
        counter = entry.seq.counter
        if counter <= floor:
            continue
        known = held.get(counter) or new.get(counter)
        if known is not None:
            if known.digest != entry.digest:
                raise ForkError(device, counter)
            continue
        # What is absent below the top is a hole of a sparse copy, and filled in.
        if covered is None and counter > top + 1:
            raise GapError(device, expected=top + 1, got=counter)
        if covered is not None and counter > covered:
            raise GapError(device, expected=covered, got=counter)
        new[counter] = entry
        top = max(top, counter)

    # The order by counter has to be the order by timestamp, for old and new together.
    last = previous = 0
    stamps = {counter: one.timestamp for counter, one in held.items()}
    stamps.update((counter, entry.seq.timestamp) for counter, entry in new.items())
    for counter, timestamp in sorted(stamps.items()):
        if timestamp < last:
            raise SeqError(device, counter, least=last, previous=previous)
        last, previous = timestamp, counter
    return list(new.values())


def plan_rehome(
    branch: Sequence[Entry], to_device: str, *, held: Iterable[Entry] = ()
) -> list[Entry]:
    """Return the entries of a moved branch, by counter, as ``1..n`` of *to_device*.

    Timestamp, scope and content stay. Digests are computed anew, for the device
    is part of them; but an entry without content keeps its own, which nobody
    could compute. A ``redacts`` that names an entry of the branch follows it.

    *held* is what *to_device* has at 1 to n. One of these stands in the place of
    the moved entry if it is the same but for a content that either has lost, for
    their digests differ then: so it will be found to be a duplicate.
    """
    moved = _places(branch, to_device)
    there = {entry.identity: entry for entry in held}
    entries = [_moved(entry, moved[entry.identity], moved) for entry in branch]
    return [
        there[entry.identity]
        if entry.identity in there and _arrived(there[entry.identity], entry, original)
        else entry
        for entry, original in zip(entries, branch, strict=True)
    ]


def _arrived(held: Entry, moved: Entry, original: Entry) -> bool:
    """Return whether *held* is what *original* became in an earlier move."""
    if held.digest == moved.digest:
        return True
    if held.redacted and moved.redacted:
        # One lost its content before the move and one thereafter: nothing more
        # can be told, and nothing can be lost by taking them for the same.
        return (held.seq, held.scope) == (moved.seq, moved.scope)
    if held.redacted:
        return held.digest == original.digest
    if moved.redacted:
        whole = replace(original, content=held.content, meta=held.meta, digest="")
        return whole.digest == original.digest
    return False


def followers(
    redactions: Iterable[Redaction], branch: Iterable[Entry], unsent_after: Mapping[str, int]
) -> list[Identity]:
    """Return which entries have to be rewritten since what they redact moves, ascending.

    *redactions* are those that name an entry of the branch. Those whose own entry
    is in the branch move with it, and those that others hold already stay as they
    are: they are history.
    """
    moving = {entry.identity for entry in branch}
    return sorted(
        by
        for target, by in redactions
        if target in moving
        and by not in moving
        and by.device in unsent_after
        and by.counter > unsent_after[by.device]
    )


def plan_following(
    entries: Iterable[Entry], branch: Sequence[Entry], to_device: str
) -> list[Entry]:
    """Return :func:`followers` as they are to be kept: their ``redacts`` follows its target.

    They keep their place; their digests are computed anew as in :func:`plan_rehome`.
    """
    moved = _places(branch, to_device)
    return [_moved(entry, entry.identity, moved) for entry in entries]


def _places(branch: Sequence[Entry], to_device: str) -> dict[Identity, Identity]:
    return {entry.identity: Identity(to_device, counter) for counter, entry in enumerate(branch, 1)}


def _moved(entry: Entry, place: Identity, moved: Mapping[Identity, Identity]) -> Entry:
    """Return *entry* at *place*, and what it redacts by its new identity."""
    return Entry(
        Seq(entry.seq.timestamp, place.counter, place.device),
        entry.scope,
        entry.content,
        redacts=entry.redacts and moved.get(entry.redacts, entry.redacts),
        meta=entry.meta,
        digest=entry.digest if entry.redacted else "",
    )
