"""Sections D, E and N: what looks alike and is not the same."""

from __future__ import annotations

from dataclasses import replace

from strandlog import Entry, VersionVector
from strandlog.backend import LogStore
from strandlog_conformance.case import Case
from strandlog_conformance.expect import same
from strandlog_conformance.samples import NOTHING, entry, in_order, rows, written
from strandlog_conformance.scenarios.refusals import refused_as_fork
from strandlog_conformance.suite import check

# Of each group a database that sees numbers in text takes some for equal.
_NUMBERS = ("1", "01", "1.0", "1e0", "10", "1e1", "010", "10.0", "0x1", "-1", "1_0", "nan", "null")


@check(
    "names.like_numbers",
    rule="names are text, whatever they look like",
    kills=("M290", "M291"),
)
async def like_numbers(case: Case) -> None:
    """Names of logs, devices and scopes that are equal as numbers are different names."""
    number = "1" + "".join(str(ord(sign) % 10) for sign in case.user())
    users = [case.own(name) for name in (number, f"0{number}", f"{number}.0", f"{number}e0")]
    given = {user: [_numbered(name, n) for name in _NUMBERS] for n, user in enumerate(users)}
    async with case.open_log() as store:
        for user in users:
            await store.append(user, given[user])
        for user in users:
            want = in_order(given[user])
            same(await rows(store, user), want, f"read of {user} among its likes")
            for one in want:
                name = one.device
                same(await rows(store, user, devices={name}), [one], f"read(devices={name})")
                same(await rows(store, user, scopes={one.scope}), [one], f"read(scopes={name})")
                got = await store.digests(user, {name: 1})
                same(got, {name: one.digest}, f"digest of device {name}")
                rest = [other for other in want if other is not one]
                after = VersionVector({name: 1})
                same(await rows(store, user, after=after), rest, f"read after {name} 1")


def _numbered(name: str, n: int) -> Entry:
    return entry(name, 1, content=b'"%s %d"' % (name.encode(), n), scope=name.lower())


@check(
    "cursor.names_like_numbers",
    rule="a cursor belongs to one log and one reader, byte for byte",
    cursors=True,
    kills=("M292",),
)
async def cursors_like_numbers(case: Case) -> None:
    """Readers and devices that are equal as numbers have places of their own."""
    user = case.user()
    places = {name: n for n, name in enumerate(_NUMBERS, 1)}
    async with case.open_cursors() as store:
        for reader, n in places.items():
            vector = VersionVector({name: n * place for name, place in places.items()})
            await store.advance(user, reader, vector)
        for reader, n in places.items():
            want = VersionVector({name: n * place for name, place in places.items()})
            same(await store.load(user, reader), want, f"load of reader {reader}")
        same(sorted(await store.readers(user)), sorted(places), "readers")
        await store.forget(user, "1")
        same(sorted(await store.readers(user)), sorted({*places} - {"1"}), "readers after forget")


@check(
    "redact.same_content_elsewhere",
    rule="the protocol page, redaction: it names one entry",
    kills=("M293",),
)
async def same_content_elsewhere(case: Case) -> None:
    """Entries with equal content are entries by themselves: one can go, the others stay."""
    user, other = case.user(), case.user()
    text, meta = b'"the same"', b'{"id":"same"}'
    twins = [entry("phone", n, at=10, content=text, meta=meta, scope="friend") for n in range(1, 6)]
    twins += [entry("desk", n, at=10, content=text, meta=meta) for n in range(1, 3)]
    redaction = entry("desk", 3, at=20, redacts=twins[2].identity)
    async with case.open_log() as store:
        for owner in (user, other):
            done = await store.append(owner, twins)
            same(done.added, len(twins), "entries added of equal content")
        same(await rows(store, user), in_order(twins), "read of equal contents")
        await store.append(user, [redaction])
        left = [one.without_content() if one is twins[2] else one for one in twins]
        await _demand(store, user, [*left, redaction], "after one was redacted")
        await store.trim(user, "phone", up_to=2)
        await _demand(store, user, [*left[2:], redaction], "after two were trimmed")
        await store.erase(user)
        same(await rows(store, other), in_order(twins), "read of another log with the same content")


async def _demand(store: LogStore, user: str, want: list[Entry], when: str) -> None:
    same(await rows(store, user), in_order(want), f"read {when}")
    for scope in ("friend", "private"):
        own = [one for one in in_order(want) if one.scope == scope]
        same(await rows(store, user, scopes={scope}), own, f"read(scopes={scope}) {when}")


@check(
    "log.append.fork_in_every_field",
    rule="the digest: two entries are the same if all of their fields are",
    kills=("M294", "M295", "M105"),
)
async def fork_in_every_field(case: Case) -> None:
    """Whatever differs, also far below the top, is another entry; and the first one stays."""
    user = case.user()
    count = case.scale(1_500, 300)
    first = entry("desk", 1)
    phone = [
        entry("phone", n, at=10, meta=b"{}", redacts=first.identity if n == 2 else None)
        for n in range(1, count + 1)
    ]
    async with case.open_log() as store:
        await written(store, user, [first, *phone])
        for one in (phone[0], phone[1], phone[count // 2], phone[-1]):
            for other in _others(one, first):
                await refused_as_fork(store, user, other)
        done = await store.append(user, [phone[0], phone[1], phone[-1]])
        same((done.added, done.duplicates), (0, 3), "append of the same ones again")
        page = await store.read(user, after=NOTHING, limit=3, max_bytes=1 << 30)
        same(page.entries, in_order([first.without_content(), *phone])[:3], "read after the forks")


def _others(one: Entry, target: Entry) -> list[Entry]:
    """Return entries at the same place that differ in one field each."""
    changes: list[dict[str, object]] = [
        {"content": b'"another"'},
        {"meta": None},
        {"meta": b'{"a":1}'},
        {"scope": "friend"},
        {"redacts": None if one.redacts else target.identity},
    ]
    return [replace(one, **change, digest="") for change in changes]  # type: ignore[arg-type]
