"""Stores that trim, move or erase too much or too little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from strandlog import Appended, Entry, Identity, Page, VersionVector
from strandlog.errors import AppendError, TrimmedError
from strandlog_conformance.reference import KeptLog, ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M156",
    "does not tell readers that something was trimmed",
    caught_by="trim.floor_reported_once_reader_continues",
    says="at Page.floor",
    also=("trim.*", "rehome.into_trimmed", "sparse.*", "model.*", "rehome.leaves_floor_and_top"),
)
class FloorNotTold(ReferenceLogStore):
    """Leaves the floor out of its pages."""

    async def read(self, user: str, **query: Any) -> Page:
        return replace(await super().read(user, **query), floor=VersionVector())


@saboteur(
    "M157",
    "lowers a floor when it is told to trim less",
    caught_by="trim.floor_reported_once_reader_continues",
    says="trim to less than before",
    also=("trim.*", "model.*"),
)
class FloorFalls(ReferenceLogStore):
    """Writes the floor that it is told."""

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        await super().trim(user, device, up_to=up_to)
        log = self.kept(user)
        if log.floors.get(device, 0) > up_to:
            log.floors[device] = up_to
        return VersionVector(log.floors)


@saboteur(
    "M158",
    "trims the newest entry of a device",
    caught_by="trim.newest_of_device_kept",
    says="trim up to 5 of 5",
    also=("model.*", "trim.*"),
)
class NewestTrimmed(ReferenceLogStore):
    """Removes whatever it is told to."""

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        await super().trim(user, device, up_to=up_to)
        log = self.kept(user)
        held = [one for one in log.entries.values() if one.device == device]
        if held:
            log.floors[device] = max(log.floors.get(device, 0), up_to)
            for one in held:
                if one.counter <= up_to:
                    del log.entries[one.identity]
        return VersionVector(log.floors)


@saboteur(
    "M159",
    "stores again what was trimmed",
    caught_by="trim.no_resurrection",
    says="append of phone 1 to 6: got no error",
    also=(
        "trim.*",
        "log.append.error_types",
        "life.*",
        "model.*",
        "conc.two_handles_fresh",
        "log.append.refused_leaves_no_trace",
    ),
)
class Resurrects(ReferenceLogStore):
    """Forgets the floor when it appends."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        try:
            return await super().append(user, entries, **how)
        except TrimmedError:
            log = self.kept(user)
            for one in entries:
                log.entries.setdefault(one.identity, one)
            return Appended(VersionVector(log.covered), len(entries), 0)


@saboteur(
    "M160",
    "ignores the floor of a log that was trimmed elsewhere",
    caught_by="trim.imported_floor",
    says="GapError",
    also=("data.big_numbers", "life.*", "erase.of_nothing", "rehome.*", "sparse.*", "trim.*"),
)
class FloorIgnored(ReferenceLogStore):
    """Has no use for the argument."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        return await super().append(user, entries, upto=how.get("upto"))


@saboteur(
    "M161",
    "copies a branch instead of moving it",
    caught_by="rehome.moves_and_repeats",
    says="read after the first rehome",
    also=("rehome.*",),
)
class BranchCopied(ReferenceLogStore):
    """Leaves the old entries where they were."""

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        before = self.kept(user)
        moved = await super().rehome(user, device, **how)
        if moved:
            log = self.kept(user)
            log.entries.update(before.entries)
            log.covered[device] = before.covered[device]
        return moved


@saboteur(
    "M162",
    "moves a branch again when the call is repeated",
    caught_by="rehome.moves_and_repeats",
    says="rehome again after the old device was refilled",
    also=("rehome.*",),
)
class MovedAgain(ReferenceLogStore):
    """Does not look whether the branch has arrived already."""

    async def rehome(self, user: str, device: str, *, to_device: str, **how: Any) -> int:
        await self.turn()
        log = self.kept(user)
        while Identity(to_device, 1) in log.entries:
            to_device += "~"
        return await super().rehome(user, device, to_device=to_device, **how)


@saboteur(
    "M181",
    "moves a branch in two steps",
    caught_by="conc.changes_are_whole",
    says="read beside rehome",
    also=("cancel.changes_sweep", "conc.append_beside_changes"),
)
class MovedInSteps(ReferenceLogStore):
    """Removes the branch first and adds it again later."""

    async def rehome(
        self, user: str, device: str, *, from_counter: int, to_device: str, **how: Any
    ) -> int:
        await self.turn()
        whole = self.kept(user)
        if Identity(to_device, 1) not in whole.entries:
            halfway = whole.copied()
            for identity in whole.entries:
                if identity.device == device and identity.counter >= from_counter:
                    del halfway.entries[identity]
            self.shelf.logs[user] = halfway
            await self.turn()
            self.shelf.logs[user] = whole
        return await super().rehome(
            user, device, from_counter=from_counter, to_device=to_device, **how
        )


@saboteur(
    "M182",
    "erases one device after the other",
    caught_by="conc.changes_are_whole",
    says="read beside erase",
    also=("cancel.changes_sweep",),
)
class ErasedInSteps(ReferenceLogStore):
    """Leaves a part of the log visible, and for ever when it is cancelled."""

    async def erase(self, user: str) -> None:
        await self.turn()
        for device in sorted(self.kept(user).covered):
            log = self.kept(user).copied()
            log.entries = {key: one for key, one in log.entries.items() if one.device != device}
            self.shelf.logs[user] = log
            await self.turn()
        await super().erase(user)


@saboteur(
    "M163",
    "leaves a redaction pointing at the place that its target has left",
    caught_by="rehome.redactions_follow",
    says="read after the move",
)
class RedactionStays(ReferenceLogStore):
    """Moves entries as they are."""

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        before = self.kept(user)
        moved = await super().rehome(user, device, **how)
        log = self.kept(user)
        stamps = {
            one.seq.timestamp: one.redacts
            for one in before.entries.values()
            if one.device == device and one.redacts
        }
        for identity, one in log.entries.items():
            if moved and one.redacts and one.seq.timestamp in stamps:
                log.entries[identity] = replace(one, redacts=stamps[one.seq.timestamp], digest="")
        return moved


@saboteur(
    "M164",
    "keeps the redactions of a log that was erased",
    caught_by="erase.everything_incl_cursors",
    says="read after restore and append",
    also=("model.*", "erase.outlives_reopen", "erase.leaves_others"),
)
class FormerLife(ReferenceLogStore):
    """Empties one table of several."""

    async def erase(self, user: str) -> None:
        masks = self.kept(user).masks
        await super().erase(user)
        self.kept(user).masks = masks


@saboteur(
    "M165",
    "takes appends to an erased log",
    caught_by="erase.everything_incl_cursors",
    says="to an erased log: got no error",
    also=("*",),
)
class NoTombstone(ReferenceLogStore):
    """Begins anew without being told to."""

    def erased(self, user: str) -> list[AppendError]:
        return []


@saboteur(
    "M166",
    "leaves no tombstone where there was no log",
    caught_by="erase.of_nothing",
    says="append to a log erased before it was: got no error",
    also=("model.*", "log.append.error_types"),
)
class NothingToErase(ReferenceLogStore):
    """Erases only what it finds."""

    async def erase(self, user: str) -> None:
        if user in self.shelf.logs:
            await super().erase(user)
        else:
            await self.turn()


@saboteur(
    "M170",
    "counts erasures anew after each restoration",
    caught_by="erase.everything_incl_cursors",
    says="generation",
    also=("model.*", "erase.outlives_reopen"),
)
class GenerationForgotten(ReferenceLogStore):
    """Begins at one again."""

    async def erase(self, user: str) -> None:
        erased = self.kept(user).erased
        await super().erase(user)
        if not erased:
            self.shelf.logs[user] = KeptLog(erased=True, generation=1)
