"""Section B: one order, whatever the clocks, the names and the way of arrival."""

from __future__ import annotations

from importlib.resources import files
from itertools import permutations

from strandlog import Entry, Seq, VersionVector
from strandlog.errors import SeqError
from strandlog.model import TIMESTAMP_MAX
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
    shuffled_devices,
    state,
    written,
)
from strandlog_conformance.suite import check

_SEQ_RULE = "the protocol page, seq: entries are ordered by timestamp, counter and device"


@check("log.order.numeric_not_text", rule=_SEQ_RULE, kills=("M08",))
async def numeric_not_text(case: Case) -> None:
    """9 comes before 10 and 10 before 100, in timestamps and in counters."""
    user, other = case.user(), case.user()
    stamps = [1, 2, 9, 10, 11, 99, 100, 101, 999, 1_000, 9_999, 10_000, 2**31, 2**32, 10**14]
    by_time = [entry("phone", n, at=at) for n, at in enumerate(stamps, 1)]
    by_counter = series("phone", 1, 120, start=7, step=0)
    async with case.open_log() as store:
        await store.append(user, by_time)
        await written(store, other, by_counter)
        for owner, given, what in ((user, by_time, "timestamps"), (other, by_counter, "counters")):
            same(await rows(store, owner), given, f"read, {what}")
            same((await everything(store, owner)).entries, given, f"read_range, {what}")
            same(await store.head(owner), given[-1].seq, f"head, {what}")
        part = await store.read_range(other, after=by_counter[8].seq, limit=3)
        same(part.entries, by_counter[9:12], "read_range after counter 9")
        part = await store.read_range(user, up_to=by_time[3].seq, reverse=True, limit=3)
        same(part.entries, by_time[3:0:-1], "read_range up to timestamp 10, reverse")


@check("log.order.tie_by_device", rule=_SEQ_RULE, kills=("M110",))
async def tie_by_device(case: Case) -> None:
    """Equal timestamps go by counter, equal counters by device."""
    user = case.user()
    given = [one for device in "cab" for one in series(device, 1, 3, start=50, step=0)]
    async with case.open_log() as store:
        await store.append(user, given)

        same(await rows(store, user), in_order(given), "read of 3 devices in one millisecond")
        same((await everything(store, user)).entries, in_order(given), "read_range of the same")
        same(await store.head(user), Seq(50, 3, "c"), "head of the same")


@check("log.order.total_and_stable", rule=_SEQ_RULE, kills=("M116",))
async def total_and_stable(case: Case) -> None:
    """The same set, shuffled anew for each log, is read in one order every time."""
    given = [one for device in "xyz" for one in series(device, 1, 4, start=5, step=1)]
    async with case.open_log() as store:
        for turn in range(case.scale(40, 10)):
            user, batch = case.user(), list(given)
            case.random.shuffle(batch)
            await store.append(user, batch)
            same(await rows(store, user), in_order(given), f"read of shuffle {turn}")
            same(await rows(store, user), in_order(given), f"second read of shuffle {turn}")


@check("log.order.insertion_independent", rule=_SEQ_RULE, kills=("M122",))
async def insertion_independent(case: Case) -> None:
    """Whichever way five entries of five devices arrive one by one, they end in one order."""
    given = [entry(device, 1, at=at) for device, at in zip("edcba", (3, 3, 2, 9, 1), strict=True)]
    arrivals = list(permutations(given))
    case.random.shuffle(arrivals)
    async with case.open_log() as store:
        for arrival in arrivals[: case.scale(40, 10)]:
            user = case.user()
            for one in arrival:
                await store.append(user, [one])
            came = " ".join(one.device for one in arrival)
            same(await rows(store, user), in_order(given), f"read after {came} came")
            same(await store.head(user), Seq(9, 1, "b"), f"head after {came} came")


@check(
    "log.order.late_old_timestamp",
    rule="the protocol page, seq: the order is never a cursor",
    kills=("M17", "M18"),
)
async def late_old_timestamp(case: Case) -> None:
    """What a device wrote offline sorts first and is still news to a reader who is caught up.

    The phone writes at 10 without a network. The laptop writes at 50 and is
    read. Now the phone connects: its entry lies before all that was read.
    """
    user = case.user()
    laptop, phone = series("laptop", 1, 3, start=50, step=1), series("phone", 1, 2, start=10)
    async with case.open_log() as store:
        await store.append(user, laptop)
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        await store.append(user, phone)

        same(await rows(store, user, after=page.upto), phone, "read after the first page's upto")
        same(await rows(store, user), phone + laptop, "read of all")
        same((await everything(store, user)).entries, phone + laptop, "read_range of all")
        same(await store.head(user), laptop[-1].seq, "head")


@check(
    "log.order.clock_steps_back",
    rule="the protocol page, clock: a timestamp never falls from one counter to the next",
    kills=("M18", "M19", "M111"),
)
async def clock_steps_back(case: Case) -> None:
    """A device whose clock is behind is read by counter; a clock that falls is refused."""
    user = case.user()
    ahead, behind = series("ahead", 1, 3, start=1_000), series("behind", 1, 3, start=0)
    async with case.open_log() as store:
        await store.append(user, ahead[:2])
        await store.append(user, behind)
        await store.append(user, ahead[2:])
        same(await store.tops(user), VersionVector({"ahead": 3, "behind": 3}), "tops")
        seen = VersionVector({"ahead": 2, "behind": 1})
        same(
            await rows(store, user, after=seen),
            in_order([*behind[1:], ahead[2]]),
            "read after {ahead: 2, behind: 1}",
        )
        before = await state(store, user)
        await refused(
            store.append(user, [entry("behind", 4, at=29)]),
            SeqError,
            "append of behind 4 at 29 after behind 3 at 30",
            device="behind",
            counter=4,
            least=30,
        )
        await refused(
            store.append(user, [entry("new", 1, at=90), entry("new", 2, at=89)]),
            SeqError,
            "append of new 1 at 90 and new 2 at 89",
            device="new",
            counter=2,
            least=90,
        )
        same(await state(store, user), before, "the log after both were refused")
        await store.append(user, [entry("behind", 4, at=30)])
        same(await store.tops(user), VersionVector({"ahead": 3, "behind": 4}), "tops, equal stamp")


@check(
    "log.order.far_future_clock",
    rule="the protocol page, clock: an entry far in the future is stored and hides nothing",
    kills=("M18",),
)
async def far_future_clock(case: Case) -> None:
    """One entry at the end of time does not hide the normal ones that come after it."""
    user = case.user()
    future = entry("broken", 1, at=TIMESTAMP_MAX)
    normal = series("phone", 1, 3)
    async with case.open_log() as store:
        await store.append(user, [future])
        page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
        same(page.entries, [future], "read of the one far ahead")
        await store.append(user, normal)

        same(await rows(store, user, after=page.upto), normal, "read after it")
        same(await rows(store, user), [*normal, future], "read of all")
        same(await store.head(user), future.seq, "head")
        same(await store.tops(user), VersionVector({"broken": 1, "phone": 3}), "tops")


@check("log.order.device_name_collation", rule=_SEQ_RULE, kills=("M121",))
async def device_name_collation(case: Case) -> None:
    """Names that differ by case, punctuation or length sort by their bytes."""
    user = case.user()
    given = [entry(device, 1, at=5) for device in shuffled_devices()]
    async with case.open_log() as store:
        await store.append(user, given)

        want = [one.device for one in in_order(given)]
        got = [one.device for one in await rows(store, user)]
        same(got, want, "the devices of read, all at 5:1")
        got = [one.device for one in (await everything(store, user)).entries]
        same(got, want, "the devices of read_range, all at 5:1")
        tops = await store.tops(user)
        same(tops, VersionVector(dict.fromkeys(want, 1)), "tops")
        same(await store.head(user), Seq(5, 1, "~"), "head")


@check("log.order.reverse_is_mirror", rule="LogStore.read_range: reverse", kills=("M57",))
async def reverse_is_mirror(case: Case) -> None:
    """Backwards is forwards turned round, ties and scopes included."""
    user = case.user()
    given = [one for device in "qpr" for one in series(device, 1, 5, start=3, step=1)]
    given += [entry("s", n, at=6, scope="friend") for n in range(1, 4)]
    async with case.open_log() as store:
        await store.append(user, given)
        for scopes in (None, {"friend"}, {"private"}):
            forwards = await store.read_range(user, scopes=scopes, limit=ALL)
            backwards = await store.read_range(user, scopes=scopes, reverse=True, limit=ALL)
            want = [one for one in in_order(given) if scopes is None or one.scope in scopes]
            same(forwards.entries, want, f"read_range(scopes={scopes})")
            same(backwards.entries, want[::-1], f"read_range(scopes={scopes}, reverse)")


@check("log.order.golden_vectors", rule=_SEQ_RULE, kills=("M08", "M121"))
async def golden_vectors(case: Case) -> None:
    """200 seqs in the order of a file that is the same for every language."""
    user = case.user()
    text = files("strandlog_conformance").joinpath("data/seq_order.txt").read_text("ascii")
    want = [Seq.parse(line) for line in text.splitlines() if not line.startswith("#")]
    given = [Entry(seq, "private", b"0") for seq in want]
    same([one.encode() for one in sorted(want)], [one.encode() for one in want], "Seq order")
    shuffled = list(given)
    case.random.shuffle(shuffled)
    async with case.open_log() as store:
        if case.capabilities.max_batch is None:
            await store.append(user, shuffled)
        else:
            await written(store, user, shuffled)

        same(await rows(store, user), given, "read of the golden seqs")
        same((await everything(store, user)).entries, given, "read_range of the golden seqs")
