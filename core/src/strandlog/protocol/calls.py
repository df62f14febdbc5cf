"""What a protocol engine asks of its driver.

An engine is a set of generators. Each yields calls, values of this module, and
is sent their results (or has their error thrown in) until it returns the
frames that are due. So the rules read from top to bottom, and need neither an
event loop nor a store to be tested.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from strandlog.model import Entry, Reader
from strandlog.page import Appended, Page
from strandlog.vector import VersionVector

__all__ = [
    "Admit",
    "Append",
    "AdvanceCursor",
    "Call",
    "Digests",
    "LoadCursor",
    "Forget",
    "Read",
    "Readers",
    "Rehome",
    "ResetCursor",
    "Steps",
    "Tops",
    "Visible",
    "admit",
    "advance_cursor",
    "append",
    "digests",
    "forget",
    "load_cursor",
    "read",
    "readers",
    "rehome",
    "reset_cursor",
    "tops",
    "visible",
]


@dataclass(frozen=True, slots=True)
class Append:
    user: str
    entries: Sequence[Entry]
    upto: VersionVector | None = None
    floor: VersionVector | None = None


@dataclass(frozen=True, slots=True)
class Read:
    user: str
    after: VersionVector
    limit: int
    max_bytes: int
    devices: Collection[str] | None = None
    scopes: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Digests:
    user: str
    at: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tops:
    user: str


@dataclass(frozen=True, slots=True)
class Rehome:
    user: str
    device: str
    from_counter: int
    to_device: str


@dataclass(frozen=True, slots=True)
class LoadCursor:
    user: str
    reader: str


@dataclass(frozen=True, slots=True)
class AdvanceCursor:
    user: str
    reader: str
    vector: VersionVector


@dataclass(frozen=True, slots=True)
class ResetCursor:
    user: str
    reader: str
    vector: VersionVector


@dataclass(frozen=True, slots=True)
class Readers:
    user: str


@dataclass(frozen=True, slots=True)
class Forget:
    user: str
    reader: str


@dataclass(frozen=True, slots=True)
class Visible:
    """Which scopes of the log the reader may see: ``None`` is all of them."""

    reader: Reader
    user: str


@dataclass(frozen=True, slots=True)
class Admit:
    """Whether policy takes these entries; the driver throws ``RejectedError`` if not."""

    reader: Reader
    entries: Sequence[Entry]


Call = (
    Append
    | Read
    | Digests
    | Tops
    | Rehome
    | LoadCursor
    | AdvanceCursor
    | ResetCursor
    | Readers
    | Forget
    | Visible
    | Admit
)

ResultT = TypeVar("ResultT")

Steps = Generator[Call, Any, ResultT]
"""A piece of an engine that makes calls and comes to a result."""


# A generator's ``yield`` has one type for whatever is sent in. These give each
# call the type of its own result, so that the engines are checked.


def append(
    user: str,
    entries: Sequence[Entry],
    *,
    upto: VersionVector | None = None,
    floor: VersionVector | None = None,
) -> Steps[Appended]:
    result: Appended = yield Append(user, entries, upto, floor)
    return result


def read(
    user: str,
    *,
    after: VersionVector,
    limit: int,
    max_bytes: int,
    devices: Collection[str] | None = None,
    scopes: Collection[str] | None = None,
) -> Steps[Page]:
    result: Page = yield Read(user, after, limit, max_bytes, devices, scopes)
    return result


def digests(user: str, at: Mapping[str, int]) -> Steps[dict[str, str | None]]:
    if not at:
        return {}
    result: dict[str, str | None] = yield Digests(user, at)
    return result


def tops(user: str) -> Steps[VersionVector]:
    result: VersionVector = yield Tops(user)
    return result


def rehome(user: str, device: str, from_counter: int, to_device: str) -> Steps[int]:
    result: int = yield Rehome(user, device, from_counter, to_device)
    return result


def load_cursor(user: str, reader: str) -> Steps[VersionVector]:
    result: VersionVector = yield LoadCursor(user, reader)
    return result


def advance_cursor(user: str, reader: str, vector: VersionVector) -> Steps[VersionVector]:
    result: VersionVector = yield AdvanceCursor(user, reader, vector)
    return result


def reset_cursor(user: str, reader: str, vector: VersionVector) -> Steps[None]:
    yield ResetCursor(user, reader, vector)


def readers(user: str) -> Steps[dict[str, VersionVector]]:
    result: dict[str, VersionVector] = yield Readers(user)
    return result


def forget(user: str, reader: str) -> Steps[None]:
    yield Forget(user, reader)


def visible(reader: Reader, user: str) -> Steps[frozenset[str] | None]:
    result: frozenset[str] | None = yield Visible(reader, user)
    return result


def admit(reader: Reader, entries: Sequence[Entry]) -> Steps[None]:
    yield Admit(reader, entries)
