"""Stores that do not understand a copy with holes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from strandlog import Appended, Entry, VersionVector
from strandlog_conformance.reference import KeptLog, ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur


def _newest(log: KeptLog, device: str) -> int:
    return max((one.counter for one in log.entries.values() if one.device == device), default=0)


@saboteur(
    "M144",
    "forgets how far a page with holes reached",
    caught_by="sparse.append_with_upto",
    says="append of phone 2, 5, 9 with upto 12",
    also=("sparse.*", "trim.*", "life.reopen_keeps_everything", "model.*", "erase.leaves_others"),
)
class UptoForgotten(ReferenceLogStore):
    """Takes the newest entry that it holds for the top."""

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        added = super().add(log, device, batch, upto, floor)
        if upto is not None:
            log.covered[device] = _newest(log, device)
        return added


@saboteur(
    "M146",
    "takes a hole below the top for a duplicate",
    caught_by="sparse.fill_below_top",
    says="append of phone 2 to 5 over 3 and 7",
    also=("sparse.*", "model.*"),
)
class HolesNotFilled(ReferenceLogStore):
    """Skips whatever lies below the top."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        return super().is_held(log, entry) or entry.counter <= log.covered.get(entry.device, 0)


@saboteur(
    "M147",
    "lowers a top to an upto that is lower",
    caught_by="sparse.upto_never_falls",
    says="append with upto 4 under 10",
    also=("sparse.*", "model.*"),
)
class TopFalls(ReferenceLogStore):
    """Writes the upto that came."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        done = await super().append(user, entries, **how)
        upto = how.get("upto")
        if upto is None:
            return done
        log = self.kept(user)
        for device in upto:
            log.covered[device] = max(upto[device], log.floors.get(device, 0))
        return Appended(done.tops.replace(upto), done.added, done.duplicates)


@saboteur(
    "M190",
    "forgets the floor of a page with holes",
    caught_by="sparse.with_floor",
    says="append with upto and floor",
    also=("sparse.many_devices",),
)
class FloorBesideUpto(ReferenceLogStore):
    """Takes one of the two."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        if how.get("upto") is not None:
            how.pop("floor", None)
        return await super().append(user, entries, **how)


@saboteur(
    "M191",
    "keeps no more tops of a page than its database takes at once",
    caught_by="sparse.many_devices",
    says="append with 1200 devices in upto and floor",
)
class UptoCut(ReferenceLogStore):
    """Writes 999 rows and leaves the rest."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        upto = how.get("upto")
        if upto is not None:
            how["upto"] = VersionVector({device: upto[device] for device in sorted(upto)[:999]})
        return await super().append(user, entries, **how)


@saboteur(
    "M148",
    "goes on after the newest entry of a copy, not after what it covers",
    caught_by="sparse.without_upto_still_dense",
    says="",
    also=("sparse.*", "trim.*", "life.*", "model.*", "erase.leaves_others"),
)
class DenseFromNewest(ReferenceLogStore):
    """Looks for the top among its entries."""

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        covered = log.covered.get(device, 0)
        if upto is None and batch:
            log.covered[device] = max(_newest(log, device), log.floors.get(device, 0))
        added = super().add(log, device, batch, upto, floor)
        log.covered[device] = max(covered, log.covered[device])
        return added
