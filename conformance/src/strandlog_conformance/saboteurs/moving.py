"""Stores that move a branch and forget what belongs to it, or what is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from strandlog import Entry, Identity, VersionVector
from strandlog_conformance.reference import KeptLog, ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur

_MOVING = ("rehome.*", "model.*")


@saboteur(
    "M330",
    "leaves an unsent redaction pointing at the place that its target has left",
    caught_by="rehome.unsent_redactions_follow",
    says="read after the move",
    also=_MOVING,
)
class UnsentRedactionStays(ReferenceLogStore):
    """Looks at redactions inside the branch only."""

    def follows(self, entry: Entry, unsent_after: Mapping[str, int]) -> bool:
        return False


@saboteur(
    "M331",
    "rewrites redactions that others hold already",
    caught_by="rehome.unsent_redactions_follow",
    says="read after the move",
    also=_MOVING,
)
class HistoryRewritten(ReferenceLogStore):
    """Lets every redaction follow its target."""

    def follows(self, entry: Entry, unsent_after: Mapping[str, int]) -> bool:
        return True


@saboteur(
    "M332",
    "rewrites a redaction and leaves what it masks as it was",
    caught_by="rehome.unsent_redactions_follow",
    says="phone 3 to 6 from the server",
    also=_MOVING,
)
class MaskStays(ReferenceLogStore):
    """Has the masks in a table of their own."""

    def moved_mask(
        self, log: KeptLog, what: Identity, by: Identity, places: Mapping[Identity, Identity]
    ) -> tuple[Identity, Identity]:
        mask = super().moved_mask(log, what, by, places)
        return mask if by in places else (what, by)


@saboteur(
    "M333",
    "cannot move a branch to a place that was trimmed",
    caught_by="rehome.into_trimmed",
    says="TrimmedError",
    also=_MOVING,
)
class TrimmedPlaceRefused(ReferenceLogStore):
    """Appends the whole branch as it would append anything."""

    def arrive(self, log: KeptLog, device: str, moved: Sequence[Entry]) -> set[Identity]:
        held = {one.identity for one in moved if one.identity in log.entries}
        self.add(log, device, moved, None, 0)
        return held


@saboteur(
    "M334",
    "brings back below the floor what moves there",
    caught_by="rehome.into_trimmed",
    says="read after the move below floor 2",
    also=_MOVING,
)
class TrimmedPlaceFilled(ReferenceLogStore):
    """Writes the moved entries without asking."""

    def arrive(self, log: KeptLog, device: str, moved: Sequence[Entry]) -> set[Identity]:
        held = super().arrive(log, device, moved)
        for one in moved:
            log.entries.setdefault(one.identity, one)
        return held


@saboteur(
    "M335",
    "does nothing about a branch that has come back",
    caught_by="rehome.comes_back",
    says="entries moved",
    also=_MOVING,
)
class ComesBack(ReferenceLogStore):
    """Takes any first entry at the new place for the end of its work."""

    async def rehome(self, user: str, device: str, *, to_device: str, **how: Any) -> int:
        await self.turn()
        if Identity(to_device, 1) in self.kept(user).entries:
            return 0
        return await super().rehome(user, device, to_device=to_device, **how)


@saboteur(
    "M336",
    "overwrites another end of the branch where it arrives",
    caught_by="rehome.comes_back",
    says="with another end: got no error",
    also=_MOVING,
)
class EndOverwritten(ReferenceLogStore):
    """Compares the first entry and believes the rest."""

    def arrive(self, log: KeptLog, device: str, moved: Sequence[Entry]) -> set[Identity]:
        for one in moved:
            if log.entries.get(one.identity, one).digest != one.digest:
                del log.entries[one.identity]
        return super().arrive(log, device, moved)


@saboteur(
    "M337",
    "removes what it holds when it hears that it was trimmed elsewhere",
    caught_by="trim.imported_floor_removes_nothing",
    says="read below an imported floor",
    also=("model.*",),
)
class ImportedFloorTrims(ReferenceLogStore):
    """Keeps nothing at or below a floor, whosever it is."""

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        added = super().add(log, device, batch, upto, floor)
        for identity in list(log.entries):
            if identity.device == device and identity.counter <= log.floors.get(device, 0):
                del log.entries[identity]
        return added


@saboteur(
    "M338",
    "does not trim below a floor that it was told of",
    caught_by="trim.imported_floor_removes_nothing",
    says="read after the trim up to 3",
    also=("model.*",),
)
class FloorStopsTrim(ReferenceLogStore):
    """Takes a floor for a sign that there is nothing below."""

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        if self.kept(user).floors.get(device, 0) >= up_to:
            await self.turn()
            return VersionVector(self.kept(user).floors)
        return await super().trim(user, device, up_to=up_to)
