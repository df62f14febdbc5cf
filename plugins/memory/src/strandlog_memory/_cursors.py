"""Cursors in memory."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog.backend import CursorStore
from strandlog_memory._handle import Handle

__all__ = ["MemoryCursorStore"]


class MemoryCursorStore(CursorStore):
    """Keeps, by user and reader, an immutable vector that each change replaces."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def load(self, user: str, reader: str) -> VersionVector:
        with self._handle.data() as data:
            return data.cursors.get(user, {}).get(reader, VersionVector())

    async def readers(self, user: str) -> dict[str, VersionVector]:
        with self._handle.data() as data:
            return {
                reader: vector for reader, vector in data.cursors.get(user, {}).items() if vector
            }

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        with self._handle.data() as data:
            cursors = data.cursors.setdefault(user, {})
            cursors[reader] = cursors.get(reader, VersionVector()).merge(vector)
            return cursors[reader]

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        with self._handle.data() as data:
            data.cursors.setdefault(user, {})[reader] = vector

    async def forget(self, user: str, reader: str) -> None:
        with self._handle.data() as data:
            data.cursors.get(user, {}).pop(reader, None)

    async def erase(self, user: str) -> None:
        with self._handle.data() as data:
            data.cursors.pop(user, None)

    async def close(self) -> None:
        self._handle.close()
