"""Sections C, F and K: what a store holds on to, what it costs, and what it writes first."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import warnings
from pathlib import Path

from strandlog import VersionVector
from strandlog.backend import Durability, Handles
from strandlog.errors import StoreLockedError
from strandlog_conformance.cancelling import moments
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable, attempt, beside, fail, same, until_done
from strandlog_conformance.samples import NOTHING, UNBOUNDED, entry, rows, series, written
from strandlog_conformance.suite import Level, check, durability

_DESCRIPTORS = Path("/proc/self/fd")


@check(
    "cursor.ack_after_store",
    rule="the protocol page: log before cursor; what is acknowledged is visible",
    cursors=True,
    kills=("M33", "M361"),
)
async def ack_after_store(case: Case) -> None:
    """Whoever loads a cursor and then looks at the log finds all that the cursor covers.

    A writer stores entries and moves the cursor behind them, as a replica does;
    in between it is cancelled, at each of its awaits.
    """
    user = case.user()
    async with case.open_both() as (log, cursors):

        async def write(first: int, last: int) -> None:
            for n in range(first, last + 1):
                await log.append(user, series("own", 2 * n - 1, 2 * n))
                await cursors.advance(user, "r", VersionVector({"own": 2 * n}))

        async def look(call: str) -> int:
            reached = (await cursors.load(user, "r"))["own"]
            top = (await log.tops(user))["own"]
            held = len(await rows(log, user))
            if not reached <= top <= held:
                fail(call, got=f"{reached}, top {top}, {held} entries", want="no more than the log")
            return top

        count = case.scale(20, 8)
        async with beside(write(1, count)) as task:
            async for _ in until_done(task):
                await look("a cursor that is loaded beside a writer")
        first, top = count + 1, 0
        for moment in moments("append and advance"):
            await moment.cut(write(first, first + 1))
            top = await look(f"a cursor after append and advance, {moment}")
            first = top // 2 + 1
    if case.capabilities.durability is not Durability.NONE:
        async with case.open_both() as (log, cursors):
            same(await look("a cursor after a reopening"), top, "top after a reopening")


@check(
    "log.read.large_offset_time",
    rule="LogStore.read: the cost depends on the page, and not on what lies before it",
    must=False,
    kills=("M362",),
    level=Level.ALL,
)
async def large_offset_time(case: Case) -> None:
    """The last page of a long log takes about as long as the first one.

    A claim about time on a machine that may be busy: the least of many
    measurements counts, and a store that fails it conforms all the same.
    """
    user = case.user()
    count = case.scale(10_000, 4_000)
    async with case.open_log() as store:
        await written(store, user, series("phone", 1, count))

        async def seconds(after: int) -> float:
            vector = VersionVector({"phone": after})
            began = time.perf_counter()
            page = await store.read(user, after=vector, limit=10, max_bytes=UNBOUNDED)
            ended = time.perf_counter()
            same(len(page.entries), 10, f"entries of a page after {after}")
            return ended - began

        first, last = [], []
        for _ in range(15):
            first.append(await seconds(0))
            last.append(await seconds(count - 10))
        quick, slow = min(first), min(last)
        if slow > quick * _RATIO_MAX and slow - quick > _NOTEWORTHY_SECONDS:
            fail(
                f"read of ten entries of {count}",
                got=f"{slow * 1e3:.2f} ms at the end, {quick * 1e3:.2f} ms at the beginning",
                want=f"less than {_RATIO_MAX} times as long at the end",
            )


_RATIO_MAX = 5
_NOTEWORTHY_SECONDS = 0.002


@check(
    "life.gc_without_close_warns",
    rule="a store that is forgotten ends, or warns of it; nothing acknowledged is lost",
    requires=(durability(Durability.PROCESS),),
    must=False,
    kills=("M363",),
)
async def gc_without_close_warns(case: Case) -> None:
    """A store that nobody closed and nobody holds any more is not left open in silence."""
    user = case.user()
    given = series("phone", 1, 3)
    async with case.open_log() as store:
        await store.append(user, given)
    before = _held()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await _forget(case, user)
        gc.collect()
        for _ in range(_WAITS_MAX):
            await asyncio.sleep(0.01)
            warned = [one for one in caught if issubclass(one.category, ResourceWarning)]
            if warned or _held() <= before:
                break
        else:
            got = f"{_held()} descriptors and threads"
            fail("a store that was forgotten", got=got, want=f"{before}, or a ResourceWarning")
    found = await attempt(_again(case, user))
    if case.capabilities.handles is Handles.ONE and isinstance(found, StoreLockedError):
        return  # still held, and it has warned
    same(found, [*given, entry("phone", 4)], "read after a store was forgotten")


# A thread that was told to end may need a moment for it.
_WAITS_MAX = 50


async def _forget(case: Case, user: str) -> None:
    """Open a store, write, and let go of it."""
    opening = case.target.open_log(case.url)
    store = await opening.__aenter__()
    await store.append(user, [entry("phone", 4)])


async def _again(case: Case, user: str) -> object:
    async with case.open_log() as store:
        return await rows(store, user, after=NOTHING)


def _held() -> int:
    if not _DESCRIPTORS.exists():
        raise NotApplicable("this system does not list open descriptors")
    return len(list(_DESCRIPTORS.iterdir())) + threading.active_count()
