"""Section D: a view shows its scopes and nothing else, and covers what it hides."""

from __future__ import annotations

from strandlog import Log, Page, VersionVector
from strandlog.errors import ForkError, InvalidNameError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import refused, same
from strandlog_conformance.samples import (
    ALL,
    NOTHING,
    UNBOUNDED,
    entry,
    in_order,
    pages,
    rows,
    series,
    written,
)
from strandlog_conformance.suite import check

_SCOPES = ("private", "friend", "friends", "fr_end", "family")


@check(
    "log.scope.filtered_everywhere",
    rule="scopes= shows entries of these scopes only, in every read",
    kills=("M32", "M126"),
)
async def filtered_everywhere(case: Case) -> None:
    """Read, pages of every size, ranges both ways: a friend's view leaks nothing."""
    user = case.user()
    given = [
        entry(device, n, at=n * 5 + place, scope=_SCOPES[(n + place) % len(_SCOPES)])
        for place, device in enumerate(("phone", "desk", "laptop"))
        for n in range(1, 21)
    ]
    tops = VersionVector({"phone": 20, "desk": 20, "laptop": 20})
    async with case.open_log() as store:
        await written(store, user, given)
        for scopes in ({"friend"}, {"friend", "family"}, {"private"}, set(_SCOPES)):
            want = in_order(one for one in given if one.scope in scopes)
            call = f"scopes={sorted(scopes)}"
            page = await store.read(
                user, after=NOTHING, scopes=scopes, limit=ALL, max_bytes=UNBOUNDED
            )
            same(page, Page(want, tops, False, tops, NOTHING), f"read({call})")
            for size in (1, 3, 10):
                found = await pages(store, user, limit=size, scopes=scopes)
                got = [one for page in found for one in page.entries]
                same(got, want, f"pages of {size}, {call}")
                same(found[-1].upto, tops, f"upto of the last page of {size}, {call}")
            page = await store.read_range(user, scopes=scopes, limit=ALL)
            same(page.entries, want, f"read_range({call})")
            page = await store.read_range(user, scopes=scopes, reverse=True, limit=ALL)
            same(page.entries, want[::-1], f"read_range({call}, reverse)")
            half = want[len(want) // 2].seq
            page = await store.read_range(user, after=half, scopes=scopes, limit=ALL)
            same(page.entries, [one for one in want if one.seq > half], f"range after, {call}")
            some = VersionVector({"phone": 7, "desk": 3})
            got = await rows(store, user, after=some, devices=["phone", "desk"], scopes=scopes)
            due = [o for o in want if o.device != "laptop" and o.counter > some[o.device]]
            same(got, due, f"read(after, devices, {call})")


@check(
    "log.scope.unknown_scope",
    rule="scopes= shows entries of these scopes only; an empty one is nothing",
    kills=("M127",),
)
async def unknown_scope(case: Case) -> None:
    """A scope that nothing has, and no scope at all, show nothing and cover everything."""
    user = case.user()
    tops = VersionVector({"phone": 5})
    async with case.open_log() as store:
        await store.append(user, series("phone", 1, 5))
        for scopes in ({"nobody"}, {"priv"}, set[str](), {"%"}, {"priv_te"}):
            page = await store.read(
                user, after=NOTHING, scopes=scopes, limit=ALL, max_bytes=UNBOUNDED
            )
            same(page, Page([], tops, False, tops, NOTHING), f"read(scopes={scopes})")
            page = await store.read_range(user, scopes=scopes, limit=ALL)
            same(page, Page([], NOTHING, False, tops, NOTHING), f"read_range(scopes={scopes})")
        log = Log(store)
        await refused(log.read(user, scopes=["Friend"]), InvalidNameError, "read(scopes=Friend)")


@check(
    "log.scope.cannot_change_by_resend",
    rule="LogStore.append: the scope is part of the digest",
    kills=("M105",),
)
async def cannot_change_by_resend(case: Case) -> None:
    """Nobody makes a private entry public by sending it again."""
    user = case.user()
    private = entry("phone", 1, scope="private", content=b'"secret"')
    public = entry("phone", 1, scope="friend", content=b'"secret"')
    async with case.open_log() as store:
        await store.append(user, [private])
        await refused(
            store.append(user, [public]),
            ForkError,
            "append of phone 1 again as friend",
            device="phone",
            counter=1,
        )
        same(await rows(store, user, scopes={"friend"}), [], "read(scopes=friend)")
        same(await rows(store, user), [private], "read of all")


@check(
    "log.scope.hidden_is_covered",
    rule="Page.upto: what the reader may not see was examined, and is covered",
    kills=("M128",),
)
async def hidden_is_covered(case: Case) -> None:
    """A view that is caught up stays caught up, though hidden entries lie beyond its last."""
    user = case.user()
    given = [
        entry("phone", 1, scope="friend"),
        entry("phone", 2),
        entry("desk", 1, at=15),
        entry("phone", 3),
    ]
    tops = VersionVector({"phone": 3, "desk": 1})
    async with case.open_log() as store:
        await store.append(user, given)
        page = await store.read(
            user, after=NOTHING, scopes={"friend"}, limit=1, max_bytes=UNBOUNDED
        )
        same(page, Page(given[:1], tops, False, tops, NOTHING), "read(scopes=friend, limit=1)")
        await store.append(user, [entry("phone", 4, scope="friend")])
        got = await rows(store, user, after=page.upto, scopes={"friend"})
        same(got, [entry("phone", 4, scope="friend")], "read after that page's upto")
