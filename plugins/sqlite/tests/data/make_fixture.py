"""Makes the store file of the present schema version, to be read by all later ones.

Run once for a new schema version, before it is released::

    python plugins/sqlite/tests/data/make_fixture.py

It writes ``v<version>.sqlite`` into the package, where conformance finds it, with its
canonical export beside it; and here what a reader has to find in it. A file that
exists is left alone: it stands for the files that users have.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend.registry import open_stores
from strandlog.holdings import export_lines

HERE = Path(__file__).parent
GOLDEN = HERE.parents[1] / "src/strandlog_sqlite/golden"


def _entry(counter: int, device: str, **more: object) -> Entry:
    scope = "friend" if counter % 2 else "private"
    content = json.dumps(f"{device} {counter} – ünï", ensure_ascii=False).encode()
    return Entry(Seq(1_710_763_200_000 + counter, counter, device), scope, content, **more)  # type: ignore[arg-type]


async def _fill(path: Path) -> tuple[dict[str, object], list[bytes]]:
    async with open_stores(f"sqlite:///{path}") as (log, cursors):
        await log.append("alice", [_entry(counter, "laptop") for counter in range(1, 13)])
        await log.append(
            "alice", [_entry(counter, "phone", meta=b'{"id":"x"}') for counter in (1, 2)]
        )
        await log.append("alice", [_entry(3, "phone", redacts=Identity("laptop", 9))])
        await log.trim("alice", "laptop", up_to=4)
        await log.append(
            "did:example:bob", [_entry(7, "desk")], upto=VersionVector({"desk": 20, "gone": 5})
        )
        await log.append("carol", [_entry(1, "desk")])
        await log.erase("carol")
        await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 10, "phone": 3}))
        logs = {}
        for user in await log.logs(limit=10):
            page = await log.read(user, after=VersionVector(), limit=100, max_bytes=1 << 20)
            logs[user] = {
                "entries": [_described(entry) for entry in page.entries],
                "tops": dict(page.tops),
                "floor": dict(page.floor),
            }
        info = await log.info()
        readers = await cursors.readers("alice")
        held = {
            "version": info.schema_version,
            "epoch": info.epoch,
            "logs": logs,
            "cursors": {reader: dict(vector) for reader, vector in readers.items()},
        }
        return held, [line async for line in export_lines((log, cursors))]


def _described(entry: Entry) -> list[object]:
    return [
        entry.seq.encode(),
        entry.scope,
        entry.content and entry.content.decode(),
        entry.redacts,
        entry.meta and entry.meta.decode(),
        entry.digest,
    ]


def main() -> None:
    """Write both files under the version that they turn out to have."""
    path = GOLDEN / "new.sqlite"
    held, export = asyncio.run(_fill(path))
    kept = GOLDEN / f"v{held['version']}.sqlite"
    if kept.exists():
        path.unlink()
        raise SystemExit(f"{kept.name} exists: a released version is never made anew")
    path.rename(kept)
    kept.with_suffix(".jsonl").write_bytes(b"".join(line + b"\n" for line in export))
    held_text = json.dumps(held, indent=1, ensure_ascii=False) + "\n"
    (HERE / f"{kept.stem}.json").write_text(held_text)


if __name__ == "__main__":
    main()
