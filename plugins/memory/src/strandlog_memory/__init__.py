"""In-memory storage for strandlog."""

from __future__ import annotations

from strandlog.backend import Backend, CursorStore, Location, LogStore, hookimpl
from strandlog_memory._backend import CAPABILITIES, open_cursors, open_log

__all__ = ["strandlog_cursor_store", "strandlog_log_store"]


@hookimpl
def strandlog_log_store() -> Backend[LogStore]:
    """Offer ``memory://`` for logs."""
    return Backend("memory", open_log, CAPABILITIES, Location.NAME)


@hookimpl
def strandlog_cursor_store() -> Backend[CursorStore]:
    """Offer ``memory://`` for cursors."""
    return Backend("memory", open_cursors, CAPABILITIES, Location.NAME)
