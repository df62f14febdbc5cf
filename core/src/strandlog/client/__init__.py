"""A device's copy of a log, and how it syncs."""

from __future__ import annotations

from strandlog.client.local import Draft, Status, wall_clock
from strandlog.client.replica import Replica, open_replica
from strandlog.client.transport import Connect, Transport, websocket_transport
from strandlog.protocol.events import (
    Arrived,
    Diverged,
    Erased,
    Event,
    Forbidden,
    Recovered,
    Rehomed,
    ServerLostData,
    Supplied,
    UploadBlocked,
    Uploaded,
    Withdrawn,
)

__all__ = [
    "Arrived",
    "Connect",
    "Diverged",
    "Draft",
    "Erased",
    "Event",
    "Forbidden",
    "Recovered",
    "Rehomed",
    "Replica",
    "ServerLostData",
    "Status",
    "Supplied",
    "Transport",
    "UploadBlocked",
    "Uploaded",
    "Withdrawn",
    "open_replica",
    "wall_clock",
    "websocket_transport",
]
