"""What ``sqlite://`` offers, and how it is opened.

Light, for it is imported to list the backends; the driver comes with the first opening.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from strandlog.backend import (
    Cancel,
    Capabilities,
    CursorStore,
    Durability,
    Handles,
    LogStore,
    StoreUrl,
)

__all__ = ["CAPABILITIES", "SqliteOptions", "open_both", "open_cursors", "open_log"]


class SqliteOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ``sqlite://`` URL may say after its question mark.

    Attributes:
        durability: ``full``: what returned survives loss of power. ``normal``:
            loss of power may take the last moments; nothing else does.
        busy_timeout: How many seconds to wait while another process writes.
        read_only: Write nothing; the file has to exist.
    """

    durability: Literal["full", "normal"] = "full"
    busy_timeout: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 10.0
    read_only: bool = False


CAPABILITIES = Capabilities(
    durability=Durability.POWER,
    handles=Handles.PROCESS,
    cancel=Cancel.COMPLETES,
    sparse=True,
    rehome=True,
    read_only_open=True,
    # What is read is what was written: records are checked against their
    # checksum and the columns beside them against the record. But damage to a
    # page of the B-tree or of the index can hide an entry, and then nothing is
    # there to be checked.
    integrity=False,
    needs=frozenset({"fs", "threads"}),
)


@asynccontextmanager
async def open_log(url: StoreUrl) -> AsyncIterator[LogStore]:
    """Open the logs in the file that *url* names."""
    from strandlog_sqlite._database import Handle
    from strandlog_sqlite._log import SqliteLogStore
    from strandlog_sqlite._open import open_database

    handle = Handle(await open_database(url))
    async with SqliteLogStore(handle, _capabilities(url)) as store:
        yield store


@asynccontextmanager
async def open_cursors(url: StoreUrl) -> AsyncIterator[CursorStore]:
    """Open the cursors in the file that *url* names."""
    from strandlog_sqlite._cursors import SqliteCursorStore
    from strandlog_sqlite._database import Handle
    from strandlog_sqlite._open import open_database

    handle = Handle(await open_database(url))
    async with SqliteCursorStore(handle) as store:
        yield store


@asynccontextmanager
async def open_both(url: StoreUrl) -> AsyncIterator[tuple[LogStore, CursorStore]]:
    """Open logs and cursors in one file, on the same connections."""
    from strandlog_sqlite._cursors import SqliteCursorStore
    from strandlog_sqlite._database import Handle
    from strandlog_sqlite._log import SqliteLogStore
    from strandlog_sqlite._open import open_database

    database = await open_database(url)
    async with (
        SqliteLogStore(Handle(database), _capabilities(url)) as log,
        SqliteCursorStore(Handle(database)) as cursors,
    ):
        yield log, cursors


def _capabilities(url: StoreUrl) -> Capabilities:
    if url.options(SqliteOptions).durability == "full":
        return CAPABILITIES
    return replace(CAPABILITIES, durability=Durability.OS)
