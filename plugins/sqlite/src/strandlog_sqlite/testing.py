"""Where conformance finds stores of this kind: empty ones, and those of released versions."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from strandlog_sqlite._schema import SCHEMA_VERSION

__all__ = ["fresh_url", "newer_store", "released_store", "released_versions"]

_GOLDEN = Path(__file__).parent / "golden"
_NAME = "store.db"


@asynccontextmanager
async def fresh_url(place: Path) -> AsyncIterator[str]:
    """Name a store that does not exist yet, in a directory under *place* that goes in the end."""
    with TemporaryDirectory(dir=place) as directory:
        yield _url(directory)


def released_versions() -> dict[int, bytes]:
    """Return the canonical export of the store that is kept of each released schema version."""
    return {int(path.stem[1:]): path.read_bytes() for path in sorted(_GOLDEN.glob("v*.jsonl"))}


@asynccontextmanager
async def released_store(version: int, place: Path) -> AsyncIterator[str]:
    """Lay the store of a schema version into the empty directory *place*, and name it."""
    shutil.copy(_GOLDEN / f"v{version}.sqlite", place / _NAME)
    yield _url(str(place))


@asynccontextmanager
async def newer_store(place: Path) -> AsyncIterator[str]:
    """Lay a store there as the schema version after the present one may leave it, and name it."""
    async with released_store(max(released_versions()), place) as url:
        with closing(sqlite3.connect(place / _NAME)) as connection:
            connection.execute("CREATE TABLE unheard_of (what TEXT)")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
        yield url


def _url(directory: str) -> str:
    # The directory is absolute, and its own slash is the fourth.
    return f"sqlite:///{quote(directory)}/{_NAME}"
