"""Stores that forget something when they are closed and opened again."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from strandlog.backend import Capabilities
from strandlog_conformance.reference import (
    KeptLog,
    ReferenceCursorStore,
    ReferenceLogStore,
    Shelf,
)
from strandlog_conformance.saboteurs.registry import saboteur

_openers: WeakKeyDictionary[Shelf, int] = WeakKeyDictionary()


@saboteur(
    "M39",
    "loses the log when it is closed",
    caught_by="life.reopen_keeps_everything",
    says="the log after it was opened again",
    also=(
        "harness.same_location_same_data",
        "life.*",
        "rehome.seen_by_all",
        "model.*",
        "log.page.big_log",
        "erase.outlives_reopen",
    ),
)
class LostOnClose(ReferenceLogStore):
    """Keeps logs for as long as somebody has them open."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        _openers[kept] = _openers.get(kept, 0) + 1

    async def close(self) -> None:
        if not self.closed:
            # A store that was forgotten may be closed after its shelf was counted out.
            _openers[self.shelf] = left = _openers.get(self.shelf, 1) - 1
            if not left:
                self.shelf.logs.clear()
        await super().close()


@saboteur(
    "M40",
    "loses the cursors when it is closed",
    caught_by="cursor.reopen",
    says="readers after a reopening",
)
class CursorsLostOnClose(ReferenceCursorStore):
    """Keeps cursors for as long as they are open."""

    async def close(self) -> None:
        if not self.closed:
            self.shelf.cursors.clear()
        await super().close()


@saboteur(
    "M132",
    "keeps redactions of what has not come yet in memory only",
    caught_by="life.reopen_keeps_everything",
    says="redacted late",
    also=("model.*",),
)
class MasksForgotten(ReferenceLogStore):
    """Opens a log without what it was told to mask."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        for log in kept.logs.values():
            log.masks.clear()


@saboteur(
    "M169",
    "forgets tombstones when it is closed",
    caught_by="life.reopen_keeps_everything",
    says="append to erased: got no error",
    also=("model.*",),
)
class TombstonesForgotten(ReferenceLogStore):
    """Opens a store without the logs that have nothing in them."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        for user, log in list(kept.logs.items()):
            if log.erased:
                kept.logs[user] = KeptLog(generation=log.generation)
