"""A file that only grows: a record for each change, and each is on the disk before it counts."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from strandlog.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

__all__ = ["Journal", "Record", "in_our_words"]

_LENGTHS = struct.Struct(">HI")
_SEAL = struct.Struct(">Q")
_CHECKSUM_SIZE = 8
_RIGHTS = 0o644

_KINDS: dict[int, type[StoreError]] = {
    errno.ENOSPC: StoreFullError,
    errno.EDQUOT: StoreFullError,
    errno.EFBIG: StoreFullError,
    errno.EROFS: StoreReadOnlyError,
    errno.EACCES: StoreReadOnlyError,
    errno.EPERM: StoreReadOnlyError,
    errno.EWOULDBLOCK: StoreLockedError,
}


class Record(NamedTuple):
    """One record: whose it is, and what it says, ``None`` if that is damaged."""

    user: str
    body: bytes | None


@contextmanager
def in_our_words(path: Path) -> Iterator[None]:
    """Raise errors of the system as errors of the contract."""
    try:
        yield
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, StoreUnavailableError)
        raise kind(f"{path}: {error.strerror}: see to it, and open the store again") from error


class Journal:
    """A journal with its lock and its seal.

    The seal is a second file, there while nobody has the journal open. It says
    how long the journal is, so that a journal which was cut off later is told from
    one whose writer was killed.
    """

    def __init__(self, path: Path, *, read_only: bool) -> None:
        self.path = path
        self.read_only = read_only
        self.records: list[Record] = []
        self.failure: StoreError | None = None
        self.seal_path = path.with_suffix(".seal")
        self._fd = self._lock = -1
        with in_our_words(path):
            try:
                self.open()
            except BaseException:
                self.let_go()
                raise

    def open(self) -> None:
        """Lock the journal, read it, and make it ready for more."""
        if not self.read_only:
            self.make_directory()
        self.lock()
        sealed_length = self.seal()
        data = self.path.read_bytes() if self.path.exists() else b""
        self.records, whole = self.parsed(data)
        if sealed_length is not None and not sealed_length == len(data) == whole:
            raise StoreCorruptError(
                f"{self.path}: {whole} of {len(data)} bytes are whole, {sealed_length} were written"
            )
        if self.read_only:
            if not data:
                raise StoreUnavailableError(f"{self.path}: there is nothing to be read")
            return
        if sealed_length is not None:
            self.seal_path.unlink()
            self.sync_directory()
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _RIGHTS)
        self.sync_directory()
        if whole < len(data):
            # What a writer left that was killed in the middle of it.
            os.ftruncate(self._fd, whole)
            self.sync()

    def make_directory(self) -> None:
        """Make the directory, in a way that it stays."""
        directory = self.path.parent
        if not directory.exists():
            directory.mkdir()
            self.sync_directory(directory.parent)

    def lock(self) -> None:
        """Keep others out, until this process lets go or is gone."""
        # Not at the top: not every system has it.
        import fcntl

        path = self.path.with_suffix(".lock")
        if self.read_only and not path.exists():
            return
        flags = os.O_RDONLY if self.read_only else os.O_RDWR | os.O_CREAT
        self._lock = os.open(path, flags, _RIGHTS)
        fcntl.flock(
            self._lock, fcntl.LOCK_NB | (fcntl.LOCK_SH if self.read_only else fcntl.LOCK_EX)
        )

    def seal(self) -> int | None:
        """Return how long the journal was when it was closed; ``None`` if it was not.

        Raises:
            StoreCorruptError: The seal is damaged.
        """
        if not self.seal_path.exists():
            return None
        told = self.seal_path.read_bytes()
        length = told[: _SEAL.size]
        if told != length + _checksum(length) or len(length) < _SEAL.size:
            raise StoreCorruptError(f"{self.seal_path}: is damaged")
        [value] = _SEAL.unpack(length)
        return int(value)

    def parsed(self, data: bytes) -> tuple[list[Record], int]:
        """Return the records, and how much of *data* they make up.

        Raises:
            StoreCorruptError: What says where a record ends is damaged.
        """
        records = []
        at = 0
        while at + _LENGTHS.size <= len(data):
            name_size, body_size = _LENGTHS.unpack_from(data, at)
            head_end = at + _LENGTHS.size + name_size
            body_begin = head_end + _CHECKSUM_SIZE
            body_end = body_begin + body_size
            if body_begin > len(data):
                break
            head = data[at:head_end]
            if data[head_end:body_begin] != _checksum(head):
                raise StoreCorruptError(f"{self.path}: the head of a record at {at} is damaged")
            if body_end + _CHECKSUM_SIZE > len(data):
                break
            body = data[body_begin:body_end]
            sound = data[body_end : body_end + _CHECKSUM_SIZE] == _checksum(head + body)
            name = head[_LENGTHS.size :].decode()
            records.append(Record(name, body if sound else self.damaged(body)))
            at = body_end + _CHECKSUM_SIZE
        return records, at

    def damaged(self, _body: bytes) -> bytes | None:
        """Return what is to be taken for the body of a record that is damaged."""
        return None

    def add(self, user: str, body: bytes) -> None:
        """Add a record; on return it is on the disk.

        Raises:
            StoreError: It is not; and then nothing is added any more, for behind
                a piece of a record nothing would be found again.
        """
        if self.failure is not None:
            raise type(self.failure)(f"{self.failure}; nothing is written any more") from None
        try:
            with in_our_words(self.path):
                self.write(self.framed(user, body))
                self.sync()
        except StoreError as error:
            self.failure = error
            raise

    def framed(self, user: str, body: bytes) -> bytes:
        """Return a record as it stands in the file."""
        name = user.encode()
        head = _LENGTHS.pack(len(name), len(body)) + name
        return head + _checksum(head) + body + _checksum(head + body)

    def write(self, data: bytes) -> None:
        """Write at the end of the file."""
        while data:
            data = data[os.write(self._fd, data) :]

    def sync(self) -> None:
        """Have on the disk what was written."""
        os.fdatasync(self._fd)

    def sync_directory(self, directory: Path | None = None) -> None:
        """Have on the disk which files there are."""
        fd = os.open(directory or self.path.parent, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def close(self) -> None:
        """Seal the journal and let go of it; closing twice is harmless."""
        try:
            if self._fd >= 0 and self.failure is None:
                with in_our_words(self.path):
                    self.put_seal()
        finally:
            self.let_go()

    def put_seal(self) -> None:
        """Say how long the journal is, in one step."""
        length = _SEAL.pack(os.fstat(self._fd).st_size)
        new = self.seal_path.with_suffix(".new")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _RIGHTS)
        try:
            os.write(fd, length + _checksum(length))
            os.fsync(fd)
        finally:
            os.close(fd)
        new.rename(self.seal_path)
        self.sync_directory()

    def let_go(self) -> None:
        """Close the files."""
        for fd in (self._fd, self._lock):
            if fd >= 0:
                with suppress(OSError):
                    os.close(fd)
        self._fd = self._lock = -1


def _checksum(data: bytes) -> bytes:
    return blake2b(data, digest_size=_CHECKSUM_SIZE).digest()
