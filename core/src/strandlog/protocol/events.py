"""What a client session reports: news, and every repair it has made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strandlog.model import Entry, Identity

__all__ = [
    "Arrived",
    "Diverged",
    "Erased",
    "Event",
    "Forbidden",
    "Recovered",
    "Rehomed",
    "ServerLostData",
    "Supplied",
    "UploadBlocked",
    "Uploaded",
    "Withdrawn",
]


@dataclass(frozen=True, slots=True)
class Arrived:
    """Entries of other devices, or of followed users, are in the local store."""

    user: str
    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Uploaded:
    """The server holds own entries up to *last_synced*; *count* of them are new there."""

    count: int
    last_synced: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """Own entries that this device had lost came back from the server."""

    entries: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class ServerLostData:
    """The server holds less of this device than it had acknowledged; it is uploaded again."""

    last_synced: int
    seq: int


@dataclass(frozen=True, slots=True)
class Supplied:
    """The server lacked entries of another device and got them from here."""

    device: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Rehomed:
    """A branch that differs from the server's has moved to a device name of its own."""

    user: str
    from_device: str
    from_counter: int
    to_device: str
    moved: int


@dataclass(frozen=True, slots=True)
class Diverged:
    """The server holds another history of this device; the two are being compared."""

    user: str
    device: str


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """The server refused an entry for good: others see its envelope, the content stays here."""

    identity: Identity
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class UploadBlocked:
    """The server refuses what this device sends; reading goes on."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Forbidden:
    """The reader may no longer, or not, see the log of this user."""

    user: str
    reason: str


@dataclass(frozen=True, slots=True)
class Erased:
    """The log of this user, which was followed, was erased on the server; so was the copy."""

    user: str


Event = (
    Arrived
    | Uploaded
    | Recovered
    | ServerLostData
    | Supplied
    | Rehomed
    | Diverged
    | Withdrawn
    | UploadBlocked
    | Forbidden
    | Erased
)
