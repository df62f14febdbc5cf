"""Section N: the oldest entries of a device are removed, and stay so."""

from __future__ import annotations

from strandlog import Appended, Page, VersionVector
from strandlog.errors import GapError, TrimmedError
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
    state,
)
from strandlog_conformance.suite import check


@check(
    "trim.floor_reported_once_reader_continues",
    rule="LogStore.trim: removed, with a floor that reads report",
    kills=("M156", "M157"),
)
async def floor_reported_once_reader_continues(case: Case) -> None:
    """A reader below the floor is told of it, gets what is left and goes on."""
    user = case.user()
    phone, desk = series("phone", 1, 10), series("desk", 1, 4, start=5)
    tops, floor = VersionVector({"phone": 10, "desk": 4}), VersionVector({"phone": 6})
    left = in_order(phone[6:] + desk)
    async with case.open_log() as store:
        await store.append(user, phone + desk)
        same(await store.trim(user, "phone", up_to=6), floor, "trim of phone up to 6")
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        same(page, Page(left, tops, False, tops, floor), "read of all")
        page = await store.read_range(user, limit=ALL)
        same(page, Page(left, NOTHING, False, tops, floor), "read_range of all")
        at = VersionVector({"phone": 3})
        same(await rows(store, user, after=at), left, "read after {phone: 3}, below the floor")
        at = VersionVector({"phone": 8, "desk": 4})
        same(await rows(store, user, after=at), phone[8:], "read after {phone: 8, desk: 4}")
        same(await store.tops(user), tops, "tops")
        same(await store.head(user), phone[-1].seq, "head")
        at_six = {"phone": 6, "desk": 1}
        same(
            await store.digests(user, at_six),
            {"phone": None, "desk": desk[0].digest},
            "digests of a trimmed entry and one that is left",
        )
        same(await store.trim(user, "phone", up_to=2), floor, "trim to less than before")
        same(await store.trim(user, "ghost", up_to=9), floor, "trim of an unknown device")
        both = VersionVector({"phone": 6, "desk": 1})
        same(await store.trim(user, "desk", up_to=1), both, "trim of desk up to 1")
        done = await store.append(user, [entry("phone", 11)])
        same(done, Appended(VersionVector({"phone": 11}), 1, 0), "append after a trim")


@check(
    "trim.newest_of_device_kept",
    rule="LogStore.trim: the newest entry of a device stays",
    kills=("M158",),
)
async def newest_of_device_kept(case: Case) -> None:
    """Trimmed to its top and beyond, a device keeps its newest entry and its place."""
    user, other = case.user(), case.user()
    phone = series("phone", 1, 5)
    async with case.open_log() as store:
        for owner, up_to in ((user, 5), (other, 1_000)):
            await store.append(owner, phone)
            floor = await store.trim(owner, "phone", up_to=up_to)
            same(floor, VersionVector({"phone": 4}), f"trim up to {up_to} of 5")
            same(await rows(store, owner), phone[4:], f"read after trim up to {up_to}")
            same(await store.tops(owner), VersionVector({"phone": 5}), "tops")
            same(await store.head(owner), phone[4].seq, "head")
        await store.append(user, [entry("desk", 1)])
        floor = await store.trim(user, "desk", up_to=1)
        same(floor, VersionVector({"phone": 4}), "trim of the only entry of desk")
        same(len(await rows(store, user)), 2, "entries after it")


@check(
    "trim.no_resurrection",
    rule="the protocol page, trim: at or below the floor nothing is stored or filled in",
    kills=("M159",),
)
async def no_resurrection(case: Case) -> None:
    """What was trimmed does not come back; a batch wholly below the floor is told so."""
    user = case.user()
    phone = series("phone", 1, 10)
    async with case.open_log() as store:
        await store.append(user, phone)
        await store.trim(user, "phone", up_to=6)
        before = await state(store, user)
        for what, batch in (("phone 1 to 6", phone[:6]), ("phone 6", phone[5:6])):
            await refused(
                store.append(user, batch),
                TrimmedError,
                f"append of {what}",
                device="phone",
                floor=6,
            )
            same(await state(store, user), before, f"the log after {what} was refused")
        done = await store.append(user, phone[3:8])
        same(done, Appended(VersionVector({"phone": 10}), 0, 5), "append of phone 4 to 8 again")
        other = entry("phone", 4, content=b'"other"')
        done = await store.append(user, [other, phone[9], entry("phone", 11)])
        same(done, Appended(VersionVector({"phone": 11}), 1, 2), "append of 4, 10 and the new 11")
        same(await rows(store, user), [*phone[6:], entry("phone", 11)], "read of all")


@check(
    "trim.imported_floor",
    rule="LogStore.append: with floor, what was trimmed elsewhere is neither stored nor missed",
    kills=("M160",),
)
async def imported_floor(case: Case) -> None:
    """A log that was trimmed before we came begins above its floor."""
    user = case.user()
    floor = VersionVector({"phone": 100})
    async with case.open_log() as store:
        done = await store.append(user, series("phone", 99, 103), floor=floor)
        same(done, Appended(VersionVector({"phone": 103}), 3, 2), "append of 99 to 103, floor 100")
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        top = VersionVector({"phone": 103})
        same(page, Page(series("phone", 101, 103), top, False, top, floor), "read of all")
        done = await store.append(user, [], floor=VersionVector({"phone": 50, "desk": 7}))
        want = VersionVector({"phone": 103, "desk": 7})
        same(done, Appended(want, 0, 0), "append of nothing, floors 50 and 7")
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        both = VersionVector({"phone": 100, "desk": 7})
        same((page.floor, page.tops), (both, want), "floor and tops: a floor never falls")
        await refused(
            store.append(user, [entry("desk", 9)]),
            GapError,
            "append of desk 9 over the floor 7",
            device="desk",
            expected=8,
            got=9,
        )
        done = await store.append(user, [entry("desk", 8)])
        same(done, Appended(VersionVector({"desk": 8}), 1, 0), "append of desk 8 over the floor 7")


@check(
    "trim.imported_floor_removes_nothing",
    rule="LogStore.append: a floor removes nothing that is held; trim does",
    kills=("M337", "M338"),
)
async def imported_floor_removes_nothing(case: Case) -> None:
    """Entries that were trimmed elsewhere stay where they are, until they are trimmed here."""
    user = case.user()
    phone = series("phone", 1, 6)
    floor, tops = VersionVector({"phone": 4}), VersionVector({"phone": 6})
    async with case.open_log() as store:
        await store.append(user, phone)
        done = await store.append(user, [], floor=floor)
        same(done, Appended(tops, 0, 0), "append of nothing with floor 4, above 4 that are held")
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        same(page, Page(phone, tops, False, tops, floor), "read below an imported floor")
        at = {"phone": 2}
        same(await store.digests(user, at), {"phone": phone[1].digest}, "digest below it")
        other = entry("phone", 2, content=b'"other"')
        done = await store.append(user, [other, phone[5]])
        same(done, Appended(tops, 0, 2), "append of another phone 2: nothing is stored there")
        same(await rows(store, user), phone, "read after it")

        same(await store.trim(user, "phone", up_to=3), floor, "trim up to 3, below that floor")
        same(await rows(store, user), phone[3:], "read after the trim up to 3")
        same(await store.tops(user), tops, "tops after the trim")

        above = case.user()
        await store.append(above, phone)
        await store.append(above, [], floor=VersionVector({"phone": 9}))
        page = await store.read(above, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        nine = VersionVector({"phone": 9})
        same(
            page, Page(phone, nine, False, nine, nine), "read below a floor above all that is held"
        )
        done = await store.append(above, [entry("phone", 10)])
        same(done, Appended(VersionVector({"phone": 10}), 1, 0), "append above it")
        same(await rows(store, above), [*phone, entry("phone", 10)], "read of all in the end")
