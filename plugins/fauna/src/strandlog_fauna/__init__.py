"""Fauna storage for strandlog: for those who run the engine themselves."""

from __future__ import annotations

from strandlog.backend import Backend, CursorStore, Location, LogStore, hookimpl
from strandlog_fauna._backend import (
    CAPABILITIES,
    FaunaOptions,
    open_both,
    open_cursors,
    open_log,
)

__all__ = ["strandlog_cursor_store", "strandlog_log_store"]


@hookimpl
def strandlog_log_store() -> Backend[LogStore]:
    """Offer ``fauna+http://`` and ``fauna+https://`` for logs."""
    return Backend(
        "fauna", open_log, CAPABILITIES, Location.SERVER, FaunaOptions, open_both=open_both
    )


@hookimpl
def strandlog_cursor_store() -> Backend[CursorStore]:
    """Offer the same for cursors."""
    return Backend("fauna", open_cursors, CAPABILITIES, Location.SERVER, FaunaOptions)
