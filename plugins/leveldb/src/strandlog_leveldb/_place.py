"""The directory of a store: held by one opener, and checked before LevelDB touches it.

LevelDB writes as soon as it is opened, and removes what its lists do not name.
So what must be refused untouched is refused here, by one small file of ours
beside LevelDB's. ``STRANDLOG`` holds one line::

    strandlog-leveldb 1 4a0f…77 9c31…e2
                      | |       checksum of what stands before it
                      | seal, or dashes while the store is open, or plusses
                      | until a new one is made
                      schema version

The *seal* is a hash of LevelDB's lists of its files. It is written when the
store was closed in good order, with everything in tables, whose blocks have
checksums of their own. For LevelDB takes a list or a log that is cut off for
one that ends there: of a damage that shortens them it says nothing, and loses
what came after. After a crash there is no seal, and the end of a log that was
cut off by the crash cannot be told from one that was damaged since.

LevelDB makes a new database in several steps, of which loss of power may keep a
later one and lose an earlier: what is left cannot be opened. Nothing was
acknowledged in it, so a store that is half-made is made anew.

A line that is damaged itself says nothing, as if the store had been left open.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from hashlib import blake2b
from pathlib import Path

from strandlog.errors import (
    StoreCorruptError,
    StoreLockedError,
    StoreUnavailableError,
    StoreVersionError,
)
from strandlog_leveldb._errors import LOCKED
from strandlog_leveldb._schema import SCHEMA_VERSION

__all__ = ["NEWER", "Place"]

NEWER = (
    f"and this strandlog-leveldb knows schema versions up to {SCHEMA_VERSION}: install a newer one"
)

_STATE = "STRANDLOG"
_FORMAT = "strandlog-leveldb"
_OPEN = "-" * 32
_HALF_MADE = "+" * 32
_LINE_MAX = 200  # bytes, many more than a line has

_DATA = re.compile(r"\d+\.(?:log|ldb|sst)|MANIFEST-(?!0*1$)\d+")
_LISTS = re.compile(r"CURRENT|MANIFEST-\d+|\d+\.log")
_ANY = re.compile(rf"{_STATE}|CURRENT|LOCK|LOG(?:\.old)?|MANIFEST-\d+|\d+\.(?:log|ldb|sst|dbtmp)")

# How coarse the times of files may be: the tick of a slow kernel is 10 ms.
_TICK_NANOS = 50_000_000


class Place:
    """A directory that is held by this opener from :meth:`take` to :meth:`leave`."""

    def __init__(self, path: str, lock: int) -> None:
        self._directory = Path(path)
        self._path = path
        self._lock = lock
        self._synced_at = 0

    @classmethod
    def take(cls, path: str, *, create: bool) -> Place:
        """Hold the directory, which is made if it may be; what it holds stays as it is.

        Raises:
            StoreLockedError: Somebody holds it already.
            StoreUnavailableError: It cannot be there, or is for something else.
            StoreVersionError: It holds a store of a newer version.
            StoreCorruptError: Files of the store are damaged or missing.
        """
        directory = Path(path)
        _check_surroundings(directory, path, create=create)
        if not directory.exists():
            directory.mkdir()
            _sync(directory.absolute().parent)
        # LevelDB has a lock of its own, which is lost as soon as anybody in this
        # process opens and closes that file, as LevelDB does when it is opened
        # here a second time. A lock by flock(2) belongs to who took it.
        lock = os.open(directory / _STATE, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreLockedError(f"{path}: {LOCKED}") from error
            place = cls(path, lock)
            place._check(create=create)
        except BaseException:
            os.close(lock)
            raise
        return place

    @property
    def is_new(self) -> bool:
        """Whether LevelDB has not been here yet."""
        return not (self._directory / "CURRENT").exists()

    @property
    def half_made(self) -> bool:
        """Whether making the store was begun and not completed."""
        return _read_line(self._lock) == (SCHEMA_VERSION, _HALF_MADE)

    def _check(self, *, create: bool) -> None:
        said = _read_line(self._lock)
        if said is not None:
            version, seal = said
            if version > SCHEMA_VERSION:
                raise StoreVersionError(f"{self._path}: has schema version {version}, {NEWER}")
            if seal == _HALF_MADE:
                if not create:
                    raise StoreUnavailableError(
                        f"{self._path}: was never made to the end,"
                        " and create_if_missing=false makes none"
                    )
                return
            if seal not in (_OPEN, self._seal()):
                raise StoreCorruptError(
                    f"{self._path}: the files that list the others are not those that were left"
                    " here: put back a copy of the directory; if another program has opened it,"
                    f" and that was meant to be, empty the file {_STATE}"
                )
        lost = [path.name for path in self._directory.iterdir() if _DATA.fullmatch(path.name)]
        if self.is_new and lost:
            raise StoreCorruptError(
                f"{self._path}: the file CURRENT is missing beside {min(lost)}:"
                " put back a copy of the directory"
            )

    def break_seal(self) -> None:
        """Note that the store is open, before anything in it changes."""
        # On the disk before LevelDB's first write: a seal that outlived it there
        # would call a sound store damaged.
        if self.half_made:
            for file in self._directory.iterdir():
                if file.name != _STATE and _ANY.fullmatch(file.name):
                    file.unlink()
        state = _HALF_MADE if self.is_new else _OPEN
        if _read_line(self._lock) != (SCHEMA_VERSION, state):
            self._write_line(state)

    def made(self) -> None:
        """Note that the store is made: what was written in it is durable."""
        if self.half_made:
            self.sync()
            self._write_line(_OPEN)

    def leave(self, *, seal: bool) -> None:
        """Let go of the directory, which LevelDB has let go of before.

        Args:
            seal: Whether it was closed in good order. If a log still holds
                something, there is no seal all the same.
        """
        try:
            if seal and not any(path.stat().st_size for path in self._directory.glob("*.log")):
                self._write_line(self._seal())
        finally:
            # A process that was forked off has this descriptor too, and would
            # hold on to the lock.
            fcntl.flock(self._lock, fcntl.LOCK_UN)
            os.close(self._lock)

    def sync(self) -> None:
        """Make durable which files there are, if that has changed.

        LevelDB syncs what is in a new log, but not that there is one; a loss of
        power could take it away with all that was acknowledged since.
        """
        changed_at = self._directory.stat().st_mtime_ns
        if changed_at != self._synced_at:
            _sync(self._directory)
            # What changes in the same tick leaves the same time behind.
            settled = time.time_ns() - changed_at > _TICK_NANOS
            self._synced_at = changed_at if settled else 0

    def _seal(self) -> str:
        """Return the hash of LevelDB's lists; logs count by what is in them."""
        hasher = blake2b(digest_size=len(_OPEN) // 2)
        for path in sorted(self._directory.iterdir()):
            if _LISTS.fullmatch(path.name):
                content = path.read_bytes()
                if content:
                    hasher.update(f"{path.name} {len(content)} ".encode() + content)
        return hasher.hexdigest()

    def _write_line(self, seal: str) -> None:
        # In place, and always of the same length: less than a disk writes at once.
        text = f"{_FORMAT} {SCHEMA_VERSION} {seal}"
        os.pwrite(self._lock, f"{text} {_checksum(text)}\n".encode(), 0)
        os.fsync(self._lock)


def _check_surroundings(directory: Path, path: str, *, create: bool) -> None:
    parent = directory.absolute().parent
    if not parent.is_dir():
        raise StoreUnavailableError(f"{path}: there is no directory {parent}: create it first")
    if directory.exists() and not directory.is_dir():
        raise StoreUnavailableError(f"{path}: is a file: name a directory of its own for the store")
    names = {file.name for file in directory.iterdir()} if directory.exists() else set()
    if "CURRENT" in names:
        if _STATE not in names:
            raise StoreCorruptError(
                f"{path}: is a LevelDB database, but not one of strandlog; if it was one,"
                f" its file {_STATE} is missing: put it back, or an empty one"
            )
        return
    if not create:
        raise StoreUnavailableError(
            f"{path}: there is no store, and create_if_missing=false makes none"
        )
    if strangers := sorted(name for name in names if not _ANY.fullmatch(name)):
        raise StoreUnavailableError(
            f"{path}: holds {strangers[0]}: name a directory of its own for the store"
        )


def _read_line(file: int) -> tuple[int, str] | None:
    """Return version and seal, or ``None`` if they are not there or damaged."""
    line = os.pread(file, _LINE_MAX, 0).decode("ascii", errors="replace")
    text, _, checksum = line.removesuffix("\n").rpartition(" ")
    words = text.split(" ")
    if checksum != _checksum(text) or len(words) != 3 or words[0] != _FORMAT:  # noqa: PLR2004
        return None
    return int(words[1]), words[2]


def _checksum(text: str) -> str:
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _sync(directory: Path) -> None:
    file = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
