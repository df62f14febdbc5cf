"""Finds backends by URL scheme among the installed plugins.

One entry point is loaded when its scheme is asked for, and no other: a plugin
that cannot be imported is reported as broken and disturbs nothing else.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

import pluggy

from strandlog.backend import hookspecs
from strandlog.backend.hookspecs import API_LEVEL, Backend
from strandlog.backend.store import CursorStore, LogStore
from strandlog.backend.url import StoreUrl
from strandlog.errors import (
    BackendError,
    BrokenBackendError,
    DuplicateBackendError,
    MissingBackendError,
)

__all__ = [
    "GROUP",
    "Plugin",
    "installed_plugins",
    "open_cursor_store",
    "open_log_store",
    "open_stores",
    "plugin",
]

GROUP = "strandlog.stores"
"""The entry-point group of store plugins."""

TRACE_VARIABLE = "STRANDLOG_TRACE_PLUGINS"


@dataclass(frozen=True, slots=True)
class Plugin:
    """One installed plugin and what became of loading it.

    Attributes:
        scheme: The name of its entry point, which is its URL scheme.
        distribution: The distribution it comes from, with its version.
        log: Its backend for logs, if it offers one.
        cursors: Its backend for cursors, if it offers one.
        error: Why it cannot be used; empty if it can.
    """

    scheme: str
    distribution: str
    log: Backend[LogStore] | None = None
    cursors: Backend[CursorStore] | None = None
    error: str = ""


def installed_plugins() -> list[Plugin]:
    """Load every installed plugin, one by one; a broken one is listed with its error."""
    found = []
    for scheme in sorted({point.name for point in entry_points(group=GROUP)}):
        try:
            found.append(plugin(scheme))
        except BackendError as error:
            points = _points(scheme)
            sources = " and ".join(sorted(_distribution(point) for point in points))
            found.append(Plugin(scheme, sources, error=str(error)))
    return found


def plugin(scheme: str) -> Plugin:
    """Load the plugin that answers to *scheme*; of ``fauna+http`` only ``fauna`` counts.

    Raises:
        MissingBackendError: None is installed; the message says what to install.
        DuplicateBackendError: Two distributions claim the scheme.
        BrokenBackendError: It cannot be imported, its hooks are misspelt, or it
            was written for another level of the contract.
    """
    name = scheme.partition("+")[0]
    points = _points(name)
    if not points:
        known = ", ".join(sorted({point.name for point in entry_points(group=GROUP)})) or "none"
        raise MissingBackendError(
            f"no backend for {name}:// is installed (there are: {known});"
            f" try: pip install strandlog-{name}"
        )
    if len(points) > 1:
        claims = " and ".join(sorted(_distribution(point) for point in points))
        raise DuplicateBackendError(f"{name}:// is claimed by {claims}: uninstall one of them")
    return _load(points[0])


def _points(name: str) -> list[EntryPoint]:
    # Of a distribution that is on the path twice (a wheel and an editable install
    # of it) this gives the first only.
    return list(entry_points(group=GROUP, name=name))


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else point.value


def _load(point: EntryPoint) -> Plugin:
    source = f"the plugin {point.name} ({_distribution(point)})"
    try:
        module = point.load()
    # Whatever a stranger's module raises while it is imported must stay with it.
    except (Exception, SystemExit) as error:
        raise BrokenBackendError(
            f"{source} cannot be imported: {type(error).__name__}: {_one_line(error)}"
        ) from error
    manager = pluggy.PluginManager("strandlog")
    manager.add_hookspecs(hookspecs)
    if os.environ.get(TRACE_VARIABLE):
        manager.trace.root.setwriter(sys.stderr.write)
        manager.enable_tracing()
    try:
        manager.register(module, name=point.name)
        manager.check_pending()
        logs = manager.hook.strandlog_log_store()
        cursors = manager.hook.strandlog_cursor_store()
    except (Exception, SystemExit) as error:
        raise BrokenBackendError(f"{source} does not fit its hooks: {_one_line(error)}") from error
    for backend in (*logs, *cursors):
        _check(source, point.name, backend)
    if not logs and not cursors:
        raise BrokenBackendError(f"{source} offers neither a log store nor a cursor store")
    return Plugin(
        point.name,
        _distribution(point),
        logs[0] if logs else None,
        cursors[0] if cursors else None,
    )


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _check(source: str, name: str, backend: object) -> None:
    if not isinstance(backend, Backend):
        raise BrokenBackendError(f"{source} returned {type(backend).__name__} from its hook")
    if backend.scheme != name:
        raise BrokenBackendError(f"{source} answers to {backend.scheme}:// and not to its name")
    if backend.api != API_LEVEL:
        older = "a newer plugin" if backend.api < API_LEVEL else "a newer strandlog"
        raise BrokenBackendError(
            f"{source} is written for level {backend.api} of the contract,"
            f" this is level {API_LEVEL}: install {older}"
        )


BackendT = TypeVar("BackendT", Backend[LogStore], Backend[CursorStore])


def _offered(backend: BackendT | None, url: StoreUrl, kind: str) -> BackendT:
    if backend is None:
        raise MissingBackendError(f"{url.scheme}:// does not store {kind}")
    url.check_location(backend.location).options(backend.options)
    return backend


@asynccontextmanager
async def open_log_store(url: str | StoreUrl) -> AsyncIterator[LogStore]:
    """Open the log store that *url* names, for the length of the context.

    Raises:
        StoreUrlError, BackendError, StoreError: The message says the next step.
    """
    parsed = StoreUrl.parse(url) if isinstance(url, str) else url
    backend = _offered(plugin(parsed.scheme).log, parsed, "logs")
    async with backend.open(parsed) as store:
        yield store


@asynccontextmanager
async def open_cursor_store(url: str | StoreUrl) -> AsyncIterator[CursorStore]:
    """Open the cursor store that *url* names; see :func:`open_log_store`."""
    parsed = StoreUrl.parse(url) if isinstance(url, str) else url
    backend = _offered(plugin(parsed.scheme).cursors, parsed, "cursors")
    async with backend.open(parsed) as store:
        yield store


@asynccontextmanager
async def open_stores(
    log_url: str, cursors_url: str | None = None
) -> AsyncIterator[tuple[LogStore, CursorStore]]:
    """Open a log store and a cursor store; one URL for both shares its connection."""
    if cursors_url is None or cursors_url == log_url:
        parsed = StoreUrl.parse(log_url)
        found = plugin(parsed.scheme)
        backend = _offered(found.log, parsed, "logs")
        if backend.open_both is not None:
            async with backend.open_both(parsed) as both:
                yield both
            return
    async with (
        open_log_store(log_url) as log_store,
        open_cursor_store(cursors_url or log_url) as cursor_store,
    ):
        yield log_store, cursor_store
