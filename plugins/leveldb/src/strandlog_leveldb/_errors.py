"""What the driver and the system report, in the words of the contract."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

import plyvel

from strandlog.errors import (
    StoreCorruptError,
    StoreError,
    StoreFullError,
    StoreLockedError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

__all__ = ["LOCKED", "in_our_words", "translated"]

LOCKED = (
    "is open already, here or in another process: close it there;"
    " logs and cursors of one URL share it if they are opened together"
)

_KINDS: dict[int, type[StoreError]] = {
    errno.ENOSPC: StoreFullError,
    errno.EDQUOT: StoreFullError,
    errno.EFBIG: StoreFullError,
    errno.EROFS: StoreReadOnlyError,
    errno.EACCES: StoreReadOnlyError,
    errno.EPERM: StoreReadOnlyError,
    # LevelDB asks for what its own lists name: what is not there, or is
    # shorter than they say, was there once.
    errno.ENOENT: StoreCorruptError,
    errno.EINVAL: StoreCorruptError,
}
# The driver passes on no number, only the text that the system has for it.
_BY_TEXT = {os.strerror(number): kind for number, kind in _KINDS.items()}


@contextmanager
def in_our_words(path: str) -> Iterator[None]:
    """Raise errors of the driver and of the system as errors of the contract.

    Raises:
        StoreError: In place of them, with the first one as its cause.
    """
    try:
        yield
    except (plyvel.Error, OSError) as error:
        raise translated(error, path) from error


def translated(error: plyvel.Error | OSError, path: str) -> StoreError:
    """Return the error of the contract that says the same."""
    if not isinstance(error, plyvel.Error):
        kind = _KINDS.get(error.errno or 0, StoreUnavailableError)
        return kind(f"{path}: {error.strerror or error}")
    [said] = error.args
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    if isinstance(error, plyvel.CorruptionError):
        return StoreCorruptError(f"{path}: {text}")
    if text.startswith("IO error: lock "):
        return StoreLockedError(f"{path}: {LOCKED}")
    if isinstance(error, plyvel.IOError):
        kind = _BY_TEXT.get(text.rpartition(": ")[2], StoreUnavailableError)
        return kind(f"{path}: {text}")
    return StoreError(f"{path}: {text}")
