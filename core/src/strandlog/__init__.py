"""Logs that many devices write offline and everybody reads in one order."""

from __future__ import annotations

from strandlog.clock import HybridClock
from strandlog.log import Log, open_log
from strandlog.model import Entry, Identity, Reader, Seq
from strandlog.page import Appended, Page
from strandlog.vector import VersionVector

__all__ = [
    "Appended",
    "Entry",
    "HybridClock",
    "Identity",
    "Log",
    "Page",
    "Reader",
    "Seq",
    "VersionVector",
    "open_log",
]
