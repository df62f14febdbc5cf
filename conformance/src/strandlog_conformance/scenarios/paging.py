"""Section C: page after page, nothing twice, nothing skipped."""

from __future__ import annotations

from strandlog import Entry, Log, VersionVector
from strandlog.backend import Durability, LogStore
from strandlog.log import PAGE_LIMIT
from strandlog_conformance.case import Case
from strandlog_conformance.expect import beside, fail, same, until_done
from strandlog_conformance.samples import (
    ALL,
    NOTHING,
    UNBOUNDED,
    entry,
    in_order,
    pages,
    rows,
    series,
    tops_of,
    turns,
    written,
)
from strandlog_conformance.suite import check

_RULE = "the protocol page, paging: the next page begins where upto says"


def _many() -> list[Entry]:
    """Return 123 entries of 5 devices with ties, in order."""
    given = [
        one
        for place, (device, count) in enumerate(
            {"a": 50, "b": 30, "c": 25, "d": 17, "e": 1}.items()
        )
        for one in series(device, 1, count, start=place * 40, step=4)
    ]
    return in_order(given)


@check("log.page.every_size", rule=_RULE, kills=("M117", "M118"))
async def every_size(case: Case) -> None:
    """123 rows on pages of every size, forwards as a reader and both ways as a range."""
    user = case.user()
    given = _many()
    async with case.open_log() as store:
        await written(store, user, given)
        for size in (1, 7, 50, 99, 100, 101, 122, 123, 124):
            found = await pages(store, user, limit=size)
            same([one for page in found for one in page.entries], given, f"pages of {size}")
            lengths = [len(page.entries) for page in found]
            full, rest = divmod(len(given), size)
            want = [size] * full + ([rest] if rest else [])
            same(lengths, want, f"lengths of pages of {size}")
            same(await _by_range(store, user, size), given, f"ranges of {size}")
        log = Log(store)
        back = [one async for one in log.entries(user, reverse=True)]
        same(back, given[::-1], "Log.entries(reverse=True)")


async def _by_range(store: LogStore, user: str, size: int) -> list[Entry]:
    found: list[Entry] = []
    after = None
    async for _ in turns(f"ranges of {size}"):
        page = await store.read_range(user, after=after, limit=size)
        found += page.entries
        if not page.more or not page.entries:
            break
        after = page.entries[-1].seq
    return found


@check(
    "log.page.max_bytes",
    rule="LogStore.read: max_bytes counts wire_length, and a page holds at least one entry",
    kills=("M119", "M168", "M314", "M315"),
)
async def page_max_bytes(case: Case) -> None:
    """Pages are as full as their bytes allow, and one entry too long still comes, alone."""
    user = case.user()
    given = [entry("phone", n, content=b'"%s"' % (b"x" * (n * 37 % 300))) for n in range(1, 41)]
    given[19] = entry("phone", 20, content=b'"%s"' % (b"y" * 5_000))
    # As long as the first three exactly, and one byte off.
    three = sum(one.wire_length for one in given[:3])
    async with case.open_log() as store:
        await store.append(user, given)
        for room in (0, 1, 500, three - 1, three, three + 1, 1_000, 4_000, 100_000):
            found = await pages(store, user, limit=ALL, max_bytes=room)
            same([one for page in found for one in page.entries], given, f"pages of {room} bytes")
            lengths = [len(page.entries) for page in found]
            same(lengths, _packed(given, room), f"lengths of pages of {room} bytes")


def _packed(given: list[Entry], room: int) -> list[int]:
    """Return how many entries go on each page of *room* bytes."""
    lengths: list[int] = []
    left = -1
    for one in given:
        left -= one.wire_length
        if left < 0:
            lengths.append(0)
            left = room - one.wire_length
        lengths[-1] += 1
    return lengths


@check(
    "log.page.one_millisecond",
    rule="LogStore.read_range: of several entries with the same timestamp none is left out",
    kills=("M189",),
)
async def one_millisecond(case: Case) -> None:
    """Two hundred entries of four devices at one timestamp survive every cut between pages."""
    user = case.user()
    given = in_order(
        one for device in ("a", "b", "c", "d") for one in series(device, 1, 50, start=9, step=0)
    )
    async with case.open_log() as store:
        await written(store, user, given)
        for size in (1, 7, 64):
            found = await pages(store, user, limit=size)
            got = [one for page in found for one in page.entries]
            same(got, given, f"pages of {size} in one millisecond")
            same(await _by_range(store, user, size), given, f"ranges of {size} in one millisecond")
        size = given[0].wire_length * 5
        found = await pages(store, user, limit=ALL, max_bytes=size)
        same([one for page in found for one in page.entries], given, f"pages of {size} bytes")


@check("log.page.big_log", rule="LogStore.read: limit is the only limit", kills=("M16",))
async def big_log(case: Case) -> None:
    """Thousands of rows come in one page when they are asked for in one page."""
    user = case.user()
    count = case.scale(2_500, 1_300)
    given = series("phone", 1, count)
    async with case.open_log() as store:
        await written(store, user, given)
        page = await store.read(user, after=NOTHING, limit=count, max_bytes=UNBOUNDED)
        same((len(page.entries), page.more), (count, False), "count and more of one read")
        same(page.entries, given, "one read")
        ranged = await store.read_range(user, limit=count)
        same((len(ranged.entries), ranged.more), (count, False), "count and more of one range")
        found = await pages(store, user, limit=1_000)
        same([one for part in found for one in part.entries], given, "pages of 1000")
        page = await store.read(user, after=NOTHING, limit=2**62, max_bytes=2**62)
        same(page.entries, given, "read with the greatest limits")
    if case.capabilities.durability is not Durability.NONE:
        async with case.open_log() as store:
            same(await rows(store, user), given, "read after a reopening")


@check("log.page.stable_while_appending", rule=_RULE, kills=("M117",))
async def stable_while_appending(case: Case) -> None:
    """Entries added at the end between two pages are neither doubled nor cause a skip."""
    user = case.user()
    given = series("phone", 1, 60)
    async with case.open_log() as store:
        await store.append(user, given[:20])
        seen: list[Entry] = []
        after, added = NOTHING, 20
        async for _ in turns("pages while others are added"):
            page = await store.read(user, after=after, limit=7, max_bytes=UNBOUNDED)
            seen += page.entries
            after = page.upto
            if not page.more:
                break
            if added < len(given):
                await store.append(user, given[added : added + 5])
                added += 5
        same(seen, given[: len(seen)], "pages of 7 while 5 more come after each")
        same(await rows(store, user, after=after), given[len(seen) : added], "what is left")


@check("log.page.stable_while_late_inserts", rule=_RULE, kills=("M17", "M18"))
async def stable_while_late_inserts(case: Case) -> None:
    """Old timestamps that arrive between two pages reach the reader too, once each."""
    user = case.user()
    given = series("laptop", 1, 30, start=10_000)
    late = series("phone", 1, 12, start=0)
    async with case.open_log() as store:
        await store.append(user, given)
        seen: list[Entry] = []
        after = NOTHING
        arrivals = [late[n : n + 4] for n in (0, 4, 8)]
        async for _ in turns("pages while older ones arrive"):
            page = await store.read(user, after=after, limit=8, max_bytes=UNBOUNDED)
            seen += page.entries
            after = page.upto
            if arrivals:
                await store.append(user, arrivals.pop(0))
            elif not page.more:
                break
        counted = sorted(one.seq.encode() for one in seen)
        same(counted, sorted(one.seq.encode() for one in given + late), "all that was read")


@check(
    "log.page.one_snapshot",
    rule="LogStore.read: entries, tops and floor come from one snapshot",
    kills=("M120",),
)
async def one_snapshot(case: Case) -> None:
    """While a writer is at work, no page covers an entry that it does not hold."""
    user = case.user()
    rounds = case.scale(60, 20)
    async with case.open_log() as store, case.second_log(store) as writer:

        async def write() -> None:
            for n in range(1, rounds + 1):
                await writer.append(user, [entry("phone", n), entry("desk", n)])

        after = NOTHING
        async with beside(write()) as task:
            async for _ in until_done(task):
                page = await store.read(user, after=after, limit=ALL, max_bytes=UNBOUNDED)
                got = tops_of(page.entries).merge(after)
                if page.upto != got or page.tops != got:
                    fail(
                        f"read(after={dict(after)}) beside a writer",
                        got=f"upto {dict(page.upto)}, tops {dict(page.tops)}",
                        want=f"{dict(got)}, which the entries reach",
                    )
                after = page.upto
        same(after, VersionVector({"phone": rounds, "desk": rounds}), "upto in the end")


@check(
    "log.page.abandoned_iterator_releases",
    rule="Log.entries: holds nothing open between pages",
    kills=("M136",),
)
async def abandoned_iterator_releases(case: Case) -> None:
    """Two hundred readings given up half-way hinder no later append and no close."""
    user = case.user()
    given = series("phone", 1, 2 * PAGE_LIMIT)
    async with case.open_log() as store:
        await written(store, user, given)
        log = Log(store)
        for _ in range(case.scale(200, 50)):
            same(await _first(log, user), given[0], "the first entry of a reading")
        await store.append(user, series("phone", len(given) + 1, len(given) + 2))
        want = VersionVector({"phone": len(given) + 2})
        same(await store.tops(user), want, "tops after them")


async def _first(log: Log, user: str) -> Entry | None:
    async for one in log.entries(user):
        return one
    return None
