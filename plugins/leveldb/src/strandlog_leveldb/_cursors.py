"""Cursors in a LevelDB directory."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog.backend import CursorStore
from strandlog_leveldb._database import Handle
from strandlog_leveldb._driver import View
from strandlog_leveldb._rows import keys_of
from strandlog_leveldb._schema import (
    Changes,
    body_of,
    checked,
    cursor_key,
    name_at,
    prefix,
    reader_key,
    vector_body,
    vector_of,
)

__all__ = ["LeveldbCursorStore"]


class LeveldbCursorStore(CursorStore):
    """Keeps a cursor under one key, which each change rewrites, and lists its reader beside it."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def load(self, user: str, reader: str) -> VersionVector:
        return await self._handle.read(lambda view: _load(view, user, reader))

    async def readers(self, user: str) -> dict[str, VersionVector]:
        def job(view: View) -> dict[str, VersionVector]:
            found = {reader: _load(view, user, reader) for reader in _listed(view, user)}
            return {reader: vector for reader, vector in found.items() if vector}

        return await self._handle.read(job)

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        def job(view: View, changes: Changes) -> VersionVector:
            held = _load(view, user, reader)
            merged = held.merge(vector)
            if merged != held:
                _keep(view, changes, user, reader, merged)
            return merged

        return await self._handle.write(job)

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await self._handle.write(lambda view, changes: _keep(view, changes, user, reader, vector))

    async def forget(self, user: str, reader: str) -> None:
        await self._handle.write(lambda view, changes: _remove(view, changes, user, reader))

    async def erase(self, user: str) -> None:
        def job(view: View, changes: Changes) -> None:
            for reader in list(_listed(view, user)):
                _remove(view, changes, user, reader)

        await self._handle.write(job)

    async def close(self) -> None:
        await self._handle.close()


def _listed(view: View, user: str) -> list[str]:
    beginning = prefix(b"r", user)
    return [name_at(key, len(beginning)) for key in keys_of(view, beginning)]


def _load(view: View, user: str, reader: str) -> VersionVector:
    key = cursor_key(user, reader)
    value = view.value(key)
    return VersionVector() if value is None else vector_of(body_of(key, value))


def _keep(view: View, changes: Changes, user: str, reader: str, vector: VersionVector) -> None:
    listed, key = reader_key(user, reader), cursor_key(user, reader)
    if view.value(listed) is None:
        changes[listed] = checked(listed)
    changes[key] = checked(key, vector_body(vector))


def _remove(view: View, changes: Changes, user: str, reader: str) -> None:
    for key in (reader_key(user, reader), cursor_key(user, reader)):
        if view.value(key) is not None:
            changes[key] = None
