"""The plainest cursor store that keeps the contract."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog.backend import CursorStore
from strandlog_conformance.reference.shelf import Closing, Shelf

__all__ = ["ReferenceCursorStore"]


class ReferenceCursorStore(Closing, CursorStore):
    """Cursors on a shelf."""

    def __init__(self, kept: Shelf) -> None:
        super().__init__()
        self.shelf = kept

    async def load(self, user: str, reader: str) -> VersionVector:
        await self.turn()
        return self.shelf.cursors.get((user, reader), VersionVector())

    async def readers(self, user: str) -> dict[str, VersionVector]:
        await self.turn()
        return {
            reader: vector
            for (owner, reader), vector in self.shelf.cursors.items()
            if owner == user and vector
        }

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        await self.turn()
        merged = self.shelf.cursors.get((user, reader), VersionVector()).merge(vector)
        self.shelf.cursors[user, reader] = merged
        return merged

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await self.turn()
        self.shelf.cursors[user, reader] = vector

    async def forget(self, user: str, reader: str) -> None:
        await self.turn()
        self.shelf.cursors.pop((user, reader), None)

    async def erase(self, user: str) -> None:
        await self.turn()
        for key in [one for one in self.shelf.cursors if one[0] == user]:
            del self.shelf.cursors[key]
