"""Many small disks in one opened location: to whoever uses one it is a store of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from strandlog import Appended, Entry, Page, Seq, VersionVector
from strandlog.backend import Capabilities, CursorStore, Durability, LogStore, StoreInfo
from strandlog_conformance.case import Case
from strandlog_conformance.samples import ALL

__all__ = ["Disk", "ProcessDiedError", "Side"]


class ProcessDiedError(Exception):
    """The process ended here, as a story wanted it."""


class Side:
    """The stores of one side of a story: the devices', or the server's.

    Opened once, however many disks the story needs: the logs of each have names
    that no other disk has. So a story works at a location that is in use, and
    leaves nothing there.
    """

    def __init__(self, case: Case) -> None:
        self.case = case
        self.log: LogStore
        self.cursors: CursorStore
        self._opened = AsyncExitStack()

    @classmethod
    @asynccontextmanager
    async def opened(cls, case: Case) -> AsyncIterator[Side]:
        """Open the location of *case*, for the length of the context."""
        side = cls(case)
        async with side._opened:  # its own
            await side._open()
            yield side

    async def reopen(self) -> None:
        """Close the stores and open them again, if what they hold outlives that."""
        if self.case.capabilities.durability is not Durability.NONE:
            await self._opened.aclose()
            await self._open()

    async def _open(self) -> None:
        self.log, self.cursors = await self._opened.enter_async_context(self.case.open_both())


class Disk:
    """What one machine keeps.

    Attributes:
        log: Its logs, as a replica or a server takes them.
        cursors: Its cursors.
        dies_before: The call, such as ``"reset"``, in which the process ends. It
            does so once, and the call comes to nothing.
    """

    def __init__(self, side: Side) -> None:
        self.side = side
        self.log: LogStore = _Logs(self)
        self.cursors: CursorStore = _Cursors(self)
        self.dies_before = ""
        self._names: dict[str, str] = {}

    def name(self, user: str, call: str = "") -> str:
        """Return what the log of *user* is called in the location."""
        if call and call == self.dies_before:
            self.dies_before = ""
            raise ProcessDiedError(f"the process ended before {call}")
        if user not in self._names:
            self._names[user] = self.side.case.user()
        return self._names[user]

    @property
    def users(self) -> list[str]:
        """Whose logs were asked for so far."""
        return list(self._names)

    async def entries(self, user: str) -> list[Entry]:
        """Return the whole log of *user*, in its order."""
        return list((await self.log.read_range(user, limit=ALL)).entries)

    async def copied(self, *, log: Disk | None = None, cursors: Disk | None = None) -> Disk:
        """Return a new disk with what this one holds, or others in its place.

        It is read and written as anybody would, through the contract.
        """
        made, logs, readings = Disk(self.side), log or self, cursors or self
        for user in logs.users:
            await made._take_log(user, await logs.log.read_range(user, limit=ALL))
        for user in readings.users:
            for reader, vector in (await readings.cursors.readers(user)).items():
                await made.cursors.reset(user, reader, vector)
        return made

    async def _take_log(self, user: str, page: Page) -> None:
        capabilities = self.log.capabilities
        # Copies of a device may have holes; a server's log has none but below a floor.
        upto = page.tops if capabilities.sparse else None
        size = capabilities.max_batch or ALL
        for first in range(0, len(page.entries), size):
            batch = page.entries[first : first + size]
            await self.log.append(user, batch, upto=upto, floor=page.floor or None)


class _Logs(LogStore):
    """The logs of a disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    @property
    def _store(self) -> LogStore:
        return self._disk.side.log

    @property
    def capabilities(self) -> Capabilities:
        return self._store.capabilities

    async def append(
        self,
        user: str,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> Appended:
        name = self._disk.name(user, "append")
        return await self._store.append(name, entries, upto=upto, floor=floor)

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        return await self._store.digests(self._disk.name(user), at)

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
        return await self._store.read(
            self._disk.name(user),
            after=after,
            devices=devices,
            scopes=scopes,
            limit=limit,
            max_bytes=max_bytes,
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
        return await self._store.read_range(
            self._disk.name(user),
            after=after,
            up_to=up_to,
            reverse=reverse,
            scopes=scopes,
            limit=limit,
        )

    async def tops(self, user: str) -> VersionVector:
        return await self._store.tops(self._disk.name(user))

    async def head(self, user: str) -> Seq | None:
        return await self._store.head(self._disk.name(user))

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        return await self._store.logs(after=after, limit=limit)

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        return await self._store.trim(self._disk.name(user), device, up_to=up_to)

    async def erase(self, user: str) -> None:
        await self._store.erase(self._disk.name(user))

    async def restore(self, user: str) -> int:
        return await self._store.restore(self._disk.name(user))

    async def info(self) -> StoreInfo:
        return await self._store.info()

    async def rehome(
        self,
        user: str,
        device: str,
        *,
        from_counter: int,
        to_device: str,
        unsent_after: Mapping[str, int] | None = None,
    ) -> int:
        return await self._store.rehome(
            self._disk.name(user, "rehome"),
            device,
            from_counter=from_counter,
            to_device=to_device,
            unsent_after=unsent_after,
        )

    async def close(self) -> None:
        """Leave the store open: it belongs to the side."""


class _Cursors(CursorStore):
    """The cursors of a disk."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    @property
    def _store(self) -> CursorStore:
        return self._disk.side.cursors

    async def load(self, user: str, reader: str) -> VersionVector:
        return await self._store.load(self._disk.name(user), reader)

    async def readers(self, user: str) -> dict[str, VersionVector]:
        return await self._store.readers(self._disk.name(user))

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        return await self._store.advance(self._disk.name(user, "advance"), reader, vector)

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await self._store.reset(self._disk.name(user, "reset"), reader, vector)

    async def forget(self, user: str, reader: str) -> None:
        await self._store.forget(self._disk.name(user), reader)

    async def erase(self, user: str) -> None:
        await self._store.erase(self._disk.name(user))

    async def close(self) -> None:
        """Leave the store open: it belongs to the side."""
