"""What ``leveldb://`` offers, and how it is opened.

Light, for it is imported to list the backends; the driver comes with the first opening.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

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
from strandlog.errors import BrokenBackendError

if TYPE_CHECKING:
    from strandlog_leveldb._database import Database

__all__ = ["CAPABILITIES", "LeveldbOptions", "open_both", "open_cursors", "open_log"]


class LeveldbOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ``leveldb://`` URL may say after its question mark.

    Attributes:
        durability: ``full``: what returned survives loss of power. ``normal``:
            loss of power may take the last moments; nothing else does.
        create_if_missing: Make the store if it is not there.
    """

    durability: Literal["full", "normal"] = "full"
    create_if_missing: bool = True


CAPABILITIES = Capabilities(
    durability=Durability.POWER,
    # LevelDB keeps what it wrote last in the memory of its one opener.
    handles=Handles.ONE,
    cancel=Cancel.COMPLETES,
    sparse=True,
    rehome=True,
    integrity=True,
    needs=frozenset({"fs", "threads"}),
)


@asynccontextmanager
async def open_log(url: StoreUrl) -> AsyncIterator[LogStore]:
    """Open the logs in the directory that *url* names."""
    database = await _opened(url)
    from strandlog_leveldb._database import Handle
    from strandlog_leveldb._log import LeveldbLogStore

    async with LeveldbLogStore(Handle(database), _capabilities(url)) as store:
        yield store


@asynccontextmanager
async def open_cursors(url: StoreUrl) -> AsyncIterator[CursorStore]:
    """Open the cursors in the directory that *url* names."""
    database = await _opened(url)
    from strandlog_leveldb._cursors import LeveldbCursorStore
    from strandlog_leveldb._database import Handle

    async with LeveldbCursorStore(Handle(database)) as store:
        yield store


@asynccontextmanager
async def open_both(url: StoreUrl) -> AsyncIterator[tuple[LogStore, CursorStore]]:
    """Open logs and cursors in one directory, which is opened once."""
    database = await _opened(url)
    from strandlog_leveldb._cursors import LeveldbCursorStore
    from strandlog_leveldb._database import Handle
    from strandlog_leveldb._log import LeveldbLogStore

    async with (
        LeveldbLogStore(Handle(database), _capabilities(url)) as log,
        LeveldbCursorStore(Handle(database)) as cursors,
    ):
        yield log, cursors


async def _opened(url: StoreUrl) -> Database:
    try:
        import plyvel  # noqa: F401
    except ImportError as error:
        raise BrokenBackendError(
            f"leveldb:// needs plyvel, which cannot be imported: {error}: pip install plyvel;"
            " if there is no wheel for this Python, install a C++ compiler and LevelDB's headers"
            " before (Debian: libleveldb-dev g++)"
        ) from error
    from strandlog_leveldb._database import open_database

    options = url.options(LeveldbOptions)
    return await open_database(
        url.file_path,
        create=options.create_if_missing,
        sync=options.durability == "full",
    )


def _capabilities(url: StoreUrl) -> Capabilities:
    if url.options(LeveldbOptions).durability == "full":
        return CAPABILITIES
    return replace(CAPABILITIES, durability=Durability.OS)
