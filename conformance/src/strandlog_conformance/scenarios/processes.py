"""Section G: other processes at the same location."""

from __future__ import annotations

import asyncio
import sys

from strandlog import VersionVector
from strandlog.backend import Handles
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable, fail, same, together
from strandlog_conformance.samples import in_order, rows, series
from strandlog_conformance.suite import check, handles


@check(
    "conc.two_processes_interleave",
    rule="Capabilities.handles: with process, many processes share a location",
    requires=(handles(Handles.PROCESS),),
)
async def two_processes_interleave(case: Case) -> None:
    """This process and another append to one log at once; both find everything."""
    user = case.user()
    count = case.scale(60, 20)
    own, theirs = series("own", 1, count), series("theirs", 1, count)
    async with case.open_log() as store:

        async def write() -> None:
            for one in own:
                await store.append(user, [one])

        [_, told] = await together(write(), _other_process(case, "append", user, str(count)))
        same(told, f"{count}\n", "what the other process says it has appended")
        same(await rows(store, user), in_order(own + theirs), "read after both")
        tops = VersionVector({"own": count, "theirs": count})
        same(await store.tops(user), tops, "tops after both")


@check(
    "cursor.two_processes",
    rule="CursorStore.advance: atomic, also between processes",
    requires=(handles(Handles.PROCESS),),
    cursors=True,
)
async def two_processes(case: Case) -> None:
    """This process and another advance one cursor at once; neither takes back the other's."""
    user = case.user()
    count = case.scale(60, 20)
    async with case.open_cursors() as store:

        async def write() -> None:
            for n in range(1, count + 1):
                await store.advance(user, "r", VersionVector({"own": n, "both": n * 2}))

        await together(write(), _other_process(case, "advance", user, str(count)))
        want = VersionVector({"own": count, "theirs": count, "both": count * 2 + 1})
        same(await store.load(user, "r"), want, "load after both")


async def _other_process(case: Case, *words: str) -> str:
    """Run the other side at the case's location; return what it prints."""
    if not case.target.scheme:
        raise NotApplicable("another process finds only installed plugins")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "strandlog_conformance.other_process",
        case.url,
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, problems = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        fail(f"{words[0]} in another process", got=problems.decode()[-400:], want="no error")
    return out.decode()
