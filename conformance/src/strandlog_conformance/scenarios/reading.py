"""Section C: what a reader lacks, filtered, counted and handed over."""

from __future__ import annotations

from strandlog import Identity, Log, Page, Seq, VersionVector
from strandlog.errors import InvalidArgumentError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import fail, refused, same, together
from strandlog_conformance.samples import (
    ALL,
    NOTHING,
    UNBOUNDED,
    entry,
    everything,
    in_order,
    rows,
    series,
    tops_of,
    written,
)
from strandlog_conformance.suite import check


@check(
    "log.read.filter_before_limit",
    rule="LogStore.read: limit counts what the filters let through",
    kills=("M13",),
)
async def filter_before_limit(case: Case) -> None:
    """Ten friend entries behind ninety private ones come on a page of ten."""
    user = case.user()
    hidden = series("phone", 1, 90)
    friends = [entry("phone", n, scope="friend") for n in range(91, 101)]
    desk = series("desk", 1, 3, start=2_000)
    tops = VersionVector({"phone": 100, "desk": 3})
    async with case.open_log() as store:
        await written(store, user, hidden + friends + desk)
        page = await store.read(
            user, after=NOTHING, scopes={"friend"}, limit=10, max_bytes=UNBOUNDED
        )
        same(page, Page(friends, tops, False, tops, NOTHING), "read(scopes=friend, limit=10)")
        page = await store.read(
            user, after=NOTHING, scopes={"friend"}, limit=4, max_bytes=UNBOUNDED
        )
        upto = VersionVector({"phone": 94})
        same(page, Page(friends[:4], upto, True, tops, NOTHING), "read(scopes=friend, limit=4)")
        page = await store.read(user, after=NOTHING, devices={"desk"}, limit=3, max_bytes=UNBOUNDED)
        upto = VersionVector({"desk": 3})
        same(page, Page(desk, upto, False, tops, NOTHING), "read(devices=desk, limit=3)")
        page = await store.read_range(user, scopes={"friend"}, limit=10)
        same(page, Page(friends, NOTHING, False, tops, NOTHING), "read_range(friend, limit=10)")
        page = await store.read_range(user, scopes={"friend"}, reverse=True, limit=2)
        same(page.entries, friends[:-3:-1], "read_range(friend, reverse, limit=2)")


@check(
    "log.read.after_unknown_position",
    rule="a reader that is ahead of the store, or of another log, gets nothing and no error",
    kills=("M176",),
)
async def after_unknown_position(case: Case) -> None:
    """Positions beyond the head give nothing; negative ones are no positions."""
    user = case.user()
    given = series("phone", 1, 3)
    async with case.open_log() as store:
        await store.append(user, given)
        ahead = VersionVector({"phone": 999_999_999_999})
        same(await rows(store, user, after=ahead), [], "read after the greatest counter")
        page = await store.read_range(user, after=Seq(10**14, 5, "zebra"), limit=9)
        same(page.entries, [], "read_range after the head")
        log = Log(store)
        await refused(
            log.read(user, after={"phone": -1}), InvalidArgumentError, "read(after={phone: -1})"
        )
        await refused(log.digests(user, {"phone": -1}), InvalidArgumentError, "digests(phone -1)")


@check(
    "log.digests",
    rule="LogStore.digests: the digest of the entry with that counter, None where none is held",
    kills=("M114",),
)
async def digests(case: Case) -> None:
    """Held, missing, zero, beyond the top, unknown device, redacted: one answer for each."""
    user, other = case.user(), case.user()
    given = series("phone", 1, 12) + series("desk", 1, 2)
    async with case.open_log() as store:
        await store.append(user, given)
        await store.append(other, [entry("phone", 1, content=b'"of another log"')])
        await store.append(user, [entry("desk", 3, redacts=Identity("phone", 2))])
        for at, want in (
            ({}, {}),
            ({"phone": 1}, {"phone": given[0].digest}),
            ({"phone": 12, "desk": 2}, {"phone": given[11].digest, "desk": given[13].digest}),
            ({"phone": 13}, {"phone": None}),
            ({"phone": 0, "desk": 4}, {"phone": None, "desk": None}),
            ({"PHONE": 1, "Desk": 1, "phone1": 1}, {"PHONE": None, "Desk": None, "phone1": None}),
            ({"phon": 1, "phone": 2}, {"phon": None, "phone": given[1].digest}),
        ):
            same(await store.digests(user, at), want, f"digests({at})")
        many = {f"d{n}": 1 for n in range(1_200)} | {"phone": 11}
        want_many: dict[str, str | None] = dict.fromkeys(many) | {"phone": given[10].digest}
        same(await store.digests(user, many), want_many, "digests of 1201 devices")


@check(
    "log.read.returned_data_not_live",
    rule="what a store returns is the caller's",
    kills=("M30",),
)
async def returned_data_not_live(case: Case) -> None:
    """A page does not grow afterwards, and spoiling it spoils nothing in the store."""
    user = case.user()
    given = series("phone", 1, 3)
    async with case.open_log() as store:
        await store.append(user, given)
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        ranged = await everything(store, user)
        tops = await store.tops(user)
        await store.append(user, series("phone", 4, 6))

        same(page.entries, given, "entries of a page after a later append")
        same(page.tops, VersionVector({"phone": 3}), "tops of a page after a later append")
        same(ranged.entries, given, "entries of a range after a later append")
        same(tops, VersionVector({"phone": 3}), "tops after a later append")
        for spoilt in (page.entries, ranged.entries, await store.logs(limit=ALL)):
            if isinstance(spoilt, list):
                spoilt.clear()
        (await store.digests(user, {"phone": 1})).clear()
        same(await rows(store, user), series("phone", 1, 6), "read after the pages were emptied")
        same(user in await store.logs(limit=ALL), True, "logs() after its list was emptied")


@check(
    "log.logs.listed",
    rule="LogStore.logs: users that have a log or its tombstone, in bytewise order",
    kills=("M115", "M187"),
)
async def logs_listed(case: Case) -> None:
    """Every user once, in the order of bytes, page by page, tombstones included."""
    async with case.open_log() as store:
        users = [case.user(suffix) for suffix in ("", "~", "A", "z", "%", "_x", "'", ":1")]
        for user in users:
            await store.append(user, series("phone", 1, 1))
        await store.append(users[0], series("phone", 1, 2))
        await store.erase(users[1])
        want = sorted(users, key=str.encode)

        found = await store.logs(limit=ALL)
        same(found, sorted(found, key=str.encode), "the order of logs()")
        same([one for one in found if one in users], want, "the users of this check in logs()")
        paged: list[str] = []
        after = None
        while page := await store.logs(after=after, limit=2):
            if len(page) > 2 or (after is not None and page[0] <= after):
                fail(f"logs(after={after!r}, limit=2)", got=str(page), want="2 users after it")
            paged += page
            after = page[-1]
        same([one for one in paged if one in users], want, "the same, two at a time")
        same(await store.logs(limit=0), [], "logs(limit=0)")
        middle = found[len(found) // 2]
        beyond = [one for one in found if one > middle + "!"]
        same(await store.logs(after=middle + "!", limit=ALL), beyond, "logs(after=no user's name)")
        crowd = [case.user() for _ in range(120)]
        await together(*(store.append(user, [entry("phone", 1)]) for user in crowd))
        missing = set(crowd) - set(await store.logs(limit=ALL))
        same(sorted(missing), [], "users of a crowd of 120 that logs() does not name")


@check(
    "log.read.many_devices",
    rule="LogStore.read: any number of devices and scopes",
    kills=("M177",),
)
async def many_devices(case: Case) -> None:
    """Six hundred devices in two scopes: every read shows them all, in order."""
    user = case.user()
    given = [
        entry(f"d{n}", counter, at=n * 7 % 100 + counter, scope=("private", "friend")[counter % 2])
        for n in range(600)
        for counter in (1, 2)
    ]
    tops = tops_of(given)
    async with case.open_log() as store:
        await written(store, user, given)
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        same(page, Page(in_order(given), tops, False, tops, NOTHING), "read of 600 devices")
        for scopes in ({"friend"}, {"friend", "private"}):
            want = in_order(one for one in given if one.scope in scopes)
            same(await rows(store, user, scopes=scopes), want, f"read(scopes={sorted(scopes)})")
            ranged = await store.read_range(user, scopes=scopes, limit=ALL)
            same(ranged.entries, want, f"read_range(scopes={sorted(scopes)})")
        after = VersionVector(dict.fromkeys(tops, 1))
        want = in_order(one for one in given if one.counter > 1)
        same(await rows(store, user, after=after), want, "read after 1 of each device")
        some = sorted(tops)[:550]
        want = in_order(one for one in given if one.device in some)
        same(await rows(store, user, devices=some), want, "read of 550 of the devices")


@check(
    "log.read.mixed_batch_order",
    rule="LogStore.append: the entries may be of any devices and in any order",
    kills=("M116",),
)
async def mixed_batch_order(case: Case) -> None:
    """A shuffled batch of many devices is the same log as an ordered one."""
    user, other = case.user(), case.user()
    given = [one for n in range(7) for one in series(f"d{n}", 1, 9, start=n, step=7)]
    shuffled = list(given)
    case.random.shuffle(shuffled)
    async with case.open_log() as store:
        await written(store, user, given)
        await store.append(other, shuffled)
        same(await rows(store, other), in_order(given), "read of the shuffled batch")
        same(await rows(store, other), await rows(store, user), "both logs")
        same(await store.tops(other), tops_of(given), "tops of the shuffled batch")
