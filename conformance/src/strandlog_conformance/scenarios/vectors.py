"""Section D: heads, tops, and what a version vector says is due."""

from __future__ import annotations

from strandlog import Page, Seq, VersionVector
from strandlog_conformance.case import Case
from strandlog_conformance.expect import same
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

_RULE = "LogStore.read: what a reader with this version vector lacks"


@check(
    "log.heads.empty_and_max",
    rule="LogStore.head is the greatest seq, LogStore.tops the greatest counter of each device",
    kills=("M55", "M19", "M24", "M122"),
)
async def heads_empty_and_max(case: Case) -> None:
    """Neither the newest arrival nor the greatest counter makes a head."""
    user = case.user()
    async with case.open_log() as store:
        same(await store.head(user), None, "head of an empty log")
        same(await store.tops(user), NOTHING, "tops of an empty log")
        await store.append(user, [entry("desk", 1, at=900)])
        await store.append(user, series("phone", 1, 12, start=0, step=1))
        await store.append(user, [entry("a-b.c_d~e", 1, at=5), entry("a", 1, at=6)])
        same(await store.head(user), Seq(900, 1, "desk"), "head")
        tops = VersionVector({"desk": 1, "phone": 12, "a-b.c_d~e": 1, "a": 1})
        same(await store.tops(user), tops, "tops")
        await store.append(user, [entry("phone", 13, at=900)])
        same(await store.head(user), Seq(900, 13, "phone"), "head, equal timestamps")


@check("log.since.vector", rule=_RULE, kills=("M18", "M123"))
async def since_vector(case: Case) -> None:
    """The seed's numbers: at 52 of two devices, a reader at 42 and 46 gets 10 and 6."""
    user = case.user()
    phone, desk = series("phone", 1, 52), series("desk", 1, 52, start=3)
    own = series("laptop", 1, 5, start=100)
    have = VersionVector({"phone": 42, "desk": 46, "laptop": 5})
    tops = VersionVector({"phone": 52, "desk": 52, "laptop": 5})
    due = in_order(phone[42:] + desk[46:])
    async with case.open_log() as store:
        await written(store, user, phone + desk + own)
        page = await store.read(user, after=have, limit=ALL, max_bytes=UNBOUNDED)

        same(page, Page(due, tops, False, tops, NOTHING), "read after {phone: 42, desk: 46}")
        same(len(page.entries), 16, "how many are due")
        page = await store.read(user, after=have, limit=5, max_bytes=UNBOUNDED)
        upto = have.replace(tops_of(due[:5]))
        same(page, Page(due[:5], upto, True, tops, NOTHING), "the same with limit=5")


@check("log.since.unknown_devices", rule=_RULE, kills=("M124",))
async def since_unknown_devices(case: Case) -> None:
    """Devices that only the reader knows, or only the log knows, are no error."""
    user = case.user()
    given = series("phone", 1, 3)
    tops = VersionVector({"phone": 3})
    async with case.open_log() as store:
        await store.append(user, given)
        page = await store.read(
            user, after=VersionVector({"ghost": 7}), limit=ALL, max_bytes=UNBOUNDED
        )
        same(page, Page(given, tops, False, tops, NOTHING), "read after {ghost: 7}")
        same(await rows(store, user, devices={"ghost"}), [], "read(devices=ghost)")
        same(await rows(store, user, devices=set()), [], "read(devices=none)")
        many = VersionVector({f"g{n}": 1 for n in range(1_200)} | {"phone": 2})
        same(await rows(store, user, after=many), given[2:], "read after 1201 devices")


@check(
    "log.since.vector_ahead",
    rule="Page.upto: where it is less than after, the reader learns that the store lost data",
    kills=("M124",),
)
async def since_vector_ahead(case: Case) -> None:
    """A reader who holds more than the store gets nothing of that device, and is told."""
    user = case.user()
    phone, desk = series("phone", 1, 3), series("desk", 1, 2)
    tops = VersionVector({"phone": 3, "desk": 2})
    async with case.open_log() as store:
        await store.append(user, phone + desk)
        ahead = VersionVector({"phone": 60})
        page = await store.read(user, after=ahead, limit=ALL, max_bytes=UNBOUNDED)

        same(page, Page(desk, tops, False, tops, NOTHING), "read after {phone: 60}, which is at 3")
        page = await store.read(user, after=ahead, devices={"desk"}, limit=ALL, max_bytes=UNBOUNDED)
        upto = VersionVector({"phone": 60, "desk": 2})
        same(page, Page(desk, upto, False, tops, NOTHING), "the same of desk only")


@check(
    "log.since.excludes_self_exactly",
    rule="names are whole components: a device is not its prefix, nor its other case",
    kills=("M125",),
)
async def since_excludes_self_exactly(case: Case) -> None:
    """Asked without ``a``, a log still gives ``ab``, ``A`` and ``a~x``; asked for it, only it."""
    user = case.user()
    names = ["a", "ab", "A", "a~x", "a.", "b", "_", "a_", "aXb"]
    given = [one for n, name in enumerate(names) for one in series(name, 1, 3, start=n, step=9)]
    async with case.open_log() as store:
        await store.append(user, given)
        for name in names:
            without = [one for one in given if one.device != name]
            got = await rows(store, user, after=VersionVector({name: 3}))
            same(got, in_order(without), f"read after {{{name}: 3}}")
            only = [one for one in given if one.device == name]
            same(await rows(store, user, devices=[name]), only, f"read(devices={name})")


@check("log.since.equals_range_minus_vector", rule=_RULE, kills=("M176",))
async def since_equals_range_minus_vector(case: Case) -> None:
    """On random logs and vectors, what is due is the range less what the vector covers."""
    async with case.open_log() as store:
        for _ in range(case.scale(12, 4)):
            user = case.user()
            sizes = {f"d{n}": case.random.randint(0, 9) for n in range(5)}
            for device, size in sizes.items():
                start = case.random.randint(0, 60)
                await store.append(user, series(device, 1, size, start=start, step=6))
            after = VersionVector({d: case.random.randint(0, 11) for d in sizes})
            devices = case.random.sample(sorted(sizes), 3) if case.random.random() < 0.5 else None
            whole = (await everything(store, user)).entries
            want = [
                one
                for one in whole
                if one.counter > after[one.device] and (devices is None or one.device in devices)
            ]
            got = await rows(store, user, after=after, devices=devices)
            same(got, want, f"read(after={dict(after)}, devices={devices}) of {sizes}")


@check("log.head.equals_last_read", rule="LogStore.head: the greatest seq", kills=("M122",))
async def head_equals_last_read(case: Case) -> None:
    """Whatever arrives, the head is the last entry of a read and the tops its counters."""
    user = case.user()
    async with case.open_log() as store:
        clocks = {"a": 0, "b": 500, "c": 250}
        counters = dict.fromkeys(clocks, 0)
        for turn in range(case.scale(40, 15)):
            device = case.random.choice(sorted(clocks))
            clocks[device] += case.random.randint(0, 40)
            counters[device] += 1
            await store.append(user, [entry(device, counters[device], at=clocks[device])])
            found = await rows(store, user)
            same(await store.head(user), found[-1].seq, f"head after append {turn}")
            same(await store.tops(user), tops_of(found), f"tops after append {turn}")
            same(tops_of(found), VersionVector(counters), f"counters after append {turn}")
