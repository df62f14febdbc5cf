"""Section N: a forked branch moves to a device of its own, so that nothing is lost."""

from __future__ import annotations

from dataclasses import replace

from strandlog import Appended, Entry, Identity, Seq, VersionVector
from strandlog.backend import Durability, Handles
from strandlog_conformance.case import Case
from strandlog_conformance.expect import same
from strandlog_conformance.samples import (
    ALL,
    entry,
    everything,
    in_order,
    rows,
    series,
    state,
    tops_of,
)
from strandlog_conformance.suite import check, declared

_HOME = "phone~0123456789abcdef"
_REHOME = (declared("rehome"),)


def _moved(one: Entry, counter: int, **changes: object) -> Entry:
    """Return *one* as it is after the move."""
    seq = Seq(one.seq.timestamp, counter, _HOME)
    digest = one.digest if one.redacted else ""
    return replace(one, seq=seq, digest=digest, **changes)  # type: ignore[arg-type]  # by name


@check(
    "rehome.moves_and_repeats",
    rule="LogStore.rehome: one transaction, repeatable",
    requires=_REHOME,
    kills=("M161", "M162"),
)
async def moves_and_repeats(case: Case) -> None:
    """The branch moves with time, scope and content; the old device takes new entries."""
    user = case.user()
    phone = [
        entry("phone", n, scope="friend" if n % 2 else "private", meta=b'{"n":%d}' % n)
        for n in range(1, 8)
    ]
    desk = series("desk", 1, 3, start=5)
    branch = [_moved(one, n) for n, one in enumerate(phone[4:], 1)]
    want = in_order([*phone[:4], *branch, *desk])
    async with case.open_log() as store:
        await store.append(user, phone + desk)
        for turn, count in (("first", 3), ("second", 0), ("third", 0)):
            got = await store.rehome(user, "phone", from_counter=5, to_device=_HOME)
            same(got, count, f"entries moved by the {turn} rehome from 5")
            same(await rows(store, user), want, f"read after the {turn} rehome")
            same((await everything(store, user)).entries, want, f"read_range after the {turn}")
            friends = [one for one in want if one.scope == "friend"]
            same(await rows(store, user, scopes={"friend"}), friends, f"friend's read, {turn}")
            same(await store.tops(user), tops_of(want), f"tops after the {turn} rehome")
        at = {"phone": 5, _HOME: 3}
        digests = {"phone": None, _HOME: branch[2].digest}
        same(await store.digests(user, at), digests, "digests of what moved")
        same(await store.head(user), want[-1].seq, "head")

        servers = [entry("phone", 5, content=b'"the other branch"', at=61)]
        done = await store.append(user, servers)
        same(done, Appended(VersionVector({"phone": 5}), 1, 0), "append of the other phone 5")
        got = await store.rehome(user, "phone", from_counter=5, to_device=_HOME)
        same(got, 0, "rehome again after the old device was refilled")
        same(await rows(store, user), in_order([*want, *servers]), "read in the end")
        done = await store.append(user, [entry(_HOME, 4, at=70)])
        same(done, Appended(VersionVector({_HOME: 4}), 1, 0), "append under the new name")


@check(
    "rehome.whole_device",
    rule="LogStore.rehome: the top of the device falls to from_counter - 1",
    requires=_REHOME,
    kills=("M161",),
)
async def whole_device(case: Case) -> None:
    """From counter 1 on, everything moves and the old name is free again."""
    user, other = case.user(), case.user()
    phone = series("phone", 1, 4)
    async with case.open_log() as store:
        await store.append(user, phone)
        await store.append(other, phone)
        before = await state(store, other)
        got = await store.rehome(user, "phone", from_counter=1, to_device=_HOME)
        same(got, 4, "entries moved by rehome from 1")
        branch = [_moved(one, n) for n, one in enumerate(phone, 1)]
        same(await rows(store, user), branch, "read")
        same(await store.tops(user), VersionVector({_HOME: 4}), "tops")
        same(await state(store, other), before, "the log of another user")
        new = entry("phone", 1, at=3, content=b'"new"')
        done = await store.append(user, [new])
        same(done, Appended(VersionVector({"phone": 1}), 1, 0), "append of a new phone 1")
        got = await store.rehome(user, "phone", from_counter=9, to_device="phone~ffff")
        same(got, 0, "entries moved by rehome from above the top")
        same(await store.tops(user), VersionVector({_HOME: 4, "phone": 1}), "tops after it")


@check(
    "rehome.redactions_follow",
    rule="the protocol page, re-homing: a redacts whose target moves is rewritten with it",
    requires=_REHOME,
    kills=("M163",),
)
async def redactions_follow(case: Case) -> None:
    """Inside the branch masks move along; what they mask stays masked, others become free."""
    user = case.user()
    target = entry("phone", 3, content=b'"secret"')
    redaction = entry("phone", 5, redacts=target.identity)
    outside = entry("phone", 6, redacts=Identity("desk", 1))
    given = [*series("phone", 1, 2), target, entry("phone", 4), redaction, outside]
    desk = entry("desk", 1)
    async with case.open_log() as store:
        await store.append(user, [*given, desk])
        await store.rehome(user, "phone", from_counter=3, to_device=_HOME)
        want = in_order([
            *series("phone", 1, 2),
            _moved(target.without_content(), 1),
            _moved(given[3], 2),
            _moved(redaction, 3, redacts=Identity(_HOME, 1)),
            _moved(outside, 4),
            desk.without_content(),
        ])  # fmt: skip
        same(await rows(store, user), want, "read after the move")
        # The mask moved away: whatever comes as phone 3 now is another entry.
        fresh = entry("phone", 3, content=b'"from the server"')
        await store.append(user, [fresh])
        same(await rows(store, user, devices=["phone"]), [*series("phone", 1, 2), fresh], "phone")


@check(
    "rehome.seen_by_all",
    rule="LogStore.rehome: durable on return, one transaction",
    requires=_REHOME,
    kills=("M161",),
)
async def seen_by_all(case: Case) -> None:
    """Another opener, and one after a reopening, see the moved branch and nothing doubled."""
    user = case.user()
    phone = series("phone", 1, 6)
    want = in_order([*phone[:2], *(_moved(one, n) for n, one in enumerate(phone[2:], 1))])
    async with case.open_log() as store:
        await store.append(user, phone)
        await store.rehome(user, "phone", from_counter=3, to_device=_HOME)
        if case.capabilities.handles is not Handles.ONE:
            async with case.open_log() as other:
                same(await rows(other, user), want, "read of another opener")
    if case.capabilities.durability is Durability.NONE:
        return
    async with case.open_log() as store:
        same(await rows(store, user), want, "read after a reopening")
        got = await store.rehome(user, "phone", from_counter=3, to_device=_HOME)
        same(got, 0, "rehome again after a reopening")
        same((await store.read_range(user, limit=ALL)).entries, want, "read_range after it")
