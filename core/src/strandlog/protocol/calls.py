"""What a protocol engine asks of its driver.

An engine is a set of generators. Each yields calls, values of this module, and
is sent their results (or has their error thrown in) until it returns what is
due. So the rules read from top to bottom, and need neither an event loop nor a
store to be tested::

    tops = yield from calls.Tops(user)
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from strandlog.model import Entry, Reader
from strandlog.page import Appended, Page
from strandlog.vector import VersionVector

__all__ = [
    "Admit",
    "AdvanceCursor",
    "Append",
    "Call",
    "Digests",
    "Discard",
    "Forget",
    "LoadCursor",
    "Read",
    "Readers",
    "Rehome",
    "ResetCursor",
    "Steps",
    "Tops",
    "Visible",
]

ResultT = TypeVar("ResultT")


class Call(Generic[ResultT]):
    """A question to the stores or the policy; iterating it asks, and gives its answer."""

    __slots__ = ()

    def __iter__(self) -> Generator[Call[Any], Any, ResultT]:
        # A generator's ``yield`` has one type for whatever is sent in; this gives
        # each call the type of its own result.
        result: ResultT = yield self
        return result


Steps = Generator[Call[Any], Any, ResultT]
"""A piece of an engine that makes calls and comes to a result."""


@dataclass(frozen=True, slots=True)
class Append(Call[Appended]):
    """``LogStore.append``."""

    user: str
    entries: Sequence[Entry]
    upto: VersionVector | None = None
    floor: VersionVector | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Call[Page]):
    """``LogStore.read``."""

    user: str
    after: VersionVector
    limit: int
    max_bytes: int
    devices: Collection[str] | None = None
    scopes: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Digests(Call[dict[str, str | None]]):
    """``LogStore.digests``."""

    user: str
    at: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tops(Call[VersionVector]):
    """``LogStore.tops``."""

    user: str


@dataclass(frozen=True, slots=True)
class Rehome(Call[int]):
    """``LogStore.rehome``."""

    user: str
    device: str
    from_counter: int
    to_device: str
    unsent_after: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Discard(Call[None]):
    """Let go of a whole log and of its cursors; it may be filled anew."""

    user: str


@dataclass(frozen=True, slots=True)
class LoadCursor(Call[VersionVector]):
    """``CursorStore.load``."""

    user: str
    reader: str


@dataclass(frozen=True, slots=True)
class AdvanceCursor(Call[VersionVector]):
    """``CursorStore.advance``."""

    user: str
    reader: str
    vector: VersionVector


@dataclass(frozen=True, slots=True)
class ResetCursor(Call[None]):
    """``CursorStore.reset``."""

    user: str
    reader: str
    vector: VersionVector


@dataclass(frozen=True, slots=True)
class Readers(Call[dict[str, VersionVector]]):
    """``CursorStore.readers``."""

    user: str


@dataclass(frozen=True, slots=True)
class Forget(Call[None]):
    """``CursorStore.forget``."""

    user: str
    reader: str


@dataclass(frozen=True, slots=True)
class Visible(Call[frozenset[str] | None]):
    """Which scopes of the log the reader may see now: ``None`` is all of them."""

    reader: Reader
    user: str


@dataclass(frozen=True, slots=True)
class Admit(Call[None]):
    """Whether policy takes these entries; ``RejectedError`` is thrown in if not."""

    reader: Reader
    entries: Sequence[Entry]
