"""Opens store files: finds them, creates them, refuses what is not one."""

from __future__ import annotations

import sqlite3
import time
from contextlib import AsyncExitStack
from pathlib import Path

from strandlog.backend import StoreUrl
from strandlog.errors import StoreReadOnlyError, StoreUnavailableError
from strandlog_sqlite._backend import SqliteOptions
from strandlog_sqlite._connection import Connection, Job, commit
from strandlog_sqlite._database import Database
from strandlog_sqlite._schema import epoch_of, migrate, needs_migration

__all__ = ["open_database"]


async def open_database(url: StoreUrl) -> Database:
    """Open the file that *url* names, creating it unless it is to be read only.

    Raises:
        StoreVersionError: It was written by a newer version, and is left as it is.
        StoreCorruptError: It is not a store file.
        StoreError: It cannot be opened; the message says what to do.
    """
    options = url.options(SqliteOptions)
    path = url.file_path
    exists = _check_place(path, options)
    async with AsyncExitStack() as opened:

        async def connect(uri: str, prepare: Job[object]) -> Connection:
            connection = await Connection.open(
                path, uri=uri, busy_timeout_seconds=options.busy_timeout, prepare=prepare
            )
            opened.push_async_callback(connection.close)
            return connection

        # An existing file is looked at before anything is done to it.
        reader = writer = None
        if exists:
            reader = await connect(_quiet_uri(path), lambda c: _begin_reading(c, path, options))
        if not options.read_only:
            writer = await connect(_uri(path, "rwc"), lambda c: _begin_writing(c, path, options))
        if reader is None:
            reader = await connect(_quiet_uri(path), lambda c: _begin_reading(c, path, options))
        epoch = await reader.run(lambda connection: epoch_of(connection, path))
        opened.pop_all()
    return Database(path, epoch, reader, writer)


def _check_place(path: str, options: SqliteOptions) -> bool:
    """Return whether the file exists.

    Raises:
        StoreUnavailableError: It cannot be there. SQLite would say no more than
            "unable to open database file".
    """
    place = Path(path).absolute()
    if not place.parent.is_dir():
        raise StoreUnavailableError(
            f"{path}: there is no directory {place.parent}: create it first"
        )
    if place.is_dir():
        raise StoreUnavailableError(f"{path}: is a directory: name a file in it")
    if options.read_only and not place.exists():
        raise StoreUnavailableError(f"{path}: does not exist, and read_only=true creates nothing")
    return place.exists()


def _uri(path: str, mode: str) -> str:
    # As a URI every file can be named, even one called ":memory:".
    return f"{Path(path).absolute().as_uri()}?mode={mode}"


def _quiet_uri(path: str) -> str:
    """Return the URI for a connection that only reads, and leaves no trace of it.

    The last connection to a file writes its log back and removes it, unless it
    is a read-only one, which leaves an empty log behind. So where there is a log
    (of a process that runs, or that was killed) the read-only mode touches
    nothing, and where there is none the other does.
    """
    log = Path(f"{path}-wal")
    return _uri(path, "ro" if log.exists() and log.stat().st_size else "rw")


def _begin_reading(connection: sqlite3.Connection, path: str, options: SqliteOptions) -> None:
    connection.execute("PRAGMA query_only = ON")
    if needs_migration(connection, path) and options.read_only:
        raise StoreReadOnlyError(
            f"{path}: has to be brought to a newer schema: open it once without read_only=true"
        )


def _begin_writing(connection: sqlite3.Connection, path: str, options: SqliteOptions) -> None:
    if needs_migration(connection, path):
        _use_log(connection, options.busy_timeout)
        commit(connection, lambda c: migrate(c, path))
    if options.durability == "full":
        connection.execute("PRAGMA synchronous = FULL")
        # On macOS fsync alone does not reach the disk; elsewhere this changes nothing.
        connection.execute("PRAGMA fullfsync = ON")
    else:
        connection.execute("PRAGMA synchronous = NORMAL")


def _use_log(connection: sqlite3.Connection, busy_timeout_seconds: float) -> None:
    """Switch the file to a write-ahead log, which lets others read while one writes."""
    give_up = time.monotonic() + busy_timeout_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            # Here SQLite itself does not wait when another process does the same.
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:
                raise
            time.sleep(0.01)
        else:
            return
