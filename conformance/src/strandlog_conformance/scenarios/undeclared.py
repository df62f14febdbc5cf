"""Section 0: what is not declared is refused however little is asked, and looked for as well."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from strandlog import VersionVector
from strandlog.backend import Capabilities, Durability, Handles, LogStore, pack
from strandlog.errors import TooLargeError, UnsupportedError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import Underclaimed, fail, refused, same
from strandlog_conformance.samples import entry, rows, series, state
from strandlog_conformance.suite import Level, check, declared

_Calls = dict[str, Callable[[], Coroutine[Any, Any, object]]]


@check(
    "claims.refused_with_nothing_to_do",
    rule="a capability that is not declared is refused by its named error and changes nothing",
    kills=("M270", "M271", "M272", "M273"),
)
async def refused_with_nothing_to_do(case: Case) -> None:
    """The refusal does not wait for work: an empty call is refused like a full one.

    An application asks by calling. One that hears no refusal while nothing is
    there takes the feature for given, and loses it with the first entry.
    """
    user, nobody = case.user(), case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 3))
        before = await state(store, user), await state(store, nobody)
        for name, call in _idle_calls(case.capabilities, store, user, nobody).items():
            await refused(call(), UnsupportedError, f"{name}, which is not declared")
            after = await state(store, user), await state(store, nobody)
            same(after, before, f"the logs after {name} was refused")


def _idle_calls(claims: Capabilities, store: LogStore, user: str, nobody: str) -> _Calls:
    """Return calls that would change nothing, and that such a store has to refuse."""
    tops = VersionVector({"phone": 3})
    calls: _Calls = {}
    if not claims.sparse:
        calls["append([], upto={})"] = lambda: store.append(nobody, [], upto=VersionVector())
        calls["append([], upto=tops)"] = lambda: store.append(user, [], upto=tops)
        calls["append(what is there, upto=tops)"] = lambda: store.append(
            user, series("phone", 1, 3), upto=tops
        )
    if not claims.rehome:
        calls["rehome above the top"] = lambda: store.rehome(
            user, "phone", from_counter=4, to_device="p"
        )
        calls["rehome in no log"] = lambda: store.rehome(
            nobody, "phone", from_counter=1, to_device="p"
        )
    if not claims.purge:
        calls["compact of an open store"] = store.compact
    if not claims.notify:
        calls["subscribe, first step"] = lambda: _next_of(store)
    return calls


async def _next_of(store: LogStore) -> str:
    return await anext(aiter(store.subscribe()), "an end without an error")


@check(
    "data.limit_counts_the_record",
    rule="Capabilities.max_entry: the length of each packed record, and of nothing else",
    requires=(declared("max_entry"),),
    kills=("M274", "M275", "M276"),
)
async def limit_counts_the_record(case: Case) -> None:
    """Each entry may be as long as the limit; names and scope count, other entries do not."""
    user = case.user()
    limit = case.capabilities.max_entry or 0
    empty = [entry("phone", n, scope="s" * n, content=b"") for n in range(1, 4)]
    full = [replace(one, content=b"x" * (limit - len(pack(user, one))), digest="") for one in empty]
    same([len(pack(user, one)) for one in full], [limit] * 3, "records of this check")
    async with case.open_log() as store:
        await store.append(user, full)
        same(await rows(store, user), full, "read of three entries of max_entry bytes")
        before = await state(store, user)
        bare = entry("desk", 1, scope="s" * 30, content=b"")
        room = limit - len(pack(user, bare))
        over = replace(bare, content=b"x" * (room + 1), digest="")
        await refused(
            store.append(user, [over]),
            TooLargeError,
            "append of max_entry + 1 bytes with a long scope",
            limit=limit,
            counter=1,
        )
        same(await state(store, user), before, "the log after the refusal")


@check(
    "claims.underclaimed",
    rule="Capabilities: a store declares what it does",
    must=False,
    kills=("M277",),
    level=Level.DURABLE,
)
async def underclaimed(case: Case) -> None:
    """What is not declared is tried: a store that does more than it says is not trusted with it.

    It may still not be part of what remains after a loss.
    """
    user = case.user()
    given = series("phone", 1, 5)
    found = []
    claims = case.capabilities
    async with case.open_log() as store:
        await store.append(user, given)
        if claims.handles is Handles.TASK and await _seen_by_another_process(case, user) == "5":
            found.append(f"handles={claims.handles.value} is declared, but another process reads")
    async with case.open_log() as store:
        after = await rows(store, user)
    if claims.durability is Durability.NONE and after:
        if after != given:
            fail("read after reopening", got=f"{len(after)} of 5", want="all or nothing")
        found.append("durability=none is declared, but a reopened location holds everything")
    elif (
        claims.durability is Durability.PROCESS
        and await _seen_by_another_process(case, user) == "5"
    ):
        found.append("durability=process is declared, but another process finds everything")
    if found:
        raise Underclaimed("; ".join(found))


_COUNT = """
import asyncio, sys
from strandlog.backend.registry import open_log_store

async def main():
    async with open_log_store(sys.argv[1]) as store:
        page = await store.read_range(sys.argv[2], limit=10)
        print(len(page.entries), end="")

asyncio.run(main())
"""


async def _seen_by_another_process(case: Case, user: str) -> str:
    """Return how many entries another process finds; nothing if it cannot look."""
    if not case.target.scheme:
        return ""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _COUNT,
        case.url,
        user,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        out, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    return out.decode()
