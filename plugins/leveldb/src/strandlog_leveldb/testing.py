"""Where conformance finds stores of this kind: empty ones, and those of released versions."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from strandlog_leveldb._schema import META, SCHEMA_VERSION, checked, meta_of, number

__all__ = ["fresh_url", "newer_store", "released_store", "released_versions"]

_GOLDEN = Path(__file__).parent / "golden"
_NAME = "store"


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
    shutil.copytree(_GOLDEN / f"v{version}", place / _NAME)
    yield _url(str(place))


@asynccontextmanager
async def newer_store(place: Path) -> AsyncIterator[str]:
    """Lay a store there as the schema version after the present one may leave it, and name it."""
    # Here, for conformance also asks where fresh stores are on a machine without it.
    import plyvel

    async with released_store(max(released_versions()), place) as url:
        database = plyvel.DB(str(place / _NAME))
        _, epoch = meta_of(database.get(META))
        newer = number(SCHEMA_VERSION + 1) + bytes.fromhex(epoch)
        database.put(META, checked(META, newer))
        database.close()
        # As after a crash: with dashes in place of the seal.
        line = f"strandlog-leveldb {SCHEMA_VERSION + 1} {'-' * 32}"
        checksum = blake2b(line.encode(), digest_size=8).hexdigest()
        (place / _NAME / "STRANDLOG").write_text(f"{line} {checksum}\n")
        yield url


def _url(directory: str) -> str:
    # The directory is absolute, and its own slash is the fourth.
    return f"leveldb:///{quote(directory)}/{_NAME}"
