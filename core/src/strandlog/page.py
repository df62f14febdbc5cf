"""Pieces of a log: what an append did, and pages that a reader is given."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from strandlog.model import Entry
from strandlog.vector import VersionVector

__all__ = ["Appended", "Page", "cut_page"]


@dataclass(frozen=True, slots=True)
class Appended:
    """What an append did.

    Attributes:
        tops: The top of every device that the batch, ``upto`` or ``floor`` named.
        added: How many entries are new.
        duplicates: How many were there already, by digest, or lie at or below the floor.
    """

    tops: VersionVector
    added: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Page:
    """A piece of a log and what a reader covers once it has stored it.

    Attributes:
        entries: In seq order; backwards if so asked.
        upto: What the reader covers after this page; empty from ``read_range``.
        more: Whether something is left that the same question would have given.
        tops: The tops of the snapshot from which the page was cut.
        floor: Every floor of that snapshot.
    """

    entries: Sequence[Entry]
    upto: VersionVector
    more: bool
    tops: VersionVector
    floor: VersionVector


def cut_page(
    rows: Iterable[Entry],
    *,
    after: VersionVector,
    tops: VersionVector,
    floor: VersionVector,
    limit: int,
    max_bytes: int,
    devices: Collection[str] | None = None,
) -> Page:
    """Make a page of the rows that ``LogStore.read`` has found.

    *rows* are all that the reader lacks, or the first ``limit + 1`` of them, in
    seq order; *tops* and *floor* are from the same snapshot.
    """
    entries: list[Entry] = []
    size = 0
    more = False
    for entry in rows:
        size += entry.wire_length
        if len(entries) == limit or (entries and size > max_bytes):
            more = True
            break
        entries.append(entry)
    return Page(entries, _upto(entries, after, tops, devices, more=more), more, tops, floor)


def _upto(
    entries: Sequence[Entry],
    after: VersionVector,
    tops: VersionVector,
    devices: Collection[str] | None,
    *,
    more: bool,
) -> VersionVector:
    """Return what the reader covers after a page (the protocol page, ``upto``)."""
    if not more:
        # Also where that is less than *after*: so the reader learns that the store lost data.
        return after.replace(
            {d: tops[d] for d in {*after, *tops} if devices is None or d in devices}
        )
    # In seq order each device's entries come by counter, so any cut of a page
    # is a prefix of every device, and the last one seen says it all.
    return after.replace({entry.device: entry.counter for entry in entries})
