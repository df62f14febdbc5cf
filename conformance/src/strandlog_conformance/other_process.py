"""What the suite does in another process, at a location that this one has open too.

python -m strandlog_conformance.other_process TARGET URL append|advance USER COUNT

TARGET is empty where the URL says it all. It opens the location, says so, waits
for a line, and does what it was told.
"""

from __future__ import annotations

import asyncio
import pickle
import sys

from strandlog import VersionVector
from strandlog_conformance.samples import series
from strandlog_conformance.target import Target

__all__ = ["main"]


async def _append(target: Target, url: str, user: str, count: int) -> None:
    async with target.open_log(url) as store:
        _wait()
        for one in series("theirs", 1, count):
            await store.append(user, [one])
        top = (await store.tops(user))["theirs"]
    sys.stdout.write(f"{top}\n")


async def _advance(target: Target, url: str, user: str, count: int) -> None:
    async with target.open_cursors(url) as store:
        _wait()
        for n in range(1, count + 1):
            await store.advance(user, "r", VersionVector({f"theirs-{n}": 1, "both": n * 2 + 1}))


def _wait() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main() -> None:
    """Do what the command line says; an error ends the process with its traceback."""
    _, pickled, url, what, user, count = sys.argv
    # From the process that started this one, about a store that it runs itself.
    target = pickle.loads(bytes.fromhex(pickled)) if pickled else Target.at(url)  # noqa: S301
    act = {"append": _append, "advance": _advance}[what]
    asyncio.run(act(target, url, user, int(count)))


if __name__ == "__main__":
    main()
