"""Faults that show where replicas and servers work with a store for a while."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from strandlog import Page, VersionVector
from strandlog.backend import Capabilities
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M301",
    "takes what follows a # in a reader's name for a fragment",
    caught_by="proto.grant_with_have",
    says="frame",
    also=("cursor.*",),
)
class FragmentDropped(ReferenceCursorStore):
    """Keeps readers by their URL, and so one cursor for all views."""

    async def load(self, user: str, reader: str) -> VersionVector:
        return await super().load(user, reader.partition("#")[0])

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        return await super().advance(user, reader.partition("#")[0], vector)

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await super().reset(user, reader.partition("#")[0], vector)


@saboteur(
    "M302",
    "answers with digests that it remembers, also after a branch has moved",
    caught_by="proto.log_and_cursor_rolled_back_apart",
    says="tips.desk",
    also=("log.digests_follow", "rehome.*"),
)
class DigestsRemembered(ReferenceLogStore):
    """Has a cache for what never changes, and a device whose entries were moved away."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._known: dict[tuple[str, str, int], str] = {}

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        found = await super().digests(user, at)
        for device, digest in found.items():
            if digest is not None:
                self._known.setdefault((user, device, at[device]), digest)
        return {device: self._known.get((user, device, at[device])) for device in at}


@saboteur(
    "M303",
    "never tells a lower top than before, also after a branch has moved",
    caught_by="proto.restored_backup_conflict",
    says="the tops on",
    also=(
        "cancel.changes_sweep",
        "rehome.answers_follow",
    ),
)
class TopsOnlyUp(ReferenceLogStore):
    """Takes a lower top for an answer that is out of date."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._told: dict[str, VersionVector] = {}

    async def tops(self, user: str) -> VersionVector:
        now = self._told.get(user, VersionVector()).merge(await super().tops(user))
        self._told[user] = now
        return now

    async def erase(self, user: str) -> None:
        await super().erase(user)
        self._told.pop(user, None)


@saboteur(
    "M304",
    "loses a reset that lowers the cursor",
    caught_by="proto.log_and_cursor_rolled_back_apart",
    says="unsent entries",
    also=("cursor.*",),
)
class ResetOnlyUp(ReferenceCursorStore):
    """Takes a lower cursor for one that came late."""

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        held = await self.load(user, reader)
        if not held.covers(vector):
            await super().reset(user, reader, vector)


@saboteur(
    "M305",
    "answers from a page that it has read before, also after a branch has moved",
    caught_by="proto.restored_backup_conflict",
    says="is another branch than",
    also=(
        "trim.imported_floor",
        "conc.two_handles_fresh",
        "cancel.changes_sweep",
        "log.digests_follow",
        "rehome.answers_follow",
    ),
)
class PagesRemembered(ReferenceLogStore):
    """Takes a log that holds as many entries as before for unchanged."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._known: dict[object, Page] = {}

    async def read(
        self,
        user: str,
        *,
        after: VersionVector,
        devices: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        page = await super().read(
            user, after=after, devices=devices, scopes=scopes, limit=limit, max_bytes=max_bytes
        )
        wanted = [None if names is None else frozenset(names) for names in (devices, scopes)]
        size = len(self.kept(user).entries)
        key = (user, size, frozenset(after.items()), *wanted, limit, max_bytes)
        return self._known.setdefault(key, page)


@saboteur(
    "M306",
    "tells tops that a page which was cut short does not reach",
    caught_by="proto.partial_reply_then_cut",
    says="frame",
    also=("log.*", "sparse.pages_of_a_view", "model.random_ops", "conc.monotonic_reads_per_handle"),
)
class TopsAhead(ReferenceLogStore):
    """Says in each page how far the whole log goes."""

    async def read(
        self,
        user: str,
        *,
        after: VersionVector,
        devices: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        page = await super().read(
            user, after=after, devices=devices, scopes=scopes, limit=limit, max_bytes=max_bytes
        )
        told = {d: n for d, n in page.tops.items() if devices is None or d in devices}
        return Page(page.entries, page.upto.merge(told), page.more, page.tops, page.floor)
