"""The frames of the protocol, as values.

On the wire a frame is the JSON text ``[type, body]``; :mod:`.codec` goes to and
fro. What may be absent there is ``None`` here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from strandlog.errors import (
    BadFrameError,
    StoreError,
    StrandlogError,
)
from strandlog.model import Entry, Seq
from strandlog.vector import VersionVector

__all__ = [
    "PROTOCOL_VERSION",
    "Ack",
    "Add",
    "Base",
    "ClientFrame",
    "ErrorFrame",
    "Hello",
    "PageLimit",
    "Push",
    "Ref",
    "Reply",
    "Saw",
    "ServerFrame",
    "error_frame",
]

PROTOCOL_VERSION = 1

Ref = int | str
"""What a client writes into ``id`` and gets back as ``ref``."""


@dataclass(frozen=True, slots=True)
class Base:
    """One of the sender's own entries, by which the other side notices another history."""

    counter: int
    digest: str


@dataclass(frozen=True, slots=True)
class PageLimit:
    """The largest page that a client wants."""

    messages: int | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """Client: what I have, what you lack.

    Attributes:
        seq: Own top. A client may also send its last seq. Absent for another's log.
        messages: A slice of own entries without holes, ending at or below *seq*.
        v: The version; ``None`` is a version 0 client.
        base: Own entry just before the first message, or at own top.
        have: What I hold of the log, without my own device.
        tips: Digests of what *have* names, by device; ``None`` opts out of the check.
        user: Whose log, if not my own.
        view: The view that *have* belongs to, for another's log.
        floor: Every floor of my store.
        limit: The largest page I want.
        live: Go on telling me once I have caught up.
        session: When this client started, in milliseconds.
        id: Comes back as ``ref``.
    """

    seq: int | Seq | None = None
    messages: Sequence[Entry] = ()
    v: int | None = None
    base: Base | None = None
    have: VersionVector | None = None
    tips: Mapping[str, str] | None = None
    user: str | None = None
    view: str | None = None
    floor: VersionVector | None = None
    limit: PageLimit | None = None
    live: bool | None = None
    session: int | None = None
    id: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Add:
    """Client: new entries of mine; or, with *device*, entries that you wanted of it."""

    messages: Sequence[Entry]
    device: str | None = None
    id: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saw:
    """Client: an ``ack`` of what I have stored. *have* may name only what has changed."""

    have: VersionVector | None = None
    user: str | None = None
    view: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Server: the ``hello`` that answers a hello with one page.

    Attributes:
        messages: In seq order.
        seq: The durable top of your device; absent for another's log.
        upto: What you cover after storing this page; ``None`` in a reply to version 0.
        more: Whether another hello would bring more.
        want: Inclusive ranges of counters that I lack, by device.
        diverged: Devices whose entry at your tip has another digest here.
        floor: Every floor there is.
        view: The view you now have, for another's log.
    """

    messages: Sequence[Entry]
    seq: int | None = None
    upto: VersionVector | None = None
    more: bool = False
    v: int | None = None
    epoch: str | None = None
    user: str | None = None
    view: str | None = None
    want: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    diverged: Sequence[str] = ()
    floor: VersionVector = VersionVector()
    ref: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """Server: an ``add``, live. *upto* is partial; ``None`` towards version 0."""

    messages: Sequence[Entry]
    upto: VersionVector | None = None
    user: str | None = None
    view: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """Server: an add was committed; *seq* for own entries, *tops* for wanted ones."""

    seq: int | None = None
    tops: VersionVector | None = None
    ref: Ref | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFrame:
    """Either: something was refused.

    Attributes:
        code: One of the codes in :mod:`strandlog.errors`.
        message: For people.
        fatal: Whether the connection ends.
        detail: The fields that belong to the code, such as ``expected``.
        user: Which log, if it is not the reader's own.
    """

    code: str
    message: str
    fatal: bool = False
    detail: Mapping[str, object] = field(default_factory=dict)
    user: str | None = None
    ref: Ref | None = None


ClientFrame = Hello | Add | Saw | ErrorFrame
ServerFrame = Reply | Push | Ack | ErrorFrame

_MESSAGE_MAX = 500

# Which attributes of an exception travel, and under which name.
_DETAIL = {
    "device": "device",
    "counter": "counter",
    "expected": "expected",
    "got": "got",
    "least": "least",
    "limit": "limit",
    "floor": "floor",
    "generation": "generation",
    "reason": "reason",
    "v": "v",
    "vmin": "vmin",
    "retry_after_seconds": "retry_after",
}


def error_frame(
    error: StrandlogError, *, user: str | None = None, ref: Ref | None = None
) -> ErrorFrame:
    """Return *error* as the frame that tells the other side."""
    # What ails a store is no business of a client's: it may come back later.
    fallback = "store-unavailable" if isinstance(error, StoreError) else BadFrameError.code
    detail = {
        name: value
        for attribute, name in _DETAIL.items()
        if (value := getattr(error, attribute, None)) is not None
    }
    return ErrorFrame(
        code=error.code or fallback,
        message=_shortened(str(error)),
        fatal=error.fatal,
        detail=detail,
        user=user,
        ref=ref,
    )


def _shortened(text: str) -> str:
    # A message may quote what was refused, and that may be as long as a frame.
    return text if len(text) <= _MESSAGE_MAX else f"{text[:_MESSAGE_MAX]} …"
