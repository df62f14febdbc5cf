"""Stores that stop at a number which somebody thought was enough."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from strandlog import Appended, Entry, Page, Seq, VersionVector
from strandlog.backend import Capabilities
from strandlog.errors import StoreError, StoreUnavailableError
from strandlog.model import trusted_entry
from strandlog_conformance.reference import KeptLog, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur

_VARIABLES = 999
_READINGS = 40


@saboteur(
    "M316",
    "names no more than a hundred tops",
    caught_by="log.heads.many_devices",
    says="tops of 1200 devices",
)
class HundredTops(ReferenceLogStore):
    """Reads one page of its own and takes it for all."""

    async def tops(self, user: str) -> VersionVector:
        found = await super().tops(user)
        return VersionVector({device: found[device] for device in sorted(found)[:100]})


@saboteur(
    "M317",
    "breaks where more digests are asked for than its database takes variables",
    caught_by="log.heads.many_devices",
    says="too many variables",
    also=("log.digests",),
)
class TooManyDigests(ReferenceLogStore):
    """Writes one statement, however long."""

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        if len(at) > _VARIABLES:
            raise StoreError("too many variables")
        return await super().digests(user, at)


@saboteur(
    "M318",
    "asks for no more scopes than its database takes variables",
    caught_by="log.scope.many",
    says="of 1250 names",
)
class ScopesCut(ReferenceLogStore):
    """Leaves the rest out."""

    async def read(self, user: str, *, scopes: Collection[str] | None = None, **query: Any) -> Page:
        return await super().read(user, scopes=scopes and sorted(scopes)[:_VARIABLES], **query)


@saboteur(
    "M319",
    "remembers a hundred redactions of what has not come yet",
    caught_by="redact.many",
    says="redactions",
)
class HundredRedactions(ReferenceLogStore):
    """Has a cache where a table should be."""

    def mask(self, log: KeptLog, batch: Iterable[Entry]) -> None:
        super().mask(log, batch)
        waiting = sorted(one for one in log.masks if one[0] not in log.entries)
        log.masks -= set(waiting[100:])


@saboteur(
    "M320",
    "keeps the length of meta in 16 bits",
    caught_by="data.sizes_of_meta",
    says="lengths of meta",
)
class ShortMeta(ReferenceLogStore):
    """Thinks of meta as a few words."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        return await super().append(user, [_short(one) for one in entries], **how)


def _short(entry: Entry) -> Entry:
    return trusted_entry(
        timestamp=entry.seq.timestamp,
        counter=entry.counter,
        device=entry.device,
        scope=entry.scope,
        content=entry.content,
        redacts=entry.redacts,
        meta=entry.meta and entry.meta[:0xFFFF],
        digest=entry.digest,
    )


@saboteur(
    "M136",
    "keeps a reading open until its last page was read, and has room for forty",
    caught_by="log.page.abandoned_iterator_releases",
    says="StoreUnavailableError",
    also=("log.page.*", "conc.*"),
)
class ReadingsLeftOpen(ReferenceLogStore):
    """Has a cursor of its database for each reader."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._open = 0

    async def read_range(self, user: str, *, after: Seq | None = None, **query: Any) -> Page:
        page = await super().read_range(user, after=after, **query)
        if page.more and after is None:
            self._open += 1
        if not page.more and after is not None:
            self._open -= 1
        if self._open > _READINGS:
            raise StoreUnavailableError("too many readings are open")
        return page
