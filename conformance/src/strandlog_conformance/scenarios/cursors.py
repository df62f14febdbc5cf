"""Section K: how far each reader has come, one value at a time."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog.backend import CursorStore, Durability, Handles
from strandlog.errors import InvalidArgumentError
from strandlog.model import COUNTER_MAX
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, same
from strandlog_conformance.samples import NOTHING, rows, series
from strandlog_conformance.suite import check, durability, handles

_RULE = "CursorStore.advance: merges, and never moves back"


@check(
    "cursor.empty",
    rule="CursorStore.load: an unknown reader has read nothing",
    cursors=True,
    kills=("M174",),
)
async def empty(case: Case) -> None:
    """Readers nobody has heard of have read nothing; forgetting them is no error."""
    user = case.user()
    async with case.open_cursors() as store:
        same(await store.load(user, "alice/phone"), NOTHING, "load of an unknown reader")
        same(await store.readers(user), {}, "readers of an unknown user")
        await store.forget(user, "alice/phone")
        await store.erase(user)
        same(await store.readers(user), {}, "readers after forget and erase of nobody")


@check("cursor.roundtrip_merges_peers", rule=_RULE, cursors=True, kills=("M138",))
async def roundtrip_merges_peers(case: Case) -> None:
    """An advance names some devices; those that it does not name keep their place."""
    user = case.user()
    async with case.open_cursors() as store:
        for vector, want in (
            ({"phone": 42, "desk": 46}, {"phone": 42, "desk": 46}),
            ({"laptop": 7}, {"phone": 42, "desk": 46, "laptop": 7}),
            ({"phone": 52, "a~b.c": COUNTER_MAX}, {
                "phone": 52, "desk": 46, "laptop": 7, "a~b.c": COUNTER_MAX,
            }),
            ({}, {"phone": 52, "desk": 46, "laptop": 7, "a~b.c": COUNTER_MAX}),
        ):  # fmt: skip
            got = await store.advance(user, "alice/phone", VersionVector(vector))
            same(got, VersionVector(want), f"advance({vector}) returns")
            same(await store.load(user, "alice/phone"), VersionVector(want), f"load after {vector}")
        same(await store.readers(user), {"alice/phone": VersionVector(want)}, "readers")


@check("cursor.never_goes_back", rule=_RULE, cursors=True, kills=("M45",))
async def never_goes_back(case: Case) -> None:
    """Lower counters are left alone, device by device, also as numbers and not as text."""
    user = case.user()
    async with case.open_cursors() as store:
        await store.advance(user, "r", VersionVector({"a": 10, "b": 5, "c": 100}))
        for vector, want in (
            ({"a": 9, "b": 4, "c": 99}, {"a": 10, "b": 5, "c": 100}),
            ({"a": 1, "b": 7}, {"a": 10, "b": 7, "c": 100}),
            ({"a": 11, "c": 20}, {"a": 11, "b": 7, "c": 100}),
            ({"c": 2, "d": 1}, {"a": 11, "b": 7, "c": 100, "d": 1}),
        ):
            got = await store.advance(user, "r", VersionVector(vector))
            same(got, VersionVector(want), f"advance({vector}) returns")
            same(await store.load(user, "r"), VersionVector(want), f"load after {vector}")


@check(
    "cursor.isolated_log_device_case",
    rule="a cursor belongs to one log and one reader, byte for byte",
    cursors=True,
    kills=("M48", "M139"),
)
async def isolated_log_device_case(case: Case) -> None:
    """Readers and logs whose names resemble each other have cursors of their own."""
    stem = case.user()
    users = [
        stem,
        *(case.own(stem + tail) for tail in ("a", "A", "%", "_", "'", ":", "\\", "~", ":a")),
    ]
    long = f"{'u' * 256}/{'d' * 64}"
    readers = [
        "alice/phone", "alice/Phone", "alice/phone#friend", "alice/phon", "alice/phone2", "alice",
        "alice/phone#family,friend", "bob/phone", "~server", ":x", "a", "a%/x", "a_/x", "al'ice/x",
        "a:b/x", f"{long}#{'s' * 32},{'t' * 32}", f"{long}#{'s' * 32}", long,
    ]  # fmt: skip
    want = {
        (user, reader): VersionVector({"d": n})
        for n, (user, reader) in enumerate(((u, r) for u in users for r in readers), 1)
    }
    async with case.open_cursors() as store:
        for (user, reader), vector in want.items():
            await store.advance(user, reader, vector)
        for (user, reader), vector in want.items():
            same(await store.load(user, reader), vector, f"load({user!r}, {reader!r})")
        for user in users:
            own = {reader: want[user, reader] for reader in readers}
            same(await store.readers(user), own, f"readers({user!r})")
        await store.forget(stem, "alice/phone")
        own = {reader: want[stem, reader] for reader in readers if reader != "alice/phone"}
        same(await store.readers(stem), own, "readers after one was forgotten")
        await store.erase(stem)
        same(await store.readers(stem), {}, "readers after erase")
        for user in users[1:]:
            own = {reader: want[user, reader] for reader in readers}
            same(await store.readers(user), own, f"readers({user!r}) after another was erased")


@check("cursor.many_devices", rule=_RULE, cursors=True, kills=("M184",))
async def many_devices(case: Case) -> None:
    """A vector of 1200 devices and two hundred readers of one log are kept whole."""
    user = case.user()
    vector = VersionVector({f"d{n}": n + 1 for n in range(1_200)})
    async with case.open_cursors() as store:
        same(await store.advance(user, "r", vector), vector, "advance by 1200 devices returns")
        more = VersionVector({f"d{n}": 5_000 for n in range(0, 1_200, 7)})
        want = vector.merge(more)
        same(await store.advance(user, "r", more), want, "advance of every seventh returns")
        same(await store.load(user, "r"), want, "load")
        readers = {f"r{n}": VersionVector({"d": n + 1}) for n in range(case.scale(200, 40))}
        for reader, small in readers.items():
            await store.reset(user, reader, small)
        same(await store.readers(user), {"r": want, **readers}, "readers")


@check("cursor.equal_value_noop", rule=_RULE, cursors=True, kills=("M140",))
async def equal_value_noop(case: Case) -> None:
    """Advancing to where the cursor is, or by nothing, changes nothing and makes no reader."""
    user, vector = case.user(), VersionVector({"phone": 3})
    async with case.open_cursors() as store:
        same(await store.advance(user, "new", NOTHING), NOTHING, "advance by nothing returns")
        same(await store.readers(user), {}, "readers after an advance by nothing")
        await store.advance(user, "r", vector)
        for _ in range(3):
            same(await store.advance(user, "r", vector), vector, "advance to the same returns")
        same(await store.advance(user, "r", NOTHING), vector, "advance by nothing returns")
        same(await store.readers(user), {"r": vector}, "readers")


@check(
    "cursor.reset_is_explicit",
    rule="CursorStore.reset: exactly this vector, which may move down",
    cursors=True,
    kills=("M141",),
)
async def reset_is_explicit(case: Case) -> None:
    """Only reset lowers a cursor, and what it does not name is nothing again."""
    user = case.user()
    async with case.open_cursors() as store:
        await store.advance(user, "r", VersionVector({"a": 10, "b": 20}))
        await store.advance(user, "other", VersionVector({"a": 3}))
        for vector in ({"a": 4}, {"b": 50, "c": 1}, {"a": 1, "b": 1, "c": 1}, {}):
            await store.reset(user, "r", VersionVector(vector))
            same(await store.load(user, "r"), VersionVector(vector), f"load after reset({vector})")
        same(
            await store.readers(user),
            {"other": VersionVector({"a": 3})},
            "readers, one reset to nothing",
        )
        got = await store.advance(user, "r", VersionVector({"a": 2}))
        same(got, VersionVector({"a": 2}), "advance after reset to nothing")


@check(
    "cursor.forgotten",
    rule="CursorStore.forget: removes one reader",
    cursors=True,
    kills=("M175",),
)
async def forgotten(case: Case) -> None:
    """A forgotten reader begins at nothing again, and the others stay."""
    user = case.user()
    async with case.open_cursors() as store:
        await store.advance(user, "r", VersionVector({"a": 10}))
        await store.advance(user, "r#friend", VersionVector({"a": 5}))
        await store.forget(user, "r")
        await store.forget(user, "r")
        same(await store.load(user, "r"), NOTHING, "load of a forgotten reader")
        same(await store.readers(user), {"r#friend": VersionVector({"a": 5})}, "readers")
        got = await store.advance(user, "r", VersionVector({"a": 1}))
        same(got, VersionVector({"a": 1}), "advance of a forgotten reader")


@check(
    "cursor.reopen",
    rule="Capabilities.durability: cursors outlive the opener",
    requires=(durability(Durability.PROCESS),),
    cursors=True,
    kills=("M40",),
)
async def reopen(case: Case) -> None:
    """What was advanced, reset, forgotten and erased is so after a reopening."""
    user, gone = case.user(), case.user()
    async with case.open_cursors() as store:
        await store.advance(user, "a", VersionVector({"phone": 10, "desk": 9}))
        await store.advance(user, "b", VersionVector({"phone": 10}))
        await store.reset(user, "b", VersionVector({"phone": 2}))
        await store.advance(user, "c", VersionVector({"phone": 1}))
        await store.forget(user, "c")
        await store.advance(gone, "a", VersionVector({"phone": 1}))
        await store.erase(gone)

    async with case.open_cursors() as store:
        want = {"a": VersionVector({"phone": 10, "desk": 9}), "b": VersionVector({"phone": 2})}
        same(await store.readers(user), want, "readers after a reopening")
        same(await store.readers(gone), {}, "readers of an erased log after a reopening")


@check(
    "cursor.two_handles",
    rule="Capabilities.handles: what one opener stored, every opener sees",
    requires=(handles(Handles.TASK),),
    cursors=True,
    kills=("M142",),
)
async def two_handles(case: Case) -> None:
    """Two openers advance one cursor by turns, and neither takes back the other's."""
    user = case.user()
    async with case.open_cursors() as first, case.open_cursors() as second:
        same(await second.load(user, "r"), NOTHING, "load before anything")
        for n in range(1, 9):
            one, other = (first, second) if n % 2 else (second, first)
            await one.advance(user, "r", VersionVector({"phone": n, f"d{n % 3}": n}))
            same((await other.load(user, "r"))["phone"], n, f"load of the other opener after {n}")
        want = VersionVector({"phone": 8, "d0": 6, "d1": 7, "d2": 8})
        same(await first.load(user, "r"), want, "load in the end")


@check(
    "cursor.beside_the_log",
    rule="one URL for both stores: neither touches the other's data",
    cursors=True,
    kills=("M143",),
)
async def beside_the_log(case: Case) -> None:
    """Logs and cursors of one user, opened together, come and go apart."""
    user, vector = case.user(), VersionVector({"phone": 2})
    async with case.open_both() as (log, cursors):
        await log.append(user, series("phone", 1, 3))
        await cursors.advance(user, "r", vector)
        await cursors.erase(user)
        same(await rows(log, user), series("phone", 1, 3), "read after the cursors were erased")
        await cursors.advance(user, "r", vector)
        await log.erase(user)
        same(await cursors.readers(user), {"r": vector}, "readers after the log was erased")
        same(await rows(log, user), [], "read after the log was erased")


@check(
    "cursor.invalid_refused",
    rule="VersionVector: counters from 0 to 999999999999",
    cursors=True,
    kills=("M196",),
)
async def invalid_refused(case: Case) -> None:
    """A vector that is none cannot be made, so a cursor stays where it was."""
    user, vector = case.user(), VersionVector({"a": 5})
    async with case.open_cursors() as store:
        await store.advance(user, "r", vector)
        for bad in ({"a": 9, "b": -1}, {"a": 9, "b": COUNTER_MAX + 1}, {"a": 9, "b": True}):
            outcome = await attempt(_advance(store, user, bad))
            if not isinstance(outcome, InvalidArgumentError):
                fail(f"advance by {bad}", got=repr(outcome), want="InvalidArgumentError")
            same(await store.load(user, "r"), vector, f"load after {bad} was refused")


async def _advance(store: CursorStore, user: str, counters: dict[str, int]) -> VersionVector:
    return await store.advance(user, "r", VersionVector(counters))
