"""Stores that sort by something else, or lead readers by it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from strandlog import Entry, Page, Seq, VersionVector
from strandlog_conformance.reference import ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M08",
    "sorts numbers as text",
    caught_by="log.order.numeric_not_text",
    says="read, timestamps",
    also=("*",),
)
class TextOrder(ReferenceLogStore):
    """Sorts by an unpadded seq."""

    def sorted(self, entries: Iterable[Entry]) -> list[Entry]:
        return sorted(entries, key=lambda e: f"{e.seq.timestamp}:{e.counter}:{e.device}")


@saboteur(
    "M110",
    "sorts by device before counter",
    caught_by="log.order.tie_by_device",
    says="read of 3 devices in one millisecond",
    also=("*",),
)
class DeviceBeforeCounter(ReferenceLogStore):
    """Has an index of timestamp, device and counter."""

    def sorted(self, entries: Iterable[Entry]) -> list[Entry]:
        return sorted(entries, key=lambda one: (one.seq.timestamp, one.device, one.counter))


@saboteur(
    "M121",
    "compares device names without their case",
    caught_by="log.order.device_name_collation",
    says="the devices of read, all at 5:1",
    also=("log.order.golden_vectors", "names.device_hostile", "model.*", "log.since.*"),
)
class CaseFolded(ReferenceLogStore):
    """Sorts names as a locale does."""

    def sorted(self, entries: Iterable[Entry]) -> list[Entry]:
        return sorted(entries, key=lambda e: (e.seq.timestamp, e.counter, e.device.casefold()))


@saboteur(
    "M57",
    "turns a range round by timestamp only, so that ties stay as they were",
    caught_by="log.order.reverse_is_mirror",
    says="reverse",
    also=("*",),
)
class TiesNotReversed(ReferenceLogStore):
    """Sorts backwards with a stable sort."""

    async def read_range(self, user: str, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        if not query.get("reverse"):
            return page
        forwards = sorted(page.entries, key=lambda one: one.seq)
        return replace(
            page, entries=sorted(forwards, key=lambda one: one.seq.timestamp, reverse=True)
        )


@saboteur(
    "M17",
    "takes the number of entries read for a place in the order",
    caught_by="log.order.late_old_timestamp",
    says="read after the first page's upto",
    also=("*",),
)
class OffsetPaging(ReferenceLogStore):
    """Skips as many rows as the reader holds."""

    async def read(self, user: str, *, after: VersionVector, **query: Any) -> Page:
        whole = await super().read(
            user, after=VersionVector(), **{**query, "limit": 1 << 20, "max_bytes": 1 << 40}
        )
        known = after.clamp(whole.tops)
        skip = sum(known.values())
        keep = {one.identity for one in list(whole.entries)[skip:]}
        page = await super().read(user, after=after, **query)
        return replace(page, entries=[one for one in page.entries if one.identity in keep])


@saboteur(
    "M18",
    "takes the greatest timestamp read for a cursor",
    caught_by="log.order.late_old_timestamp",
    says="read after the first page's upto",
    also=("*",),
)
class TimestampCursor(ReferenceLogStore):
    """Shows a reader nothing older than what he has."""

    async def read(self, user: str, *, after: VersionVector, **query: Any) -> Page:
        held = self.kept(user).entries.values()
        seen = max((e.seq.timestamp for e in held if e.counter <= after[e.device]), default=-1)
        page = await super().read(user, after=after, **query)
        return replace(page, entries=[one for one in page.entries if one.seq.timestamp >= seen])


@saboteur(
    "M19",
    "raises a top only for a later timestamp",
    caught_by="log.order.clock_steps_back",
    says="tops",
    also=("*",),
)
class TopsByTime(ReferenceLogStore):
    """Derives tops from arrivals that were the newest of the log."""

    async def tops(self, user: str) -> VersionVector:
        tops = await super().tops(user)
        found: dict[str, int] = {}
        last = -1
        for one in self.kept(user).entries.values():
            if one.seq.timestamp >= last:
                found[one.device] = one.counter
                last = one.seq.timestamp
        return tops.clamp(VersionVector(found)) if found else tops


@saboteur(
    "M122",
    "takes the newest arrival for the head",
    caught_by="log.heads.empty_and_max",
    says="head",
    also=("*",),
)
class HeadIsNewest(ReferenceLogStore):
    """Remembers the last entry that came."""

    async def head(self, user: str) -> Seq | None:
        await super().head(user)
        return next((one.seq for one in reversed(self.kept(user).entries.values())), None)


@saboteur(
    "M55",
    "breaks on the head of an empty log",
    caught_by="log.heads.empty_and_max",
    says="IndexError",
    also=("*",),
)
class EmptyHeadRaises(ReferenceLogStore):
    """Takes the last of an empty list."""

    async def head(self, user: str) -> Seq | None:
        await super().head(user)
        return self.sorted(self.kept(user).entries.values())[-1].seq
