"""Section A: a batch is stored whole or not at all, and the caller's things stay his."""

from __future__ import annotations

from collections.abc import Iterator

from strandlog import Appended, Entry, Log, VersionVector
from strandlog import errors as error_tree
from strandlog.errors import ForkError, GapError, SeqError, StrandlogError, TooLargeError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import attempt, fail, refused, same
from strandlog_conformance.samples import ALL, entry, in_order, rows, series, state, tops_of
from strandlog_conformance.suite import check, declared


@check(
    "log.append.empty_batch_noop",
    rule="LogStore.append: no entries add nothing",
    kills=("M56",),
)
async def empty_batch_noop(case: Case) -> None:
    """An empty batch changes no log and makes none."""
    user, other = case.user(), case.user()
    async with case.open_log() as store:
        same(await store.append(other, []), Appended(VersionVector(), 0, 0), "append of nothing")
        same(other in await store.logs(limit=ALL), False, "an empty batch made a log")
        await store.append(user, series("phone", 1, 2))
        before = await state(store, user)
        same(await store.append(user, []), Appended(VersionVector(), 0, 0), "append of nothing")
        same(await state(store, user), before, "the log after an empty batch")
        done = await store.append(user, [entry("phone", 3)])
        same(done, Appended(VersionVector({"phone": 3}), 1, 0), "append after an empty batch")


@check(
    "log.append.atomic_on_conflict",
    rule="LogStore.append: all or none",
    kills=("M04",),
)
async def atomic_on_conflict(case: Case) -> None:
    """A fork in the middle of a batch leaves no trace of the entries before and after it."""
    user = case.user()
    fork = entry("laptop", 2, content=b'"other"')
    async with case.open_log() as store:
        await store.append(user, series("laptop", 1, 3))
        before = await state(store, user)
        for what, batch in (
            ("first", [fork, *series("desk", 1, 2), *series("phone", 1, 2)]),
            ("in the middle", [*series("desk", 1, 2), fork, *series("phone", 1, 2)]),
            ("last", [*series("desk", 1, 2), *series("phone", 1, 2), fork]),
            ("after its successor", [entry("laptop", 4), fork]),
        ):
            await refused(
                store.append(user, batch),
                ForkError,
                f"append with a fork {what}",
                device="laptop",
                counter=2,
            )
            same(await state(store, user), before, f"the log after a fork {what}")
        good = [entry("laptop", 4), *series("desk", 1, 2), *series("phone", 1, 2)]
        same(await store.append(user, good), Appended(tops_of(good), 5, 0), "append without it")


@check(
    "log.append.atomic_on_invalid_last",
    rule="LogStore.append: all or none",
    kills=("M04",),
)
async def atomic_on_invalid_last(case: Case) -> None:
    """A gap or a falling timestamp at the end of a batch refuses all of it, new logs too."""
    user, other = case.user(), case.user()
    many = series("desk", 1, min(case.scale(1_200, 600), (case.capabilities.max_batch or ALL) - 1))
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 3))
        before, nothing = await state(store, user), await state(store, other)
        for what, last, error in (
            ("a gap", entry("phone", 5), GapError),
            ("a falling timestamp", entry("phone", 4, at=29), SeqError),
            ("a gap of a new device", entry("tablet", 2), GapError),
        ):
            await refused(
                store.append(user, [*many, last]), error, f"append with {what} at the end"
            )
            same(await state(store, user), before, f"the log after {what} at the end")
        await refused(
            store.append(other, [*many, entry("tablet", 2)]), GapError, "append to a new log"
        )
        same(await state(store, other), nothing, "a new log after its first append was refused")
        same(other in await store.logs(limit=ALL), False, "the refused log is in logs()")


@check(
    "log.append.accepts_any_iterable",
    rule="Log.append: takes any iterable and runs it to its end once",
    kills=("M193",),
)
async def accepts_any_iterable(case: Case) -> None:
    """A generator, a tuple and dictionary values are as good as a list."""
    given = series("phone", 1, 9)
    async with case.open_log() as store:
        log = Log(store)
        for what, batch in {
            "generator": (one for one in given),
            "tuple": tuple(given),
            "dictionary": dict.fromkeys(given).keys(),
        }.items():
            user = case.user()
            done = await log.append(user, batch)
            same(done, Appended(VersionVector({"phone": 9}), 9, 0), f"append of a {what}")
            same(await rows(store, user), given, f"read after a {what}")


@check(
    "log.append.generator_that_raises",
    rule="Log.append: an error inside the iterable leaves the log as it was",
    kills=("M193",),
)
async def generator_that_raises(case: Case) -> None:
    """The caller's own error comes back to him, nothing is stored and the store goes on."""
    user = case.user()

    def broken() -> Iterator[Entry]:
        yield from series("phone", 1, 3)
        raise LookupError("the caller's own")

    async with case.open_log() as store:
        outcome = await attempt(Log(store).append(user, broken()))
        same(repr(outcome), repr(LookupError("the caller's own")), "append of a broken generator")
        same(await rows(store, user), [], "read after it")
        done = await store.append(user, series("phone", 1, 3))
        same(done, Appended(VersionVector({"phone": 3}), 3, 0), "append after it")


@check(
    "log.append.does_not_keep_callers_buffer",
    rule="LogStore.append: the list stays the caller's",
    kills=("M107",),
)
async def does_not_keep_callers_buffer(case: Case) -> None:
    """What the caller does to his list afterwards does not reach the log."""
    user = case.user()
    given = series("phone", 1, 3)
    batch = list(given)
    async with case.open_log() as store:
        await store.append(user, batch)
        batch[0] = entry("phone", 1, content=b'"changed"')
        batch.append(entry("phone", 4))
        same(await rows(store, user), given, "read after the caller changed his list")
        batch.clear()
        same(await rows(store, user), given, "read after the caller emptied his list")


@check(
    "log.append.does_not_mutate_input",
    rule="LogStore.append: arguments are only read",
    kills=("M108",),
)
async def does_not_mutate_input(case: Case) -> None:
    """Lists and dictionaries that are given come back as they were, order included."""
    user = case.user()
    batch = [entry("phone", 2), entry("desk", 1), entry("phone", 1), entry("phone", 1)]
    at, scopes, devices = {"phone": 1, "nobody": 4}, {"private", "friend"}, ["phone", "desk"]
    was = list(batch)
    async with case.open_log() as store:
        await store.append(user, batch)
        await store.digests(user, at)
        await rows(store, user, scopes=scopes, devices=devices)
    same(batch, was, "the list after append")
    same(at, {"phone": 1, "nobody": 4}, "the dictionary after digests")
    same(sorted(scopes), ["friend", "private"], "the scopes after read")
    same(devices, ["phone", "desk"], "the devices after read")


@check(
    "log.append.large_batch_10k",
    rule="LogStore.append: a batch of any length is one batch, up to max_batch",
    kills=("M60",),
)
async def large_batch_10k(case: Case) -> None:
    """Ten thousand entries of three devices are added at once."""
    user = case.user()
    count = min(case.scale(10_000, 2_000), case.capabilities.max_batch or ALL)
    third = count // 3
    given = series("phone", 1, third) + series("desk", 1, third)
    given += series("laptop", 1, count - len(given))
    case.random.shuffle(given)
    async with case.open_log() as store:
        same(await store.append(user, given), Appended(tops_of(given), count, 0), f"append {count}")
        same(await rows(store, user), in_order(given), "read of all")


@check(
    "log.append.max_batch",
    rule="Capabilities.max_batch: at the limit fine, one more is TooLargeError",
    requires=(declared("max_batch"),),
    kills=("M198",),
)
async def max_batch(case: Case) -> None:
    """The limit is where it was declared, and beyond it nothing is stored."""
    user, other = case.user(), case.user()
    limit = case.capabilities.max_batch or 0
    given = series("phone", 1, limit + 1)
    async with case.open_log() as store:
        log = Log(store)
        await refused(log.append(user, given), TooLargeError, "max_batch + 1", limit=limit)
        same(await rows(store, user), [], "read after max_batch + 1")
        await log.append(other, given[:limit])
        same(len(await rows(store, other)), limit, "entries after max_batch")


@check(
    "log.append.error_types",
    rule="only strandlog.errors leave a store",
    kills=("M109",),
)
async def error_types(case: Case) -> None:
    """Every refusal is a class of the tree, with a message, and the store works on."""
    user, gone = case.user(), case.user()
    known = {getattr(error_tree, name) for name in error_tree.__all__}
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 5))
        await store.erase(gone)
        await store.trim(user, "phone", up_to=2)
        for what, owner, batch in (
            ("a gap", user, [entry("phone", 9)]),
            ("a fork", user, [entry("phone", 4, content=b"0")]),
            ("a falling timestamp", user, [entry("phone", 6, at=1)]),
            ("a trimmed entry", user, [entry("phone", 1)]),
            ("an erased log", gone, [entry("phone", 1)]),
        ):
            outcome = await attempt(store.append(owner, batch))
            if type(outcome) not in known or not str(outcome):
                fail(f"append of {what}", got=repr(outcome), want="a class of strandlog.errors")
            if not isinstance(outcome, StrandlogError) or not outcome.code:
                fail(f"append of {what}", got=repr(outcome), want="an error with a wire code")
        await store.append(user, [entry("phone", 6)])
