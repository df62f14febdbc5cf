"""Every exception that leaves strandlog.

The tree, with the wire code of those that also travel in an ``error`` frame::

    StrandlogError
    ├── InvalidArgumentError          a value outside its grammar or range (also a ValueError)
    │   ├── InvalidNameError          bad-name
    │   ├── InvalidSeqError           bad-seq
    │   ├── InvalidContentError       bad-json
    │   └── StoreUrlError             a store URL or one of its options cannot be used
    ├── AppendError                   a batch was refused; nothing of it was stored
    │   ├── GapError                  gap
    │   ├── ForkError                 fork
    │   ├── SeqError                  bad-seq
    │   ├── TrimmedError              trimmed
    │   └── ErasedError               erased
    ├── StoreError                    the storage itself
    │   ├── StoreUnavailableError     store-unavailable
    │   ├── StoreFullError
    │   ├── StoreReadOnlyError
    │   ├── StoreCorruptError
    │   ├── StoreLockedError
    │   ├── StoreClosedError
    │   ├── StoreVersionError
    │   ├── TooLargeError             too-large
    │   ├── LogsDifferError           two stores hold different things of one log
    │   └── UnsupportedError          a capability that the store does not declare
    ├── BackendError                  a backend cannot be had
    │   ├── MissingBackendError
    │   ├── BrokenBackendError
    │   └── DuplicateBackendError
    └── ProtocolError
        ├── LocalProtocolError        our own side broke the rules: a bug of the caller
        ├── ConnectionLostError       the transport ended; what was not acknowledged is sent again
        └── RemoteProtocolError       the other side's frame or answer
            ├── BadFrameError         bad-frame
            ├── UnknownTypeError      unknown-type
            ├── RateError             rate
            ├── AuthError             auth (fatal)
            ├── ForbiddenError        forbidden
            ├── VersionError          version (fatal)
            ├── RejectedError         rejected
            ├── SupersededError       superseded (fatal)
            └── ShuttingDownError     shutting-down
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AppendError",
    "AuthError",
    "BackendError",
    "BadFrameError",
    "BrokenBackendError",
    "ConnectionLostError",
    "DuplicateBackendError",
    "ErasedError",
    "ForbiddenError",
    "ForkError",
    "GapError",
    "InvalidArgumentError",
    "InvalidContentError",
    "InvalidNameError",
    "InvalidSeqError",
    "LocalProtocolError",
    "LogsDifferError",
    "MissingBackendError",
    "ProtocolError",
    "RateError",
    "RejectedError",
    "RemoteProtocolError",
    "SeqError",
    "ShuttingDownError",
    "StoreClosedError",
    "StoreCorruptError",
    "StoreError",
    "StoreFullError",
    "StoreLockedError",
    "StoreReadOnlyError",
    "StoreUnavailableError",
    "StoreUrlError",
    "StoreVersionError",
    "StrandlogError",
    "SupersededError",
    "TooLargeError",
    "TrimmedError",
    "UnknownTypeError",
    "UnsupportedError",
    "VersionError",
]


class StrandlogError(Exception):
    """The root of the tree.

    Attributes:
        code: The word that names this error in an ``error`` frame; empty for
            errors that never travel.
        fatal: Whether the connection ends with it.
        ref: The ``id`` of the frame that caused it, where there is one.
    """

    code: ClassVar[str] = ""
    fatal: ClassVar[bool] = False
    ref: int | str | None = None


class InvalidArgumentError(StrandlogError, ValueError):
    """A value lies outside its grammar or range; nothing was done with it."""


class InvalidNameError(InvalidArgumentError):
    """A user, device or scope name is outside its grammar."""

    code = "bad-name"


class InvalidSeqError(InvalidArgumentError):
    """A seq is not ``timestamp:counter:device`` or a number in it is too large."""

    code = "bad-seq"


class InvalidContentError(InvalidArgumentError):
    """Content is not exactly one JSON value in strict UTF-8 of at most 128 levels."""

    code = "bad-json"


class StoreUrlError(InvalidArgumentError):
    """A store URL is malformed, or one of its options is unknown or ill-typed."""


class AppendError(StrandlogError):
    """A batch was refused as a whole; the log is as it was."""


class GapError(AppendError):
    """An entry comes too early: counters before it are missing.

    Attributes:
        device: Whose entry it is.
        expected: The counter that the log takes next.
        got: The counter that came.
    """

    code = "gap"

    def __init__(self, device: str, *, expected: int, got: int) -> None:
        super().__init__(f"{device}: counter {got} came, {expected} is next")
        self.device = device
        self.expected = expected
        self.got = got


class ForkError(AppendError):
    """The identity is taken by an entry with another digest; the first one stays."""

    code = "fork"

    def __init__(self, device: str, counter: int) -> None:
        super().__init__(f"{device}: counter {counter} is taken by another entry")
        self.device = device
        self.counter = counter


class SeqError(AppendError):
    """A timestamp falls from one counter of a device to the next.

    Attributes:
        device: Whose entry it is.
        counter: The entry whose timestamp falls. That is one of the batch, or the
            next one held, if a hole before it is filled with too late a timestamp.
        least: The least timestamp, in milliseconds, that would keep the order.
        previous: The counter of the entry that has it, where that is known.
    """

    code = "bad-seq"

    def __init__(self, device: str, counter: int, *, least: int, previous: int = 0) -> None:
        super().__init__(f"{device}: the timestamp of counter {counter} falls below {least}")
        self.device = device
        self.counter = counter
        self.least = least
        self.previous = previous


class TrimmedError(AppendError):
    """Every entry given for the device lies at or below its floor."""

    code = "trimmed"

    def __init__(self, device: str, floor: int) -> None:
        super().__init__(f"{device}: entries up to {floor} were trimmed")
        self.device = device
        self.floor = floor


class ErasedError(AppendError):
    """The user's log was erased; *generation* counts how often."""

    code = "erased"

    def __init__(self, user: str, generation: int) -> None:
        super().__init__(f"{user}: this log was erased")
        self.user = user
        self.generation = generation


class StoreError(StrandlogError):
    """The storage could not do what was asked."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached now; the same call may be repeated.

    Attributes:
        retry_after_seconds: When a repetition is worth trying.
    """

    code = "store-unavailable"

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class StoreFullError(StoreError):
    """There is no room left; nothing was written."""


class StoreReadOnlyError(StoreError):
    """The store was opened, or can only be opened, for reading."""


class StoreCorruptError(StoreError):
    """Stored bytes are not what was written; the message names where."""


class StoreLockedError(StoreError):
    """Another opener holds the store and it cannot be shared."""


class StoreClosedError(StoreError):
    """The store was closed before the call."""


class StoreVersionError(StoreError):
    """The store was written by a newer version; it was left untouched."""


class TooLargeError(StoreError):
    """Something exceeds a limit; nothing of it was stored.

    Attributes:
        limit: The limit, in the unit that the message names.
        counter: The entry that is too large, if it is one entry.
    """

    code = "too-large"

    def __init__(self, message: str, *, limit: int, counter: int | None = None) -> None:
        super().__init__(message)
        self.limit = limit
        self.counter = counter


class LogsDifferError(StoreError):
    """Two stores hold different things of one log, so that one cannot be made a copy of the other.

    Attributes:
        user: Whose log.
        device: The first device that differs; empty if it is not one device.
        counter: The first counter that differs; 0 if it is not one entry.
    """

    def __init__(self, message: str, *, user: str, device: str = "", counter: int = 0) -> None:
        super().__init__(message)
        self.user = user
        self.device = device
        self.counter = counter


class UnsupportedError(StoreError):
    """The store does not declare the capability that the call needs."""


class BackendError(StrandlogError):
    """A backend cannot be had."""


class MissingBackendError(BackendError):
    """No installed distribution offers the URL's scheme."""


class BrokenBackendError(BackendError):
    """A plugin is installed and cannot be used; the message says why."""


class DuplicateBackendError(BackendError):
    """Two distributions offer the same scheme."""


class ProtocolError(StrandlogError):
    """A rule of the protocol was broken."""


class LocalProtocolError(ProtocolError):
    """Our own side broke the rules: a bug of the caller."""


class ConnectionLostError(ProtocolError):
    """The transport could not be opened, or has ended.

    Nothing is lost by it: what was not acknowledged is sent again.
    """


class RemoteProtocolError(ProtocolError):
    """The other side sent what it must not send, or refused what we sent.

    Attributes:
        remote_code: The code of the error frame, when one came.
    """

    def __init__(self, message: str, *, remote_code: str = "") -> None:
        super().__init__(message)
        self.remote_code = remote_code


class BadFrameError(RemoteProtocolError):
    """A frame is not ``[type, body]`` of the known shape."""

    code = "bad-frame"


class UnknownTypeError(RemoteProtocolError):
    """A frame of a type that this side does not know."""

    code = "unknown-type"


class RateError(RemoteProtocolError):
    """Frames came faster than allowed."""

    code = "rate"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class AuthError(RemoteProtocolError):
    """The peer did not prove who it is."""

    code = "auth"
    fatal = True


class ForbiddenError(RemoteProtocolError):
    """The reader may see nothing of the log, or may not write there."""

    code = "forbidden"


class VersionError(RemoteProtocolError):
    """The two sides share no version of the protocol."""

    code = "version"
    fatal = True

    def __init__(self, message: str, *, v: int, vmin: int) -> None:
        super().__init__(message)
        self.v = v
        self.vmin = vmin


class RejectedError(RemoteProtocolError):
    """An entry was refused for good, for a reason of policy."""

    code = "rejected"

    def __init__(self, counter: int, reason: str) -> None:
        super().__init__(f"counter {counter}: {reason}")
        self.counter = counter
        self.reason = reason


class SupersededError(RemoteProtocolError):
    """A newer connection of the same device took this one's place."""

    code = "superseded"
    fatal = True


class ShuttingDownError(RemoteProtocolError):
    """The server ends; what it has taken is answered."""

    code = "shutting-down"

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
