"""A log with everything that a log may have, and stores to copy it to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend.registry import open_stores
from strandlog.holdings import Stores

NOON = 1_710_763_200_000


def note(device: str, counter: int, **more: object) -> Entry:
    scope = "friend" if counter % 3 == 0 else "private"
    content = b'"%s %d"' % (device.encode(), counter)
    return Entry(Seq(NOON + counter, counter, device), scope, content, **more)  # type: ignore[arg-type]


async def fill(stores: Stores) -> None:
    """Write logs with redactions, floors, holes, a tombstone, and cursors."""
    log, cursors = stores
    await log.append("alice", [note("laptop", n) for n in range(1, 41)])
    await log.append("alice", [note("phone", n, meta=b'{"id":1}') for n in range(1, 6)])
    await log.append("alice", [note("phone", 6, redacts=Identity("laptop", 30))])
    await log.append("alice", [note("phone", 7, redacts=Identity("phone", 20))])
    await log.trim("alice", "laptop", up_to=10)
    await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 39, "phone": 7}))
    await cursors.advance("alice", "bob/desk#friend", VersionVector({"laptop": 3}))
    await log.append(
        "bob", [note("desk", 3), note("desk", 9)], upto=VersionVector({"desk": 20, "gone": 5})
    )
    for _ in range(3):
        await log.restore("carol")
        await log.erase("carol")


@pytest.fixture
def url(tmp_path: Path) -> Callable[[str], str]:
    """Name a store of a kind that belongs to the test; one in memory is new at each opening."""

    def named(scheme: str) -> str:
        return "memory://" if scheme == "memory" else f"{scheme}:///{tmp_path}/{scheme}"

    return named


@pytest.fixture
async def source() -> AsyncIterator[Stores]:
    """A store in memory with all of that."""
    async with open_stores("memory://") as stores:
        await fill(stores)
        yield stores


@pytest.fixture
async def target() -> AsyncIterator[Stores]:
    """An empty store in memory."""
    async with open_stores("memory://") as stores:
        yield stores
