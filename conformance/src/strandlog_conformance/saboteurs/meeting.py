"""Stores that lose something when changes meet, or tell nobody of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from anyio.lowlevel import checkpoint

from strandlog import Appended, Entry, VersionVector
from strandlog_conformance.reference import (
    NOTIFYING,
    NotifyingLogStore,
    ReferenceCursorStore,
    ReferenceLogStore,
    Shelf,
)
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M321",
    "lets an append that had begun bring an erased log back",
    caught_by="conc.append_beside_erase",
    says="append",
    also=("conc.*", "model.*"),
)
class BackToLife(ReferenceLogStore):
    """Looks for the tombstone first and writes later."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        for error in self.erased(user):
            raise error
        await self.turn()
        log = self.kept(user).copied()
        if log.erased:
            log.erased = False
            self.shelf.logs[user] = log
        return await super().append(user, entries, **how)


@saboteur(
    "M322",
    "loses what others append while it moves a branch",
    caught_by="conc.append_beside_changes",
    says="beside rehome",
    also=("conc.*", "model.*"),
)
class MovedFromCopy(ReferenceLogStore):
    """Works on a copy, and puts it in the place of the log."""

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        before = self.kept(user).copied()
        await checkpoint()
        if user in self.shelf.logs:
            self.shelf.logs[user] = before
        return await super().rehome(user, device, **how)


@saboteur(
    "M323",
    "loses what others append while it trims",
    caught_by="conc.append_beside_changes",
    says="beside trim",
    also=("conc.*", "model.*"),
)
class TrimmedFromCopy(ReferenceLogStore):
    """Writes the rows that stay anew."""

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        before = self.kept(user).copied()
        await checkpoint()
        if user in self.shelf.logs:
            self.shelf.logs[user] = before
        return await super().trim(user, device, up_to=up_to)


@saboteur(
    "M324",
    "forgets the redactions of other logs that are equal to those of an erased one",
    caught_by="erase.leaves_others",
    says="what a redaction waited for",
)
class ErasesByIdentity(ReferenceLogStore):
    """Deletes by device and counter, and forgets the user in one statement."""

    async def erase(self, user: str) -> None:
        gone = set(self.kept(user).masks)
        await super().erase(user)
        for log in self.shelf.logs.values():
            log.masks -= gone


@saboteur(
    "M325",
    "brings back what another opener has lowered or removed",
    caught_by="cursor.lower_seen_by_all",
    says="reset",
)
class CursorsRemembered(ReferenceCursorStore):
    """Remembers the highest place that it has seen, until it lowers it itself."""

    def __init__(self, kept: Shelf) -> None:
        super().__init__(kept)
        self._seen: dict[tuple[str, str], VersionVector] = {}

    async def load(self, user: str, reader: str) -> VersionVector:
        found = await super().load(user, reader)
        self._seen[user, reader] = self._seen.get((user, reader), found).merge(found)
        return self._seen[user, reader]

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await super().reset(user, reader, vector)
        self._seen[user, reader] = vector

    async def forget(self, user: str, reader: str) -> None:
        await super().forget(user, reader)
        self._seen.pop((user, reader), None)

    async def erase(self, user: str) -> None:
        await super().erase(user)
        self._seen = {key: one for key, one in self._seen.items() if key[0] != user}


@saboteur(
    "M326",
    "hears only of what its own opener changes",
    caught_by="notify.hears_of_every_change",
    says="append by another opener",
    capabilities=NOTIFYING,
)
class HearsItself(NotifyingLogStore):
    """Keeps its listeners for itself."""

    def tell(self, user: str) -> None:
        for queue in self._mine:
            queue.put_nowait(user)


@saboteur(
    "M327",
    "tells of appends only",
    caught_by="notify.hears_of_every_change",
    says="trim by this opener",
    capabilities=NOTIFYING,
)
class TellsOfAppends(NotifyingLogStore):
    """Has one place that tells, where others forget to ask."""

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        return await ReferenceLogStore.trim(self, user, device, up_to=up_to)


@saboteur(
    "M328",
    "leaves those waiting who listen when it is closed",
    caught_by="notify.ends_with_the_store",
    says="it waits on",
    capabilities=NOTIFYING,
)
class WaitsForEver(NotifyingLogStore):
    """Says nothing more, and nothing of that either."""

    def subscribe(self) -> AsyncIterator[str]:
        named = super().subscribe()
        self._mine.clear()
        return named
