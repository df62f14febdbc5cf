"""Cursors in an SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from strandlog import VersionVector
from strandlog.backend import CursorStore
from strandlog_sqlite._database import Handle
from strandlog_sqlite._rows import vector_of

__all__ = ["SqliteCursorStore"]

_LOAD = "SELECT device, counter FROM cursor WHERE user = ? AND reader = ?"
_READERS = "SELECT reader, device, counter FROM cursor WHERE user = ? ORDER BY reader"
_ADVANCE = """
    INSERT INTO cursor (user, reader, device, counter) VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET counter = excluded.counter WHERE excluded.counter > cursor.counter
"""
_FORGET = "DELETE FROM cursor WHERE user = ? AND reader = ?"
_ERASE = "DELETE FROM cursor WHERE user = ?"


class SqliteCursorStore(CursorStore):
    """Keeps a cursor as one row for each device, so that merging is one statement."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def load(self, user: str, reader: str) -> VersionVector:
        return await self._handle.read(lambda c: _load(c, user, reader))

    async def readers(self, user: str) -> dict[str, VersionVector]:
        return await self._handle.read(lambda c: _readers(c, user))

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        def job(connection: sqlite3.Connection) -> VersionVector:
            connection.executemany(_ADVANCE, _rows(user, reader, vector))
            return _load(connection, user, reader)

        return await self._handle.write(job)

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(_FORGET, (user, reader))
            connection.executemany(_ADVANCE, _rows(user, reader, vector))

        await self._handle.write(job)

    async def forget(self, user: str, reader: str) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(_FORGET, (user, reader))

        await self._handle.write(job)

    async def erase(self, user: str) -> None:
        def job(connection: sqlite3.Connection) -> None:
            connection.execute(_ERASE, (user,))

        await self._handle.write(job)

    async def close(self) -> None:
        await self._handle.close()


def _rows(user: str, reader: str, vector: VersionVector) -> Iterable[tuple[str, str, str, int]]:
    return ((user, reader, device, counter) for device, counter in vector.items())


def _load(connection: sqlite3.Connection, user: str, reader: str) -> VersionVector:
    return vector_of(user, connection.execute(_LOAD, (user, reader)))


def _readers(connection: sqlite3.Connection, user: str) -> dict[str, VersionVector]:
    found: dict[str, list[tuple[str, int]]] = {}
    for reader, device, counter in connection.execute(_READERS, (user,)):
        found.setdefault(reader, []).append((device, counter))
    return {reader: vector_of(user, rows) for reader, rows in found.items()}
