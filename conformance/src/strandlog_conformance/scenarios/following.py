"""Sections C, K and N: every answer follows every kind of change, at once and after a reopening."""

from __future__ import annotations

from dataclasses import replace

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend import Durability, LogStore
from strandlog.errors import ForkError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import refused, same
from strandlog_conformance.samples import NOTHING, entry, rows, series, state, tops_of
from strandlog_conformance.suite import check, declared, durability

_PHONE = series("phone", 1, 3)
_ANEW = [entry("phone", n, content=b'"anew %d"' % n) for n in (1, 2)]


@check("log.digests_follow", rule="LogStore.digests: what is held now", kills=("M299", "M302"))
async def digests_follow(case: Case) -> None:
    """What was trimmed or erased has no digest any more; what came in its place has its own."""
    user = case.user()
    at = [{"phone": n, "desk": n} for n in range(1, 5)]

    async def demand(store: LogStore, want: list[Entry], when: str) -> None:
        held = {one.counter: one.digest for one in want}
        for asked in at:
            n = asked["phone"]
            got = await store.digests(user, asked)
            same(got, {"phone": held.get(n), "desk": None}, f"digests at {n} {when}")
        head = max((one.seq for one in want), default=None)
        same(await store.head(user), head, f"head {when}")
        same(await rows(store, user), want, f"read {when}")

    async with case.open_log() as store, case.second_log(store) as other:
        for asking in (store, other):
            await demand(asking, [], "of nothing")
        await store.append(user, _PHONE)
        for asking in (store, other):
            await demand(asking, _PHONE, "after an append")
        await store.trim(user, "phone", up_to=1)
        for asking in (store, other):
            await demand(asking, _PHONE[1:], "after a trim")
        await store.erase(user)
        for asking in (store, other):
            await demand(asking, [], "after an erasure")
        await store.restore(user)
        await other.append(user, _ANEW)
        for asking in (store, other):
            await demand(asking, _ANEW, "after another beginning")


@check(
    "rehome.answers_follow",
    rule="LogStore.rehome: every answer is of the log as it is now",
    requires=(declared("rehome"),),
    kills=("M302",),
)
async def answers_follow(case: Case) -> None:
    """Digests, head and tops that were asked for before the move are asked for again after it."""
    user = case.user()
    phone = series("phone", 1, 4)
    async with case.open_log() as store:
        await store.append(user, phone)
        for n in range(1, 5):
            await store.digests(user, {"phone": n, "home": n})
        await state(store, user)

        moved = await store.rehome(user, "phone", from_counter=3, to_device="home")

        same(moved, 2, "rehome from phone 3")
        found = await rows(store, user)
        same(tops_of(found), VersionVector({"phone": 2, "home": 2}), "tops of what is read")
        same(await store.tops(user), VersionVector({"phone": 2, "home": 2}), "tops after the move")
        same(await store.head(user), found[-1].seq, "head after the move")
        held = {one.identity: one.digest for one in found}
        for n in range(1, 5):
            want = {name: held.get(Identity(name, n)) for name in ("phone", "home")}
            got = await store.digests(user, {"phone": n, "home": n})
            same(got, want, f"digests at {n} after the move")
        anew = entry("phone", 3, at=35, content=b'"another branch"')
        await store.append(user, [anew])
        got = await store.digests(user, {"phone": 3})
        same(got, {"phone": anew.digest}, "digest of what came in the place of the branch")


@check(
    "rehome.of_nothing",
    rule="LogStore.rehome: returns how many entries moved",
    requires=(declared("rehome"),),
    kills=("M307",),
)
async def rehome_of_nothing(case: Case) -> None:
    """Where there is no branch nothing moves, and nothing is made."""
    user, nobody = case.user(), case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 3))
        before = await state(store, user)
        for device, begin in (("phone", 4), ("phone", 9), ("desk", 1), ("home", 1)):
            moved = await store.rehome(user, device, from_counter=begin, to_device="home")
            same(moved, 0, f"rehome from {device} {begin}, where nothing is")
        same(await store.rehome(nobody, "phone", from_counter=1, to_device="home"), 0, "of no log")
        same(await state(store, user), before, "the log after nothing moved")
        same(nobody in await store.logs(limit=1_000_000), False, "logs() names who has none")


@check(
    "rehome.leaves_floor_and_top",
    rule="LogStore.rehome: the top of the device falls to from_counter - 1, its floor stays",
    requires=(declared("rehome"), declared("sparse")),
    kills=("M308", "M309"),
)
async def leaves_floor_and_top(case: Case) -> None:
    """Of a copy with holes the top is what it covers, and not its newest entry."""
    user = case.user()
    phone = [entry("phone", n) for n in (1, 2, 4, 8, 9)]
    async with case.open_log() as store:
        await store.append(user, phone, upto=VersionVector({"phone": 12}))
        await store.trim(user, "phone", up_to=2)

        await store.rehome(user, "phone", from_counter=7, to_device="home")

        page = await store.read(user, after=NOTHING, limit=9, max_bytes=1 << 30)
        same(page.tops, VersionVector({"phone": 6, "home": 2}), "tops after the move")
        same(page.floor, VersionVector({"phone": 2}), "floors after the move")
        seqs = [(one.device, one.counter) for one in page.entries]
        same(seqs, [("phone", 4), ("home", 1), ("home", 2)], "read after the move")


@check(
    "rehome.other_redactions_stay",
    rule="the protocol page, re-homing: what others have redacted stays redacted",
    requires=(declared("rehome"),),
    kills=("M310",),
)
async def other_redactions_stay(case: Case) -> None:
    """Two entries redact one; the one that moves takes its redaction along, the other does not."""
    user = case.user()
    target = entry("phone", 3)
    moving = entry("phone", 4, redacts=target.identity)
    staying = entry("desk", 1, redacts=target.identity)
    async with case.open_log() as store:
        await store.append(user, [*series("phone", 1, 2), target, moving, staying])
        await store.rehome(user, "phone", from_counter=3, to_device="home")
        await store.append(user, [entry("phone", 3, at=31, content=b'"the true third"')])

        found = {one.identity: one for one in await rows(store, user)}

        gone = {name: one.content for name, one in found.items() if one.redacted}
        want = {Identity("home", 1): None, Identity("phone", 3): None}
        same(gone, want, "which entries have no content after the move")

    whole = case.user()
    again = entry("phone", 5, redacts=target.identity)
    anew = entry("phone", 3, at=31, content=b'"the true third"')
    async with case.open_log() as store:
        await store.append(whole, [*series("phone", 1, 2), target, moving, again])
        await store.rehome(whole, "phone", from_counter=3, to_device="home")
        await store.append(whole, [anew])
        same(await rows(store, whole, devices={"phone"}), [*series("phone", 1, 2), anew], "phone")


@check(
    "rehome.redactions_outlive_it",
    rule="the protocol page, redaction: it holds for ever, whatever becomes of its entry",
    requires=(declared("rehome"),),
    kills=("M333",),
)
async def redactions_outlive_it(case: Case) -> None:
    """A branch whose place was trimmed is dropped, and what it redacts stays redacted."""
    user, one_only = case.user(), case.user()
    targets = series("late", 1, 3)
    branch = [entry("phone", n + 1, redacts=one.identity) for n, one in enumerate(targets, 1)]
    async with case.open_log() as store:
        for owner, moving in ((user, branch), (one_only, branch[:1])):
            await store.append(owner, [entry("phone", 1), *moving])
            await store.append(owner, [], floor=VersionVector({"home": len(moving)}))
            moved = await store.rehome(owner, "phone", from_counter=2, to_device="home")
            same(moved, len(moving), "rehome below the floor of the new place")
            await store.append(owner, targets)
            masked = [one.without_content() for one in targets[: len(moving)]]
            want = [*masked, *targets[len(moving) :]]
            same(await rows(store, owner, devices={"late"}), want, "what the branch had redacted")


@check(
    "rehome.several_follow",
    rule="the protocol page, re-homing: an unsent redaction follows its target",
    requires=(declared("rehome"),),
    kills=("M330", "M332"),
)
async def several_follow(case: Case) -> None:
    """However many unsent redactions name the branch, each follows its target, and masks it."""
    user = case.user()
    phone = series("phone", 1, 5)
    unsent = [entry("laptop", n, at=60, redacts=phone[n + 1].identity) for n in range(1, 4)]
    async with case.open_log() as store:
        await store.append(user, [*phone, *unsent])

        await store.rehome(
            user, "phone", from_counter=3, to_device="home", unsent_after={"laptop": 0}
        )

        found = await rows(store, user, devices={"laptop", "home"})
        follow = [one.redacts for one in found if one.device == "laptop"]
        same(follow, [Identity("home", n) for n in (1, 2, 3)], "what the unsent ones redact")
        content = [one.content for one in found if one.device == "home"]
        same(content, [None, None, None], "contents of the branch")
        await store.append(user, [one for one in phone if one.counter > 2])
        same(await rows(store, user, devices={"phone"}), phone, "phone, filled anew")

        await store.rehome(
            user, "home", from_counter=1, to_device="second", unsent_after={"laptop": 0}
        )
        found = await rows(store, user, devices={"laptop"})
        follow = [one.redacts for one in found]
        same(follow, [Identity("second", n) for n in (1, 2, 3)], "redacted after a second move")


@check(
    "rehome.comes_back_redacted",
    rule="LogStore.rehome: entries that to_device holds already are only taken from device",
    requires=(declared("rehome"),),
    kills=("M329",),
)
async def comes_back_redacted(case: Case) -> None:
    """An entry is the same whichever of its two places lost the content; another one is not."""
    first, second = entry("phone", 1), entry("phone", 2, meta=b'{"id":"s"}', scope="friend")
    home = [entry("home", one.counter, content=one.content) for one in (first,)]
    whole = _at_home(second)
    other = _at_home(replace(second, content=b'"another"', digest=""))
    before = replace(whole, content=None, meta=None, digest=second.digest)
    after = whole.without_content()
    for what, there, comes, same_one in (
        ("redacted since it moved", after, second, True),
        ("redacted before it moved", before, second, True),
        ("whole, and comes back redacted", whole, second.without_content(), True),
        ("redacted, and comes back redacted", after, second.without_content(), True),
        ("another one, redacted", other.without_content(), second, False),
        ("another one, and comes back redacted", other, second.without_content(), False),
    ):
        user = case.user()
        async with case.open_log() as store:
            await store.append(user, [first, comes, *home, there])
            moving = store.rehome(user, "phone", from_counter=1, to_device="home")
            if same_one:
                same(await moving, 2, f"rehome onto one that is {what}")
                found = await rows(store, user)
                same([one.device for one in found], ["home", "home"], f"read after {what}")
                if there.redacted:
                    gone = [one.identity for one in found if one.redacted]
                    same(gone, [there.identity], f"what has no content, {what}")
            else:
                await refused(moving, ForkError, f"rehome onto {what}", device="home", counter=2)


def _at_home(one: Entry) -> Entry:
    return replace(one, seq=Seq(one.seq.timestamp, one.counter, "home"), digest="")


@check(
    "erase.outlives_reopen",
    rule="LogStore.erase and restore: generations count for ever",
    requires=(durability(Durability.PROCESS),),
    kills=("M311",),
)
async def erase_outlives_reopen(case: Case) -> None:
    """Neither a tombstone nor its number is lost, nor does a former life come back."""
    user = case.user()
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 2))
        await store.append(user, [entry("desk", 1, redacts=Identity("late", 1))])
        await store.erase(user)
        same(await store.restore(user), 1, "generation")
        await store.erase(user)
    async with case.open_log() as store:
        same(await rows(store, user), [], "read of the erased log, reopened")
        same(await store.restore(user), 2, "generation after a reopening")
    async with case.open_log() as store:
        same(await store.restore(user), 2, "generation of a log that stands, reopened")
        same(await store.tops(user), NOTHING, "tops of the restored log, reopened")
        await store.append(user, [entry("late", 1)])
        same(await rows(store, user), [entry("late", 1)], "read of what a former life redacted")
        await store.erase(user)
        same(await store.restore(user), 3, "generation of the third erasure")
