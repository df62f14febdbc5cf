"""A program for tests: appends entries one by one and says what became of each.

::

    python appender.py URL FIRST COUNT [--size BYTES] [--file-limit BYTES] [--lift] [--kill]

It makes COUNT attempts. An entry that was refused is tried again, as a program
that does not give up would do. With a file limit the system refuses to let
any file grow beyond that, from the first append on; it is lifted after the third
refusal if so asked. Asked to, it kills itself in the end instead of closing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal

from strandlog import Entry, Seq, VersionVector
from strandlog.backend.registry import open_log_store
from strandlog.errors import StoreError


def say(*words: object) -> None:
    """Write one line, at once: what was said stays said if the program is killed."""
    os.write(1, " ".join(map(str, words)).encode() + b"\n")


async def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--file-limit", type=int)
    parser.add_argument("--lift", action="store_true")
    parser.add_argument("--kill", action="store_true")
    given = parser.parse_args()
    async with open_log_store(given.url) as store:
        before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        if given.file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (given.file_limit, most))
        say("open")
        counter, refusals = given.first, 0
        for _ in range(given.count):
            content = b'"%s"' % os.urandom(given.size // 2).hex().encode()
            entry = Entry(Seq(counter, counter, "laptop"), "private", content)
            try:
                await store.append("alice", [entry])
            except StoreError as error:
                say("refused", type(error).__name__, counter, error)
                refusals += 1
                if refusals == 3 and given.lift:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
            else:
                say("acknowledged", counter)
                counter += 1
        page = await store.read("alice", after=VersionVector(), limit=10**6, max_bytes=1 << 40)
        say("reads", len(page.entries))
        if given.kill:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    asyncio.run(main())
