"""Sections D, K and N: however many there are, and however long."""

from __future__ import annotations

from strandlog import Entry, Identity, VersionVector
from strandlog.model import COUNTER_MAX
from strandlog_conformance.case import Case
from strandlog_conformance.expect import same
from strandlog_conformance.samples import ALL, entry, in_order, rows, tops_of, written
from strandlog_conformance.suite import check


@check(
    "log.heads.many_devices",
    rule="LogStore.tops and digests: every device that is there, or asked for",
    kills=("M316", "M317"),
)
async def heads_of_many_devices(case: Case) -> None:
    """Tops name each of many devices, and digests answer for as many at once."""
    user = case.user()
    given = [entry(f"d{n}", 1, at=n) for n in range(1_200)]
    async with case.open_log() as store:
        await written(store, user, given)
        same(await store.tops(user), tops_of(given), "tops of 1200 devices")
        want = {one.device: one.digest for one in given}
        same(await store.digests(user, dict.fromkeys(want, 1)), want, "digests of 1200 devices")
        same(await store.head(user), given[-1].seq, "head of 1200 devices")


@check("log.scope.many", rule="scopes= takes any number of names", kills=("M318",))
async def many_scopes(case: Case) -> None:
    """A reader that sees many scopes sees all of them, and no others."""
    user = case.user()
    given = [entry("phone", n, scope=f"s{n % 1_300}") for n in range(1, 1_401)]
    scopes = {f"s{n}" for n in range(1_250)}
    want = in_order(one for one in given if one.scope in scopes)
    async with case.open_log() as store:
        await written(store, user, given)
        same(await rows(store, user, scopes=scopes), want, "read(scopes=) of 1250 names")
        ranged = await store.read_range(user, scopes=scopes, limit=ALL)
        same(ranged.entries, want, "read_range(scopes=) of 1250 names")


@check(
    "redact.many",
    rule="the protocol page, redaction: it holds for ever, whatever else is redacted",
    kills=("M319",),
)
async def redact_many(case: Case) -> None:
    """Many redactions of one log, all before their targets: each masks its own and no other."""
    user = case.user()
    count = case.scale(1_100, 300)
    targets = [entry(f"d{n % 7}", n // 7 + 1, at=n) for n in range(2 * count)]
    even = targets[::2]
    redactions = [entry("desk", n, at=n, redacts=one.identity) for n, one in enumerate(even, 1)]
    far = entry("desk", count + 1, at=count + 1, redacts=Identity("far", COUNTER_MAX))
    masked = {one.identity for one in even}
    want = [one.without_content() if one.identity in masked else one for one in targets]
    last = entry("far", COUNTER_MAX)
    floor = VersionVector({"far": COUNTER_MAX - 1})
    async with case.open_log() as store:
        await written(store, user, [*redactions, far])
        await written(store, user, targets)
        await store.append(user, [last], floor=floor)
        found = await rows(store, user, after=VersionVector({"desk": count + 1}))
        same(found, in_order([*want, last.without_content()]), f"read after {count} redactions")


@check("data.sizes_of_meta", rule="LogStore.append: meta comes back byte for byte", kills=("M320",))
async def sizes_of_meta(case: Case) -> None:
    """Meta of every length around the borders that a format may have."""
    user = case.user()
    lengths = [2, 127, 128, 255, 256, 257, 4_096, 65_535, 65_536, 65_537]
    room = (case.capabilities.max_entry or ALL) - 500  # the rest of the record takes less
    given: list[Entry] = []
    for n, length in enumerate((one for one in lengths if one < room), 1):
        meta = b'"' + b"m" * (length - 2) + b'"'
        given.append(entry("phone", n, meta=meta, scope="friend"))
        given.append(entry("desk", n, content=b"0", meta=b'{"n":%d}' % length))
    async with case.open_log() as store:
        await store.append(user, given)
        same(await rows(store, user), in_order(given), "read of many lengths of meta")


@check(
    "cursor.big_numbers",
    rule="the protocol page, seq: 12 digits of counter, exact",
    cursors=True,
    kills=("M312",),
)
async def cursor_big_numbers(case: Case) -> None:
    """Places beyond 32 bits and beyond a short float's reach are exact, however they came."""
    user = case.user()
    numbers = [2**24 + 1, 2**31 - 1, 2**31, 2**32, 2**32 + 1, COUNTER_MAX - 1, COUNTER_MAX]
    vector = VersionVector({f"d{n}": n for n in numbers})
    async with case.open_cursors() as store:
        same(await store.advance(user, "r", vector), vector, "advance to big numbers")
        same(await store.load(user, "r"), vector, "load after the advance")
        await store.reset(user, "s", vector)
        same(await store.load(user, "s"), vector, "load after a reset")
        lower = VersionVector({f"d{n}": n - 1 for n in numbers})
        same(await store.advance(user, "s", lower), vector, "advance to one less")
        await store.reset(user, "r", lower)
        same(await store.readers(user), {"r": lower, "s": vector}, "readers")


@check(
    "cursor.many_readers",
    rule="CursorStore.readers: every reader of the log",
    cursors=True,
    kills=("M313",),
)
async def many_readers(case: Case) -> None:
    """None is left out, however many there are; and all of them go when they are erased."""
    user, other = case.user(), case.user()
    count = case.scale(1_200, 300)
    want = {f"{user}/device{n}": VersionVector({"phone": n}) for n in range(1, count + 1)}
    async with case.open_cursors() as store:
        for reader, vector in want.items():
            await store.advance(user, reader, vector)
        await store.advance(other, f"{user}/device1", VersionVector({"phone": 1}))
        same(await store.readers(user), want, f"readers, {count} of them")
        await store.erase(user)
        same(await store.readers(user), {}, "readers after they were erased")
        kept = {f"{user}/device1": VersionVector({"phone": 1})}
        same(await store.readers(other), kept, "readers of another log")
