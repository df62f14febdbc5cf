"""Section C: ranges of a log, either way, with every kind of bound."""

from __future__ import annotations

from itertools import product

from strandlog import Entry, Log, Page, Seq
from strandlog.errors import InvalidArgumentError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import refused, same
from strandlog_conformance.samples import (
    ALL,
    NOTHING,
    UNBOUNDED,
    entry,
    in_order,
    rows,
    series,
    tops_of,
)
from strandlog_conformance.suite import check

_RULE = "LogStore.read_range: after is excluded, up_to included, whichever way is read"


def _seven() -> list[Entry]:
    """Return seven entries in order, with ties in time and in counter."""
    given = [
        entry("b", 1, at=10),
        entry("a", 1, at=20),
        entry("b", 2, at=20),
        entry("c", 1, at=20),
        entry("a", 2, at=30),
        entry("a", 3, at=30),
        entry("c", 2, at=40),
    ]
    return in_order(given)


def _within(given: list[Entry], after: Seq | None, up_to: Seq | None) -> list[Entry]:
    return [
        one
        for one in given
        if (after is None or one.seq > after) and (up_to is None or one.seq <= up_to)
    ]


@check("log.range.bounds", rule=_RULE, kills=("M10", "M11", "M112"))
async def bounds(case: Case) -> None:
    """All pairs of seven entries and no bound, forwards and backwards."""
    user = case.user()
    given = _seven()
    tops = tops_of(given)
    async with case.open_log() as store:
        await store.append(user, given)
        ends = [None, *(one.seq for one in given)]
        for after, up_to, reverse in product(ends, ends, (False, True)):
            page = await store.read_range(
                user, after=after, up_to=up_to, reverse=reverse, limit=ALL
            )
            want = _within(given, after, up_to)
            if reverse:
                want.reverse()
            same(
                page,
                Page(want, NOTHING, False, tops, NOTHING),
                f"read_range(after={after}, up_to={up_to}, reverse={reverse})",
            )


@check("log.range.between_keys", rule=_RULE, kills=("M112",))
async def between_keys(case: Case) -> None:
    """A bound need not be an entry: between two, in one millisecond, before and after all."""
    user = case.user()
    given = _seven()
    ends = [
        Seq(0, 1, "a"),
        Seq(10, 1, "a"),
        Seq(10, 1, "c"),
        Seq(15, 9, "z"),
        Seq(20, 1, "aa"),
        Seq(20, 1, "b"),
        Seq(20, 2, "a"),
        Seq(20, 10, "a"),
        Seq(30, 1, "zz"),
        Seq(40, 2, "b"),
        Seq(40, 2, "d"),
        Seq(10**14, 1, "a"),
    ]
    async with case.open_log() as store:
        await store.append(user, given)
        for after, up_to in product(ends, ends):
            page = await store.read_range(user, after=after, up_to=up_to, limit=ALL)
            same(
                page.entries,
                _within(given, after, up_to),
                f"read_range(after={after}, up_to={up_to}), neither is an entry",
            )


@check(
    "log.range.empty_and_inverted",
    rule="LogStore.read_range: an inverted range is empty",
    kills=("M10",),
)
async def empty_and_inverted(case: Case) -> None:
    """A range that is inverted, empty or of an empty log gives nothing and no error."""
    user, nobody = case.user(), case.user()
    given = _seven()
    first, last = given[0].seq, given[-1].seq
    nothing = Page([], NOTHING, False, tops_of(given), NOTHING)
    async with case.open_log() as store:
        await store.append(user, given)
        for after, up_to in ((last, first), (first, first), (last, last), (last, None)):
            for reverse in (False, True):
                page = await store.read_range(
                    user, after=after, up_to=up_to, reverse=reverse, limit=ALL
                )
                same(page, nothing, f"read_range(after={after}, up_to={up_to}, {reverse=})")
        page = await store.read_range(nobody, after=first, up_to=last, limit=ALL)
        same(page, Page([], NOTHING, False, NOTHING, NOTHING), "read_range of an empty log")


@check("log.range.limit", rule="limit= counts entries; 0 gives none", kills=("M14", "M113"))
async def limit(case: Case) -> None:
    """Limits of 0, 1, one less, all and one more, in both kinds of read, with ``more``."""
    user = case.user()
    given = _seven()
    tops = tops_of(given)
    async with case.open_log() as store:
        await store.append(user, given)
        for count in (0, 1, 6, 7, 8):
            more = count < len(given)
            page = await store.read_range(user, limit=count)
            want = Page(given[:count], NOTHING, more, tops, NOTHING)
            same(page, want, f"read_range(limit={count})")
            page = await store.read(user, after=NOTHING, limit=count, max_bytes=UNBOUNDED)
            upto = tops_of(given[:count]) if more else tops
            same(page, Page(given[:count], upto, more, tops, NOTHING), f"read(limit={count})")
        page = await store.read_range(user, after=given[2].seq, up_to=given[5].seq, limit=3)
        same(page.more, False, "more of read_range of exactly 3 with limit=3")
        log = Log(store)
        await refused(log.read_range(user, limit=-1), InvalidArgumentError, "read_range(limit=-1)")
        await refused(log.read(user, limit=-1), InvalidArgumentError, "read(limit=-1)")
        await refused(log.read(user, max_bytes=-1), InvalidArgumentError, "read(max_bytes=-1)")


@check("log.range.reverse_with_limit", rule=_RULE, kills=("M57", "M167"))
async def reverse_with_limit(case: Case) -> None:
    """Backwards with a limit gives the last ones, not the first ones turned round."""
    user = case.user()
    given = _seven()
    tops = tops_of(given)
    async with case.open_log() as store:
        await store.append(user, given)
        for count in (0, 1, 3, 6, 7, 8):
            page = await store.read_range(user, reverse=True, limit=count)
            want = Page(given[::-1][:count], NOTHING, count < len(given), tops, NOTHING)
            same(page, want, f"read_range(reverse=True, limit={count})")
        page = await store.read_range(
            user, after=given[0].seq, up_to=given[4].seq, reverse=True, limit=2
        )
        want = Page([given[4], given[3]], NOTHING, True, tops, NOTHING)
        same(page, want, "read_range(after the 1st, up to the 5th, reverse=True, limit=2)")


@check("log.range.law", rule=_RULE, kills=("M167",))
async def law(case: Case) -> None:
    """On random logs and bounds, a range is what filtering the whole log gives."""
    user = case.user()
    given = in_order(
        one
        for device in "abcd"
        for one in series(device, 1, 12, start=case.random.randint(0, 30), step=5)
    )
    async with case.open_log() as store:
        await store.append(user, given)
        same(await rows(store, user), given, "read of all")
        for _ in range(case.scale(60, 20)):
            after, up_to = (
                Seq(case.random.randint(0, 100), case.random.randint(1, 12), device)
                for device in case.random.choices("aAbcdz", k=2)
            )
            reverse, count = case.random.random() < 0.5, case.random.randint(0, 20)
            page = await store.read_range(
                user, after=after, up_to=up_to, reverse=reverse, limit=count
            )
            want = _within(given, after, up_to)[:: -1 if reverse else 1]
            call = f"read_range(after={after}, up_to={up_to}, {reverse=}, limit={count})"
            same(page.entries, want[:count], call)
            same(page.more, count < len(want), f"more of {call}")
