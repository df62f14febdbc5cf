"""Section G: many tasks and openers at once; nothing lost, nothing doubled, nothing torn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from strandlog import Appended, VersionVector
from strandlog.backend import Handles, LogStore
from strandlog.errors import ErasedError, ForkError, TrimmedError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import (
    attempt,
    beside,
    fail,
    plain,
    refused,
    same,
    together,
    until_done,
)
from strandlog_conformance.samples import ALL, UNBOUNDED, entry, everything, in_order, rows, series
from strandlog_conformance.suite import check, handles


@check(
    "conc.nothing_lost",
    rule="safe under many tasks: what was acknowledged is there, once",
    kills=("M135", "M53"),
)
async def nothing_lost(case: Case) -> None:
    """Twenty writers of ten batches each, half through another opener, into one log."""
    user = case.user()
    given = {f"w{n}": series(f"w{n}", 1, 20, start=n) for n in range(20)}
    async with case.open_log() as store, case.second_log(store) as other:

        async def write(n: int, device: str) -> None:
            opener = (store, other)[n % 2]
            for first in range(0, 20, 2):
                done = await attempt(opener.append(user, given[device][first : first + 2]))
                want = Appended(VersionVector({device: first + 2}), 2, 0)
                same(done, want, f"append of {device} {first + 1} beside 19 others")

        await together(*(write(n, device) for n, device in enumerate(given)))
        want = in_order(one for own in given.values() for one in own)
        for opener in (store, other):
            same(await rows(opener, user), want, "read after 20 writers")
            tops = await opener.tops(user)
            same(tops, VersionVector(dict.fromkeys(given, 20)), "tops after 20 writers")


@check(
    "conc.same_message_one_winner",
    rule="LogStore.append: repeating a call changes nothing, also at the same moment",
    kills=("M135",),
)
async def same_message_one_winner(case: Case) -> None:
    """Eight tasks append the same batch at once: one adds, the others find duplicates."""
    user = case.user()
    batch = series("phone", 1, 5)
    async with case.open_log() as store, case.second_log(store) as other:
        for turn in range(5):
            fresh = series("phone", turn * 5 + 1, turn * 5 + 5)
            top = VersionVector({"phone": turn * 5 + 5})
            done = await together(*((store, other)[n % 2].append(user, fresh) for n in range(8)))
            got = sorted((one.added, one.duplicates) for one in done)
            same(got, [(0, 5)] * 7 + [(5, 0)], f"what 8 equal appends at once added, turn {turn}")
            same([one.tops for one in done], [top] * 8, "the tops they returned")
        same(await rows(store, user), batch + series("phone", 6, 25), "read of all")


@check(
    "conc.conflicting_same_identity_one_winner",
    rule="LogStore.append: of two entries with one identity the first stays, the other is a fork",
    kills=("M135",),
)
async def conflicting_same_identity_one_winner(case: Case) -> None:
    """Eight tasks append different entries as phone 1 at once: one wins, the rest are told."""
    async with case.open_log() as store, case.second_log(store) as other:
        for turn in range(5):
            user = case.user()
            batch = [entry("phone", 1, content=b"%d" % n) for n in range(8)]
            outcomes = await asyncio.gather(
                *(attempt((store, other)[n % 2].append(user, [one])) for n, one in enumerate(batch))
            )
            won = [
                one for one, out in zip(batch, outcomes, strict=True) if isinstance(out, Appended)
            ]
            lost = [out for out in outcomes if isinstance(out, ForkError)]
            same((len(won), len(lost)), (1, 7), f"winners and forks of {outcomes}, turn {turn}")
            same(await rows(other, user), won, "read after the race")


@check(
    "conc.reader_never_sees_part_of_batch",
    rule="LogStore.append: all or none, for readers too",
    kills=("M05",),
)
async def reader_never_sees_part_of_batch(case: Case) -> None:
    """Beside a writer of batches of forty, every read shows whole batches."""
    user = case.user()
    rounds = case.scale(25, 8)
    async with case.open_log() as store, case.second_log(store) as other:
        last_batch = min(case.scale(1_200, 600), case.capabilities.max_batch or ALL) // 2
        top = rounds * 20 + last_batch

        async def write() -> None:
            for first in range(1, rounds * 20, 20):
                batch = series("a", first, first + 19) + series("b", first, first + 19)
                await store.append(user, batch)
            # One that is longer than what a database takes at once.
            await store.append(
                user, series("a", rounds * 20 + 1, top) + series("b", rounds * 20 + 1, top)
            )

        last = 0
        async with beside(write()) as task:
            async for _ in until_done(task):
                for opener in (store, other):
                    page = await everything(opener, user)
                    count = len(page.entries)
                    whole = count == top * 2 or count % 40 == 0
                    if not whole or page.tops["a"] != page.tops["b"] or count < last:
                        fail(
                            "read beside a writer of batches of 40",
                            got=f"{count} entries after {last}, tops {dict(page.tops)}",
                            want="whole batches, and never fewer than before",
                        )
                    last = count
        same(len((await everything(other, user)).entries), top * 2, "entries in the end")


@check(
    "conc.readers_do_not_disturb",
    rule="safe under many tasks: each call has its own answer",
    kills=("M186",),
)
async def readers_do_not_disturb(case: Case) -> None:
    """Sixty different questions at once get the answers that they get one by one."""
    user, other = case.user(), case.user()
    given = series("a", 1, 20) + series("b", 1, 20)
    async with case.open_log() as store:
        await store.append(user, given)
        await store.append(other, given[:7])

        def questions() -> list[Coroutine[Any, Any, object]]:
            asked: list[Coroutine[Any, Any, object]] = []
            for n in range(1, 11):
                after = VersionVector({"a": n, "b": 20 - n})
                asked += [
                    store.read(user, after=after, limit=n, max_bytes=UNBOUNDED),
                    store.read(other, after=VersionVector({"a": n}), limit=9, max_bytes=n * 50),
                    store.read_range(user, after=given[n].seq, limit=n, reverse=n % 2 == 0),
                    store.digests(user, {"a": n, "b": n * 2}),
                    store.tops(user if n % 2 else other),
                    store.head(other if n % 2 else user),
                ]
            return asked

        alone = [await question for question in questions()]
        same(await together(*questions()), alone, "the answers to 60 questions at once")


@check(
    "conc.two_handles_fresh",
    rule="Capabilities.handles: what one opener acknowledged, every opener sees",
    requires=(handles(Handles.TASK),),
    kills=("M37", "M38"),
)
async def two_handles_fresh(case: Case) -> None:
    """Two openers write by turns, and each sees the other's entries at once."""
    user, erased, other = case.user(), case.user(), case.user()
    given = series("phone", 1, 12)
    async with case.open_log() as first, case.open_log() as second:
        same(await rows(second, user), [], "read of the second opener before anything")
        for n, one in enumerate(given, 1):
            writer, reader = (first, second) if n % 2 else (second, first)
            await writer.append(user, [one])
            same(await rows(reader, user), given[:n], f"read of the other opener after {n}")
            same(await reader.tops(user), VersionVector({"phone": n}), f"its tops after {n}")
            same(await reader.head(user), one.seq, f"its head after {n}")
        await first.trim(user, "phone", up_to=5)
        same(await rows(second, user), given[5:], "read after the other opener trimmed")
        await refused(second.append(user, given[:2]), TrimmedError, "append of what it trimmed")
        await first.append(erased, given)
        same(await rows(second, erased), given, "read of another log")
        await first.erase(erased)
        same(await rows(second, erased), [], "read after the other opener erased")
        same(await second.head(erased), None, "head after the other opener erased")
        await refused(second.append(erased, given[:1]), ErasedError, "append after it erased")
        await second.restore(erased)
        await first.append(erased, given[:1])
        masked = [entry("phone", 1), entry("phone", 2)]
        await second.append(other, masked[:1])
        await first.append(other, [entry("desk", 1, redacts=masked[1].identity)])
        await second.append(other, masked[1:])
        want = [masked[0], masked[1].without_content()]
        same(await rows(first, other, devices=["phone"]), want, "read of what the other redacted")


@check(
    "conc.changes_are_whole",
    rule="every change of a log is one step for those who read it",
    kills=("M181", "M182"),
)
async def changes_are_whole(case: Case) -> None:
    """Beside a trim, an erasure and a re-homing, every read shows the log before or after."""
    given = series("a", 1, 12) + series("b", 1, 12)
    async with case.open_log() as store, case.second_log(store) as other:
        for name, change in _changes(case, store).items():
            for _turn in range(case.scale(6, 3)):
                user = case.user()
                await store.append(user, given)
                before = await everything(other, user)
                async with beside(change(user)) as task:
                    shown = [await everything(other, user) async for _ in until_done(task)]
                after = await everything(other, user)
                for page in shown:
                    if plain(page) != plain(before):
                        same(page, after, f"read beside {name}, not as before it")


def _changes(
    case: Case, store: LogStore
) -> dict[str, Callable[[str], Coroutine[object, object, None]]]:
    async def trim(user: str) -> None:
        await store.trim(user, "a", up_to=6)

    async def rehome(user: str) -> None:
        await store.rehome(user, "a", from_counter=4, to_device="a~home")

    async def erase(user: str) -> None:
        await store.erase(user)

    changes: dict[str, Callable[[str], Coroutine[object, object, None]]]
    changes = {"trim": trim, "erase": erase}
    return {**changes, "rehome": rehome} if case.capabilities.rehome else changes


@check(
    "conc.many_logs_at_once",
    rule="safe under many tasks: logs do not hinder or mix with each other",
    kills=("M137",),
)
async def many_logs_at_once(case: Case) -> None:
    """Thirty users write at once; each log holds its own, and a refused one harms no other."""
    users = [case.user() for _ in range(30)]
    batches = [[entry("phone", 1, content=b"%d" % n)] for n in range(30)]
    # Every third batch has a gap; a store that commits several at once must not refuse the rest.
    for n in range(0, 30, 3):
        batches[n] = [entry("phone", 2)]
    async with case.open_log() as store:
        outcomes = await asyncio.gather(
            *(attempt(store.append(*one)) for one in zip(users, batches, strict=True))
        )
        kinds = [type(outcome).__name__ for outcome in outcomes]
        same(kinds, ["GapError", "Appended", "Appended"] * 10, "30 appends at once")
        for n, user in enumerate(users):
            want = batches[n] if n % 3 else []
            same(await rows(store, user), want, f"read of log {n} after 30 appends at once")
