"""Stores that refuse too late or too much, and one that keeps a part of what it may lose."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

from strandlog import Appended, Entry
from strandlog.backend import Capabilities, Durability, pack
from strandlog.errors import TooLargeError
from strandlog_conformance.reference import CAPABILITIES, KeptLog, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur

_LIMITED = replace(CAPABILITIES, max_entry=4_096)


@saboteur(
    "M270",
    "refuses copies with holes only when there is something to copy",
    caught_by="claims.refused_with_nothing_to_do",
    says="append([], upto={}), which is not declared: got no error",
    capabilities=replace(CAPABILITIES, sparse=False),
)
class RefusesFullPages(ReferenceLogStore):
    """Looks at the entries first."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        if not entries:
            how.pop("upto", None)
        return await super().append(user, entries, **how)


@saboteur(
    "M271",
    "says that nothing moved where it cannot move anything",
    caught_by="claims.refused_with_nothing_to_do",
    says="rehome above the top, which is not declared: got no error",
    capabilities=replace(CAPABILITIES, rehome=False),
)
class MovesNothing(ReferenceLogStore):
    """Counts the branch before it refuses."""

    async def rehome(self, user: str, device: str, *, from_counter: int, **how: Any) -> int:
        if from_counter > (await self.tops(user)).get(device, 0):
            return 0
        return await super().rehome(user, device, from_counter=from_counter, **how)


@saboteur(
    "M272",
    "takes the wish to purge for granted and does nothing",
    caught_by="claims.refused_with_nothing_to_do",
    says="compact of an open store, which is not declared: got no error",
    also=("claims.refusals",),
)
class PurgesNothing(ReferenceLogStore):
    """Has no files, so it finds nothing to do."""

    async def compact(self) -> None:
        self.refuse_if_closed()


@saboteur(
    "M273",
    "ends a subscription that it cannot serve as if nothing would ever change",
    caught_by="claims.refused_with_nothing_to_do",
    says="subscribe, first step, which is not declared: got no error",
    also=("claims.refusals",),
)
class EndsAtOnce(ReferenceLogStore):
    """Gives an iterator with nothing in it."""

    def subscribe(self) -> AsyncIterator[str]:
        self.refuse_if_closed()
        return _nothing()


async def _nothing() -> AsyncIterator[str]:
    users: tuple[str, ...] = ()
    for user in users:
        yield user


@saboteur(
    "M274",
    "measures the content of an entry and forgets the rest of its record",
    caught_by="data.limit_counts_the_record",
    says="append of max_entry + 1 bytes with a long scope: got no error",
    also=("data.over_limit_refused", "log.page.max_bytes"),
    capabilities=_LIMITED,
)
class MeasuresContent(ReferenceLogStore):
    """Has a limit on its column."""

    def refuse_too_large(self, user: str, entry: Entry) -> None:
        limit = self.capabilities.max_entry or 0
        if len(entry.content or b"") > limit:
            super().refuse_too_large(user, entry)


@saboteur(
    "M275",
    "refuses an entry that is exactly as long as its limit",
    caught_by="data.limit_counts_the_record",
    says="longer than",
    also=("data.over_limit_refused", "log.page.max_bytes"),
    capabilities=_LIMITED,
)
class RefusesTheLimit(ReferenceLogStore):
    """Compares with the wrong sign."""

    def refuse_too_large(self, user: str, entry: Entry) -> None:
        limit = self.capabilities.max_entry or 0
        if len(pack(user, entry)) >= limit:
            raise TooLargeError(
                f"{entry.seq}: longer than {limit} bytes", limit=limit, counter=entry.counter
            )


@saboteur(
    "M276",
    "holds a whole batch to the limit of one entry",
    caught_by="data.limit_counts_the_record",
    says="the batch is longer than",
    also=("data.over_limit_refused", "data.sizes", "log.read.large_offset_time"),
    capabilities=replace(CAPABILITIES, max_entry=60_000),
)
class LimitsBatches(ReferenceLogStore):
    """Sends each batch as one record."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        limit = self.capabilities.max_entry or 0
        if sum(len(pack(user, one)) for one in entries) > limit:
            raise TooLargeError(f"the batch is longer than {limit} bytes", limit=limit)
        return await super().append(user, entries, **how)


@saboteur(
    "M277",
    "keeps a part of what it may lose",
    caught_by="claims.underclaimed",
    says="got 4 of 5, want all or nothing",
    also=(
        "harness.same_location_same_data",
        "life.close_is_own",
        "rehome.seen_by_all",
    ),
    capabilities=replace(CAPABILITIES, durability=Durability.NONE),
)
class KeepsAPart(ReferenceLogStore):
    """Loses the newest entry of each log when it is opened."""

    def __init__(self, kept: Shelf, capabilities: Capabilities = CAPABILITIES) -> None:
        super().__init__(kept, capabilities)
        for user, log in kept.logs.items():
            kept.logs[user] = _without_newest(log)


def _without_newest(log: KeptLog) -> KeptLog:
    short = log.copied()
    if short.entries:
        del short.entries[max(short.entries, key=lambda one: short.entries[one].seq)]
    return short
