"""Stores whose format has changed once, and that get the change wrong."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anyio.lowlevel import checkpoint

from strandlog import Appended, Entry
from strandlog.errors import StoreVersionError
from strandlog_conformance.reference import ReferenceLogStore, Shelf
from strandlog_conformance.reference.versioned import (
    EPOCH,
    FORMAT_CAPABILITIES,
    PRESENT,
    FormatKeeper,
    FormatLogStore,
    offer_formats,
    upgraded_log,
    write_file,
)
from strandlog_conformance.saboteurs.registry import saboteur


class _RowByRow(FormatKeeper):
    async def upgrade(self, place: Path, content: dict[str, Any]) -> dict[str, Any]:
        done: dict[str, Any] = {**content, "version": PRESENT, "logs": {}}
        for user, log in content["logs"].items():
            done["logs"][user] = upgraded_log(log)
            write_file(place, done)
            await checkpoint()
        return done


@saboteur(
    "M68",
    "migrates log by log, and cannot go on where it was cut off",
    caught_by="format.upgrade_idempotent_and_resumable",
    says="whose first opening was cancelled",
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class MigratesInParts(FormatLogStore):
    """Writes the new version's number first and what it says of each log later."""

    keeper = _RowByRow


class _Rewriting(FormatKeeper):
    def check(self, place: Path, content: dict[str, Any], *, cursors_only: bool) -> None:
        if content["version"] > PRESENT:
            write_file(place, {**content, "version": PRESENT})


@saboteur(
    "M72",
    "opens a newer format and rewrites it as its own",
    caught_by="format.newer_refused_untouched",
    says="open the logs of a newer store: got no error",
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class RewritesNewer(FormatLogStore):
    """Takes every version for its own."""

    keeper = _Rewriting


class _WithoutCursors(FormatKeeper):
    async def upgrade(self, place: Path, content: dict[str, Any]) -> dict[str, Any]:
        return await super().upgrade(place, {**content, "cursors": []})


@saboteur(
    "M240",
    "loses the cursors when it migrates",
    caught_by="format.golden_each_version",
    says="export of the store of v1",
    also=("format.*",),
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class LeavesCursorsBehind(FormatLogStore):
    """Migrates the logs and forgets the rest."""

    keeper = _WithoutCursors


class _NeverUpgrading(FormatKeeper):
    async def upgrade(self, place: Path, content: dict[str, Any]) -> dict[str, Any]:
        raise StoreVersionError(f"{place}: has version 1, which is not read any more")


@saboteur(
    "M241",
    "cannot read what its last release wrote",
    caught_by="format.golden_each_version",
    says="StoreVersionError",
    also=("format.*",),
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class RefusesOlder(FormatLogStore):
    """Knows its own version and no other."""

    keeper = _NeverUpgrading


class _AgainAndAgain(FormatKeeper):
    async def read(self, place: Path, *, cursors_only: bool) -> Shelf:
        shelf = await super().read(place, cursors_only=cursors_only)
        if shelf.epoch == EPOCH:
            held = shelf.cursors["alice", "alice/phone"]
            shelf.cursors["alice", "alice/phone"] = held.replace({"laptop": held["laptop"] + 1})
        return shelf


@saboteur(
    "M242",
    "applies a step of its migration at every opening",
    caught_by="format.upgrade_idempotent_and_resumable",
    says="opened for the fourth time",
    also=("format.*",),
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class MigratesAgain(FormatLogStore):
    """Does not look whether it was here before."""

    keeper = _AgainAndAgain


class _NewEpochs(FormatKeeper):
    async def read(self, place: Path, *, cursors_only: bool) -> Shelf:
        shelf = await super().read(place, cursors_only=cursors_only)
        if "alice" in shelf.logs:
            shelf.epoch = secrets.token_hex(8)
        return shelf


@saboteur(
    "M243",
    "draws a new epoch when it finds an old store",
    caught_by="format.upgrade_idempotent_and_resumable",
    says="epoch and schema version",
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class DrawsEpochsAgain(FormatLogStore):
    """Takes a store that it has migrated for a new one."""

    keeper = _NewEpochs


class _NoLock(FormatKeeper):
    async def open(self, place: Path, *, cursors_only: bool) -> Shelf:
        if place not in self.shelves:
            # Whoever comes last has the shelf, and what others put on theirs is gone.
            self.shelves[place] = await self.read(place, cursors_only=cursors_only)
        return self.shelves[place]


@saboteur(
    "M244",
    "lets two openers migrate one store",
    caught_by="format.two_openers_migrate_once",
    says="tops of what both added",
    also=("format.*", "conc.*"),
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class MigratesTwice(FormatLogStore):
    """Takes no lock while it migrates."""

    keeper = _NoLock


class _Logging(FormatKeeper):
    def check(self, place: Path, content: dict[str, Any], *, cursors_only: bool) -> None:
        try:
            super().check(place, content, cursors_only=cursors_only)
        except StoreVersionError:
            (place / "refused").write_text("a newer version was here\n")
            raise


@saboteur(
    "M245",
    "leaves a file behind where it refuses a newer version",
    caught_by="format.newer_refused_untouched",
    says="after its logs were refused",
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class WritesBesideNewer(FormatLogStore):
    """Writes first and looks then."""

    keeper = _Logging


class _CursorsUnchecked(FormatKeeper):
    def check(self, place: Path, content: dict[str, Any], *, cursors_only: bool) -> None:
        if not cursors_only:
            super().check(place, content, cursors_only=cursors_only)


@saboteur(
    "M246",
    "refuses the logs of a newer version and opens its cursors",
    caught_by="format.newer_refused_untouched",
    says="open the cursors of a newer store: got no error",
    capabilities=FORMAT_CAPABILITIES,
    make=offer_formats,
)
class CursorsOfAnyVersion(FormatLogStore):
    """Looks at the version in one of its two openers."""

    keeper = _CursorsUnchecked


@saboteur(
    "M247",
    "takes a floor that comes with entries for one that it has",
    caught_by="format.export_import_identity",
    says="has trimmed laptop up to 100",
    also=("sparse.*", "trim.*", "model.*", "rehome.*"),
)
class FloorNotKept(ReferenceLogStore):
    """Stores what lies above an imported floor, and forgets the floor."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        known = dict(self.kept(user).floors)
        done = await super().append(user, entries, **how)
        if user in self.shelf.logs:
            self.shelf.logs[user].floors = known
        return done


@saboteur(
    "M248",
    "keeps what devices cover only for those with entries",
    caught_by="format.export_import_identity",
    says="a copy with holes",
    also=("sparse.*", "model.*", "trim.*", "life.*", "rehome.*", "erase.leaves_others"),
)
class NoEmptyDevices(ReferenceLogStore):
    """Has no row for a device of which nothing can be seen."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        done = await super().append(user, entries, **how)
        if user in self.shelf.logs:
            log = self.shelf.logs[user]
            seen = {one.device for one in log.entries}
            log.covered = {name: top for name, top in log.covered.items() if name in seen}
        return done


@saboteur(
    "M249",
    "keeps content only if it is text",
    caught_by="format.export_import_identity",
    says="phone 15 with digest",
    also=("data.*", "model.*", "log.*"),
)
class TextOnly(ReferenceLogStore):
    """Drops what cannot be decoded, together with the line feed at the end."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        return await super().append(user, [_as_text(one) for one in entries], **how)


def _as_text(entry: Entry) -> Entry:
    if entry.content is None:
        return entry
    return replace(entry, content=entry.content.decode(errors="ignore").encode(), digest="")
