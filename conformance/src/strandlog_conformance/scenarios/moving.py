"""Section N: what a branch that moves takes along, and what it finds where it arrives."""

from __future__ import annotations

from dataclasses import replace

from strandlog import Appended, Entry, Identity, Seq, VersionVector
from strandlog.backend import LogStore
from strandlog.errors import ForkError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import refused, same
from strandlog_conformance.samples import NOTHING, entry, in_order, rows, series, state
from strandlog_conformance.suite import check, declared

_HOME = "phone~0123456789abcdef"
_REHOME = (declared("rehome"),)
_FOLLOWS = "the protocol page, re-homing: an unsent redaction follows its target, a sent one stays"


def _moved(one: Entry, counter: int, **changes: object) -> Entry:
    """Return *one* as it is after the move."""
    seq = Seq(one.seq.timestamp, counter, _HOME)
    return _rewritten(one, seq=seq, **changes)


def _rewritten(one: Entry, **changes: object) -> Entry:
    digest = one.digest if one.redacted else ""
    return replace(one, digest=digest, **changes)  # type: ignore[arg-type]  # by name


async def _moves(store: LogStore, user: str, *, want: int = 0, **how: int) -> None:
    """Move phone from 3 on; *how* says up to where others hold each device."""
    got = await store.rehome(user, "phone", from_counter=3, to_device=_HOME, unsent_after=how)
    same(got, want, f"entries moved by rehome from 3, unsent_after {how}")


@check(
    "rehome.unsent_redactions_follow",
    rule=_FOLLOWS,
    requires=_REHOME,
    kills=("M330", "M331", "M332"),
)
async def unsent_redactions_follow(case: Case) -> None:
    """A redaction that nobody else has yet means the entry that moves, and not its old place."""
    user, other = case.user(), case.user()
    phone = series("phone", 1, 6)
    sent = entry("laptop", 1, at=70, redacts=phone[3].identity)
    unsent = entry("laptop", 2, at=71, content=b'"sorry"', redacts=phone[4].identity)
    of_desk = entry("desk", 1, at=72, redacts=phone[5].identity)
    below = entry("laptop", 3, at=73, redacts=phone[0].identity)
    given = [*phone, sent, unsent, of_desk, below]
    async with case.open_log() as store:
        for owner in (user, other):
            await store.append(owner, given)
        before = await state(store, other)

        await _moves(store, user, laptop=1, want=4)

        followed = _rewritten(unsent, redacts=Identity(_HOME, 3))
        want = in_order([
            phone[0].without_content(),
            phone[1],
            _moved(phone[2], 1),
            *(_moved(one.without_content(), n) for n, one in enumerate(phone[3:], 2)),
            *(sent, followed, of_desk, below),
        ])  # fmt: skip
        same(await rows(store, user), want, "read after the move")
        same(await state(store, other), before, "the log of another user")
        at = {"laptop": 2}
        same(await store.digests(user, at), {"laptop": followed.digest}, "digest of laptop 2")
        again = await store.append(user, [followed])
        same(again, Appended(VersionVector({"laptop": 3}), 0, 1), "append of laptop 2 again")

        fresh = [entry("phone", n, at=n * 10 + 1, content=b'"new"') for n in range(3, 7)]
        await store.append(user, fresh)
        shown = [fresh[0], fresh[1].without_content(), fresh[2], fresh[3].without_content()]
        got = await rows(store, user, devices=["phone"], after=VersionVector({"phone": 2}))
        same(got, shown, "phone 3 to 6 from the server: 4 and 6 were redacted by what others hold")
        same(await rows(store, user, devices=["laptop"]), [sent, followed, below], "laptop")


@check(
    "rehome.redacted_redactions_follow",
    rule=_FOLLOWS,
    requires=_REHOME,
    kills=("M332",),
)
async def redacted_redactions_follow(case: Case) -> None:
    """An unsent redaction that lost its own content follows as well, and keeps its digest."""
    user = case.user()
    phone = series("phone", 1, 4)
    first = entry("laptop", 1, at=50, redacts=phone[3].identity)
    second = entry("laptop", 2, at=51, redacts=first.identity)
    async with case.open_log() as store:
        await store.append(user, [*phone, first, second])

        await _moves(store, user, laptop=0, want=2)

        followed = _rewritten(first.without_content(), redacts=Identity(_HOME, 2))
        same(await rows(store, user, devices=["laptop"]), [followed, second], "laptop")
        again = entry("phone", 3, at=31, content=b'"new"')
        fourth = entry("phone", 4, at=41, content=b'"new"')
        await store.append(user, [again, fourth])
        got = await rows(store, user, devices=["phone"], after=VersionVector({"phone": 2}))
        same(got, [again, fourth], "phone 3 and 4 from the server")


@check(
    "rehome.into_trimmed",
    rule="LogStore.rehome: what would lie at or below the floor is only taken away",
    requires=_REHOME,
    kills=("M333", "M334"),
)
async def into_trimmed(case: Case) -> None:
    """A branch comes back whose new place was trimmed since: in part, and as a whole."""
    user, whole = case.user(), case.user()
    phone = series("phone", 1, 6)
    branch = [_moved(one, n) for n, one in enumerate(phone[2:], 1)]
    for owner, floor in ((user, 2), (whole, 9)):
        async with case.open_log() as store:
            await store.append(owner, phone)
            if owner == user:
                await store.append(owner, branch)
                await store.trim(owner, _HOME, up_to=floor)
            else:
                await store.append(owner, [], floor=VersionVector({_HOME: floor}))
            await _moves(store, owner, want=4)
            want = phone[:2] + (branch[2:] if owner == user else [])
            same(await rows(store, owner), want, f"read after the move below floor {floor}")
            page = await store.read(owner, after=NOTHING, limit=0, max_bytes=0)
            same(page.floor, VersionVector({_HOME: floor}), "floor")
            tops = VersionVector({"phone": 2, _HOME: max(4, floor)})
            same(page.tops, tops, "tops")
            await _moves(store, owner, want=0)
            new = entry("phone", 3, content=b'"from the server"')
            await store.append(owner, [new])
            same(await rows(store, owner, devices=["phone"]), [*phone[:2], new], "phone refilled")


@check(
    "rehome.comes_back",
    rule="LogStore.rehome: entries that to_device holds already are only taken from device",
    requires=_REHOME,
    kills=("M335", "M336"),
)
async def comes_back(case: Case) -> None:
    """A branch that was moved comes back with a backup: what is there is dropped, the rest joins.

    An entry that lost its content in one of the two places is the same entry. If it
    has another end, the call says from where on, and nothing has moved.
    """
    user, forked = case.user(), case.user()
    phone = series("phone", 1, 6)
    branch = [_moved(one, n) for n, one in enumerate(phone[2:], 1)]
    secret = entry("laptop", 1, at=90, redacts=phone[2].identity)
    async with case.open_log() as store:
        gone = _moved(phone[3].without_content(), 2)  # redacted before it moved
        await store.append(user, [*phone, branch[0], gone, branch[2], secret])
        await _moves(store, user, laptop=0, want=4)
        followed = _rewritten(secret, redacts=Identity(_HOME, 1))
        want = [*phone[:2], branch[0].without_content(), gone, *branch[2:], followed]
        same(await rows(store, user), want, "read after the branch came back, one longer")

        other = _moved(entry("phone", 5, at=50, content=b'"another end"'), 3)
        await store.append(forked, [*phone, *branch[:2], other])
        before = await state(store, forked)
        await refused(
            store.rehome(forked, "phone", from_counter=3, to_device=_HOME),
            ForkError,
            "rehome of a branch with another end",
            device=_HOME,
            counter=3,
        )
        same(await state(store, forked), before, "the log after rehome was refused")
