"""The reference store once more, with what it holds in files: it outlives loss of power.

Everything is in memory as well. Each call that changes something adds one record
to a journal before the change is seen by anybody; opening a store reads them all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from strandlog import Appended, Entry, Identity, VersionVector
from strandlog.backend import (
    Backend,
    Capabilities,
    CursorStore,
    Durability,
    Handles,
    Location,
    LogStore,
    StoreUrl,
    pack,
    unpack,
)
from strandlog.errors import StoreCorruptError, StoreReadOnlyError
from strandlog_conformance.reference.cursors import ReferenceCursorStore
from strandlog_conformance.reference.journal import Journal
from strandlog_conformance.reference.log import CAPABILITIES, ReferenceLogStore
from strandlog_conformance.reference.shelf import KeptLog, Shelf
from strandlog_conformance.target import Target

__all__ = ["FILE_CAPABILITIES", "FileCursorStore", "FileLogStore", "offer_files"]

FILE_CAPABILITIES = replace(
    CAPABILITIES,
    durability=Durability.POWER,
    handles=Handles.ONE,
    read_only_open=True,
    integrity=True,
    needs=frozenset({"fs"}),
)

_ABOUT_THE_STORE = ""
"""No user has this name."""


class FileOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The option of the store: ``read_only`` opens it without writing."""

    read_only: bool = False


def _plain(counters: Mapping[str, int]) -> dict[str, int]:
    """Return a vector as it is encoded: a name may be of a type derived from text."""
    return {str(device): counter for device, counter in counters.items()}


class _Change(msgspec.Struct, frozen=True, array_like=True):
    """What a call changes in one log."""

    added: list[tuple[str, int, bytes]]
    removed: list[tuple[str, int]]
    covered: dict[str, int]
    floors: dict[str, int]
    masks: list[tuple[str, int, str, int]]
    erased: bool
    generation: int

    @classmethod
    def between(cls, user: str, old: KeptLog, new: KeptLog) -> _Change:
        """Return what makes *new* of *old*."""
        return cls(
            [
                (str(key.device), key.counter, pack(user, one))
                for key, one in new.entries.items()
                if old.entries.get(key) is not one
            ],
            [(key.device, key.counter) for key in old.entries if key not in new.entries],
            _plain(new.covered),
            _plain(new.floors),
            [(str(a), n, str(b), m) for (a, n), (b, m) in sorted(new.masks)],
            new.erased,
            new.generation,
        )

    def made(self, user: str, log: KeptLog) -> KeptLog:
        """Return what becomes of *log*."""
        new = log.copied()
        for device, counter in self.removed:
            del new.entries[Identity(device, counter)]
        for device, counter, record in self.added:
            new.entries[Identity(device, counter)] = unpack(user, device, counter, record)
        new.covered, new.floors = dict(self.covered), dict(self.floors)
        new.masks = {(Identity(a, n), Identity(b, m)) for a, n, b, m in self.masks}
        new.erased, new.generation = self.erased, self.generation
        return new


class _Logs(dict[str, KeptLog]):
    """Logs by user, each change of which is in the journal before it is here."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal
        self._damaged: set[str] = set()
        for user, body in journal.records:
            if user == _ABOUT_THE_STORE:
                continue
            if body is None:
                self._damaged.add(user)
            elif user not in self._damaged:
                change = msgspec.msgpack.decode(body, type=_Change)
                super().__setitem__(user, change.made(user, super().get(user, KeptLog())))
        for user in self._damaged:
            # Listed, for there is such a log; nothing else is said about it.
            super().__setitem__(user, KeptLog(covered={"": 1}))

    def get(self, user: str, default: Any = None) -> Any:  # as a dict has it
        if user in self._damaged:
            raise StoreCorruptError(f"{self.journal.path}: a record of {user} is damaged")
        return super().get(user, default)

    def __setitem__(self, user: str, log: KeptLog) -> None:
        change = _Change.between(user, super().get(user, KeptLog()), log)
        self.journal.add(user, msgspec.msgpack.encode(change))
        super().__setitem__(user, log)


class _Cursors(dict[tuple[str, str], VersionVector]):
    """Cursors by user and reader, kept in the same way."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal
        for user, body in journal.records:
            if body is None:
                raise StoreCorruptError(f"{journal.path}: a record of {user} is damaged")
            reader, counters = msgspec.msgpack.decode(body, type=tuple[str, dict[str, int] | None])
            if counters is None:
                super().pop((user, reader), None)
            else:
                super().__setitem__((user, reader), VersionVector(counters))

    def __setitem__(self, key: tuple[str, str], vector: VersionVector) -> None:
        user, reader = key
        if vector != super().get(key):
            self.journal.add(user, msgspec.msgpack.encode((str(reader), _plain(vector))))
            super().__setitem__(key, vector)

    def __delitem__(self, key: tuple[str, str]) -> None:
        user, reader = key
        self.journal.add(user, msgspec.msgpack.encode((str(reader), None)))
        super().__delitem__(key)

    def pop(self, key: tuple[str, str], default: Any = None) -> Any:  # as a dict has it
        if key in self:
            del self[key]
        return default


class FileCursorStore(ReferenceCursorStore):
    """Cursors in a journal of their own."""

    journal: ClassVar[type[Journal]] = Journal

    def __init__(self, journal: Journal) -> None:
        shelf = Shelf()
        shelf.cursors = _Cursors(journal)
        super().__init__(shelf)
        self.opened = journal

    @classmethod
    def at(cls, directory: Path, *, read_only: bool) -> FileCursorStore:
        """Open the cursors in a directory; one that does not exist yet is made."""
        journal = cls.journal(directory / "cursors.journal", read_only=read_only)
        try:
            return cls(journal)
        except BaseException:
            journal.let_go()
            raise

    async def close(self) -> None:
        await super().close()
        self.opened.close()


class FileLogStore(ReferenceLogStore):
    """Logs in a journal.

    Attributes:
        journal: The kind of journal; faulty stores have others.
        cursors: The kind of cursor store that goes with it.
    """

    journal: ClassVar[type[Journal]] = Journal
    cursors: ClassVar[type[FileCursorStore]] = FileCursorStore

    def __init__(self, journal: Journal, capabilities: Capabilities) -> None:
        shelf = Shelf()
        shelf.logs = _Logs(journal)
        told = [one.body for one in journal.records if one.user == _ABOUT_THE_STORE]
        if told and told[0] is None:
            raise StoreCorruptError(f"{journal.path}: the epoch is damaged")
        if told and told[0] is not None:
            shelf.epoch = told[0].decode()
        elif not journal.read_only:
            journal.add(_ABOUT_THE_STORE, shelf.epoch.encode())
        super().__init__(shelf, capabilities)
        self.opened = journal

    @classmethod
    def at(cls, directory: Path, capabilities: Capabilities, *, read_only: bool) -> FileLogStore:
        """Open the store in a directory; one that does not exist yet is made."""
        journal = cls.journal(directory / "logs.journal", read_only=read_only)
        try:
            return cls(journal, capabilities)
        except BaseException:
            journal.let_go()
            raise

    async def close(self) -> None:
        await super().close()
        self.opened.close()

    def refuse_to_write(self) -> None:
        """Raise if the store was opened to read only."""
        self.refuse_if_closed()
        if self.opened.read_only:
            raise StoreReadOnlyError(f"{self.opened.path}: was opened with read_only=true")

    async def append(
        self,
        user: str,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> Appended:
        self.refuse_to_write()
        return await super().append(user, entries, upto=upto, floor=floor)

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        self.refuse_to_write()
        return await super().trim(user, device, up_to=up_to)

    async def erase(self, user: str) -> None:
        self.refuse_to_write()
        await super().erase(user)

    async def restore(self, user: str) -> int:
        self.refuse_to_write()
        return await super().restore(user)

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        self.refuse_to_write()
        return await super().rehome(user, device, **how)


# Not functions inside another one: other processes get these by pickling.
@dataclass(frozen=True, slots=True)
class _OpenLog:
    kind: type[FileLogStore]
    capabilities: Capabilities

    @asynccontextmanager
    async def __call__(self, url: StoreUrl) -> AsyncIterator[LogStore]:
        read_only = url.options(FileOptions).read_only
        async with self.kind.at(
            Path(url.file_path), self.capabilities, read_only=read_only
        ) as store:
            yield store


@dataclass(frozen=True, slots=True)
class _OpenCursors:
    kind: type[FileCursorStore]

    @asynccontextmanager
    async def __call__(self, url: StoreUrl) -> AsyncIterator[CursorStore]:
        read_only = url.options(FileOptions).read_only
        async with self.kind.at(Path(url.file_path), read_only=read_only) as store:
            yield store


@asynccontextmanager
async def _fresh_url(directory: Path) -> AsyncIterator[str]:
    # The directory is absolute, and its own slash is the fourth.
    yield f"files:///{quote(str(directory))}/store"


def offer_files(
    name: str = "reference files",
    *,
    log: type[FileLogStore] = FileLogStore,
    cursors: type[FileCursorStore] = FileCursorStore,
    capabilities: Capabilities = FILE_CAPABILITIES,
) -> Target:
    """Return stores of these kinds, in files, as a target of the suite."""
    return Target(
        name,
        Backend("files", _OpenLog(log, capabilities), capabilities, Location.FILE, FileOptions),
        Backend("files", _OpenCursors(cursors), capabilities, Location.FILE, FileOptions),
        _fresh_url,
        packages=frozenset({"strandlog_conformance"}),
    )
