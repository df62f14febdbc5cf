"""One opened store: its threads, and the handles on it."""

from __future__ import annotations

import asyncio
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from anyio import CancelScope

from strandlog.errors import StoreClosedError, StoreError
from strandlog_leveldb._driver import Driver, ReadJob, WriteJob

__all__ = ["Database", "Handle", "open_database"]

ResultT = TypeVar("ResultT")


async def open_database(path: str, *, create: bool, sync: bool) -> Database:
    """Open the database in a directory.

    Raises:
        StoreError: It cannot be opened; the message says what to do.
    """
    writer = ThreadPoolExecutor(1, "strandlog-leveldb-writer")
    opening = _submit(writer, partial(Driver.open, path, create=create, sync=sync))
    try:
        driver = await _to_the_end(opening)
    except BaseException:
        if opening.exception() is None:
            await _to_the_end(_submit(writer, opening.result().close))
        writer.shutdown()
        raise
    return Database(driver, writer)


class Database:
    """A driver with a thread for all writes and one for all reads.

    One thread that writes makes reading, deciding and writing one step; reads
    do not wait for its syncs. A call is one job, and so one hop to a thread.
    """

    def __init__(self, driver: Driver, writer: ThreadPoolExecutor) -> None:
        self._driver = driver
        self._writer = writer
        self._reader = ThreadPoolExecutor(1, "strandlog-leveldb-reader")
        self._handles = 0
        # A job that waits or runs holds on to the database: when this is called,
        # there is none. At the end of the process the threads are gone before.
        self._abandoned = weakref.finalize(self, _abandon, driver, writer, self._reader)

    @property
    def path(self) -> str:
        return self._driver.path

    @property
    def epoch(self) -> str:
        return self._driver.epoch

    async def read(self, job: ReadJob[ResultT]) -> ResultT:
        """Run *job* on one snapshot."""
        return await self._run(self._reader, lambda: self._driver.read(job))

    async def write(self, job: WriteJob[ResultT]) -> ResultT:
        """Run *job* and make what it changes durable."""
        return await self._run(self._writer, lambda: self._driver.write(job))

    async def _run(self, thread: ThreadPoolExecutor, job: Callable[[], ResultT]) -> ResultT:
        # Once queued it runs to its end, and a caller that is cancelled waits
        # for that: so whatever the caller does next finds it done.
        return await _to_the_end(_submit(thread, job))

    def join(self) -> None:
        """Count one more handle."""
        self._handles += 1

    async def leave(self) -> None:
        """Count one handle less; after the last, run what is queued and close."""
        self._handles -= 1
        if self._handles:
            return
        self._abandoned.detach()
        try:
            await self._run(self._reader, lambda: None)
            await self._run(self._writer, self._driver.close)
        finally:
            # They have nothing to do any more, so this does not wait.
            self._reader.shutdown()
            self._writer.shutdown()


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

    async def read(self, job: ReadJob[ResultT]) -> ResultT:
        """Run *job* on one snapshot."""
        self.check_open()
        return await self._database.read(job)

    async def write(self, job: WriteJob[ResultT]) -> ResultT:
        """Run *job* and make what it changes durable."""
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
        self._check_loop()

    def _check_loop(self) -> None:
        if asyncio.get_running_loop() is not self._loop:
            raise StoreError(
                f"{self._database.path}: this store belongs to another event loop:"
                " open it in this one"
            )

    async def close(self) -> None:
        """Refuse everything from now on, answer what was asked before, and let go."""
        self._check_loop()
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._database.leave())
        await _to_the_end(self._closing)


def _submit(thread: ThreadPoolExecutor, job: Callable[[], ResultT]) -> asyncio.Future[ResultT]:
    return asyncio.get_running_loop().run_in_executor(thread, job)


async def _to_the_end(work: asyncio.Future[ResultT]) -> ResultT:
    """Await *work* to its end even if the caller is cancelled, and raise the cancellation then."""
    cancelled: asyncio.CancelledError | None = None
    # The scope holds back cancellations by anyio, which would come again at
    # every turn of the loop; those of asyncio itself come once and are caught.
    with CancelScope(shield=True):
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        # It is not lost: who cancels a call does not ask what became of it.
        work.exception()
        raise cancelled
    return work.result()


def _abandon(driver: Driver, writer: ThreadPoolExecutor, reader: ThreadPoolExecutor) -> None:
    """Close what nobody has closed, and say so."""
    # Not to be waited for: this may run in one of them.
    reader.shutdown(wait=False)
    writer.shutdown(wait=False)
    driver.close()
    warnings.warn(f"{driver.path}: a store was not closed", ResourceWarning, stacklevel=2)
