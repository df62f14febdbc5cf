"""Section 0: what a store declares, it keeps; what it does not declare, it refuses."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from strandlog import VersionVector
from strandlog.backend import Capabilities, Handles, LogStore
from strandlog.errors import StoreLockedError, StoreReadOnlyError, StoreUrlError, UnsupportedError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, refused, same
from strandlog_conformance.samples import entry, series, state
from strandlog_conformance.suite import check

_LOOPS = {"asyncio", "trio"}
_NEEDS = {"browser", "fs", "network", "subprocess", "threads"}


@check(
    "claims.known_names_only",
    rule="Capabilities: every value is one that the contract knows",
    kills=("M171",),
)
async def known_names_only(case: Case) -> None:
    """Each capability has a value of its type: no text for a number, no 1 for true."""
    claims = case.capabilities
    same(type(claims).__name__, Capabilities.__name__, "the type of what is declared")
    for name, hint in get_type_hints(Capabilities).items():
        value = getattr(claims, name)
        if hint is bool or isinstance(hint, type(Handles)):
            same(type(value).__name__, hint.__name__, f"the type of {name}={value!r}")
    for name in ("max_entry", "max_batch"):
        limit = getattr(claims, name)
        if limit is not None and (type(limit) is not int or limit < 1):
            fail(f"the limit {name}", got=repr(limit), want="None or a number from 1 on")
    same(sorted(claims.loops - _LOOPS), [], "event loops that the contract does not know")
    same(sorted(claims.needs - _NEEDS), [], "needs that the contract does not know")
    same(bool(claims.loops), True, "it runs on some event loop")


@check(
    "claims.frozen",
    rule="LogStore.capabilities: the same from open to close, and after",
    kills=("M101",),
)
async def frozen(case: Case) -> None:
    """A store says of itself what its backend says, before, during and after use."""
    user = case.user()
    async with case.open_log() as store:
        same(store.capabilities, case.capabilities, "capabilities, just opened")
        await store.append(user, series("phone", 1, 2))
        same(store.capabilities, case.capabilities, "capabilities, after an append")
        told = await store.info()
        same(told.capabilities, case.capabilities, "info().capabilities")
        if not told.epoch or type(told.epoch) is not str:
            fail("info()", got=repr(told), want="an epoch, as text")
        if type(told.schema_version) is not int or told.schema_version < 1:
            fail("info()", got=repr(told), want="a schema version, as a number from 1 on")
    same(store.capabilities, case.capabilities, "capabilities, after close")


@check(
    "claims.refusals",
    rule="a capability that is not declared is refused by its named error and changes nothing",
    kills=("M75",),
)
async def refusals(case: Case) -> None:
    """Each feature that is not declared is called all the same.

    A store that does it although it does not say so under-declares; one that
    does half of it, or fails with another error, is worse.
    """
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 3))
        before = await state(store, user)
        for name, call in _undeclared(case.capabilities, store, user).items():
            await refused(call(), UnsupportedError, f"{name}, which is not declared")
            same(await state(store, user), before, f"the log after {name} was refused")
        await store.append(user, [entry("phone", 4)])


def _undeclared(
    claims: Capabilities, store: LogStore, user: str
) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
    """Return the calls that a store with these claims has to refuse."""
    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {}
    if not claims.sparse:
        calls["append(upto=…)"] = lambda: store.append(
            user, [entry("desk", 5)], upto=VersionVector({"desk": 7})
        )
    if not claims.rehome:
        calls["rehome"] = lambda: store.rehome(user, "phone", from_counter=2, to_device="phone~00")
    if not claims.purge:
        calls["compact"] = store.compact
    if not claims.notify:
        calls["subscribe"] = lambda: _first_notification(store)
    return calls


async def _first_notification(store: LogStore) -> str:
    async for user in store.subscribe():
        return user
    return ""


@check(
    "claims.read_only_is_refused",
    rule="Capabilities.read_only_open: without it, read_only=true is refused",
    kills=("M172",),
)
async def read_only_is_refused(case: Case) -> None:
    """Whoever asks for a store that cannot write never gets one that can."""
    if case.capabilities.read_only_open:
        return

    async def open_read_only() -> str:
        async with case.open_log(case.url_with("read_only=true")):
            return "a store"

    outcome = await attempt(open_read_only())

    if not isinstance(outcome, (UnsupportedError, StoreUrlError, StoreReadOnlyError)):
        fail(
            "open with read_only=true, which is not declared",
            got=repr(outcome),
            want="UnsupportedError or StoreUrlError",
        )


@check(
    "conc.second_open_locked",
    rule="Capabilities.handles: who may not open gets StoreLockedError, and the first is unharmed",
    kills=("M102",),
)
async def second_open_locked(case: Case) -> None:
    """A location that takes one opener refuses the second and goes on working."""
    if case.capabilities.handles is not Handles.ONE:
        return
    user = case.user()

    async def open_again() -> str:
        async with case.open_log():
            return "a second store"

    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 2))
        await refused(open_again(), StoreLockedError, "open a location that is open")
        await store.append(user, series("phone", 3, 4))
        same(await store.tops(user), VersionVector({"phone": 4}), "tops of the first opener")
