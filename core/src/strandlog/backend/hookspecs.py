"""The hooks through which an installed plugin offers its stores.

Hooks only introduce a plugin. They are called when a store of its scheme is
opened or listed; reading and writing then go straight to the store objects, so
no hook sits on the path of an entry.

A plugin is a module named in the ``strandlog.stores`` entry-point group, under
the scheme that it answers to::

    [project.entry-points."strandlog.stores"]
    sqlite = "strandlog_sqlite"
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec
import pluggy

from strandlog.backend.store import Capabilities, CursorStore, LogStore
from strandlog.backend.url import Location, StoreUrl

__all__ = [
    "API_LEVEL",
    "Backend",
    "NoOptions",
    "hookimpl",
    "strandlog_cursor_store",
    "strandlog_log_store",
]

API_LEVEL = 1
"""The level of the contract; a plugin states the one that it was written for."""

StoreT = TypeVar("StoreT", bound=LogStore | CursorStore)

hookspec = pluggy.HookspecMarker("strandlog")

hookimpl = pluggy.HookimplMarker("strandlog")
"""Marks a plugin's function as the implementation of a hook of this module."""


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The options of a backend that takes none."""


@dataclass(frozen=True, slots=True)
class Backend(Generic[StoreT]):
    """A kind of store: a value that can be listed without opening anything.

    Attributes:
        scheme: The URL scheme it answers to, such as ``"sqlite"``.
        open: Opens the store that a URL names, creating it if need be, for the
            length of a context.
        capabilities: What its stores promise.
        location: What the part of the URL after the scheme names.
        options: The type of its URL options: a frozen ``msgspec.Struct`` with
            defaults and ``forbid_unknown_fields``.
        open_both: Opens a log store and a cursor store that share one
            connection, for a URL that serves both. Only on a log backend, and
            only if sharing means something.
        api: The ``API_LEVEL`` that the plugin was written for.
    """

    scheme: str
    open: Callable[[StoreUrl], AbstractAsyncContextManager[StoreT]]
    capabilities: Capabilities
    location: Location
    options: type[msgspec.Struct] = NoOptions
    open_both: (
        Callable[[StoreUrl], AbstractAsyncContextManager[tuple[LogStore, CursorStore]]] | None
    ) = field(default=None, kw_only=True)
    api: int = field(default=API_LEVEL, kw_only=True)


@hookspec
def strandlog_log_store() -> Backend[LogStore] | None:
    """Offer a backend for logs, or ``None`` where it cannot work.

    Import a slow driver inside ``open``, not at the top of the plugin: this
    hook also runs for ``strandlog stores``.
    """


@hookspec
def strandlog_cursor_store() -> Backend[CursorStore] | None:
    """Offer a backend for cursors; the same scheme may serve both kinds."""
