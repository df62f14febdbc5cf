"""One opened store file: a connection that writes, one that reads, and who uses them."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from strandlog.errors import StoreClosedError, StoreError, StoreReadOnlyError
from strandlog_sqlite._connection import Connection, Job, commit, snapshot, to_the_end

__all__ = ["Database", "Handle"]

ResultT = TypeVar("ResultT")


class Database:
    """The connections to one file, shared by its handles and closed with the last of them."""

    def __init__(
        self, path: str, epoch: str, reader: Connection, writer: Connection | None
    ) -> None:
        self.path = path
        self.epoch = epoch
        self._reader = reader
        self._writer = writer
        self._handles = 0

    def join(self) -> None:
        """Count one more handle."""
        self._handles += 1

    async def leave(self) -> None:
        """Count one handle less, and close after the last."""
        self._handles -= 1
        if self._handles == 0:
            await self.close()

    async def read(self, job: Job[ResultT]) -> ResultT:
        """Run *job* on one snapshot of the file."""
        return await self._reader.run(lambda connection: snapshot(connection, job))

    async def write(self, job: Job[ResultT]) -> ResultT:
        """Run *job* in a transaction and commit it.

        Raises:
            StoreReadOnlyError: The file was opened for reading.
        """
        if self._writer is None:
            raise StoreReadOnlyError(f"{self.path}: was opened with read_only=true")
        return await self._writer.run(lambda connection: commit(connection, job))

    async def close(self) -> None:
        """Run what is queued, then close both connections."""
        try:
            await self._reader.close()
        finally:
            # Last, for the last connection writes the log back into the file,
            # and the reader must not.
            if self._writer is not None:
                await self._writer.close()


class Handle:
    """One store's use of a database, until the store is closed."""

    def __init__(self, database: Database) -> None:
        database.join()
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._closing: asyncio.Future[None] | None = None

    @property
    def epoch(self) -> str:
        return self._database.epoch

    async def read(self, job: Job[ResultT]) -> ResultT:
        """Run *job* on one snapshot of the file."""
        self.check_open()
        return await self._database.read(job)

    async def write(self, job: Job[ResultT]) -> ResultT:
        """Run *job* in a transaction and commit it."""
        self.check_open()
        return await self._database.write(job)

    def check_open(self) -> None:
        """Raise if the store cannot be used here and now.

        Raises:
            StoreClosedError: It was closed.
            StoreError: Another event loop is running than when it was opened.
        """
        if self._closing is not None:
            raise StoreClosedError(f"{self._database.path}: this store is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise StoreError(
                f"{self._database.path}: this store belongs to another event loop:"
                " open it in this one"
            )

    async def close(self) -> None:
        """Refuse everything from now on, answer what was asked before, and let go of the file."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._database.leave())
        await to_the_end(self._closing)
