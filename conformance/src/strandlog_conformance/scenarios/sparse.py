"""Section N: copies with holes, as friends and late comers have them."""

from __future__ import annotations

from strandlog import Appended, Page, VersionVector
from strandlog.errors import ForkError, GapError, SeqError
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
    turns,
    written,
)
from strandlog_conformance.suite import check, declared

_SPARSE = (declared("sparse"),)


@check(
    "sparse.append_with_upto",
    rule="LogStore.append: with upto counters may skip, and it becomes the top",
    requires=_SPARSE,
    kills=("M144",),
)
async def append_with_upto(case: Case) -> None:
    """A page with holes is stored as it came; a read after its upto finds nothing missing."""
    user = case.user()
    phone = series("phone", 1, 12)
    held = [phone[1], phone[4], phone[8]]
    upto = VersionVector({"phone": 12, "desk": 4})
    async with case.open_log() as store:
        done = await store.append(user, held, upto=upto)
        same(done, Appended(upto, 3, 0), "append of phone 2, 5, 9 with upto 12")
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        same(page, Page(held, upto, False, upto, NOTHING), "read of the copy")
        same(await store.tops(user), upto, "tops of the copy")
        same(await store.head(user), phone[8].seq, "head of the copy")
        at = {"phone": 12, "desk": 4}
        same(await store.digests(user, at), {"phone": None, "desk": None}, "digests of holes")
        page = await store.read(
            user, after=VersionVector({"phone": 5}), limit=1, max_bytes=UNBOUNDED
        )
        same(page, Page([phone[8]], upto, False, upto, NOTHING), "read after {phone: 5}, limit=1")
        done = await store.append(user, [entry("phone", 15)], upto=VersionVector({"phone": 20}))
        same(done, Appended(VersionVector({"phone": 20}), 1, 0), "append of phone 15 with upto 20")
        done = await store.append(user, [], upto=VersionVector({"phone": 33, "new": 2}))
        want = VersionVector({"phone": 33, "new": 2})
        same(done, Appended(want, 0, 0), "append of nothing with upto 33")
        tops = VersionVector({"phone": 33, "desk": 4, "new": 2})
        same(await store.tops(user), tops, "tops in the end")
        same(await rows(store, user), [*held, entry("phone", 15)], "read in the end")


@check(
    "sparse.fill_below_top",
    rule="LogStore.append: an absent entry below the top is filled in",
    requires=_SPARSE,
    kills=("M146",),
)
async def fill_below_top(case: Case) -> None:
    """Absent is filled, equal is a duplicate, other is a fork, falling is refused."""
    user = case.user()
    phone = series("phone", 1, 9)
    upto = VersionVector({"phone": 9})
    async with case.open_log() as store:
        await store.append(user, [phone[2], phone[6]], upto=upto)
        done = await store.append(user, phone[1:5], upto=upto)
        same(done, Appended(upto, 3, 1), "append of phone 2 to 5 over 3 and 7")
        same(await rows(store, user), [*phone[1:5], phone[6]], "read after the filling")
        before = await state(store, user)
        for what, one, error in (
            ("another phone 3", entry("phone", 3, content=b"0"), ForkError),
            ("phone 6 later than phone 7", entry("phone", 6, at=71), SeqError),
            ("phone 6 before phone 5", entry("phone", 6, at=49), SeqError),
            ("phone 10 above upto", entry("phone", 10), GapError),
        ):
            await refused(store.append(user, [one], upto=upto), error, f"append of {what}")
            same(await state(store, user), before, f"the log after {what} was refused")
        await store.append(user, [phone[8], phone[0], phone[5], phone[7]], upto=upto)
        same(await rows(store, user), phone, "read when all holes are filled")
        at = {"phone": 6}
        same(await store.digests(user, at), {"phone": phone[5].digest}, "digest of a filled one")


@check(
    "sparse.upto_never_falls",
    rule="LogStore.append: tops never fall",
    requires=_SPARSE,
    kills=("M147",),
)
async def upto_never_falls(case: Case) -> None:
    """A late page with a lower upto, as after a reordering, takes nothing back."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, [entry("phone", 8)], upto=VersionVector({"phone": 10, "desk": 3}))
        done = await store.append(user, [entry("phone", 2)], upto=VersionVector({"phone": 4}))

        same(done, Appended(VersionVector({"phone": 10}), 1, 0), "append with upto 4 under 10")
        tops = VersionVector({"phone": 10, "desk": 3})
        same(await store.tops(user), tops, "tops")
        got = await rows(store, user)
        same(got, [entry("phone", 2), entry("phone", 8)], "read")
        done = await store.append(user, [entry("phone", 9)], upto=VersionVector())
        same(done, Appended(VersionVector({"phone": 10}), 1, 0), "append of phone 9, empty upto")


@check(
    "sparse.without_upto_still_dense",
    rule="LogStore.append: without upto counters follow the top without a hole",
    requires=_SPARSE,
    kills=("M148",),
)
async def without_upto_still_dense(case: Case) -> None:
    """After a page with holes a plain append continues at the covered top."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, [entry("phone", 3)], upto=VersionVector({"phone": 7}))
        before = await state(store, user)
        await refused(
            store.append(user, [entry("phone", 9)]),
            GapError,
            "append of phone 9 over the covered top 7",
            device="phone",
            expected=8,
            got=9,
        )
        same(await state(store, user), before, "the log after the refusal")
        done = await store.append(user, [entry("phone", 8)])
        same(done, Appended(VersionVector({"phone": 8}), 1, 0), "append of phone 8")
        same(await rows(store, user), [entry("phone", 3), entry("phone", 8)], "read of all")


@check(
    "sparse.pages_of_a_view",
    rule="a filtered view copied page by page with its upto is that view",
    requires=_SPARSE,
    kills=("M144",),
)
async def pages_of_a_view(case: Case) -> None:
    """A friend copies a log through a scope, in pages of any size, while it grows."""
    user, copy = case.user(), case.user()
    scopes = ("friend", "private", "friend", "family")
    given = [
        entry(device, n, at=n * 7 + place, scope=scopes[(n * n + place) % 4])
        for place, device in enumerate(("phone", "desk", "laptop"))
        for n in range(1, 25)
    ]
    friends = in_order(one for one in given if one.scope == "friend")
    async with case.open_log() as store:
        await written(store, user, [one for one in given if one.counter <= 18])
        rest = [one for one in given if one.counter > 18]
        after = NOTHING
        async for _ in turns("pages of a view"):
            page = await store.read(
                user, after=after, scopes={"friend"}, limit=3, max_bytes=UNBOUNDED
            )
            await store.append(copy, page.entries, upto=page.upto)
            same(await store.tops(copy), page.upto, "tops of the copy after a page")
            after = page.upto
            if not page.more and not rest:
                break
            await store.append(user, rest)
            rest = []
        same(await rows(store, copy), friends, "read of the copy")
        same(await store.tops(copy), await store.tops(user), "tops of the copy and the original")


@check(
    "sparse.with_floor",
    rule="LogStore.append: a page of a view may bring floors with it",
    requires=_SPARSE,
    kills=("M190",),
)
async def with_floor(case: Case) -> None:
    """Floor and upto of one page are kept together, of devices with and without entries."""
    user = case.user()
    upto = VersionVector({"phone": 15, "desk": 30, "old": 8})
    floor = VersionVector({"phone": 10, "old": 8})
    given = [entry("phone", 12), entry("phone", 14), entry("desk", 3, at=121)]
    async with case.open_log() as store:
        done = await store.append(user, [entry("phone", 9), *given], upto=upto, floor=floor)
        same(done, Appended(upto, 3, 1), "append with upto and floor, one entry below the floor")
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        same(page, Page(in_order(given), upto, False, upto, floor), "read of the copy")
        done = await store.append(user, [entry("phone", 11)], upto=upto, floor=floor)
        same(done, Appended(upto, 1, 0), "the same page again, with one more entry")
        got = await rows(store, user, devices={"phone"})
        same(got, [entry("phone", n) for n in (11, 12, 14)], "read of phone")


@check(
    "sparse.many_devices",
    rule="LogStore.append: any number of devices in upto and floor",
    requires=_SPARSE,
    kills=("M191",),
)
async def many_devices(case: Case) -> None:
    """An upto of 1200 devices and a floor of as many are kept whole."""
    user = case.user()
    upto = VersionVector({f"d{n}": n + 2 for n in range(1_200)})
    floor = VersionVector({f"d{n}": 1 for n in range(1_200)})
    async with case.open_log() as store:
        done = await store.append(user, [entry("d7", 5)], upto=upto, floor=floor)
        same(done, Appended(upto, 1, 0), "append with 1200 devices in upto and floor")
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        want = Page([entry("d7", 5)], upto, False, upto, floor)
        same(page, want, "read of 1200 devices")
