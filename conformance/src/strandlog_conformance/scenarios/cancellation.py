"""Section H: a call that is cancelled leaves all or nothing, and a store that works."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from strandlog import Appended, VersionVector
from strandlog.backend import LogStore
from strandlog_conformance.case import Case
from strandlog_conformance.expect import fail, plain, same
from strandlog_conformance.samples import NOTHING, UNBOUNDED, everything, rows, series, written
from strandlog_conformance.suite import check

_RULE = "Capabilities.cancel: a cancelled call is rolled back or completed, never torn"


async def cancelled_after(action: Coroutine[Any, Any, object], steps: int) -> object:
    """Cancel *action* once the loop has turned *steps* times; return what it returned or raised."""
    task = asyncio.ensure_future(action)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    [outcome] = await asyncio.gather(task, return_exceptions=True)
    return outcome


async def _acknowledged(store: LogStore, user: str, call: str, first: int) -> None:
    """Demand that the next append is clean and seen at once."""
    fresh = series("phone", first, first + 1)
    done = await store.append(user, fresh)
    same(done, Appended(VersionVector({"phone": first + 1}), 2, 0), f"the append after {call}")
    same((await rows(store, user))[-2:], fresh, f"read of the append after {call}")


@check("cancel.append_sweep", rule=_RULE, kills=("M52", "M05", "M192"))
async def append_sweep(case: Case) -> None:
    """An append is cancelled after each turn of the loop until it ends before that."""
    async with case.open_log() as store, case.second_log(store) as other:
        for steps in range(case.scale(60, 25)):
            user = case.user()
            call = f"an append cancelled after {steps} turns"
            await store.append(user, series("phone", 1, 2))
            batch = series("phone", 3, 12) + series("desk", 1, 10)
            outcome = await cancelled_after(store.append(user, batch), steps)
            count = len(await rows(store, user))
            if count not in (2, 22) or (isinstance(outcome, Appended) and count != 22):
                fail(
                    f"read after {call}",
                    got=f"{count} entries after {outcome!r}",
                    want="2 or 22, all or none, and all if it was acknowledged",
                )
            tops = VersionVector({"phone": 12, "desk": 10} if count == 22 else {"phone": 2})
            same(await store.tops(user), tops, f"tops after {call}")
            await _acknowledged(store, user, call, tops["phone"] + 1)
            same(len(await rows(other, user)), count + 2, f"the other opener's read after {call}")


@check("cancel.changes_sweep", rule=_RULE, kills=("M182",))
async def changes_sweep(case: Case) -> None:
    """Trim, erase and re-home, cancelled at every turn, are done or not done at all."""
    given = series("a", 1, 8) + series("b", 1, 8)
    async with case.open_log() as store:
        for name in ("trim", "erase", "rehome") if case.capabilities.rehome else ("trim", "erase"):
            whole = case.user()
            await store.append(whole, given)
            before = plain(await everything(store, whole))
            await _change(store, name, whole)
            after = plain(await everything(store, whole))
            for steps in range(case.scale(25, 12)):
                user = case.user()
                call = f"{name} cancelled after {steps} turns"
                await store.append(user, given)
                await cancelled_after(_change(store, name, user), steps)
                if plain(await everything(store, user)) not in (before, after):
                    fail(f"read after {call}", got="a part of it", want="all of it or nothing")
                await _change(store, name, user)
                same(await everything(store, user), await everything(store, whole), f"after {call}")


async def _change(store: LogStore, name: str, user: str) -> None:
    if name == "trim":
        await store.trim(user, "a", up_to=5)
    elif name == "erase":
        await store.erase(user)
    else:
        await store.rehome(user, "a", from_counter=4, to_device="a~home")


@check("cancel.read_midway", rule=_RULE)
async def read_midway(case: Case) -> None:
    """Cancelled reads leave a store that reads and writes as before."""
    user = case.user()
    given = series("phone", 1, case.scale(300, 100))
    async with case.open_log() as store:
        await written(store, user, given)
        for steps in range(case.scale(30, 12)):
            await cancelled_after(
                store.read(user, after=NOTHING, limit=300, max_bytes=UNBOUNDED), steps
            )
            await cancelled_after(store.read_range(user, limit=300), steps)
            same(await rows(store, user), given, f"read after one cancelled after {steps} turns")
        await _acknowledged(store, user, "cancelled reads", len(given) + 1)


@check("cancel.waiting_for_lock", rule=_RULE, kills=("M52",))
async def waiting_for_lock(case: Case) -> None:
    """Of many appends that wait for each other, cancelling some harms none of the rest."""
    async with case.open_log() as store:
        for turn in range(case.scale(10, 4)):
            users = [case.user() for _ in range(12)]
            batch = series("phone", 1, 20)
            tasks = [asyncio.ensure_future(store.append(user, batch)) for user in users]
            for _ in range(case.random.randint(0, 8)):
                await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
            for n, (user, outcome) in enumerate(zip(users, outcomes, strict=True)):
                count = len(await rows(store, user))
                sure = n % 2 == 1 or isinstance(outcome, Appended)
                if count not in (0, 20) or (sure and count != 20):
                    fail(
                        f"append {n} of 12 at once, every other one cancelled, turn {turn}",
                        got=f"{outcome!r} and {count} entries",
                        want="20 entries" if sure else "0 or 20 entries",
                    )
            await _acknowledged(store, case.user(), "cancelled waiters", 1)


@check("cancel.cursor_advance", rule=_RULE, cursors=True, kills=("M49",))
async def cursor_advance(case: Case) -> None:
    """A cancelled advance moves all devices of the vector or none, and the next one works."""
    async with case.open_cursors() as cursors:
        for steps in range(case.scale(30, 12)):
            user = case.user()
            low, high = VersionVector({"a": 1, "b": 1}), VersionVector({"a": 9, "b": 9})
            await cursors.advance(user, "r", low)
            await cancelled_after(cursors.advance(user, "r", high), steps)
            found = await cursors.load(user, "r")
            if found not in (low, high):
                fail(
                    f"load after an advance cancelled after {steps} turns",
                    got=str(dict(found)),
                    want=f"{dict(low)} or {dict(high)}",
                )
            top = VersionVector({"a": 10, "b": 10})
            same(await cursors.advance(user, "r", top), top, f"the advance after {steps} turns")
