"""Section N: an entry that takes away the content of another."""

from __future__ import annotations

from strandlog import Appended, Entry, Identity, Log, VersionVector
from strandlog.backend import LogStore
from strandlog_conformance.case import Case
from strandlog_conformance.expect import same, together
from strandlog_conformance.samples import (
    ALL,
    NOTHING,
    UNBOUNDED,
    entry,
    everything,
    in_order,
    rows,
    series,
)
from strandlog_conformance.suite import check

_RULE = "the protocol page, redaction: the content goes, envelope and digest stay"


async def _demand(store: LogStore, user: str, want: list[Entry], when: str) -> None:
    """Demand that every read of the log shows *want*."""
    want = in_order(want)
    page = await store.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED)
    same(page.entries, want, f"read {when}")
    same((await everything(store, user)).entries, want, f"read_range {when}")
    backwards = await store.read_range(user, reverse=True, limit=ALL)
    same(backwards.entries, want[::-1], f"read_range(reverse) {when}")
    got = [one async for one in Log(store).entries(user)]
    same(got, want, f"Log.entries {when}")
    same(await store.head(user), want[-1].seq, f"head {when}")
    for scope in {one.scope for one in want}:
        own = [one for one in want if one.scope == scope]
        same(await rows(store, user, scopes={scope}), own, f"read(scopes={scope}) {when}")


@check("redact.content_gone_everywhere", rule=_RULE, kills=("M149", "M150"))
async def content_gone_everywhere(case: Case) -> None:
    """After the redaction no read shows content or meta; digest, scope and tops stay."""
    user = case.user()
    secret = entry("phone", 2, content=b'"secret"', scope="friend", meta=b'{"id":"s"}')
    given = [entry("phone", 1), secret, entry("phone", 3), entry("desk", 1, at=21)]
    redaction = entry("desk", 2, at=50, content=b"null", redacts=secret.identity)
    async with case.open_log() as store:
        await store.append(user, given)
        done = await store.append(user, [redaction])

        same(done, Appended(VersionVector({"desk": 2}), 1, 0), "append of the redaction")
        want = [given[0], secret.without_content(), given[2], given[3], redaction]
        await _demand(store, user, want, "after the redaction")
        at = {"phone": 2}
        same(await store.digests(user, at), {"phone": secret.digest}, "digest of the redacted one")
        same(await store.tops(user), VersionVector({"phone": 3, "desk": 2}), "tops")
        again = entry("phone", 4, at=60, redacts=secret.identity)
        await store.append(user, [again])
        await _demand(store, user, [*want, again], "after it was redacted a second time")


@check("redact.before_target_arrives", rule=_RULE, kills=("M151",))
async def before_target_arrives(case: Case) -> None:
    """A redaction that comes first masks its target when that comes, also after others."""
    user = case.user()
    redaction = entry("desk", 1, redacts=Identity("phone", 3))
    phone = series("phone", 1, 4)
    async with case.open_log() as store:
        await store.append(user, [redaction])
        same(await store.tops(user), VersionVector({"desk": 1}), "tops: the target does not count")
        await store.append(user, phone[:2])
        await store.append(user, phone[2:])
        masked = [phone[0], phone[1], phone[2].without_content(), phone[3]]
        await _demand(store, user, [redaction, *masked], "after the target came late")
        same(
            await store.digests(user, {"phone": 3}), {"phone": phone[2].digest}, "digest of phone 3"
        )
        both = case.user()
        await store.append(both, [*phone, redaction])
        await _demand(store, both, [redaction, *masked], "of both in one batch")


@check("redact.reupload_is_duplicate", rule=_RULE, kills=("M152",))
async def reupload_is_duplicate(case: Case) -> None:
    """The original sent again, or its redacted form, is a duplicate and brings nothing back."""
    user = case.user()
    phone = series("phone", 1, 3)
    redaction = entry("phone", 4, redacts=Identity("phone", 2))
    masked = phone[1].without_content()
    async with case.open_log() as store:
        await store.append(user, [*phone, redaction])
        for what, batch in (
            ("the original", phone[1:2]),
            ("its redacted form", [masked]),
            ("all of it", [*phone, redaction]),
        ):
            done = await store.append(user, batch)
            want = Appended(VersionVector({"phone": 4}), 0, len(batch))
            same(done, want, f"append of {what} again")
            shown = [phone[0], masked, phone[2], redaction]
            await _demand(store, user, shown, f"after {what} came again")


@check("redact.only_same_user", rule=_RULE, kills=("M153",))
async def only_same_user(case: Case) -> None:
    """A redaction reaches into its own log only, and there only to its target."""
    user, other = case.user(), case.user()
    given = series("phone", 1, 12) + series("phone1", 1, 2)
    async with case.open_log() as store:
        await store.append(user, given)
        await store.append(other, given)
        redaction = entry("desk", 1, redacts=Identity("phone", 1))
        await store.append(other, [redaction])
        await _demand(store, user, given, "of the log of another user")
        want = [given[0].without_content(), *given[1:], redaction]
        await _demand(store, other, want, "of the log with the redaction")


@check(
    "redact.outlives_trim",
    rule="the protocol page, redaction: what was redacted stays so",
    kills=("M180",),
)
async def outlives_trim(case: Case) -> None:
    """A redaction that was trimmed away still masks its target, there or yet to come."""
    user = case.user()
    desk = [
        entry("desk", 1, redacts=Identity("phone", 1)),
        entry("desk", 2, redacts=Identity("late", 1)),
        entry("desk", 3),
    ]
    phone, late = entry("phone", 1), entry("late", 1)
    async with case.open_log() as store:
        await store.append(user, [*desk, phone])
        await store.trim(user, "desk", up_to=2)
        await store.append(user, [late])
        await store.append(user, [phone])

        want = [desk[2], phone.without_content(), late.without_content()]
        await _demand(store, user, want, "after the redactions were trimmed")


@check("redact.of_a_redaction", rule="a redacted redaction keeps its redacts", kills=("M154",))
async def of_a_redaction(case: Case) -> None:
    """Redacting a redaction takes its content and leaves its effect."""
    user = case.user()
    target = entry("phone", 1)
    first = entry("phone", 2, content=b'"why"', redacts=target.identity)
    second = entry("phone", 3, redacts=first.identity)
    async with case.open_log() as store:
        await store.append(user, [target, first])
        await store.append(user, [second])
        want = [target.without_content(), first.without_content(), second]
        await _demand(store, user, want, "after a redaction was redacted")
        same((await rows(store, user))[1].redacts, target.identity, "redacts of the redacted one")


@check("redact.race_with_target", rule=_RULE, kills=("M155",))
async def race_with_target(case: Case) -> None:
    """Target and redaction appended at the same moment: masked in the end, whoever was first."""
    async with case.open_log() as store, case.second_log(store) as other:
        for turn in range(case.scale(20, 8)):
            user = case.user()
            target = entry("phone", 1)
            redaction = entry("desk", 1, redacts=target.identity)
            calls = [store.append(user, [target]), other.append(user, [redaction])]
            if turn % 2:
                calls.reverse()
            await together(*calls)
            for opener in (store, other):
                got = await rows(opener, user)
                same(got, [redaction, target.without_content()], f"read after race {turn}")


@check(
    "redact.duplicates_mask_nothing",
    rule="LogStore.append: a duplicate changes nothing, with content or without",
    kills=("M339",),
)
async def duplicates_mask_nothing(case: Case) -> None:
    """A redaction that was withdrawn is held without its effect; whole, it comes too late."""
    user = case.user()
    target = entry("phone", 1)
    redaction = entry("desk", 1, at=50, redacts=target.identity)
    async with case.open_log() as store:
        await store.append(user, [target, redaction.withdrawn()])
        done = await store.append(user, [redaction])

        same(done, Appended(VersionVector({"desk": 1}), 0, 1), "append of the redaction, whole")
        await _demand(store, user, [target, redaction.withdrawn()], "after the duplicate")
