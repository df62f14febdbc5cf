"""Section A: what an append stores, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

from strandlog import Appended, Entry, Identity, Page, Seq, VersionVector
from strandlog.errors import ForkError, GapError, SeqError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import refused, same
from strandlog_conformance.samples import (
    ALL,
    NOTHING,
    UNBOUNDED,
    entry,
    everything,
    in_order,
    rows,
    series,
    state,
    tops_of,
)
from strandlog_conformance.suite import check


@check(
    "log.append.roundtrip",
    rule="LogStore.append: what was acknowledged is read back, every field of it",
    kills=("M33", "M82", "M103"),
)
async def roundtrip(case: Case) -> None:
    """Entries of two devices, with every optional field, come back whole and in order."""
    user = case.user()
    given = [
        entry("phone", 1, at=20, content=b'{"text":"first"}'),
        entry("phone", 2, at=40, scope="friend", meta=b'{"id":"x1"}'),
        entry("laptop", 1, at=10, content=b"[]", scope="a-b.c_1"),
        entry("laptop", 2, at=30, content=b"7", redacts=Identity("desk", 12)),
    ]
    tops = VersionVector({"phone": 2, "laptop": 2})
    async with case.open_log() as store:
        done = await store.append(user, given)

        same(done, Appended(tops, 4, 0), "append of 4 new entries")
        page = await store.read(user, after=NOTHING, limit=50, max_bytes=UNBOUNDED)
        same(page, Page(in_order(given), tops, False, tops, NOTHING), "read of all")
        same(await store.tops(user), tops, "tops")
        same(
            await store.digests(user, {"phone": 2, "laptop": 1}),
            {"phone": given[1].digest, "laptop": given[2].digest},
            "digests of phone 2 and laptop 1",
        )


@check(
    "log.append.counters_dense",
    rule="LogStore.append: counters follow the top without a hole and are never reused",
    kills=("M38", "M80"),
)
async def counters_dense(case: Case) -> None:
    """Tops grow by what was added, also through another opener and inside one millisecond."""
    user = case.user()
    given = series("phone", 1, 9, start=500, step=0)
    async with case.open_log() as store, case.second_log(store) as other:
        for first, last in ((1, 1), (2, 4), (5, 5), (6, 9)):
            opener = store if first % 2 else other
            done = await opener.append(user, given[first - 1 : last])
            want = Appended(VersionVector({"phone": last}), last - first + 1, 0)
            same(done, want, f"append of phone {first} to {last}")
            same(await store.tops(user), VersionVector({"phone": last}), f"tops after {last}")
        same(await rows(store, user), given, "read of all")


@check(
    "log.append.duplicate_noop",
    rule="LogStore.append: repeating a call changes nothing",
    kills=("M01", "M06", "M104"),
)
async def duplicate_noop(case: Case) -> None:
    """A batch sent again, whole or overlapping, adds only what is new."""
    user = case.user()
    given = series("phone", 1, 6)
    async with case.open_log() as store:
        await store.append(user, given[:4])
        before = await state(store, user)
        done = await store.append(user, given[:4])
        same(done, Appended(VersionVector({"phone": 4}), 0, 4), "append of the same 4 again")
        same(await state(store, user), before, "the log after the repetition")

        done = await store.append(user, given[1:])
        same(
            done, Appended(VersionVector({"phone": 6}), 2, 3), "append of phone 2 to 6 over 1 to 4"
        )
        same(await rows(store, user), given, "read after the overlap")
        done = await store.append(user, given[2:3])
        same(done, Appended(VersionVector({"phone": 6}), 0, 1), "append of phone 3 over 1 to 6")
        same((await everything(store, user)).entries, given, "read_range after all")


@check(
    "log.append.duplicate_inside_batch",
    rule="LogStore.append: an entry that comes twice in one batch is one entry",
    kills=("M51",),
)
async def duplicate_inside_batch(case: Case) -> None:
    """Twice the same entry in one batch is stored once and counted as a duplicate."""
    user = case.user()
    first, second = series("phone", 1, 2)
    async with case.open_log() as store:
        done = await store.append(user, [first, first, second, first])

        same(done, Appended(VersionVector({"phone": 2}), 2, 2), "append of 1, 1, 2, 1")
        same(await rows(store, user), [first, second], "read of all")
        await refused(
            store.append(user, [entry("phone", 3), entry("phone", 3, content=b'"other"')]),
            ForkError,
            "append of two different entries phone 3 in one batch",
            device="phone",
            counter=3,
        )
        same(await rows(store, user), [first, second], "read after the refusal")


@check(
    "log.append.same_number_other_device",
    rule="the protocol page, digest: identity is user, device and counter",
    kills=("M07",),
)
async def same_number_other_device(case: Case) -> None:
    """Two devices may have the same counter, time and content; both are kept."""
    user, other = case.user(), case.user()
    given = [entry(device, 1, at=5, content=b'"same"') for device in ("phone", "phone2", "desk")]
    async with case.open_log() as store:
        for one in given:
            same(
                await store.append(user, [one]),
                Appended(VersionVector({one.device: 1}), 1, 0),
                f"append of {one.device} 1",
            )
        done = await store.append(other, given[:1])
        same(done, Appended(VersionVector({"phone": 1}), 1, 0), "append of it in another's log")
        same(await rows(store, user), in_order(given), "read of all")
        same(await rows(store, other), given[:1], "read of the other log")


@check(
    "log.append.conflict_refused",
    rule="LogStore.append: an identity taken by another digest is ForkError; the first stays",
    kills=("M02", "M03", "M105"),
)
async def conflict_refused(case: Case) -> None:
    """Whatever differs (content, time, scope, redacts, meta), the first one stays."""
    user = case.user()
    first, taken, last = (
        entry("phone", 1, at=10),
        entry("phone", 2, at=20, content=b'"kept"', scope="friend", meta=b'{"a":1}'),
        entry("phone", 3, at=30),
    )
    long = entry("phone", 4, at=40, content=b"x" * 70_000)
    others: dict[str, Entry] = {
        "content of the same length": replace(taken, content=b'"kepT"', digest=""),
        "content": replace(taken, content=b'"new"', digest=""),
        "timestamp": replace(taken, seq=Seq(21, 2, "phone"), digest=""),
        "scope": replace(taken, scope="private", digest=""),
        "redacts": replace(taken, redacts=Identity("desk", 1), digest=""),
        "meta": replace(taken, meta=b'{"a":2}', digest=""),
        "no meta": replace(taken, meta=None, digest=""),
        "digest, without content": replace(taken, content=None, meta=None, digest="0" * 32),
    }
    async with case.open_log() as store:
        await store.append(user, [first, taken, last])
        if (case.capabilities.max_entry or ALL) > 2 * len(long.content or b""):
            await store.append(user, [long])
            other = replace(long, content=b"x" * 69_999 + b"y", digest="")
            call = "append of a long entry whose last byte differs"
            await refused(store.append(user, [other]), ForkError, call, counter=4)
        before = await state(store, user)
        for what, other in others.items():
            await refused(
                store.append(user, [other]),
                ForkError,
                f"append of phone 2 with another {what}",
                device="phone",
                counter=2,
            )
            same(await state(store, user), before, f"the log after another {what} was refused")


@check(
    "log.append.zero_numbers",
    rule="the protocol page, seq: 0 is a timestamp like any other; the first counter is 1",
    kills=("M58",),
)
async def zero_numbers(case: Case) -> None:
    """A timestamp of 0 is a value, not a missing one."""
    user = case.user()
    given = [entry("phone", 1, at=0), entry("phone", 2, at=0), entry("desk", 1, at=0)]
    async with case.open_log() as store:
        await store.append(user, given[:1])
        same(await store.head(user), Seq(0, 1, "phone"), "head of a log with only timestamp 0")
        await store.append(user, given[1:])
        same(await rows(store, user), in_order(given), "read of all")
        page = await store.read_range(user, after=Seq(0, 1, "desk"), limit=9)
        same(page.entries, given[:2], "read_range after 0:1:desk")
        same(
            await rows(store, user, after=VersionVector({"phone": 0, "desk": 1})),
            given[:2],
            "read after {phone: 0, desk: 1}",
        )
        await store.append(user, [entry("phone", 3, at=7)])
        await refused(
            store.append(user, [entry("phone", 4, at=0)]),
            SeqError,
            "append of phone 4 at 0 behind phone 3 at 7",
            device="phone",
            counter=4,
            least=7,
        )


@check(
    "log.append.gap_refused",
    rule="LogStore.append: a counter that does not follow the top is GapError; nothing is stored",
    kills=("M106",),
)
async def gap_refused(case: Case) -> None:
    """A batch with a hole is refused whole; one that closes it itself is fine, in any order."""
    user = case.user()
    phone = series("phone", 1, 6)
    async with case.open_log() as store:
        await store.append(user, phone[:1])
        before = await state(store, user)
        for what, batch, device, expected, got in (
            ("phone 3 over 1", [phone[2]], "phone", 2, 3),
            ("desk 2 into nothing", [entry("desk", 2)], "desk", 1, 2),
            ("phone 2, 4", [phone[1], phone[3]], "phone", 3, 4),
            ("phone 1 again and 3", [phone[0], phone[2]], "phone", 2, 3),
            ("desk 1 and phone 3", [entry("desk", 1), phone[2]], "phone", 2, 3),
            ("phone 2 and tablet 5", [phone[1], entry("tablet", 5)], "tablet", 1, 5),
        ):
            await refused(
                store.append(user, batch),
                GapError,
                f"append of {what}",
                device=device,
                expected=expected,
                got=got,
            )
            same(await state(store, user), before, f"the log after {what} was refused")
        done = await store.append(user, [phone[3], phone[1], phone[2]])
        same(done, Appended(VersionVector({"phone": 4}), 3, 0), "append of phone 4, 2, 3 over 1")
        same(await rows(store, user), phone[:4], "read of all")


@check(
    "log.append.read_your_write",
    rule="LogStore.append: what is acknowledged is visible at once",
    kills=("M33",),
)
async def read_your_write(case: Case) -> None:
    """Thirty times: append, then read by every call and through every opener."""
    user = case.user()
    given = series("phone", 1, case.scale(30, 10))
    async with case.open_log() as store, case.second_log(store) as other:
        for count, one in enumerate(given, 1):
            await store.append(user, [one])
            for opener in (store, other):
                same(await rows(opener, user), given[:count], f"read after append {count}")
                same(await opener.head(user), one.seq, f"head after append {count}")
                same(await opener.tops(user), tops_of(given[:count]), f"tops after append {count}")
