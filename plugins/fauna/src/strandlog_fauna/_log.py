"""Logs in a Fauna database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence

from strandlog import Appended, Entry, Page, Seq, VersionVector
from strandlog.backend import Capabilities, LogStore, StoreInfo
from strandlog_fauna import _read, _rehome, _remove, _write
from strandlog_fauna._database import Handle
from strandlog_fauna._schema import SCHEMA_VERSION

__all__ = ["FaunaLogStore"]


class FaunaLogStore(LogStore):
    """Each call is one job in a thread: nearly always one request, and one transaction."""

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
        self._handle.check_open()
        _write.check_sizes(user, entries, self._capabilities.max_entry)
        return await self._handle.run(
            lambda link: _write.append(link, user, entries, upto=upto, floor=floor)
        )

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        return await self._handle.run(lambda link: _read.digests(link, user, at))

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
        return await self._handle.run(
            lambda link: _read.page(
                link,
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
        return await self._handle.run(
            lambda link: _read.page_of_range(
                link, user, after=after, up_to=up_to, reverse=reverse, scopes=scopes, limit=limit
            )
        )

    async def tops(self, user: str) -> VersionVector:
        return await self._handle.run(lambda link: _read.tops(link, user))

    async def head(self, user: str) -> Seq | None:
        return await self._handle.run(lambda link: _read.head(link, user))

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        return await self._handle.run(lambda link: _read.logs(link, after=after, limit=limit))

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        return await self._handle.run(lambda link: _remove.trim(link, user, device, up_to=up_to))

    async def erase(self, user: str) -> None:
        await self._handle.run(lambda link: _remove.erase(link, user))

    async def restore(self, user: str) -> int:
        return await self._handle.run(lambda link: _remove.restore(link, user))

    async def rehome(
        self,
        user: str,
        device: str,
        *,
        from_counter: int,
        to_device: str,
        unsent_after: Mapping[str, int] | None = None,
    ) -> int:
        return await self._handle.run(
            lambda link: _rehome.rehome(
                link,
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
