"""Section H: a call that is cancelled leaves all or nothing, and a store that works."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from strandlog import Appended, Identity, VersionVector
from strandlog.backend import Cancel, CursorStore, LogStore
from strandlog.errors import StoreClosedError
from strandlog_conformance.cancelling import moments
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, plain, refused, same
from strandlog_conformance.samples import (
    NOTHING,
    UNBOUNDED,
    entry,
    rows,
    series,
    state,
    written,
)
from strandlog_conformance.suite import check

_RULE = "Capabilities.cancel: a cancelled call is rolled back or completed, never torn"

_Call = Callable[[LogStore, str], Coroutine[Any, Any, object]]


async def _acknowledged(store: LogStore, user: str, call: str, first: int) -> None:
    """Demand that the next append is clean and seen at once."""
    fresh = series("phone", first, first + 1)
    done = await attempt(store.append(user, fresh))
    want = Appended(VersionVector({"phone": first + 1}), 2, 0)
    same(done, want, f"the append after {call}")
    same((await rows(store, user))[-2:], fresh, f"read of the append after {call}")


def _refuse_both(case: Case, outcome: object, *, done: bool, call: str) -> None:
    """Demand that what was acknowledged is done, and what is rolled back is not."""
    cancelled = isinstance(outcome, asyncio.CancelledError)
    if not cancelled and isinstance(outcome, BaseException):
        fail(call, got=repr(outcome), want="its answer, or the cancellation")
    if not cancelled and not done:
        fail(
            f"read after {call}",
            got=f"nothing of it after {outcome!r}",
            want="all or none, and all if it was acknowledged",
        )
    if cancelled and done and case.capabilities.cancel is Cancel.ROLLBACK:
        fail(f"read after {call}", got="all of it", want="nothing: cancel=rollback is declared")


@check("cancel.append_sweep", rule=_RULE, kills=("M52", "M05", "M192"))
async def append_sweep(case: Case) -> None:
    """An append is cancelled at each of its awaits, and in between, until it ends before that."""
    async with case.open_log() as store, case.second_log(store) as other:
        for moment in moments("append"):
            user = case.user()
            call = f"an append {moment}"
            await store.append(user, series("phone", 1, 2))
            batch = series("phone", 3, 12) + series("desk", 1, 10)
            outcome = await moment.cut(store.append(user, batch))
            count = len(await rows(store, user))
            if count not in (2, 22):
                got = f"{count} entries after {outcome!r}"
                fail(f"read after {call}", got=got, want="2 or 22, all or none")
            _refuse_both(case, outcome, done=count == 22, call=call)
            tops = VersionVector({"phone": 12, "desk": 10} if count == 22 else {"phone": 2})
            same(await store.tops(user), tops, f"tops after {call}")
            await _acknowledged(store, user, call, tops["phone"] + 1)
            same(len(await rows(other, user)), count + 2, f"the other opener's read after {call}")


@check("cancel.changes_sweep", rule=_RULE, kills=("M182",))
async def changes_sweep(case: Case) -> None:
    """Every other change, cancelled at each of its awaits, is done or not done at all."""
    async with case.open_log() as store, case.second_log(store) as other:
        for name, (prepare, change) in _changes(case).items():
            whole = case.user()
            await prepare(store, whole)
            before = plain(await state(store, whole))
            await change(store, whole)
            after = plain(await state(store, whole))
            for moment in moments(name):
                user = case.user()
                call = f"{name} {moment}"
                await prepare(store, user)
                outcome = await moment.cut(change(store, user))
                found = plain(await state(store, user))
                if found not in (before, after):
                    fail(f"read after {call}", got="a part of it", want="all of it or nothing")
                if before != after:
                    _refuse_both(case, outcome, done=found == after, call=call)
                await change(store, user)
                for opener in (store, other):
                    same(plain(await state(opener, user)), after, f"{name} again after {call}")
            await _acknowledged(store, case.user(), f"every cancelled {name}", 1)


def _changes(case: Case) -> dict[str, tuple[_Call, _Call]]:
    """Return for each kind of change what it is made of, and the change."""
    given = series("a", 1, 8) + series("b", 1, 8)

    async def fill(store: LogStore, user: str) -> None:
        await store.append(user, given)

    async def fill_and_erase(store: LogStore, user: str) -> None:
        await store.append(user, given)
        await store.erase(user)

    redaction = entry("b", 9, at=95, redacts=Identity("a", 3))
    far = VersionVector({"a": 30, "c": 6})
    changes: dict[str, tuple[_Call, _Call]] = {
        "trim": (fill, lambda store, user: store.trim(user, "a", up_to=5)),
        "erase": (fill, lambda store, user: store.erase(user)),
        "restore": (fill_and_erase, lambda store, user: store.restore(user)),
        "redaction": (fill, lambda store, user: store.append(user, [redaction])),
        "append with floor": (fill, lambda store, user: store.append(user, [], floor=far)),
    }
    if case.capabilities.rehome:
        changes["rehome"] = (
            fill,
            lambda store, user: store.rehome(user, "a", from_counter=4, to_device="a~home"),
        )
    if case.capabilities.sparse:
        distant = series("a", 20, 24) + series("c", 4, 5)
        changes["append with upto"] = (
            fill,
            lambda store, user: store.append(user, distant, upto=far),
        )
    return changes


@check("cancel.read_midway", rule=_RULE, kills=("M350",))
async def read_midway(case: Case) -> None:
    """Reads cancelled at each await hold nothing back: what others write next is seen at once."""
    user = case.user()
    given = series("phone", 1, case.scale(300, 100))
    async with case.open_log() as store, case.second_log(store) as writer:
        await written(store, user, given)
        for name, read in _reads(store, user).items():
            for moment in moments(name):
                await moment.cut(read())
                fresh = series("phone", len(given) + 1, len(given) + 1)
                await writer.append(user, fresh)
                given += fresh
                call = f"read after {name} {moment} and one more append"
                same(await rows(store, user), given, call)
                same(await store.tops(user), VersionVector({"phone": len(given)}), f"tops, {call}")
        await _acknowledged(store, user, "cancelled reads", len(given) + 1)


def _reads(store: LogStore, user: str) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
    return {
        "read": lambda: store.read(user, after=NOTHING, limit=300, max_bytes=UNBOUNDED),
        "read_range": lambda: store.read_range(user, limit=300),
        "digests": lambda: store.digests(user, {"phone": 7}),
        "head": lambda: store.head(user),
        "tops": lambda: store.tops(user),
    }


@check("cancel.waiting_for_lock", rule=_RULE, kills=("M52", "M351"))
async def waiting_for_lock(case: Case) -> None:
    """Of many appends that wait for each other, cancelling some harms none of the rest."""
    async with case.open_log() as store, case.second_log(store) as other:
        for turn in range(case.scale(10, 4)):
            users = [case.user() for _ in range(12)]
            batch = series("phone", 1, 20)
            tasks = [
                asyncio.ensure_future((store, other)[n // 2 % 2].append(user, batch))
                for n, user in enumerate(users)
            ]
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
            for opener in (store, other):
                await _acknowledged(opener, case.user(), "cancelled waiters", 1)


@check("cancel.twin_is_not_cancelled", rule=_RULE, kills=("M352",))
async def twin_is_not_cancelled(case: Case) -> None:
    """Of two callers with the same batch one is cancelled: what the other was told holds."""
    async with case.open_log() as store, case.second_log(store) as other:
        for turns, opener in ((0, other), (1, store), (2, store), (2, other), (3, store)):
            for moment in moments("append beside its twin"):
                user = case.user()
                batch = series("phone", 1, 5)
                cut = asyncio.ensure_future(moment.cut(store.append(user, batch)))
                for _ in range(turns):
                    await asyncio.sleep(0)
                twin = await attempt(opener.append(user, batch))
                await cut
                call = f"append beside its twin, which was {moment}"
                if not isinstance(twin, Appended):
                    fail(call, got=repr(twin), want="Appended")
                same(await rows(other, user), batch, f"read after {call}")


@check(
    "cancel.during_close",
    rule="close: releases everything, also when it is called again",
    kills=("M173",),
)
async def during_close(case: Case) -> None:
    """A close that is cancelled can be repeated; then the location is free and whole."""
    user = case.user()
    given = series("phone", 1, 4)
    async with case.open_log() as store:
        await store.append(user, given)
    for moment in moments("close"):
        call = f"close {moment}"
        async with case.open_log() as store:
            running = asyncio.ensure_future(attempt(store.append(case.user(), given)))
            await moment.cut(store.close())
            await store.close()
            outcome = await running
            if not isinstance(outcome, (Appended, StoreClosedError)):
                fail(f"append beside {call}", got=repr(outcome), want="done or StoreClosedError")
            await refused(store.tops(user), StoreClosedError, f"tops after {call} and another")
        async with case.open_log() as store:
            await store.append(user, given)
            await store.tops(user)


@check("cancel.cursor_advance", rule=_RULE, cursors=True, kills=("M49",))
async def cursor_advance(case: Case) -> None:
    """A cancelled change of a cursor moves all devices or none, and the next one works."""
    low, high = VersionVector({"a": 1, "b": 1}), VersionVector({"a": 9, "b": 9})
    top = VersionVector({"a": 10, "b": 10})
    changes: dict[str, tuple[Callable[[CursorStore, str], Any], VersionVector]] = {
        "advance": (lambda cursors, user: cursors.advance(user, "r", high), high),
        "reset": (lambda cursors, user: cursors.reset(user, "r", high), high),
        "forget": (lambda cursors, user: cursors.forget(user, "r"), NOTHING),
        "erase": (lambda cursors, user: cursors.erase(user), NOTHING),
    }
    async with case.open_cursors() as cursors:
        for name, (change, after) in changes.items():
            for moment in moments(name):
                user = case.user()
                await cursors.advance(user, "r", low)
                outcome = await moment.cut(change(cursors, user))
                found = await cursors.load(user, "r")
                call = f"{name} of a cursor {moment}"
                if found not in (low, after):
                    fail(
                        f"load after {call}",
                        got=str(dict(found)),
                        want=f"{dict(low)} or {dict(after)}",
                    )
                _refuse_both(case, outcome, done=found == after, call=call)
                same(await cursors.advance(user, "r", top), top, f"the advance after {call}")
