"""Sections G, K and N: changes of one log that meet, and logs that have much in common."""

from __future__ import annotations

import asyncio

from strandlog import Identity, VersionVector
from strandlog.backend import Handles, LogStore
from strandlog.errors import ErasedError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, same
from strandlog_conformance.samples import NOTHING, entry, rows, series, state
from strandlog_conformance.suite import check, declared, handles


@check(
    "conc.append_beside_erase",
    rule="LogStore.erase: its tombstone refuses appends, also those that had begun",
    kills=("M321",),
)
async def append_beside_erase(case: Case) -> None:
    """An append that meets an erasure is erased or refused; nothing comes back to life."""
    async with case.open_log() as store, case.second_log(store) as other:
        for lead in range(case.scale(12, 6)):
            user = case.user()
            await store.append(user, series("phone", 1, 3))

            async def erase(user: str = user, lead: int = lead) -> None:
                for _ in range(lead):
                    await asyncio.sleep(0)
                await store.erase(user)

            outcomes = await asyncio.gather(
                *(attempt(other.append(user, [entry(f"d{n}", 1)])) for n in range(3)), erase()
            )
            for outcome in outcomes[:-1]:
                if isinstance(outcome, BaseException) and not isinstance(outcome, ErasedError):
                    fail("append beside an erasure", got=repr(outcome), want="done or ErasedError")
            same(await rows(other, user), [], "read after append and erase at once")
            late = await attempt(other.append(user, series("phone", 4, 4)))
            same(type(late), ErasedError, "append after both: its outcome")


@check(
    "conc.append_beside_changes",
    rule="what is acknowledged stays, whatever else happens to the log",
    kills=("M322", "M323"),
)
async def append_beside_changes(case: Case) -> None:
    """Entries of other devices that are added beside a trim or a re-homing are all there."""
    async with case.open_log() as store, case.second_log(store) as other:
        for kind in ("trim", "rehome") if case.capabilities.rehome else ("trim",):
            for _ in range(case.scale(8, 4)):
                await _append_beside(case, store, other, kind)


async def _append_beside(case: Case, store: LogStore, other: LogStore, kind: str) -> None:
    user = case.user()
    await store.append(user, series("phone", 1, 6))
    added = [entry(f"d{n}", 1, at=n) for n in range(6)]
    masks = entry("desk", 1, at=70, redacts=Identity("late", 1))

    async def write() -> None:
        for one in (*added[:3], masks, *added[3:]):
            await other.append(user, [one])

    async def change() -> None:
        if kind == "trim":
            await store.trim(user, "phone", up_to=4)
        else:
            await store.rehome(user, "phone", from_counter=5, to_device="home")

    await asyncio.gather(write(), change())
    await store.append(user, [entry("late", 1)])
    found = {one.identity: one for one in await rows(store, user)}
    lost = [one.device for one in (*added, masks) if found.get(one.identity) != one]
    same(lost, [], f"devices whose entry is lost that was added beside {kind}")
    same(found[Identity("late", 1)].redacted, True, f"what was redacted beside {kind} is masked")
    home = ("home", 1) if kind == "rehome" else ("phone", 5)
    same(Identity(*home) in found, True, f"{kind} has happened")


@check(
    "erase.leaves_others",
    rule="LogStore.erase, trim, rehome: of one user's log",
    requires=(declared("sparse"),),
    kills=("M324",),
)
async def leaves_others(case: Case) -> None:
    """Of two logs that are equal to the last byte one is changed in every way, one stays."""
    user, twin = case.user(), case.user()
    given = [
        *series("phone", 1, 5),
        entry("phone", 9),
        entry("desk", 1, redacts=Identity("phone", 2)),
        entry("desk", 2, redacts=Identity("late", 1)),
        entry("desk", 3, scope="friend", meta=b"{}"),
    ]
    upto = VersionVector({"phone": 12, "quiet": 3})
    late = entry("late", 1)
    async with case.open_log() as store:
        for owner in (user, twin):
            await store.append(owner, given, upto=upto.merge({"desk": 3}))
            await store.trim(owner, "phone", up_to=1)
        before = await state(store, twin)
        same(await state(store, user), before, "two logs that were given the same")
        await store.trim(user, "phone", up_to=4)
        if case.capabilities.rehome:
            await store.rehome(user, "phone", from_counter=9, to_device="home")
        await store.append(user, [entry("quiet", 4), entry("desk", 4, redacts=given[4].identity)])
        same(await state(store, twin), before, "a log after its twin was changed")
        await store.erase(user)
        same(await state(store, twin), before, "a log after its twin was erased")
        await store.append(twin, [late])
        found = {one.identity: one for one in await rows(store, twin)}
        same(found[late.identity], late.without_content(), "what a redaction waited for, then came")
        await store.restore(user)
        await store.append(user, [late])
        same(await rows(store, user), [late], "the same entry in the log that was erased")


@check(
    "cursor.lower_seen_by_all",
    rule="CursorStore.reset, forget and erase: done for every opener",
    requires=(handles(Handles.TASK),),
    cursors=True,
    kills=("M325",),
)
async def lower_seen_by_all(case: Case) -> None:
    """What one opener lowers or removes, another neither shows any more nor brings back."""
    user = case.user()
    high, low, more = (VersionVector({"a": a, "b": b}) for a, b in ((9, 9), (4, 9), (5, 3)))
    async with case.open_cursors() as first, case.open_cursors() as second:
        for reader in ("reset", "forgotten", "erased"):
            await first.advance(user, reader, high)
            same(await second.load(user, reader), high, f"load of {reader} by the second opener")
            await second.advance(user, reader, high)
        await first.reset(user, "reset", low)
        same(await second.load(user, "reset"), low, "load after another opener's reset")
        want = VersionVector({"a": 5, "b": 9})
        same(await second.advance(user, "reset", more), want, "advance after another's reset")
        same(await first.load(user, "reset"), want, "load of it by the first opener")
        await first.forget(user, "forgotten")
        same(await second.load(user, "forgotten"), NOTHING, "load after another opener's forget")
        same(await second.advance(user, "forgotten", more), more, "advance after another's forget")
        await first.erase(user)
        same(await second.readers(user), {}, "readers after another opener's erase")
        same(await second.advance(user, "erased", more), more, "advance after another's erase")
