"""Section K: many readers and writers of cursors at once."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog_conformance.case import Case
from strandlog_conformance.expect import beside, fail, same, together, until_done
from strandlog_conformance.suite import check

_RULE = "CursorStore.advance: callers that advance one cursor at once lose nothing of each other"


@check("cursor.concurrent_max_wins", rule=_RULE, cursors=True, kills=("M47",))
async def concurrent_max_wins(case: Case) -> None:
    """Thirty tasks advance one device of one cursor in any order; the greatest stays."""
    async with case.open_cursors() as store:
        for turn in range(case.scale(10, 4)):
            user = case.user()
            values = list(range(1, 31))
            case.random.shuffle(values)
            await together(*(store.advance(user, "r", VersionVector({"phone": n})) for n in values))
            got = await store.load(user, "r")
            same(got, VersionVector({"phone": 30}), f"load after 30 advances at once, turn {turn}")


@check("cursor.concurrent_peers_no_lost_update", rule=_RULE, cursors=True, kills=("M47",))
async def concurrent_peers_no_lost_update(case: Case) -> None:
    """Thirty tasks advance thirty devices of one cursor; all are there in the end."""
    user = case.user()
    async with case.open_cursors() as store:

        async def advance(n: int) -> None:
            for counter in range(1, 6):
                vector = VersionVector({f"d{n}": counter})
                got = await store.advance(user, "r", vector)
                same(got[f"d{n}"], counter, f"what advance({dict(vector)}) returns")

        await together(*(advance(n) for n in range(30)))
        want = VersionVector({f"d{n}": 5 for n in range(30)})
        same(await store.load(user, "r"), want, "load after 30 tasks")


@check(
    "cursor.invalid_atomic",
    rule="CursorStore.advance: the whole vector at once",
    cursors=True,
    kills=("M49",),
)
async def invalid_atomic(case: Case) -> None:
    """Whoever loads beside a writer sees a vector that was stored, never half of one."""
    user = case.user()
    devices = [f"d{n}" for n in range(8)]
    rounds = case.scale(40, 15)
    async with case.open_cursors() as store:

        async def write() -> None:
            for counter in range(1, rounds + 1):
                await store.advance(user, "r", VersionVector(dict.fromkeys(devices, counter)))
            for counter in range(rounds, 0, -1):
                await store.reset(user, "r", VersionVector(dict.fromkeys(devices, counter)))

        async with beside(write()) as task:
            async for _ in until_done(task):
                found = await store.load(user, "r")
                listed = (await store.readers(user)).get("r", VersionVector())
                for what, vector in (("load", found), ("readers", listed)):
                    if len({vector[device] for device in devices}) > 1:
                        fail(
                            f"{what} beside a writer", got=str(dict(vector)), want="equal counters"
                        )
        same(await store.load(user, "r"), VersionVector(dict.fromkeys(devices, 1)), "load at last")
