"""Section 0: that it is the right store, and that each one begins empty."""

from __future__ import annotations

import asyncio
import threading

from strandlog import Page, VersionVector
from strandlog.backend import Durability
from strandlog_conformance.case import Case
from strandlog_conformance.expect import fail, same
from strandlog_conformance.samples import NOTHING, entry, everything, series, state
from strandlog_conformance.suite import check

_EMPTY = Page([], NOTHING, False, NOTHING, NOTHING)


@check(
    "harness.is_the_named_store",
    rule="what is opened is the store that was named, never something in its place",
    kills=("M79",),
)
async def is_the_named_store(case: Case) -> None:
    """The classes of the opened stores come from the plugin that answers to the URL.

    A plugin that quietly falls back to memory when its driver is missing would
    pass every other check and lose everything.
    """
    async with case.open_log() as store:
        kinds: dict[str, type] = {"log store": type(store)}
    if case.target.cursors is not None:
        async with case.open_cursors() as cursors:
            kinds["cursor store"] = type(cursors)
    packages = case.target.packages or {case.target.log.open.__module__.partition(".")[0]}
    for what, kind in kinds.items():
        if kind.__module__.partition(".")[0] not in packages:
            fail(
                f"open the {what} of {case.target.name}",
                got=f"{kind.__module__}.{kind.__qualname__}",
                want=f"a class of {' or '.join(sorted(packages))}",
            )


@check(
    "harness.fresh_is_empty",
    rule="a user who never wrote has an empty log, and asking for it is no error",
    kills=("M55",),
)
async def fresh_is_empty(case: Case) -> None:
    """Every question about a log that never was has the empty answer, and makes no log."""
    user = case.user()
    async with case.open_log() as store:
        same(await state(store, user), _nothing(), "every read of a log that never was")
        same(await store.digests(user, {"phone": 1}), {"phone": None}, "digests(phone 1)")
        same(user in await store.logs(limit=100_000), False, "the user is in logs()")


@check(
    "harness.fresh_stores_isolated",
    rule="two locations share nothing",
    kills=("M44",),
)
async def fresh_stores_isolated(case: Case) -> None:
    """What is written at one location is not seen at another, and their epochs differ."""
    user = case.user()
    elsewhere = await case.new_location()
    async with case.open_log() as store, case.open_log(elsewhere) as other:
        await store.append(user, series("phone", 1, 2))
        same(await state(other, user), _nothing(), "every read at the other location")
        here, there = await store.info(), await other.info()
        same(here.epoch == there.epoch, False, "info().epoch is equal at two locations")
        await other.append(user, [entry("phone", 1, content=b'"other"')])
        same((await everything(store, user)).entries, series("phone", 1, 2), "read, both written")
    async with case.open_log(elsewhere) as other:
        same(len((await everything(other, user)).entries) < 2, True, "only its own, opened again")


@check(
    "harness.same_location_same_data",
    rule="a location that is opened again holds what it held, or nothing if it promises nothing",
    kills=("M39",),
)
async def same_location_same_data(case: Case) -> None:
    """A reopened location shows the whole log or none of it, never a part."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 3) + series("laptop", 1, 2))
        before = await state(store, user)

    async with case.open_log() as store:
        after = await state(store, user)
    if case.capabilities.durability is Durability.NONE and after == _nothing():
        return
    same(after, before, "every read after the location was opened again")


@check(
    "harness.leaves_nothing_behind",
    rule="a closed store leaves no thread and no task; an erased log leaves no trace",
    kills=("M63",),
)
async def leaves_nothing_behind(case: Case) -> None:
    """Opened, used and closed, a store is gone; erased and lifted, a log is gone."""
    user = case.user()
    before = _running()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 3))
        await everything(store, user)
        await store.erase(user)
        await store.restore(user)
        same(user in await store.logs(limit=100_000), False, "an erased, lifted log is in logs()")
    # A thread that was told to end may need a moment for it.
    for _ in range(100):
        if not _running() - before:
            return
        await asyncio.sleep(0.01)
    same(sorted(_running() - before), [], "what is left a second after close")


def _running() -> set[str]:
    threads = {f"thread {one.name} {one.ident}" for one in threading.enumerate()}
    return threads | {f"task {one.get_name()}" for one in asyncio.all_tasks()}


def _nothing() -> dict[str, object]:
    return {
        "read": _EMPTY,
        "read_range": _EMPTY,
        "reverse": _EMPTY,
        "tops": VersionVector(),
        "head": None,
    }
