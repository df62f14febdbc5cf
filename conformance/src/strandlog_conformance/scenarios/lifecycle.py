"""Section F: opening, closing, and what is left of a log in between."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from strandlog import Appended, Entry, Identity, Seq, VersionVector
from strandlog.backend import CursorStore, Durability, LogStore
from strandlog.errors import (
    ErasedError,
    ForkError,
    GapError,
    SeqError,
    StoreClosedError,
    TrimmedError,
)
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable, attempt, fail, refused, same
from strandlog_conformance.samples import (
    NOTHING,
    UNBOUNDED,
    entry,
    rows,
    series,
    state,
)
from strandlog_conformance.suite import check, durability

_DESCRIPTORS = Path("/proc/self/fd")
_Calls = dict[str, Callable[[], Coroutine[Any, Any, object]]]


@check(
    "life.reopen_keeps_everything",
    rule="Capabilities.durability: what was acknowledged outlives the opener",
    requires=(durability(Durability.PROCESS),),
    kills=("M39", "M132", "M169"),
)
async def reopen_keeps_everything(case: Case) -> None:
    """Entries, tops, floors, redactions, tombstones, generation and epoch are there again."""
    user, empty, gone, lifted = case.user(), case.user(), case.user(), case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 6) + series("desk", 1, 3) + _varied())
        await store.append(user, [entry("desk", 4, at=90, redacts=Identity("phone", 5))])
        await store.append(user, [entry("desk", 5, at=91, redacts=Identity("late", 1))])
        await store.trim(user, "phone", up_to=2)
        await store.append(empty, [], floor=VersionVector({"old": 7}))
        for name in (gone, lifted):
            await store.append(name, series("phone", 1, 2))
            await store.erase(name)
        await store.restore(lifted)
        before = [await state(store, name) for name in (user, empty, gone, lifted)]
        told = await store.info()

    async with case.open_log() as store:
        after = [await state(store, name) for name in (user, empty, gone, lifted)]
        for name, was, now in zip(
            ("log", "floor", "tombstone", "lifted"), before, after, strict=True
        ):
            same(now, was, f"the {name} after it was opened again")
        same(await store.info(), told, "info after it was opened again")
        await refused(
            store.append(gone, series("phone", 1, 1)), ErasedError, "append to erased", generation=1
        )
        for what, one, refusal in (
            ("a gap", entry("phone", 9), GapError),
            ("a fork", entry("desk", 2, content=b"0"), ForkError),
            ("a falling timestamp", entry("phone", 7, at=59), SeqError),
            ("a trimmed entry", entry("phone", 1), TrimmedError),
        ):
            await refused(store.append(user, [one]), refusal, f"append of {what} after a reopening")
        late = entry("late", 1, at=3)
        await store.append(user, [late])
        same(await rows(store, user, devices=["late"]), [late.without_content()], "redacted late")
        done = await store.append(user, series("phone", 3, 7))
        same(done, Appended(VersionVector({"phone": 7}), 1, 4), "append over what was kept")


def _varied() -> list[Entry]:
    """Return entries of every kind that a store has to keep apart."""
    return [
        entry("varied", 1, content=bytes(range(256)), scope="friend"),
        entry("varied", 2, content=b"", meta=b'{"id":"x"}'),
        entry("varied", 3).withdrawn(),
        entry("varied", 4, at=10**14, scope="a-b.c_1", redacts=Identity("varied", 1)),
    ]


@check("life.close_idempotent", rule="close: twice is harmless", kills=("M173",))
async def close_idempotent(case: Case) -> None:
    """A store may be closed again, and by two tasks at once."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 2))
        await asyncio.gather(store.close(), store.close())
        await store.close()
    await store.close()


@check(
    "life.closed_refuses_every_call",
    rule="close: every later call, of any method, raises StoreClosedError",
    kills=("M41", "M42"),
)
async def closed_refuses_every_call(case: Case) -> None:
    """No method of a closed log store answers, hangs or lets its driver speak."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 2))
        same(len(await rows(store, user)), 2, "entries read before close")
        await store.close()
        for name, call in _log_calls(store, user).items():
            await refused(call(), StoreClosedError, f"{name} of a closed store")


def _log_calls(store: LogStore, user: str) -> _Calls:
    vector = VersionVector({"phone": 1})
    claims = store.capabilities
    calls: _Calls = {
        "append": lambda: store.append(user, [entry("phone", 3)]),
        "append of nothing": lambda: store.append(user, []),
        "append of a duplicate": lambda: store.append(user, [entry("phone", 1)]),
        "digests": lambda: store.digests(user, {"phone": 1}),
        "digests of nothing": lambda: store.digests(user, {}),
        "read": lambda: store.read(user, after=vector, limit=5, max_bytes=UNBOUNDED),
        "read with limit=0": lambda: store.read(user, after=NOTHING, limit=0, max_bytes=0),
        "read of no scope": lambda: store.read(
            user, after=NOTHING, scopes=(), limit=5, max_bytes=9
        ),
        "read_range": lambda: store.read_range(user, limit=5),
        "read_range, inverted": lambda: store.read_range(
            user, after=Seq(9, 1, "z"), up_to=Seq(1, 1, "a"), limit=5
        ),
        "tops": lambda: store.tops(user),
        "head": lambda: store.head(user),
        "logs": lambda: store.logs(limit=5),
        "trim": lambda: store.trim(user, "phone", up_to=1),
        "erase": lambda: store.erase(user),
        "restore": lambda: store.restore(user),
        "info": store.info,
    }
    if claims.rehome:
        calls["rehome"] = lambda: store.rehome(user, "phone", from_counter=2, to_device="phone~0")
    if claims.purge:
        calls["compact"] = store.compact
    return calls


@check(
    "cursor.closed_refuses_every_call",
    rule="close: every later call, of any method, raises StoreClosedError",
    cursors=True,
    kills=("M133",),
)
async def cursor_closed_refuses_every_call(case: Case) -> None:
    """No method of a closed cursor store answers, hangs or lets its driver speak."""
    user, vector = case.user(), VersionVector({"phone": 1})
    async with case.open_cursors() as store:
        await store.advance(user, "r", vector)
        await store.close()
        await store.close()
        for name, call in _cursor_calls(store, user, vector).items():
            await refused(call(), StoreClosedError, f"{name} of a closed cursor store")


def _cursor_calls(store: CursorStore, user: str, vector: VersionVector) -> _Calls:
    return {
        "load": lambda: store.load(user, "r"),
        "readers": lambda: store.readers(user),
        "advance": lambda: store.advance(user, "r", vector),
        "advance by nothing": lambda: store.advance(user, "r", VersionVector()),
        "reset": lambda: store.reset(user, "r", vector),
        "forget": lambda: store.forget(user, "r"),
        "erase": lambda: store.erase(user),
    }


@check(
    "life.close_while_busy",
    rule="close: calls that run are completed or refused, never torn",
    kills=("M62",),
)
async def close_while_busy(case: Case) -> None:
    """Twenty appends run while the store is closed: each is stored whole or refused."""
    for turns in (0, 1, 2, 3, 5, 9, 17):
        await _close_after(case, turns)


async def _close_after(case: Case, turns: int) -> None:
    """Close a store after some turns of the loop while twenty appends run."""
    users = [case.user() for _ in range(20)]
    batch = series("phone", 1, 3) + series("desk", 1, 2)
    async with case.open_log() as store:
        running = [asyncio.create_task(attempt(store.append(user, batch))) for user in users]
        for _ in range(turns):
            await asyncio.sleep(0)
        await store.close()
        outcomes = await asyncio.gather(*running)
    call = f"append while the store was closed after {turns} turns"
    for outcome in outcomes:
        if not isinstance(outcome, (Appended, StoreClosedError)):
            fail(call, got=repr(outcome), want="Appended or StoreClosedError")
    if case.capabilities.durability is Durability.NONE:
        return
    async with case.open_log() as store:
        for user, outcome in zip(users, outcomes, strict=True):
            count = len(await rows(store, user))
            allowed = [5] if isinstance(outcome, Appended) else [0, 5]
            same(count in allowed, True, f"{call}: {count} entries after {outcome!r}")


@check(
    "life.open_close_200x_no_leak",
    rule="close: releases everything",
    kills=("M63",),
)
async def open_close_200x_no_leak(case: Case) -> None:
    """Opened and closed again and again, a store leaves no descriptor, thread or task."""
    user = case.user()

    async def cycle() -> None:
        async with case.open_log() as store:
            await store.tops(user)

    for _ in range(3):
        await cycle()
    before = _resources()
    for _ in range(case.scale(60, 12)):
        await cycle()
    gc.collect()
    # A thread that was told to end may need a moment for it.
    for _ in range(100):
        if all(n <= before[name] for name, n in _resources().items()):
            return
        await asyncio.sleep(0.01)
    same(_resources(), before, "descriptors, threads and tasks after many openings")


def _resources() -> dict[str, int]:
    if not _DESCRIPTORS.exists():
        raise NotApplicable("this system does not list open descriptors")
    return {
        "descriptors": len(list(_DESCRIPTORS.iterdir())),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
    }


@check(
    "life.context_manager_on_error",
    rule="a store used as a context closes with it, and hides no error",
    kills=("M134",),
)
async def context_manager_on_error(case: Case) -> None:
    """The caller's error comes out as it was, the store is closed, acknowledged entries stay."""
    user = case.user()
    opened: list[LogStore] = []

    async def use() -> None:
        async with case.open_log() as store:
            opened.append(store)
            await store.append(user, series("phone", 1, 2))
            raise LookupError("the caller's own")

    outcome = await attempt(use())
    same(repr(outcome), repr(LookupError("the caller's own")), "an error inside the context")
    await refused(opened[0].tops(user), StoreClosedError, "tops after the context ended")
    if case.capabilities.durability is not Durability.NONE:
        async with case.open_log() as store:
            same(await rows(store, user), series("phone", 1, 2), "read after a reopening")
