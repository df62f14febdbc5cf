"""Cancellation at every await: each moment is reached once, and the call decides what it does."""

from __future__ import annotations

import asyncio

import pytest

from strandlog_conformance.cancelling import moments

pytestmark = pytest.mark.anyio


async def test_every_await_is_cut_as_it_begins_and_as_it_ends() -> None:
    """Three awaits, of which one is a bare turn of the loop: that one ends as it begins."""
    seen: list[tuple[str, list[str]]] = []

    def answer(result: asyncio.Future[str], name: str) -> None:
        if not result.done():
            result.set_result(name)

    async def call(done: list[str]) -> None:
        for name in ("first", "second"):
            result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_soon(answer, result, name)
            done.append(await result)
        await asyncio.sleep(0)
        done.append("third")

    for moment in moments("a call of three awaits"):
        done: list[str] = []
        outcome = await moment.cut(call(done))
        if moment.reached:
            seen.append((str(moment), done))
            assert isinstance(outcome, asyncio.CancelledError)

    assert seen[:5] == [
        ("cancelled as await 0 begins", []),
        ("cancelled as await 1 begins", ["first"]),
        ("cancelled as await 2 begins", ["first", "second"]),
        ("cancelled as await 0 ends, with its result there already", []),
        ("cancelled as await 1 ends, with its result there already", ["first"]),
    ]


async def test_call_that_takes_the_cancellation_goes_on_and_answers() -> None:
    async def call() -> str:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            return "cancelled"
        return "not cancelled"

    first = next(moments("a call that catches"))

    assert await first.cut(call()) == "cancelled"


async def test_error_of_the_call_is_its_outcome() -> None:
    async def call() -> None:
        await asyncio.sleep(0)
        raise LookupError("its own")

    outcomes = [await moment.cut(call()) for moment in moments("a call that fails")]

    assert [type(one).__name__ for one in outcomes[:2]] == ["CancelledError", "LookupError"]
