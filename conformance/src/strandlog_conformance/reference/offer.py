"""Offers reference stores, and stores made of them, to the suite."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import msgspec

from strandlog.backend import (
    Backend,
    Capabilities,
    CursorStore,
    Handles,
    Location,
    LogStore,
    NoOptions,
    StoreUrl,
)
from strandlog.errors import StoreLockedError
from strandlog_conformance.reference.cursors import ReferenceCursorStore
from strandlog_conformance.reference.log import CAPABILITIES, ReferenceLogStore
from strandlog_conformance.reference.shelf import Shelf, clear, shelf
from strandlog_conformance.target import Target

__all__ = ["fresh_url", "offer"]


@asynccontextmanager
async def fresh_url(_directory: Path) -> AsyncIterator[str]:
    """Name a shelf that does not exist yet, and clear it in the end."""
    name = secrets.token_hex(8)
    yield f"reference://{name}"
    clear(name)


def offer(
    name: str = "reference",
    *,
    log: Callable[[Shelf, Capabilities], LogStore] = ReferenceLogStore,
    cursors: Callable[[Shelf], CursorStore] = ReferenceCursorStore,
    capabilities: Capabilities = CAPABILITIES,
    packages: frozenset[str] = frozenset({"strandlog_conformance"}),
    locked: bool = True,
    options: type[msgspec.Struct] = NoOptions,
) -> Target:
    """Return stores of these kinds, on shelves, as a target of the suite.

    With *locked*, a store that declares ``Handles.ONE`` refuses a second opener.
    """
    alone = locked and capabilities.handles is Handles.ONE
    open_logs: set[str] = set()
    open_cursor_stores: set[str] = set()

    @asynccontextmanager
    async def open_log(url: StoreUrl) -> AsyncIterator[LogStore]:
        with _only_opener(open_logs if alone else None, url.host):
            async with log(shelf(url.host), capabilities) as store:
                yield store

    @asynccontextmanager
    async def open_cursors(url: StoreUrl) -> AsyncIterator[CursorStore]:
        with _only_opener(open_cursor_stores if alone else None, url.host):
            async with cursors(shelf(url.host)) as store:
                yield store

    return Target(
        name,
        Backend("reference", open_log, capabilities, Location.NAME, options),
        Backend("reference", open_cursors, capabilities, Location.NAME, options),
        fresh_url,
        packages=packages,
    )


@contextmanager
def _only_opener(opened: set[str] | None, name: str) -> Iterator[None]:
    if opened is None:
        yield
        return
    if name in opened:
        raise StoreLockedError(f"{name} is open already")
    opened.add(name)
    try:
        yield
    finally:
        opened.discard(name)
