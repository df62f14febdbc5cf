"""Stores that hold on to things, or write them in the wrong order."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from anyio.lowlevel import checkpoint

from strandlog import Appended, Entry, Page, VersionVector
from strandlog.backend import Capabilities, pack
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M361",
    "lets a cursor move ahead of what it covers, while somebody writes",
    caught_by="cursor.ack_after_store",
    says="no more than the log",
    also=("cursor.*", "model.*", "cancel.cursor_advance"),
)
class Hasty(ReferenceCursorStore):
    """Writes the next counter at once, since it will come anyway."""

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        merged = await super().advance(user, reader, vector)
        self.shelf.cursors[user, reader] = VersionVector(
            {name: counter + (counter > 1) for name, counter in merged.items()}
        )
        await checkpoint()
        self.shelf.cursors[user, reader] = merged
        return merged


@saboteur(
    "M362",
    "reads from the beginning of the log and throws away what comes before a page",
    caught_by="log.read.large_offset_time",
    says="at the end",
)
class Offsets(ReferenceLogStore):
    """Unpacks every record that it skips."""

    async def read(self, user: str, *, after: VersionVector, **query: Any) -> Page:
        for one in self.kept(user).entries.values():
            if one.counter <= after[one.device]:
                for _ in range(10):
                    pack(user, one)
        return await super().read(user, after=after, **query)


@saboteur(
    "M363",
    "stays open in silence when it is forgotten",
    caught_by="life.gc_without_close_warns",
    says="ResourceWarning",
    also=("life.open_close_200x_no_leak", "harness.leaves_nothing_behind"),
)
class LeftOpen(ReferenceLogStore):
    """Holds a descriptor that only its close gives back."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._descriptor = os.open(os.devnull, os.O_RDONLY)
        self._caller = asyncio.current_task()

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        self._caller = asyncio.current_task()
        return await super().append(user, entries, **how)

    async def close(self) -> None:
        # Forgotten, it is closed by a task that the loop has made to end the context.
        if not self.closed and asyncio.current_task() is self._caller:
            os.close(self._descriptor)
        await super().close()
