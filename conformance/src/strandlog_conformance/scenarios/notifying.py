"""Sections G and N: who subscribes hears of every change, from whichever opener."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from strandlog.backend import LogStore
from strandlog.errors import StoreClosedError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import fail
from strandlog_conformance.samples import series
from strandlog_conformance.suite import check, declared

_RULE = "LogStore.subscribe: late, doubled or merged, but never lost"
_NOTIFY = (declared("notify"),)

# Notifications may take their time; a second is long, and the next change repeats none.
_PATIENCE_SECONDS = 2.0


class _Ear:
    """Collects the users that a subscription names."""

    def __init__(self, store: LogStore) -> None:
        self._heard = asyncio.Condition()
        self._users: list[str] = []
        self._task = asyncio.create_task(self._listen(store))

    async def _listen(self, store: LogStore) -> None:
        async for user in store.subscribe():
            async with self._heard:
                self._users.append(user)
                self._heard.notify_all()

    async def hears(self, user: str, of: str) -> None:
        """Demand that *user* is named, and forget what was named until then."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS), self._heard:
                await self._heard.wait_for(lambda: user in self._users)
                self._users.clear()
        except TimeoutError:
            fail(f"subscribe beside {of}", got=f"{self._users}", want=f"{user} among them")

    async def settle(self) -> None:
        """Let the subscription begin."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def close(self) -> None:
        self._task.cancel()
        outcome = (await asyncio.gather(self._task, return_exceptions=True))[0]
        known = (asyncio.CancelledError, StoreClosedError, type(None))
        if not isinstance(outcome, known):
            fail("a subscription that ends", got=repr(outcome), want="an end without an error")


@check("notify.hears_of_every_change", rule=_RULE, requires=_NOTIFY, kills=("M326", "M327"))
async def hears_of_every_change(case: Case) -> None:
    """Appends, trims, moves and erasures of several logs, by this opener and another."""
    async with case.open_log() as store, case.second_log(store) as other:
        ears = [_Ear(store), _Ear(store)]
        try:
            for ear in ears:
                await ear.settle()
            for name, writer in (("this opener", store), ("another opener", other)):
                user, second = case.user(), case.user()
                for what, change in _changes(case, writer).items():
                    await change(user)
                    for ear in ears:
                        await ear.hears(user, f"{what} by {name}")
                await writer.append(second, series("phone", 1, 1))
                for ear in ears:
                    await ear.hears(second, f"append to another log by {name}")
        finally:
            for ear in ears:
                await ear.close()


def _changes(case: Case, store: LogStore) -> dict[str, Callable[[str], Awaitable[object]]]:
    changes: dict[str, Callable[[str], Awaitable[object]]] = {
        "append": lambda user: store.append(user, series("phone", 1, 6)),
        "trim": lambda user: store.trim(user, "phone", up_to=2),
    }
    if case.capabilities.rehome:
        changes["rehome"] = lambda user: store.rehome(
            user, "phone", from_counter=5, to_device="home"
        )
    changes["erase"] = store.erase
    return changes


@check("notify.ends_with_the_store", rule=_RULE, requires=_NOTIFY, kills=("M328",))
async def ends_with_the_store(case: Case) -> None:
    """Who waits for a notification when the store is closed does not wait for ever."""
    async with case.open_log() as store:

        async def listen() -> None:
            async for _ in store.subscribe():
                pass

        task = asyncio.create_task(listen())
        for _ in range(5):
            await asyncio.sleep(0)
        await store.close()
        done, _ = await asyncio.wait({task}, timeout=_PATIENCE_SECONDS)
        if not done:
            task.cancel()
            fail("close beside a subscription", got="it waits on", want="an end")
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, StoreClosedError):
            fail("close beside a subscription", got=repr(error), want="an end, or StoreClosedError")
