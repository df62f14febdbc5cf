"""Logs in a LevelDB directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from strandlog import Appended, Entry, Page, Seq, VersionVector
from strandlog.backend import Capabilities, LogStore, StoreInfo
from strandlog_leveldb import _read, _write
from strandlog_leveldb._database import Handle
from strandlog_leveldb._rows import devices_of
from strandlog_leveldb._schema import SCHEMA_VERSION

__all__ = ["LeveldbLogStore"]


class LeveldbLogStore(LogStore):
    """Each call is one job: a write that is decided where it is written, or a read."""

    def __init__(self, handle: Handle, capabilities: Capabilities) -> None:
        self._handle = handle
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def append(
        self,
        user: str,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> Appended:
        return await self._handle.write(
            lambda view, changes: _write.append(
                view, changes, user, entries, upto=upto, floor=floor
            )
        )

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        return await self._handle.read(lambda view: _read.digests(view, user, at))

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
        return await self._handle.read(
            lambda view: _read.page(
                view,
                user,
                after=after,
                devices=devices,
                scopes=scopes,
                limit=limit,
                max_bytes=max_bytes,
            )
        )

    async def read_range(
        self,
        user: str,
        *,
        after: Seq | None = None,
        up_to: Seq | None = None,
        reverse: bool = False,
        scopes: Collection[str] | None = None,
        limit: int,
    ) -> Page:
        return await self._handle.read(
            lambda view: _read.page_of_range(
                view, user, after=after, up_to=up_to, reverse=reverse, scopes=scopes, limit=limit
            )
        )

    async def tops(self, user: str) -> VersionVector:
        return await self._handle.read(lambda view: _read.tops(devices_of(view, user)))

    async def head(self, user: str) -> Seq | None:
        return await self._handle.read(lambda view: _read.head(view, user))

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        return await self._handle.read(lambda view: _read.logs(view, after=after, limit=limit))

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        return await self._handle.write(
            lambda view, changes: _write.trim(view, changes, user, device, up_to=up_to)
        )

    async def erase(self, user: str) -> None:
        await self._handle.write(lambda view, changes: _write.erase(view, changes, user))

    async def restore(self, user: str) -> int:
        return await self._handle.write(lambda view, changes: _write.restore(view, changes, user))

    async def rehome(
        self,
        user: str,
        device: str,
        *,
        from_counter: int,
        to_device: str,
        unsent_after: Mapping[str, int] | None = None,
    ) -> int:
        return await self._handle.write(
            lambda view, changes: _write.rehome(
                view,
                changes,
                user,
                device,
                from_counter=from_counter,
                to_device=to_device,
                unsent_after=unsent_after or {},
            )
        )

    async def info(self) -> StoreInfo:
        self._handle.check_open()
        return StoreInfo(self._handle.epoch, SCHEMA_VERSION, self._capabilities)

    async def compact(self) -> None:
        self._handle.check_open()
        await super().compact()

    def subscribe(self) -> AsyncIterator[str]:
        self._handle.check_open()
        return super().subscribe()

    async def close(self) -> None:
        await self._handle.close()
