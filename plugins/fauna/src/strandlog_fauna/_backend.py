"""What ``fauna+http://`` offers, and how it is opened.

Light, for it is imported to list the backends; the driver comes with the first opening.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from strandlog_fauna._database import Database

__all__ = ["CAPABILITIES", "FaunaOptions", "open_both", "open_cursors", "open_log"]


class FaunaOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a ``fauna+http://`` URL may say after its question mark.

    Attributes:
        prefix: What the names of all collections and indexes begin with; two
            prefixes in one database are two locations.
        timeout: How many seconds an operation may take, repetitions included.
        pause: About how many seconds pass before a request is made again that was
            contended or lost; each further time it is twice as long, up to a second.
        busy_pause: How many seconds pass before a server is asked again that
            says it is asked too much.
    """

    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_]{1,40}$")] = "strandlog_"
    timeout: Annotated[float, msgspec.Meta(gt=0, le=600)] = 10.0
    pause: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.01
    busy_pause: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.3


CAPABILITIES = Capabilities(
    # The engine acknowledges what a quorum of its log has taken.
    durability=Durability.POWER,
    handles=Handles.HOST,
    cancel=Cancel.COMPLETES,
    sparse=True,
    rehome=True,
    # A request holds 8 MiB, in which bytes take a third more, and is one append: so
    # a few of the longest entries fit in, and five hundred of the usual ones.
    max_entry=2_000_000,
    max_batch=500,
    needs=frozenset({"network", "threads"}),
    stand_in=True,
)


@asynccontextmanager
async def open_log(url: StoreUrl) -> AsyncIterator[LogStore]:
    """Open the logs in the database that *url* names."""
    from strandlog_fauna._database import Handle, open_database
    from strandlog_fauna._log import FaunaLogStore

    database = await open_database(url)
    async with FaunaLogStore(Handle(database), _found_at(database)) as store:
        yield store


@asynccontextmanager
async def open_cursors(url: StoreUrl) -> AsyncIterator[CursorStore]:
    """Open the cursors in the database that *url* names."""
    from strandlog_fauna._cursors import FaunaCursorStore
    from strandlog_fauna._database import Handle, open_database

    async with FaunaCursorStore(Handle(await open_database(url))) as store:
        yield store


@asynccontextmanager
async def open_both(url: StoreUrl) -> AsyncIterator[tuple[LogStore, CursorStore]]:
    """Open logs and cursors in one database, with the same connections."""
    from strandlog_fauna._cursors import FaunaCursorStore
    from strandlog_fauna._database import Handle, open_database
    from strandlog_fauna._log import FaunaLogStore

    database = await open_database(url)
    async with (
        FaunaLogStore(Handle(database), _found_at(database)) as log,
        FaunaCursorStore(Handle(database)) as cursors,
    ):
        yield log, cursors


def _found_at(database: Database) -> Capabilities:
    # Who checks a store on a server of their own learns of that server, not of our imitation.
    return replace(CAPABILITIES, stand_in=database.stand_in)
