"""SQLite storage for strandlog."""

from __future__ import annotations

from strandlog.backend import Backend, CursorStore, Location, LogStore, hookimpl
from strandlog_sqlite._backend import (
    CAPABILITIES,
    SqliteOptions,
    open_both,
    open_cursors,
    open_log,
)

__all__ = ["strandlog_cursor_store", "strandlog_log_store"]


@hookimpl
def strandlog_log_store() -> Backend[LogStore]:
    """Offer ``sqlite://`` for logs."""
    return Backend(
        "sqlite", open_log, CAPABILITIES, Location.FILE, SqliteOptions, open_both=open_both
    )


@hookimpl
def strandlog_cursor_store() -> Backend[CursorStore]:
    """Offer ``sqlite://`` for cursors."""
    return Backend("sqlite", open_cursors, CAPABILITIES, Location.FILE, SqliteOptions)
