"""Empty directories for locations that lie in files."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

__all__ = ["Places"]


class Places:
    """Hands out empty directories and removes them all in the end.

    One that comes back empty is handed out again: stores that need no files
    would else spend more time on directories than on checks.
    """

    def __init__(self) -> None:
        self._root = TemporaryDirectory(prefix="strandlog-", ignore_cleanup_errors=True)
        self._free: list[Path] = []
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._root.cleanup()

    def take(self) -> Path:
        """Return an empty directory that nobody else has."""
        if self._free:
            return self._free.pop()
        self._count += 1
        place = Path(self._root.name, str(self._count))
        place.mkdir()
        return place

    def give_back(self, place: Path) -> None:
        """Take back a directory, whatever lies in it."""
        if not any(place.iterdir()):
            self._free.append(place)
