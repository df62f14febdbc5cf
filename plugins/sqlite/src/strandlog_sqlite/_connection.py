"""One SQLite connection in a thread of its own: a whole operation is one hop there.

A hop to a thread and back costs as much as reading fifty rows, and a
transaction that awaits between its statements can be cancelled half-way. So
what has to be done comes as one function, a *job*, which runs in the
connection's thread from its first statement to its last.
"""

from __future__ import annotations

import asyncio
import sqlite3
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar

import aiosqlite
from anyio import CancelScope

from strandlog.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreReadOnlyError,
    StoreUnavailableError,
    TooLargeError,
)

__all__ = ["Connection", "Job", "commit", "snapshot", "to_the_end"]

ResultT = TypeVar("ResultT")

Job = Callable[[sqlite3.Connection], ResultT]

_RUN_JOB = "run a job"


class Connection:
    """A connection that runs jobs, one after another, in the order they came."""

    def __init__(self, connection: aiosqlite.Connection, path: str) -> None:
        self._connection = connection
        self._path = path
        self._closed = False

    def __del__(self) -> None:
        if self._closed:
            return
        warnings.warn(
            f"{self._path}: a store was not closed", ResourceWarning, stacklevel=2, source=self
        )
        # The driver would stop by itself, were it not held by the last job that its
        # thread ran; and a thread that is left keeps the process alive. From a
        # thread without an event loop, since it would answer to one that may be gone.
        Thread(target=self._connection.stop).start()

    @classmethod
    async def open(
        cls, path: str, *, uri: str, busy_timeout_seconds: float, prepare: Job[object]
    ) -> Connection:
        """Connect, and run *prepare* as the first job.

        Raises:
            StoreError: The file cannot be opened; nothing is left open.
        """
        try:
            driver = await aiosqlite.connect(
                uri,
                uri=True,
                factory=_JobConnection,
                isolation_level=None,  # jobs say BEGIN and COMMIT themselves
                timeout=busy_timeout_seconds,
            )
        except sqlite3.Error as error:
            raise _translated(error, path) from error
        connection = cls(driver, path)
        try:
            await connection.run(prepare)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def run(self, job: Job[ResultT]) -> ResultT:
        """Run *job* in the connection's thread and return what it returns.

        Once queued it runs to its end, and a caller that is cancelled waits for
        that: so whatever the caller does next finds it done.

        Raises:
            StoreError: In place of any error of SQLite.
        """
        try:
            [result] = await self._connection.execute_fetchall(_RUN_JOB, [job])
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error
        except asyncio.CancelledError:
            await to_the_end(self._settled())
            raise
        value: ResultT = result  # type: ignore[assignment]  # aiosqlite only knows rows
        return value

    async def _settled(self) -> None:
        """Wait until the jobs that are queued now have run."""
        # Refused when the connection is closing; then they have run already.
        with suppress(ValueError, sqlite3.ProgrammingError):
            await self._connection.execute_fetchall(_RUN_JOB, [_nothing])

    async def close(self) -> None:
        """Run what is queued, then close; after that there is no thread any more."""
        self._closed = True
        try:
            await to_the_end(self._connection.close())
        except sqlite3.Error as error:
            raise _translated(error, self._path) from error


def commit(connection: sqlite3.Connection, job: Job[ResultT]) -> ResultT:
    """Run *job* in a transaction: all of it is durable on return, or nothing happened.

    The only place where a store commits. Jobs that wait could share one
    transaction here: each decides before it writes, so one that is refused
    leaves nothing behind for its neighbours.
    """
    # IMMEDIATE: a transaction that reads first and is upgraded later fails at
    # once, without waiting, when another process has written in between.
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = job(connection)
        connection.execute("COMMIT")
    finally:
        _end(connection)
    return result


def snapshot(connection: sqlite3.Connection, job: Job[ResultT]) -> ResultT:
    """Run *job* so that all its statements see one and the same state."""
    connection.execute("BEGIN")
    try:
        return job(connection)
    finally:
        _end(connection)


def _end(connection: sqlite3.Connection) -> None:
    # After some errors SQLite has rolled back by itself; and if it cannot, the
    # error that brought us here says more.
    if connection.in_transaction:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")


async def to_the_end(work: Awaitable[ResultT]) -> ResultT:
    """Await *work* to its end even if the caller is cancelled, and raise the cancellation then."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    # The scope holds back cancellations by anyio, which would come again at
    # every turn of the loop; those of asyncio itself come once and are caught.
    with CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is not None:
        raise cancelled from (None if task.cancelled() else task.exception())
    return task.result()


class _JobConnection(sqlite3.Connection):
    """Lets a job through the one method of aiosqlite that asks and fetches in a single hop."""

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql is not _RUN_JOB:
            return super().execute(sql, parameters)
        [job] = parameters
        return _Result(self, job(self))


class _Result(sqlite3.Cursor):
    """What a job returned, in the shape in which aiosqlite fetches rows."""

    def __init__(self, connection: sqlite3.Connection, value: object) -> None:
        super().__init__(connection)
        self._value = value

    def fetchall(self) -> list[Any]:
        return [self._value]


def _nothing(_connection: sqlite3.Connection) -> None:
    pass


# By primary result code: https://sqlite.org/rescode.html
_ERRORS: dict[int, type[StoreError]] = {
    sqlite3.SQLITE_PERM: StoreUnavailableError,
    sqlite3.SQLITE_BUSY: StoreUnavailableError,
    sqlite3.SQLITE_LOCKED: StoreUnavailableError,
    sqlite3.SQLITE_IOERR: StoreUnavailableError,
    sqlite3.SQLITE_CANTOPEN: StoreUnavailableError,
    sqlite3.SQLITE_PROTOCOL: StoreUnavailableError,
    sqlite3.SQLITE_FULL: StoreFullError,
    sqlite3.SQLITE_READONLY: StoreReadOnlyError,
    sqlite3.SQLITE_CORRUPT: StoreCorruptError,
    sqlite3.SQLITE_NOTADB: StoreCorruptError,
}

_HINTS: dict[int, str] = {
    sqlite3.SQLITE_BUSY: ": another process holds it; try again, or give a longer busy_timeout",
    sqlite3.SQLITE_FULL: ": make room and try again",
    sqlite3.SQLITE_READONLY: ": make the file and its directory writable, or add read_only=true",
}

# The greatest length of a blob in SQLite: https://sqlite.org/limits.html
_BLOB_MAX = 1_000_000_000


def _translated(error: sqlite3.Error, path: str) -> StoreError:
    # Absent when the error does not come from SQLite but from the module.
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        kind = StoreCorruptError if isinstance(error, sqlite3.OperationalError) else StoreError
        return kind(f"{path}: {error}")
    # The upper bytes say more precisely what failed, and differ by platform.
    primary = code & 0xFF
    if primary == sqlite3.SQLITE_TOOBIG:
        return TooLargeError(
            f"{path}: an entry exceeds {_BLOB_MAX} bytes, the greatest that SQLite takes",
            limit=_BLOB_MAX,
        )
    return _ERRORS.get(primary, StoreError)(f"{path}: {error}{_HINTS.get(primary, '')}")
