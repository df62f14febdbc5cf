"""A log leaves for other backends, and is the same log there."""

from __future__ import annotations

from pathlib import Path

import pytest

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend.registry import open_stores
from strandlog.holdings import Copied, copy_log, export_hash

from .conftest import url_of
from .standin.http import StandIn

pytestmark = pytest.mark.anyio

LENGTH = 20_000


def _entries(device: str, first: int, last: int) -> list[Entry]:
    return [
        Entry(
            Seq(1_700_000_000_000 + counter * 7, counter, device),
            "friend" if counter % 3 == 0 else "private",
            b'"note %d of %s"' % (counter, device.encode()),
            redacts=Identity(device, counter - 5) if counter % 500 == 0 else None,
        )
        for counter in range(first, last + 1)
    ]


async def _fill(url: str) -> None:
    """Write a log of three devices with redactions, a floor, a hole and cursors."""
    async with open_stores(url) as (log, cursors):
        for device, length in (("laptop", 12_000), ("phone", 7_000), ("Tablet", 1_001)):
            for first in range(1, length + 1, 500):
                last = min(first + 499, length)
                await log.append("alice", _entries(device, first, last))
        await log.append("alice", _entries("watch", 2, 9)[::7], upto=VersionVector({"watch": 12}))
        await log.trim("alice", "Tablet", up_to=3)
        await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 11_999}))
        await cursors.advance("alice", "bob/desk#friend", VersionVector({"phone": 7, "Tablet": 9}))


@pytest.mark.once
async def test_a_log_of_20_000_entries_goes_from_store_to_store(
    server: StandIn, tmp_path: Path
) -> None:
    """Fauna, SQLite, LevelDB, memory: tops, head and canonical export stay what they were."""
    await _fill(url_of(server))
    places = [
        url_of(server),
        f"sqlite:///{tmp_path}/log.db",
        f"leveldb:///{tmp_path}/log",
        "memory://end-of-the-journey",
    ]
    told: list[Copied] = []
    async with open_stores(places[0]) as start, open_stores(places[-1]) as end:
        async with open_stores(places[1]) as second, open_stores(places[2]) as third:
            told += [
                await copy_log(*pair, "alice")
                for pair in ((start, second), (second, third), (third, end))
            ]

        assert [(one.entries, one.added) for one in told] == [(LENGTH, LENGTH)] * 3
        assert len({one.sha256 for one in told}) == 1
        assert await end[0].tops("alice") == await start[0].tops("alice")
        assert await end[0].head("alice") == await start[0].head("alice")
        assert await export_hash(end, "alice") == await export_hash(start, "alice")
