"""What ``memory://`` offers, and how it is opened.

Light, for it is imported to list the backends; the stores come with the first opening.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from strandlog.backend import (
    Cancel,
    Capabilities,
    CursorStore,
    Durability,
    Handles,
    LogStore,
    StoreUrl,
)

__all__ = ["CAPABILITIES", "open_cursors", "open_log"]

CAPABILITIES = Capabilities(
    durability=Durability.PROCESS,
    handles=Handles.TASK,
    # No call awaits between its first change and its last: there is no moment
    # at which a cancellation could reach it.
    cancel=Cancel.COMPLETES,
    sparse=True,
    rehome=True,
)


@asynccontextmanager
async def open_log(url: StoreUrl) -> AsyncIterator[LogStore]:
    """Open the logs under the URL's name; without a name, new ones that end with the context."""
    from strandlog_memory._handle import Handle
    from strandlog_memory._log import MemoryLogStore
    from strandlog_memory._schema import data_at

    async with MemoryLogStore(Handle(data_at(url.host)), _capabilities(url)) as store:
        yield store


@asynccontextmanager
async def open_cursors(url: StoreUrl) -> AsyncIterator[CursorStore]:
    """Open the cursors under the URL's name; without a name, new ones that end with the context."""
    from strandlog_memory._cursors import MemoryCursorStore
    from strandlog_memory._handle import Handle
    from strandlog_memory._schema import data_at

    async with MemoryCursorStore(Handle(data_at(url.host))) as store:
        yield store


def _capabilities(url: StoreUrl) -> Capabilities:
    # Without a name nobody else can find the location, and nothing outlives the opening.
    return CAPABILITIES if url.host else replace(CAPABILITIES, durability=Durability.NONE)
