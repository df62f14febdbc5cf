"""Stores that take what looks alike for the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from strandlog import Appended, Entry, Page, VersionVector
from strandlog_conformance.reference import KeptLog, ReferenceCursorStore, ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur


def _column(name: str) -> str:
    """Return a name as a column keeps it that was declared to hold numbers."""
    try:
        return repr(float(name.replace("_", "x")))
    except ValueError:
        return name


def _columns(names: Collection[str] | None, among: Iterable[str]) -> set[str] | None:
    if names is None:
        return None
    wanted = {_column(name) for name in names}
    return {name for name in among if _column(name) in wanted}


@saboteur(
    "M290",
    "compares names of logs as numbers where they look like some",
    caught_by="names.like_numbers",
    says="",
)
class LogsAsNumbers(ReferenceLogStore):
    """Has a column whose type converts what is written to it."""

    def kept(self, user: str) -> KeptLog:
        alike = [one for one in self.shelf.logs if _column(one) == _column(user)]
        return super().kept(alike[0] if alike else user)


@saboteur(
    "M291",
    "compares scopes and devices as numbers when it filters by them",
    caught_by="names.like_numbers",
    says="read(devices=",
    also=("names.device_hostile",),
)
class FiltersAsNumbers(ReferenceLogStore):
    """Writes names into its query without quotes."""

    async def read(
        self,
        user: str,
        *,
        devices: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        **query: Any,
    ) -> Page:
        held = self.kept(user).entries.values()
        return await super().read(
            user,
            devices=_columns(devices, {*(devices or ()), *(one.device for one in held)}),
            scopes=_columns(scopes, {*(scopes or ()), *(one.scope for one in held)}),
            **query,
        )


@saboteur(
    "M292",
    "compares names of readers as numbers where they look like some",
    caught_by="cursor.names_like_numbers",
    says="load of reader 1",
)
class ReadersAsNumbers(ReferenceCursorStore):
    """Has a column whose type converts what is written to it."""

    async def load(self, user: str, reader: str) -> VersionVector:
        return await super().load(user, _column(reader))

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        return await super().advance(user, _column(reader), vector)


@saboteur(
    "M293",
    "keeps equal contents once, and redacts them all",
    caught_by="redact.same_content_elsewhere",
    says="after one was redacted",
    also=("rehome.unsent_redactions_follow",),
)
class ContentsShared(ReferenceLogStore):
    """Has a table of contents that entries refer to."""

    def mask(self, log: KeptLog, batch: Iterable[Entry]) -> None:
        before = dict(log.entries)
        super().mask(log, batch)
        gone = {before[key].content for key, one in log.entries.items() if one != before[key]}
        for key, one in log.entries.items():
            if one.content is not None and one.content in gone:
                log.entries[key] = one.without_content()


@saboteur(
    "M294",
    "compares only the content when it looks for forks",
    caught_by="log.append.fork_in_every_field",
    says="append of another phone 1: got no error",
    also=("log.append.conflict_refused", "log.scope.cannot_change_by_resend"),
)
class ContentCompared(ReferenceLogStore):
    """Takes the rest for data about the data."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        held = log.entries.get(entry.identity)
        if held is not None and held.content == entry.content and held.seq == entry.seq:
            return True
        return super().is_held(log, entry)


@saboteur(
    "M295",
    "looks for forks only among the newest entries",
    caught_by="log.append.fork_in_every_field",
    says="append of another phone 1: got no error",
)
class ForksOfTheNewest(ReferenceLogStore):
    """Remembers a hundred digests of each device."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        if entry.counter < log.covered.get(entry.device, 0) - 100:
            return entry.identity in log.entries
        return super().is_held(log, entry)


@saboteur(
    "M296",
    "keeps redactions of a batch that it refuses",
    caught_by="log.append.refused_leaves_no_trace",
    says="after targets arrived that refused ones redact",
    also=("model.*",),
)
class RedactsAnyhow(ReferenceLogStore):
    """Writes them first, and in a transaction of their own."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        masks = {(one.redacts, one.identity) for one in entries if one.redacts}
        done = False
        try:
            appended = await super().append(user, entries, **how)
            done = True
        finally:
            if not done and user in self.shelf.logs:
                self.shelf.logs[user].masks |= masks
        return appended


@saboteur(
    "M297",
    "keeps the floor that came with a batch that it refuses",
    caught_by="log.append.refused_leaves_no_trace",
    says="with floor: got",
    also=("cancel.changes_sweep", "model.*"),
)
class FloorAnyhow(ReferenceLogStore):
    """Notes it as soon as it hears of it."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        floor = how.get("floor")
        if floor is not None and user in self.shelf.logs:
            await self.turn()
            log = self.shelf.logs[user]
            log.floors = dict(floor.merge(log.floors))
        return await super().append(user, entries, **how)


@saboteur(
    "M298",
    "keeps the tops that came with a page that it refuses",
    caught_by="sparse.refused_leaves_no_trace",
    says="the log after an append of a fork, with upto",
    also=("cancel.changes_sweep", "model.*"),
)
class UptoAnyhow(ReferenceLogStore):
    """Moves the tops first, so that a crash leaves no entry above them."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        upto = how.get("upto")
        if upto is not None and user in self.shelf.logs:
            await self.turn()
            log = self.shelf.logs[user]
            log.covered = dict(upto.merge(log.covered))
        return await super().append(user, entries, **how)
