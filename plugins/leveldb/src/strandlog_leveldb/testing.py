"""Where conformance finds empty stores of this kind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

__all__ = ["fresh_url"]


@asynccontextmanager
async def fresh_url(place: Path) -> AsyncIterator[str]:
    """Name a store that does not exist yet, in a directory under *place* that goes in the end."""
    with TemporaryDirectory(dir=place) as directory:
        # The directory is absolute, and its own slash is the fourth.
        yield f"leveldb:///{quote(directory)}/store"
