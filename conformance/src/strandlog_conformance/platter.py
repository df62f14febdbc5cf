"""What a disk would hold if the power were lost now: only what was synced."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

__all__ = ["Platter"]

_PAGE = 4096


@dataclass(slots=True)
class _File:
    """One file, under whatever names.

    Attributes:
        fd: Ours; it also keeps the system from giving the number to another file.
        durable: What the disk holds for certain.
        dirty: Pages that were written since.
        lost: Pages whose way to the disk failed: the system has reported that once
            and takes them for written. Only who writes them again can save them.
    """

    fd: int
    durable: bytes = b""
    dirty: set[int] = field(default_factory=set)
    lost: set[int] = field(default_factory=set)

    def now(self) -> bytes:
        """Return what the system shows."""
        return os.pread(self.fd, os.fstat(self.fd).st_size, 0)


class Platter:
    """The disk under one directory; what lies there when it is made is on the disk."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[int, _File] = {}
        self._names: dict[int, dict[str, int]] = {}
        for directory, _, names in os.walk(root):
            self.synced(directory)
            for name in names:
                self.synced(f"{directory}/{name}")

    def close(self) -> None:
        """Let go of all files."""
        for one in self._files.values():
            os.close(one.fd)

    def wrote(self, path: str, first: int, length: int) -> None:
        """Take note of a write that begins now."""
        file = self._file(path)
        pages = range(first // _PAGE, (first + max(length, 1) - 1) // _PAGE + 1)
        if file is not None:
            file.dirty.update(pages)
            file.lost.difference_update(pages)

    def synced(self, path: str) -> None:
        """Take note of a sync of a file or a directory, which will succeed."""
        try:
            found = Path(path).stat()
        except FileNotFoundError:
            return
        if stat.S_ISDIR(found.st_mode):
            self._names[found.st_ino] = self._listed(path)
            return
        file = self._file(path)
        if file is not None:
            file.durable = _mixed(file.now(), file.durable, file.lost)
            file.dirty.clear()

    def all_synced(self) -> None:
        """Take note of a sync of everything."""
        for directory, _, names in os.walk(self._root):
            self.synced(directory)
            for name in names:
                self.synced(f"{directory}/{name}")

    def sync_failed(self, path: str) -> None:
        """Take note of a sync that will fail."""
        file = self._file(path)
        if file is not None:
            file.lost |= file.dirty
            file.dirty.clear()

    def left(self, into: Path, *, names: bool = True, contents: bool = True, torn: bool) -> None:
        """Write what is left after the loss of power into another directory.

        Args:
            into: Where to.
            names: Take the names that were synced, and not those of now.
            contents: Take the contents that were synced, and not those of now.
            torn: Half of what was written to each file since its sync has come to the disk.
        """
        self._copy(self._number(self._root), self._root, into, names, contents, torn)

    def _copy(self, number: int, directory: Path | None, into: Path, *how: bool) -> None:
        names, contents, torn = how
        into.mkdir(parents=True, exist_ok=True)
        listed = self._names.get(number, {})
        if not names and directory is not None:
            listed = self._listed(str(directory))
        for name, child in listed.items():
            path = directory / name if directory is not None else None
            file = self._files.get(child)
            if file is None:
                self._copy(child, path, into / name, *how)
            elif contents:
                (into / name).write_bytes(_torn(file) if torn else file.durable)
            else:
                (into / name).write_bytes(file.now())

    def _listed(self, directory: str) -> dict[str, int]:
        found: dict[str, int] = {}
        with os.scandir(directory) as entries:
            for one in entries:
                if one.is_file(follow_symlinks=False):
                    self._file(one.path)
                if one.is_file(follow_symlinks=False) or one.is_dir(follow_symlinks=False):
                    found[one.name] = one.inode()
        return found

    def _file(self, path: str) -> _File | None:
        try:
            fd = os.open(path, os.O_RDONLY)
        except OSError:  # gone since
            return None
        found = os.fstat(fd)
        known = self._files.get(found.st_ino)
        if known is not None or not stat.S_ISREG(found.st_mode):
            os.close(fd)
            return known
        return self._files.setdefault(found.st_ino, _File(fd))

    def _number(self, directory: Path) -> int:
        return directory.stat().st_ino


def _mixed(now: bytes, before: bytes, lost: set[int]) -> bytes:
    """Return *now*, but with the pages of *before* that were lost on their way."""
    mixed = bytearray(now)
    for page in lost:
        first = page * _PAGE
        old = before[first : first + _PAGE]
        length = len(mixed[first : first + _PAGE])
        mixed[first : first + length] = old[:length].ljust(length, b"\0")
    return bytes(mixed)


def _torn(file: _File) -> bytes:
    """Return what is durable of a file and the first half of what is not."""
    now = file.now()
    changed = [at for at in sorted(file.dirty) if _page(now, at) != _page(file.durable, at)]
    if not changed:
        return file.durable
    begin = changed[0] * _PAGE
    pairs = zip(now[begin:], file.durable[begin:], strict=False)
    begin += sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    end = min(len(now), (changed[-1] + 1) * _PAGE)
    half = begin + max(end - begin, 0) // 2
    return now[:half] + file.durable[half:]


def _page(data: bytes, page: int) -> bytes:
    return data[page * _PAGE : (page + 1) * _PAGE]
