"""What the suite does in another process, at a location that this one has open too.

python -m strandlog_conformance.other_process URL append|advance USER COUNT
"""

from __future__ import annotations

import asyncio
import sys

from strandlog import VersionVector
from strandlog.backend.registry import open_cursor_store, open_log_store
from strandlog_conformance.samples import series

__all__ = ["main"]


async def _append(url: str, user: str, count: int) -> None:
    async with open_log_store(url) as store:
        for one in series("theirs", 1, count):
            await store.append(user, [one])
        top = (await store.tops(user))["theirs"]
    sys.stdout.write(f"{top}\n")


async def _advance(url: str, user: str, count: int) -> None:
    async with open_cursor_store(url) as store:
        for n in range(1, count + 1):
            await store.advance(user, "r", VersionVector({"theirs": n, "both": n * 2 + 1}))


def main() -> None:
    """Do what the command line says; an error ends the process with its traceback."""
    _, url, what, user, count = sys.argv
    act = {"append": _append, "advance": _advance}[what]
    asyncio.run(act(url, user, int(count)))


if __name__ == "__main__":
    main()
