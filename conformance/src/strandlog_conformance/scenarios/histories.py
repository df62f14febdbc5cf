"""Sections G and M: what many callers saw, written down with its times and judged afterwards."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from strandlog import Entry, Identity, VersionVector
from strandlog.backend import CursorStore, Handles, LogStore
from strandlog.errors import ForkError, GapError, TrimmedError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, beside, fail, same, together, until_done
from strandlog_conformance.recording import History, RecordedCursor, RecordedLog
from strandlog_conformance.samples import ALL, NOTHING, entry, rows, series, turns
from strandlog_conformance.suite import check

_RULE = "safe under many tasks: calls made at once come to what they would one after the other"


@asynccontextmanager
async def _openers(case: Case, count: int = 2) -> AsyncIterator[list[LogStore]]:
    """Open the location so often, as far as that is allowed."""
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(case.open_log())
        more = [await stack.enter_async_context(case.second_log(first)) for _ in range(1, count)]
        yield [first, *more]


class _Callers:
    """Makes callers of one log who are written down in one history."""

    def __init__(self, history: History, openers: Sequence[LogStore], user: str) -> None:
        self._history = history
        self._openers = openers
        self._user = user

    def named(self, name: str, opener: int = 0) -> RecordedLog:
        at = opener % len(self._openers)
        return RecordedLog(
            self._history, self._openers[at], self._user, by=name, opener=f"opener {at + 1}"
        )


@check(
    "conc.tailing_reader_misses_nothing",
    rule="LogStore.read: upto never covers an entry that the reader was not given",
    kills=("M120",),
)
async def tailing_reader_misses_nothing(case: Case) -> None:
    """Readers follow page by page while four devices write, one with a clock far behind."""
    user = case.user()
    count = case.scale(40, 16)
    given = {
        f"w{n}": series(f"w{n}", 1, count, start=(0, 5_000, 5_001, 90_000)[n]) for n in range(4)
    }
    everything = sorted(str(one.seq) for own in given.values() for one in own)
    history = History()
    async with _openers(case, 3) as openers:
        callers = _Callers(history, openers, user)
        writing = 0

        async def write(n: int, own: Sequence[Entry]) -> None:
            nonlocal writing
            writing += 1
            log = callers.named(f"writer {n}", n)
            for first in range(0, count, 2):
                await log.append(own[first : first + 2])
            writing -= 1

        async def follow(n: int) -> None:
            log = callers.named(f"reader {n}", n)
            after, seen = NOTHING, list[str]()
            async for _ in turns("pages while others write", 20_000):
                finished = not writing
                page = await log.read(after, limit=(3, 7, 50)[n])
                seen += [str(one.seq) for one in page.entries]
                after = page.upto
                if finished and not page.more:
                    break
            same(sorted(seen), everything, f"all that reader {n} was given, page after page")

        writers = [write(n, own) for n, own in enumerate(given.values())]
        await together(*writers, *(follow(n) for n in range(3)))
    history.check()


@check("conc.monotonic_reads_per_handle", rule=_RULE, kills=("M353",))
async def monotonic_reads_per_handle(case: Case) -> None:
    """Eight readers at once through each opener, beside a writer: none is shown an older log."""
    user = case.user()
    count = case.scale(40, 16)
    history = History()
    async with _openers(case) as openers:
        callers = _Callers(history, openers, user)

        async def write() -> None:
            log = callers.named("writer")
            for n in range(1, count + 1):
                await log.append([entry("a", n), entry("b", n)])

        async def look(n: int) -> None:
            log = callers.named(f"reader {n}", n)
            reads: Sequence[Callable[[], Awaitable[object]]] = (
                lambda: log.read(limit=ALL),
                log.tops,
                lambda: log.read(limit=3),
                lambda: log.read_range(limit=2, reverse=True),
            )
            chance = random.Random(case.random.random())  # noqa: S311  # no secret
            async for _ in until_done(task):
                await chance.choice(reads)()

        async with beside(write()) as task:
            await together(*(look(n) for n in range(8)))
    history.check()


@check("conc.real_time_order", rule=_RULE, kills=("M354",))
async def real_time_order(case: Case) -> None:
    """Writers pass a baton: who is shown a batch is shown all that was acknowledged before it."""
    user = case.user()
    history = History()
    async with _openers(case, 3) as openers:
        callers = _Callers(history, openers, user)

        async def pass_on() -> None:
            for n in range(case.scale(60, 24)):
                log = callers.named(f"writer {n % 5}", n)
                await log.append([entry(f"w{n % 5}", n // 5 + 1, at=1_000 - n % 5 * 100 + n)])

        async def look(n: int) -> None:
            log = callers.named(f"reader {n}", n)
            async for _ in until_done(task):
                await log.read(limit=ALL)

        async with beside(pass_on()) as task:
            await together(*(look(n) for n in range(3)))
        await callers.named("the last reader").read(limit=ALL)
    history.check()


@check(
    "conc.busy_is_waited_not_leaked",
    rule="only errors of strandlog.errors leave a store, and a short wait is no error",
    kills=("M53", "M355"),
)
async def busy_is_waited_not_leaked(case: Case) -> None:
    """Forty writers of long batches through four openers, and trims: each is waited for."""
    users = [case.user() for _ in range(4)]
    size = min(case.scale(100, 40), case.capabilities.max_batch or ALL)
    async with _openers(case, 4) as openers:

        async def write(n: int) -> None:
            user, device = users[n % 4], f"w{n}"
            done = await attempt(openers[n // 4 % 4].append(user, series(device, 1, size)))
            if isinstance(done, BaseException):
                fail(f"append {n} of 40 at once", got=repr(done), want="Appended, in time")
            floors = await attempt(openers[n % 4].trim(user, device, up_to=size // 2))
            if isinstance(floors, BaseException):
                fail(f"trim {n} of 40 at once", got=repr(floors), want="the floors, in time")

        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await together(*(write(n) for n in range(40)))
        except TimeoutError:
            fail("40 appends and trims at once", got="no end", want="every one done, in time")
        for number, user in enumerate(users):
            tops = VersionVector({f"w{n}": size for n in range(number, 40, 4)})
            same(await openers[0].tops(user), tops, "tops after 40 appends at once")
            left = len(await rows(openers[1], user))
            same(left, 10 * (size - size // 2), "entries after 40 appends and trims at once")


# Many times what this takes on a slow disk; a writer that nobody wakes never comes to an end.
_PATIENCE_SECONDS = 15.0


@check(
    "conc.batches_contiguous",
    rule="LogStore.append: a batch is not mixed with another one",
    kills=("M35",),
)
async def batches_contiguous(case: Case) -> None:
    """Five writers fight for one device; whoever loses looks again, and no two share a batch."""
    user = case.user()
    history = History()
    async with _openers(case) as openers:
        callers = _Callers(history, openers, user)

        async def write(n: int) -> None:
            log = callers.named(f"writer {n}", n)
            for _ in range(case.scale(5, 3)):
                async for _ in turns("looks at the top and appends", 500):
                    top = (await log.tops())["shared"]
                    batch = [
                        entry("shared", top + place, content=b"%d" % n) for place in range(1, 6)
                    ]
                    outcome = await attempt(log.append(batch))
                    if not isinstance(outcome, BaseException):
                        break
                    if not isinstance(outcome, (ForkError, GapError)):
                        raise outcome

        await together(*(write(n) for n in range(5)))
        held = [one.content for one in await rows(openers[0], user)]
        for first in range(0, len(held), 5):
            batch = held[first : first + 5]
            same(batch, batch[:1] * 5, f"who wrote shared {first + 1} to {first + 5}")
        same(len(held), 25 * case.scale(5, 3), "entries in the end")
    history.check()


@check(
    "model.concurrent_history",
    rule=_RULE,
    kills=(
        "M357",
        "M120",
    ),
)
async def concurrent_history(case: Case) -> None:
    """Random appends, redactions, trims and pages of many tasks at once, judged afterwards."""
    for _ in range(2):
        user = case.user()
        history = History()
        async with _openers(case) as openers:
            callers = _Callers(history, openers, user)
            tasks = []
            for n in range(6):
                chance = random.Random(case.random.random())  # noqa: S311  # no secret
                tasks.append(_wander(callers.named(f"task {n}", n), chance, n, case.scale(30, 20)))
            await together(*tasks)
            for opener in range(2):
                await callers.named("the last reader", opener).read(limit=ALL)
        history.check()


async def _wander(log: RecordedLog, chance: random.Random, place: int, steps: int) -> None:
    """Do one thing after the other, as one of two tasks that write the same device."""
    device = f"d{place // 2}"
    top, after = 0, NOTHING
    kinds = ("append", "read", "page", "range", "tops", "trim")
    for kind in chance.choices(kinds, weights=(9, 3, 4, 3, 1, 1), k=steps):
        if kind == "append":
            first = max(top - 1, 1)
            batch = [_one(place // 2, n) for n in range(first, top + 1 + chance.randint(1, 4))]
            outcome = await attempt(log.append(batch))
            if isinstance(outcome, TrimmedError):  # by the other task, which has gone ahead
                top = (await log.tops())[device]
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                top = outcome.tops[device]
        elif kind == "read":
            await log.read(limit=ALL)
        elif kind == "page":
            after = (await log.read(after, limit=chance.randint(1, 9))).upto
        elif kind == "range":
            await log.read_range(limit=chance.randint(1, 20), reverse=chance.random() < _HALF)
        elif kind == "tops":
            top = (await log.tops())[device]
        else:
            await log.trim(device, up_to=chance.randint(0, max(top - 4, 0)))


_HALF = 0.5


def _one(place: int, counter: int) -> Entry:
    """Return the entry that every task would write there; every third one redacts another."""
    if counter % 3 or counter < 4:  # what it names has a counter, too
        return entry(f"d{place}", counter)
    return entry(f"d{place}", counter, redacts=Identity(f"d{(place + 1) % 3}", counter - 3))


@check("model.concurrent_cursors", rule=_RULE, cursors=True, kills=("M358",))
async def concurrent_cursors(case: Case) -> None:
    """Tasks advance one cursor and look at it, through two openers: it is never seen torn."""
    user = case.user()
    history = History()
    async with AsyncExitStack() as stack:
        openers: list[CursorStore] = [await stack.enter_async_context(case.open_cursors())]
        if case.capabilities.handles is not Handles.ONE:
            openers.append(await stack.enter_async_context(case.open_cursors()))

        async def wander(n: int) -> None:
            at = n % len(openers)
            name = f"task {n}"
            cursor = RecordedCursor(
                history, openers[at], user, "r", by=name, opener=f"opener {at + 1}"
            )
            chance = random.Random(case.random.random())  # noqa: S311  # no secret
            for turn in range(1, case.scale(40, 25)):
                kind = chance.choice(("advance", "load", "readers"))
                if kind == "advance":
                    own = {f"d{n}": turn, f"e{n}": turn * 2, "all": turn}
                    await cursor.advance(VersionVector(own))
                elif kind == "load":
                    await cursor.load()
                else:
                    await cursor.readers()

        await together(*(wander(n) for n in range(6)))
    history.check()
