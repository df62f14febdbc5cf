"""What a storage plugin implements: the two store interfaces."""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from strandlog.errors import UnsupportedError
from strandlog.model import Entry, Seq
from strandlog.page import Appended, Page
from strandlog.vector import VersionVector

__all__ = [
    "Cancel",
    "Capabilities",
    "CursorStore",
    "Durability",
    "Handles",
    "LogStore",
    "StoreInfo",
]


class Durability(enum.Enum):
    """What survives: ordered, each includes those before it."""

    NONE = "none"  # nothing outlives the store object's process
    PROCESS = "process"  # a reopen in the same process
    OS = "os"  # SIGKILL at any moment
    POWER = "power"  # loss of power, as far as the engine can promise


class Handles(enum.Enum):
    """Who may have one location open at a time: ordered, each includes those before it."""

    ONE = "one"
    TASK = "task"  # several handles in one process
    PROCESS = "process"  # several processes of one host
    HOST = "host"  # several hosts


class Cancel(enum.Enum):
    """What becomes of a call that is cancelled; never something between the two."""

    ROLLBACK = "rollback"
    COMPLETES = "completes"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend promises beyond its interface; conformance holds it to that.

    Attributes:
        durability: What acknowledged entries survive.
        handles: Who may have one location open at a time. Another opener gets
            ``StoreLockedError`` and the first one stays healthy.
        cancel: What becomes of a cancelled call.
        sparse: ``append`` takes ``upto`` (required of client stores).
        rehome: ``rehome`` works (required of client stores).
        read_only_open: The URL option ``read_only=true`` opens without writing.
        purge: After ``compact`` redacted bytes are gone from the files.
        integrity: Damaged files give ``StoreCorruptError`` or right data, never wrong data.
        notify: ``subscribe`` hears of every change, from other handles too.
        max_entry: Greatest length of a packed record in bytes; ``None`` is no limit.
        max_batch: Most entries of one append; ``None`` is no limit.
        loops: The event loops it works on.
        needs: What its environment must have: ``fs``, ``network``, ``threads`` …
        stand_in: Set while it can only be checked against an imitation of its server.
    """

    durability: Durability = Durability.NONE
    handles: Handles = Handles.ONE
    cancel: Cancel = Cancel.ROLLBACK
    sparse: bool = False
    rehome: bool = False
    read_only_open: bool = False
    purge: bool = False
    integrity: bool = False
    notify: bool = False
    max_entry: int | None = None
    max_batch: int | None = None
    loops: frozenset[str] = frozenset({"asyncio"})
    needs: frozenset[str] = frozenset()
    stand_in: bool = False


@dataclass(frozen=True, slots=True)
class StoreInfo:
    """What a store says of itself.

    Attributes:
        epoch: Drawn when the store was created; another epoch is another store.
        schema_version: The version of its format.
        capabilities: What it promises.
    """

    epoch: str
    schema_version: int
    capabilities: Capabilities


class _Store(ABC):
    """What both kinds share: how they end."""

    @abstractmethod
    async def close(self) -> None:
        """Release everything. Calls that run are completed or refused, never torn.

        Closing twice is harmless. Every later call, of any method, raises
        ``StoreClosedError``.
        """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class LogStore(_Store):
    """Append-only home of any number of logs, each named by a user.

    A store is used by many tasks of one event loop at a time. Applications do
    not see it: they use :class:`strandlog.Log`, which has checked the arguments
    before they come here (names by their grammar, ``limit`` and ``max_bytes``
    not negative, entries a sequence of at most ``max_batch``). So a store
    checks none of that again.

    Every method may raise ``StoreClosedError``, ``StoreUnavailableError`` (the
    call may be repeated), ``StoreCorruptError`` and ``StoreError``; a driver's
    own error never leaves a store, except as the cause of one of these.
    """

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """What this store promises: the same from open to close, and after."""

    @abstractmethod
    async def append(
        self,
        user: str,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> Appended:
        """Add *entries* to *user*'s log: all or none, durable on return.

        The entries may be of any devices and in any order. What each is (new, a
        duplicate, a gap, a fork …) is decided by :func:`strandlog.backend.plan`
        or to the same effect. Repeating a call changes nothing. A cancelled call
        is rolled back or completed, as ``Capabilities.cancel`` says.

        An entry with ``redacts`` takes away the content of its target in the
        same step, now or when the target arrives.

        Args:
            user: Whose log.
            entries: What to add; none is fine and adds nothing.
            upto: Given for a page of a filtered view: counters may then skip, and
                these become the tops (they never fall).
            floor: Given for a log that was trimmed elsewhere: entries at or
                below it are neither stored nor missed.

        Raises:
            GapError: A counter does not follow the top; with *upto*, lies above it.
            ForkError: An identity is taken by an entry with another digest.
            SeqError: A timestamp falls from one counter to the next.
            TrimmedError: All entries of a device lie at or below its floor.
            ErasedError: The log was erased.
            TooLargeError: A record is longer than ``max_entry``.
            UnsupportedError: *upto* was given and ``sparse`` is not declared.
        """

    @abstractmethod
    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        """Return, for each device of *at*, the digest of the entry with that counter.

        ``None`` where no such entry is held; that is not an error.
        """

    @abstractmethod
    async def read(
        self,
        user: str,
        *,
        after: VersionVector,
        devices: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        """Return the next piece, in seq order, of what a reader with *after* lacks.

        An unknown user has an empty log. Entries, tops and floor come from one
        snapshot, and the page is cut by :func:`strandlog.backend.cut_page`. The cost
        depends on the page, not on the length of the log, the number of logs or
        the number of entries that *scopes* hides.

        Args:
            user: Whose log.
            after: What the reader covers; may name devices that are unknown here.
            devices: Only entries of these; ``None`` is all. ``upto`` of the
                others stays as *after* says.
            scopes: Only entries of these; ``None`` is all, an empty one is nothing.
            limit: Most entries; 0 gives none.
            max_bytes: Most bytes, counted by ``Entry.wire_length``; but a page
                holds at least one entry.
        """

    @abstractmethod
    async def read_range(
        self,
        user: str,
        *,
        after: Seq | None = None,
        up_to: Seq | None = None,
        reverse: bool = False,
        scopes: Collection[str] | None = None,
        limit: int,
    ) -> Page:
        """Return entries of the log in seq order, or from the end with *reverse*.

        *after* is excluded and *up_to* included, whichever way is read; neither
        needs to exist. An inverted range is empty. Of several entries with the
        same timestamp none is left out.
        """

    @abstractmethod
    async def tops(self, user: str) -> VersionVector:
        """Return the top of every device. The cost does not grow with the log."""

    @abstractmethod
    async def head(self, user: str) -> Seq | None:
        """Return the greatest seq of the log, or ``None`` if it is empty."""

    @abstractmethod
    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        """Return users that have a log or its tombstone, in bytewise order."""

    @abstractmethod
    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        """Remove the entries of *device* up to a counter; return the log's floors.

        The newest entry of a device stays, whatever *up_to* says. Tops do not
        change. Trimming less than before changes nothing.
        """

    @abstractmethod
    async def erase(self, user: str) -> None:
        """Remove all of the user's log but a tombstone that refuses appends.

        Reading an erased log finds it empty. Erasing again changes nothing, and
        a log that never was gets its tombstone too.
        """

    @abstractmethod
    async def restore(self, user: str) -> int:
        """Lift the tombstone; return the generation, which counts the erasures."""

    @abstractmethod
    async def info(self) -> StoreInfo:
        """Return what the store says of itself."""

    async def rehome(
        self,
        user: str,
        device: str,
        *,
        from_counter: int,
        to_device: str,
        unsent_after: Mapping[str, int] | None = None,
    ) -> int:
        """Move a branch of *device* to a new device; return how many entries moved.

        The entries from *from_counter* on become ``1..n`` of *to_device* with the
        same timestamp, scope and content; the top of *device* falls to
        ``from_counter - 1``. One transaction. Entries that *to_device* holds
        already, for the same branch was moved before and came back, are only
        taken from *device*.

        If *to_device* holds another first entry, nothing is left to do: *device*
        was filled anew since the branch was moved, and a repetition after a crash
        changes nothing. What would come to lie at or below the floor of
        *to_device* was trimmed there, and is only taken from *device*.

        A ``redacts`` that names a moved entry follows it, if its own entry moves
        too or nobody else has that one yet. Any other stays as it is.

        Args:
            user: Whose log.
            device: Which device the branch is taken from.
            from_counter: Where the branch begins.
            to_device: What it becomes.
            unsent_after: By device, up to where others hold its entries; of a
                device that is not named they hold all.

        Raises:
            ForkError: A later entry of *to_device* is another one; nothing moved.
            UnsupportedError: ``rehome`` is not declared.
        """
        raise UnsupportedError("this store cannot re-home entries")

    async def compact(self) -> None:
        """Give room back; with ``purge``, redacted bytes leave the files.

        Raises:
            UnsupportedError: ``purge`` is not declared.
        """
        raise UnsupportedError("this store cannot purge its files")

    def subscribe(self) -> AsyncIterator[str]:
        """Yield users whose log changed, from any handle.

        A notification may be late, doubled or merged, never lost for good.

        Raises:
            UnsupportedError: ``notify`` is not declared.
        """
        raise UnsupportedError("this store does not notify of changes")


class CursorStore(_Store):
    """What each reader is known to hold of each log.

    A reader is an opaque string that core makes, such as ``alice/phone``. The
    same rules as for :class:`LogStore` hold for tasks, errors and closing.
    """

    @abstractmethod
    async def load(self, user: str, reader: str) -> VersionVector:
        """Return how far *reader* has read; an unknown reader has read nothing."""

    @abstractmethod
    async def readers(self, user: str) -> dict[str, VersionVector]:
        """Return every reader of the log that has read something."""

    @abstractmethod
    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        """Merge *vector* into the cursor, which never moves back; return the cursor.

        Callers that advance one cursor at once lose nothing of each other.
        """

    @abstractmethod
    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        """Set the cursor to exactly *vector*, which may move it down."""

    @abstractmethod
    async def forget(self, user: str, reader: str) -> None:
        """Remove one reader; an unknown one is not an error."""

    @abstractmethod
    async def erase(self, user: str) -> None:
        """Remove all readers of the log; repeating it is harmless."""
