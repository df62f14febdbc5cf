"""LevelDB storage for strandlog."""

from __future__ import annotations

from strandlog.backend import Backend, CursorStore, Location, LogStore, hookimpl
from strandlog_leveldb._backend import (
    CAPABILITIES,
    LeveldbOptions,
    open_both,
    open_cursors,
    open_log,
)

__all__ = ["strandlog_cursor_store", "strandlog_log_store"]


@hookimpl
def strandlog_log_store() -> Backend[LogStore]:
    """Offer ``leveldb://`` for logs."""
    return Backend(
        "leveldb", open_log, CAPABILITIES, Location.FILE, LeveldbOptions, open_both=open_both
    )


@hookimpl
def strandlog_cursor_store() -> Backend[CursorStore]:
    """Offer ``leveldb://`` for cursors."""
    return Backend("leveldb", open_cursors, CAPABILITIES, Location.FILE, LeveldbOptions)
