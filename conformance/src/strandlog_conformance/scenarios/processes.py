"""Section G: other processes at the same location."""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from strandlog import Appended, Entry, VersionVector
from strandlog.backend import Handles
from strandlog.errors import ForkError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable, fail, refused, same
from strandlog_conformance.samples import entry, in_order, rows, series
from strandlog_conformance.suite import check, handles

# So much is written at most while the other process is at work.
_MOST = 3_000


@check(
    "conc.two_processes_interleave",
    rule="Capabilities.handles: with process, many processes share a location",
    requires=(handles(Handles.PROCESS),),
    kills=("M199",),
)
async def two_processes_interleave(case: Case) -> None:
    """This process and another append to one log at once; both find everything."""
    user = case.user()
    count = case.scale(60, 20)
    own, theirs = series("own", 1, _MOST), series("theirs", 1, count)
    written: list[Entry] = []
    async with case.open_log() as store:
        async with _other_process(case, "append", user, str(count)) as other:
            for one in own:
                # As long as the other is at work: else they might not meet.
                if one.counter > count and other.done:
                    break
                await store.append(user, [one])
                written.append(one)
            told = await other.answer()
        same(told, f"{count}\n", "what the other process says it has appended")
        same(await rows(store, user), in_order(written + theirs), "read after both")
        tops = VersionVector({"own": len(written), "theirs": count})
        same(await store.tops(user), tops, "tops after both")
        fork = entry("theirs", 1, content=b'"ours"')
        await refused(store.append(user, [fork]), ForkError, "append of another theirs 1")
        done = await store.append(user, theirs[-2:])
        known = Appended(VersionVector({"theirs": count}), 0, 2)
        same(done, known, "append of what the other process has written")


@check(
    "cursor.two_processes",
    rule="CursorStore.advance: atomic, also between processes",
    requires=(handles(Handles.PROCESS),),
    cursors=True,
    kills=("M300",),
)
async def two_processes(case: Case) -> None:
    """This process and another advance one cursor at once; neither takes back the other's."""
    user = case.user()
    count = case.scale(60, 20)
    async with case.open_cursors() as store:
        async with _other_process(case, "advance", user, str(count)) as other:
            reached = 0
            while reached < count or (reached < _MOST and not other.done):
                reached += 1
                # A device for each: what is lost is not made good by the next one.
                vector = VersionVector({f"own-{reached}": 1, "both": min(reached, count) * 2})
                await store.advance(user, "r", vector)
            await other.answer()
        mine = {f"own-{n}": 1 for n in range(1, reached + 1)}
        others = {f"theirs-{n}": 1 for n in range(1, count + 1)}
        want = VersionVector({**mine, **others, "both": count * 2 + 1})
        same(await store.load(user, "r"), want, "load after both")


class _Other:
    """A process that has the location open too."""

    def __init__(self, process: asyncio.subprocess.Process, what: str) -> None:
        self._process = process
        self._what = what

    @property
    def done(self) -> bool:
        """Whether it has ended, as far as is known here."""
        return self._process.returncode is not None

    async def ready(self) -> None:
        """Wait until it has opened the location, and let it go on."""
        assert self._process.stdout is not None
        if await self._process.stdout.readline() != b"ready\n":
            await self.answer()
        assert self._process.stdin is not None
        self._process.stdin.write(b"go\n")

    async def answer(self) -> str:
        """Return what it prints in the end."""
        out, problems = await self._process.communicate()
        if self._process.returncode:
            fail(f"{self._what} in another process", got=problems.decode()[-400:], want="no error")
        return out.decode()


@asynccontextmanager
async def _other_process(case: Case, *words: str) -> AsyncIterator[_Other]:
    """Give another process that begins what the words say: from here on both are at work."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "strandlog_conformance.other_process",
        _findable(case),
        case.url,
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        other = _Other(process, words[0])
        await other.ready()
        yield other
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


def _findable(case: Case) -> str:
    """Return by what another process finds the store: nothing but its URL, if it is installed."""
    if case.target.scheme:
        return ""
    try:
        return pickle.dumps(replace(case.target, declared=None)).hex()
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NotApplicable("another process does not find this store") from error
