"""Cursor stores that lose a reader's place."""

from __future__ import annotations

from anyio.lowlevel import checkpoint

from strandlog import VersionVector
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M45",
    "moves a cursor back",
    caught_by="cursor.never_goes_back",
    says="advance({'a': 9, 'b': 4, 'c': 99}) returns",
    also=("cursor.*", "cancel.cursor_advance"),
)
class MovesBack(ReferenceCursorStore):
    """Sets what it is told."""

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        await self.turn()
        now = self.shelf.cursors.get((user, reader), VersionVector()).replace(vector)
        self.shelf.cursors[user, reader] = now
        return now


@saboteur(
    "M138",
    "forgets devices that an advance does not name",
    caught_by="cursor.roundtrip_merges_peers",
    says="advance({'laptop': 7}) returns",
    also=("cursor.*",),
)
class Replaces(ReferenceCursorStore):
    """Keeps the greater counters of the vector that came, and nothing else."""

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        await self.turn()
        held = self.shelf.cursors.get((user, reader), VersionVector())
        now = VersionVector({device: max(n, held[device]) for device, n in vector.items()})
        self.shelf.cursors[user, reader] = now
        return now


@saboteur(
    "M47",
    "loses an advance that happens at the same time",
    caught_by="cursor.concurrent_peers_no_lost_update",
    says="load after 30 tasks",
    also=("cursor.*",),
)
class AdvanceLost(ReferenceCursorStore):
    """Reads, waits and writes."""

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        held = await self.load(user, reader)
        await checkpoint()
        merged = held.merge(vector)
        self.refuse_if_closed()
        self.shelf.cursors[user, reader] = merged
        return merged


@saboteur(
    "M48",
    "keeps one cursor for a reader, whatever the log",
    caught_by="cursor.isolated_log_device_case",
    says="load(",
    also=("cursor.*", "cancel.cursor_advance"),
)
class LogForgotten(ReferenceCursorStore):
    """Has a key without the user."""

    async def load(self, user: str, reader: str) -> VersionVector:
        await super().load(user, reader)
        held = (one for (_, other), one in self.shelf.cursors.items() if other == reader)
        return next(held, VersionVector())


@saboteur(
    "M49",
    "applies a vector one device after the other",
    caught_by="cursor.invalid_atomic",
    says="want equal counters",
    also=("cancel.cursor_advance",),
)
class DeviceByDevice(ReferenceCursorStore):
    """Writes a row for each device, and others look on."""

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        now = await super().advance(user, reader, VersionVector())
        if not vector and not now:
            self.shelf.cursors.pop((user, reader), None)
        for device, counter in vector.items():
            now = await super().advance(user, reader, VersionVector({device: counter}))
        return now


@saboteur(
    "M139",
    "finds readers by the beginning of their log's name",
    caught_by="cursor.isolated_log_device_case",
    says="readers(",
)
class ReadersByPrefix(ReferenceCursorStore):
    """Asks for keys that begin with the user."""

    async def readers(self, user: str) -> dict[str, VersionVector]:
        await super().readers(user)
        return {
            reader: vector
            for (owner, reader), vector in sorted(self.shelf.cursors.items())
            if owner.startswith(user) and vector
        }


@saboteur(
    "M140",
    "makes a reader of one who has read nothing",
    caught_by="cursor.equal_value_noop",
    says="readers after an advance by nothing",
    also=("cursor.reset_is_explicit",),
)
class ReaderOfNothing(ReferenceCursorStore):
    """Lists whoever has called."""

    async def readers(self, user: str) -> dict[str, VersionVector]:
        await super().readers(user)
        return {
            reader: vector
            for (owner, reader), vector in self.shelf.cursors.items()
            if owner == user
        }


@saboteur(
    "M141",
    "keeps devices that a reset does not name",
    caught_by="cursor.reset_is_explicit",
    says="load after reset({'a': 4})",
    also=("cursor.*",),
)
class ResetMerges(ReferenceCursorStore):
    """Writes the rows that it is given and leaves the others."""

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        held = await self.load(user, reader)
        await super().reset(user, reader, held.replace(vector))


@saboteur(
    "M142",
    "does not see cursors that another opener has moved",
    caught_by="cursor.two_handles",
    says="load of the other opener",
    also=("cursor.lower_seen_by_all",),
)
class StaleCursors(ReferenceCursorStore):
    """Keeps what it has loaded once."""

    def __init__(self, kept: Shelf) -> None:
        super().__init__(kept)
        self._known: dict[tuple[str, str], VersionVector] = {}

    async def load(self, user: str, reader: str) -> VersionVector:
        found = await super().load(user, reader)
        return self._known.setdefault((user, reader), found)

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        now = await super().advance(user, reader, vector)
        self._known[user, reader] = now
        return now

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await super().reset(user, reader, vector)
        self._known[user, reader] = vector

    async def forget(self, user: str, reader: str) -> None:
        await super().forget(user, reader)
        self._known.pop((user, reader), None)

    async def erase(self, user: str) -> None:
        await super().erase(user)
        self._known.clear()


@saboteur(
    "M184",
    "keeps no more devices than its database takes at once",
    caught_by="cursor.many_devices",
    says="advance by 1200 devices returns",
)
class VectorCut(ReferenceCursorStore):
    """Writes 999 rows and leaves the rest."""

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        kept = VersionVector({device: vector[device] for device in sorted(vector)[:999]})
        return await super().advance(user, reader, kept)


@saboteur(
    "M174",
    "takes an unknown reader for an error",
    caught_by="cursor.empty",
    says="KeyError",
    also=("*",),
)
class UnknownReader(ReferenceCursorStore):
    """Looks up what must be there."""

    async def load(self, user: str, reader: str) -> VersionVector:
        await super().load(user, reader)
        return self.shelf.cursors[user, reader]


@saboteur(
    "M175",
    "forgets readers whose name begins alike",
    caught_by="cursor.forgotten",
    says="readers",
    also=("cursor.isolated_log_device_case", "cursor.names_like_numbers"),
)
class ForgetsByPrefix(ReferenceCursorStore):
    """Deletes by LIKE."""

    async def forget(self, user: str, reader: str) -> None:
        await super().forget(user, reader)
        for key in list(self.shelf.cursors):
            if key[0] == user and key[1].startswith(reader):
                del self.shelf.cursors[key]


@saboteur(
    "M143",
    "removes the cursors together with the log",
    caught_by="cursor.beside_the_log",
    says="readers after the log was erased",
)
class ErasesCursors(ReferenceLogStore):
    """Knows that both lie in one file."""

    async def erase(self, user: str) -> None:
        await super().erase(user)
        for key in [one for one in self.shelf.cursors if one[0] == user]:
            del self.shelf.cursors[key]
