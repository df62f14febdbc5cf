"""Section F: several openers, other event loops, and those who may only read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from strandlog import VersionVector
from strandlog.backend import Handles
from strandlog.errors import StoreReadOnlyError, StrandlogError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, refused, same
from strandlog_conformance.samples import entry, rows, series, state
from strandlog_conformance.suite import check, declared, handles


@check(
    "life.close_is_own",
    rule="close: releases what this opener holds, and nothing of another's",
    requires=(handles(Handles.TASK),),
    kills=("M183",),
)
async def close_is_own(case: Case) -> None:
    """One opener closes; the others, opened before and after it, go on."""
    user = case.user()
    async with case.open_log() as first:
        async with case.open_log() as second:
            await second.append(user, series("phone", 1, 2))
        same(await rows(first, user), series("phone", 1, 2), "read after another opener closed")
        await first.append(user, series("phone", 3, 4))
        async with case.open_log() as third:
            await first.close()
            same(await rows(third, user), series("phone", 1, 4), "read after the first closed")
            await third.append(user, series("phone", 5, 5))
            same(await third.tops(user), VersionVector({"phone": 5}), "tops after the first closed")


@check(
    "life.fork_and_loop_change",
    rule="Capabilities.loops: used from another event loop, a store answers or refuses, in time",
    kills=("M185",),
)
async def fork_and_loop_change(case: Case) -> None:
    """A store that is carried into another loop does not hang, and stays sound in its own."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 2))

        async def elsewhere() -> VersionVector:
            async with asyncio.timeout(5):
                return await store.tops(user)

        outcome = await attempt(asyncio.to_thread(asyncio.run, elsewhere()))
        if outcome != VersionVector({"phone": 2}) and not isinstance(outcome, StrandlogError):
            fail(
                "tops from another event loop", got=repr(outcome), want="a StoreError, or the tops"
            )
        await store.append(user, series("phone", 3, 3))
        same(await rows(store, user), series("phone", 1, 3), "read in its own loop afterwards")


@check(
    "disk.read_only_open_leaves_bytes",
    rule="Capabilities.read_only_open: read_only=true opens without writing",
    requires=(declared("read_only_open"),),
    kills=("M43",),
)
async def read_only_open_leaves_bytes(case: Case) -> None:
    """Opened to read only, a store reads everything, refuses every change and writes no byte."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 5))
        before = await state(store, user)
    files = case.files()
    async with case.open_log(case.url_with("read_only=true")) as store:
        same(await state(store, user), before, "every read of the store opened to read only")
        vector = VersionVector({"phone": 9})
        calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "append": lambda: store.append(user, [entry("phone", 6)]),
            "append of a new log": lambda: store.append(case.user(), [entry("phone", 1)]),
            "append with floor": lambda: store.append(user, [], floor=vector),
            "trim": lambda: store.trim(user, "phone", up_to=2),
            "erase": lambda: store.erase(user),
            "restore": lambda: store.restore(user),
            "rehome": lambda: store.rehome(user, "phone", from_counter=2, to_device="p"),
        }
        for name, call in calls.items():
            await refused(call(), StoreReadOnlyError, f"{name} of a store opened to read only")
        same(await state(store, user), before, "every read after the refusals")
    same(case.files(), files, "the files after it was opened to read only and closed")
    async with case.open_log() as store:
        await store.append(user, [entry("phone", 6)])
