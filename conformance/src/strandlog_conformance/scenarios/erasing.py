"""Section N: a whole log is removed and leaves a tombstone; and records show damage."""

from __future__ import annotations

from strandlog import Appended, Identity, Page, VersionVector
from strandlog.backend import pack, unpack
from strandlog.errors import ErasedError, StoreCorruptError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, refused, same
from strandlog_conformance.samples import ALL, NOTHING, entry, rows, series, state
from strandlog_conformance.suite import check

_EMPTY = Page([], NOTHING, False, NOTHING, NOTHING)


@check(
    "erase.everything_incl_cursors",
    rule="LogStore.erase: all but a tombstone that refuses appends, until it is lifted",
    kills=("M164", "M165", "M170"),
)
async def everything_incl_cursors(case: Case) -> None:
    """Nothing of the log is left, others are untouched, and a new life begins at 1."""
    user, other = case.user(), case.user()
    given = series("phone", 1, 5) + series("desk", 1, 3)
    redaction = entry("desk", 4, at=90, redacts=Identity("phone", 2))
    async with case.open_log() as store:
        for owner in (user, other):
            await store.append(owner, [*given, redaction])
            await store.append(owner, [entry("desk", 5, at=91, redacts=Identity("phone", 6))])
            await store.trim(owner, "phone", up_to=1)
        before = await state(store, other)
        for generation, again in ((1, 1), (2, 2)):
            for _ in range(again):
                await store.erase(user)
            _demand_empty(await state(store, user))
            asked = {"phone": 3, "desk": 1}
            want: dict[str, str | None] = {"phone": None, "desk": None}
            same(await store.digests(user, asked), want, "digests of an erased log")
            same(user in await store.logs(limit=ALL), True, "the tombstone is in logs()")
            for what, batch in (("a new entry", given[:1]), ("an old one", given[4:5])):
                await refused(
                    store.append(user, batch),
                    ErasedError,
                    f"append of {what} to an erased log",
                    user=user,
                    generation=generation,
                )
            same(await state(store, other), before, "the log of another user")
            same(await store.restore(user), generation, "restore returns the generation")
            same(await store.restore(user), generation, "restore again returns the same")
            _demand_empty(await state(store, user))
            done = await store.append(user, given[:2])
            same(done, Appended(VersionVector({"phone": 2}), 2, 0), "append after restore")
            # Floors and redactions of the former life are gone with it.
            same(await rows(store, user), given[:2], "read after restore and append")
        same(await rows(store, other), _rows_of(before), "read of another user in the end")


def _demand_empty(shown: dict[str, object]) -> None:
    want = {
        "read": _EMPTY,
        "read_range": _EMPTY,
        "reverse": _EMPTY,
        "tops": NOTHING,
        "head": None,
    }
    same(shown, want, "every read of an erased log")


def _rows_of(before: dict[str, object]) -> object:
    page = before["read"]
    return page.entries if isinstance(page, Page) else page


@check(
    "erase.of_nothing",
    rule="LogStore.erase: a log that never was gets its tombstone too",
    kills=("M166",),
)
async def of_nothing(case: Case) -> None:
    """Erasing a user nobody has heard of keeps him out; restoring one changes nothing."""
    user, other = case.user(), case.user()
    async with case.open_log() as store:
        same(await store.restore(other), 0, "restore of a log that was never erased")
        same(other in await store.logs(limit=ALL), False, "it is in logs()")
        await store.erase(user)
        await refused(
            store.append(user, series("phone", 1, 1)),
            ErasedError,
            "append to a log erased before it was",
            user=user,
            generation=1,
        )
        await refused(
            store.append(user, [], floor=VersionVector({"old": 3})),
            ErasedError,
            "append of a floor",
        )
        same(await store.restore(user), 1, "restore")
        await store.append(user, series("phone", 1, 1))
        same(await rows(store, user), series("phone", 1, 1), "read after restore and append")
        await store.append(other, series("phone", 1, 2))
        same(await store.restore(other), 0, "restore of a log that lives")
        same(await rows(store, other), series("phone", 1, 2), "read after it")


@check(
    "record.checksum_detects_any_flip",
    rule="the packed record: one changed bit is StoreCorruptError",
    kills=("M197",),
)
async def checksum_detects_any_flip(case: Case) -> None:
    """Every single bit of a record, turned, is noticed; so is a record under another key."""
    user = case.user()
    one = entry("phone", 7, content=b'"text"', redacts=Identity("desk", 2), meta=b'{"a":1}')
    record = pack(user, one)
    same(unpack(user, "phone", 7, record), one, "unpack of what was packed")
    for bit in range(len(record) * 8):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        await _demand_corrupt(user, "phone", 7, bytes(flipped), f"bit {bit} turned")
    for size in range(len(record)):
        await _demand_corrupt(user, "phone", 7, record[:size], f"cut to {size} bytes")
    await _demand_corrupt(user + "x", "phone", 7, record, "under another user")
    await _demand_corrupt(user, "phone", 8, record, "under another counter")
    await _demand_corrupt(user, "phonf", 7, record, "under another device")


async def _demand_corrupt(user: str, device: str, counter: int, record: bytes, what: str) -> None:
    async def read() -> object:
        return unpack(user, device, counter, record)

    outcome = await attempt(read())
    if not isinstance(outcome, StoreCorruptError):
        fail(f"unpack of a record {what}", got=repr(outcome), want="StoreCorruptError")
