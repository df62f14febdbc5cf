"""A store of the suite's own: the plainest one that keeps the contract."""

from __future__ import annotations

from strandlog_conformance.reference.cursors import ReferenceCursorStore
from strandlog_conformance.reference.log import CAPABILITIES, ReferenceLogStore
from strandlog_conformance.reference.notifying import NOTIFYING, NotifyingLogStore
from strandlog_conformance.reference.offer import fresh_url, offer
from strandlog_conformance.reference.shelf import KeptLog, Shelf

__all__ = [
    "CAPABILITIES",
    "NOTIFYING",
    "KeptLog",
    "NotifyingLogStore",
    "ReferenceCursorStore",
    "ReferenceLogStore",
    "Shelf",
    "fresh_url",
    "offer",
]
