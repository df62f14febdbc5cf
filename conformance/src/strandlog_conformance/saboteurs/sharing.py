"""Stores that many processes may open, and that lose what others write."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from strandlog import Appended, Entry, VersionVector
from strandlog.backend import (
    Backend,
    Capabilities,
    CursorStore,
    Handles,
    Location,
    LogStore,
    StoreUrl,
)
from strandlog_conformance.reference import (
    CAPABILITIES,
    ReferenceCursorStore,
    ReferenceLogStore,
    Shelf,
)
from strandlog_conformance.saboteurs.registry import saboteur
from strandlog_conformance.target import Target


class _File:
    """A shelf in a file, which is read before each call and written after each change."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Shelf:
        if not self._path.exists():
            self.write(Shelf())
        # Written by this very class, a moment ago.
        found: Shelf = pickle.loads(self._path.read_bytes())  # noqa: S301
        return found

    def write(self, shelf: Shelf) -> None:
        # Whole, for other processes read it; but the last one to write wins. It takes
        # its time, as a disk does, so that on one processor too they meet.
        time.sleep(0.0002)
        new = self._path.with_suffix(f".{os.getpid()}")
        new.write_bytes(pickle.dumps(shelf))
        new.replace(self._path)


@dataclass(frozen=True, slots=True)
class _Open:
    kind: Callable[..., Any]

    @asynccontextmanager
    async def __call__(self, url: StoreUrl) -> AsyncIterator[Any]:
        async with self.kind(_File(Path(url.file_path))) as store:
            yield store


@asynccontextmanager
async def _fresh_file(directory: Path) -> AsyncIterator[str]:
    yield f"shared:///{quote(str(directory))}/shelf"


def _shared(
    name: str, *, log: type[LogStore], cursors: type[CursorStore], capabilities: Capabilities
) -> Target:
    """Offer stores in one file, which any number of processes may open."""
    # Sound or not, the other half has to find the same file.
    opens_log = _Open(log if issubclass(log, _SharedLogStore) else _SharedLogStore)
    opens_cursors = _Open(
        cursors if issubclass(cursors, _SharedCursorStore) else _SharedCursorStore
    )
    return Target(
        name,
        Backend("shared", opens_log, capabilities, Location.FILE),
        Backend("shared", opens_cursors, capabilities, Location.FILE),
        _fresh_file,
        packages=frozenset({"strandlog_conformance"}),
    )


_SHARED = replace(CAPABILITIES, handles=Handles.PROCESS)


class _SharedLogStore(ReferenceLogStore):
    """Reads the file, changes what it has read and writes it again, without a lock."""

    def __init__(self, file: _File) -> None:
        super().__init__(file.read(), _SHARED)
        self._file = file

    async def turn(self) -> None:
        await super().turn()
        self.shelf = self._file.read()

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        done = await super().append(user, entries, **how)
        self._file.write(self.shelf)
        return done

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        floors = await super().trim(user, device, up_to=up_to)
        self._file.write(self.shelf)
        return floors

    async def erase(self, user: str) -> None:
        await super().erase(user)
        self._file.write(self.shelf)

    async def restore(self, user: str) -> int:
        generation = await super().restore(user)
        self._file.write(self.shelf)
        return generation

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        moved = await super().rehome(user, device, **how)
        self._file.write(self.shelf)
        return moved


class _SharedCursorStore(ReferenceCursorStore):
    """Reads the file, changes what it has read and writes it again, without a lock."""

    def __init__(self, file: _File) -> None:
        super().__init__(file.read())
        self._file = file

    async def turn(self) -> None:
        await super().turn()
        self.shelf = self._file.read()

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        done = await super().advance(user, reader, vector)
        self._file.write(self.shelf)
        return done

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await super().reset(user, reader, vector)
        self._file.write(self.shelf)

    async def forget(self, user: str, reader: str) -> None:
        await super().forget(user, reader)
        self._file.write(self.shelf)

    async def erase(self, user: str) -> None:
        await super().erase(user)
        self._file.write(self.shelf)


@saboteur(
    "M199",
    "loses what another process writes at the same time",
    caught_by="conc.two_processes_interleave",
    says="got",  # a hole in what it counts on, or in the end
    also=("harness.leaves_nothing_behind",),
    capabilities=_SHARED,
    make=_shared,
)
class LastWriterWins(_SharedLogStore):
    """Has no lock."""


@saboteur(
    "M300",
    "loses what another process advances at the same time",
    caught_by="cursor.two_processes",
    says="load after both",
    capabilities=_SHARED,
    make=_shared,
)
class LastCursorWins(_SharedCursorStore):
    """Has no lock."""
