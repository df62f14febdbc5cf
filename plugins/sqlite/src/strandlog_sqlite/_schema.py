"""The tables of a store file, and how an older file becomes a newer one."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Sequence

from strandlog.errors import StoreCorruptError, StoreVersionError

__all__ = ["APPLICATION_ID", "SCHEMA_VERSION", "epoch_of", "migrate", "needs_migration"]

APPLICATION_ID = 0x73_74_72_6C  # "strl", by which file(1) and we know a store file

# A device row stands for one device of one user: its id keeps the two names out
# of every entry (a quarter of the file, and a quarter more entries a second).
# Its top is kept apart from the entries, for a filtered copy covers what it does
# not hold.
#
# Inside one device the order by counter is the order by seq. So the key of
# `entry` serves every read that sees all scopes, and one index serves the others:
# both begin exactly where a reader stopped, whatever is hidden from it. The
# columns beside the record are those that are searched; a read checks them
# against the record.
_CREATE = (
    """
    CREATE TABLE meta (
        epoch TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE device (
        id INTEGER PRIMARY KEY,
        user TEXT NOT NULL,
        name TEXT NOT NULL,
        top INTEGER NOT NULL,
        floor INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE UNIQUE INDEX device_by_name ON device (user, name)",
    """
    CREATE TABLE entry (
        device INTEGER NOT NULL,
        counter INTEGER NOT NULL,
        timestamp INTEGER NOT NULL,
        scope TEXT NOT NULL,
        record BLOB NOT NULL,
        PRIMARY KEY (device, counter)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX entry_by_scope ON entry (device, scope, timestamp, counter)",
    """
    CREATE TABLE redaction (
        user TEXT NOT NULL,
        target_device TEXT NOT NULL,
        target_counter INTEGER NOT NULL,
        by_device TEXT NOT NULL,
        by_counter INTEGER NOT NULL,
        PRIMARY KEY (user, target_device, target_counter, by_device, by_counter)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE tombstone (
        user TEXT PRIMARY KEY,
        generation INTEGER NOT NULL,
        erased INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE cursor (
        user TEXT NOT NULL,
        reader TEXT NOT NULL,
        device TEXT NOT NULL,
        counter INTEGER NOT NULL,
        PRIMARY KEY (user, reader, device)
    ) STRICT, WITHOUT ROWID
    """,
)

# Step n makes version n + 1 of version n; a new file runs through all of them.
# A released step is never changed: files in the field have run it.
_STEPS: Sequence[Sequence[str]] = (_CREATE,)

SCHEMA_VERSION = len(_STEPS)


def needs_migration(connection: sqlite3.Connection, path: str) -> bool:
    """Return whether the file is new or of an older version. Writes nothing.

    Raises:
        StoreVersionError: The file is of a newer version.
        StoreCorruptError: It is a database of something else.
    """
    version = _pragma(connection, "user_version")
    if version > SCHEMA_VERSION:
        raise StoreVersionError(
            f"{path}: has schema version {version} and this strandlog-sqlite knows up to"
            f" {SCHEMA_VERSION}: install a newer one"
        )
    known = _pragma(connection, "application_id") == APPLICATION_ID
    if not known and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise StoreCorruptError(f"{path}: is an SQLite database, but not one of strandlog")
    return version < SCHEMA_VERSION


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Bring the file to the present version; a part of a transaction.

    Of several processes that open an old file at once, one does it and the
    others find it done.
    """
    if not needs_migration(connection, path):
        return
    version = _pragma(connection, "user_version")
    for step in _STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    if version == 0:
        connection.execute("INSERT INTO meta (epoch) VALUES (?)", (secrets.token_hex(8),))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def epoch_of(connection: sqlite3.Connection, path: str) -> str:
    """Return what was drawn when the file was created."""
    row = connection.execute("SELECT epoch FROM meta").fetchone()
    if row is None:
        raise StoreCorruptError(f"{path}: has lost its epoch")
    return str(row[0])


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    [value] = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)
