"""Section E: names are whole, exact and bounded; what is outside the grammar is refused."""

from __future__ import annotations

from strandlog import Log, Seq, VersionVector
from strandlog.errors import InvalidNameError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import refused, same
from strandlog_conformance.samples import (
    entry,
    in_order,
    rows,
    series,
    shuffled_devices,
    tops_of,
    written,
)
from strandlog_conformance.suite import check

_TAILS = (
    "", "a", "A", "%", "_", "*", "?", ".", "..", "'", "''", '"', "`", ";", "--", "\\", "\\\\",
    ":", ":1", "$", "&", "=", "+", "|", "~", "@x", "!", "(", ")", "[a]", "{}", "<", ">", ",",
    "%25", "%00", "\\0", "^",
)  # fmt: skip
_HOSTILE_DEVICES = (
    "a:b", "a/b", "a b", "a'b", 'a"b', "a;DROP TABLE entry", "a\\b", "a%b", "a*b", "a#b", "a\nb",
    "a\x00b", "\u202ea", "📱", "é", "e\u0301", "\u0301", "\u0430", ".", "..", "a\u200bb", "\uff41",
)  # fmt: skip
_HOSTILE_USERS = ("a/b", "a#b", "a b", "a\tb", "a\nb", "a\x00b", "é", "e\u0301", "📱", ".", "..")


@check(
    "names.log_isolation",
    rule="a log is named by its whole user name, byte for byte",
    kills=("M20", "M22"),
)
async def log_isolation(case: Case) -> None:
    """Names that are prefixes, other cases or patterns of each other are different logs."""
    stem = case.user()
    users = [stem, *(case.own(stem + tail) for tail in _TAILS if tail)]
    users += [case.own(stem.swapcase()), case.own(stem[:-1]), case.own("0" + stem)]
    users = list(dict.fromkeys(users))
    given = {user: [entry("phone", 1, content=b"%d" % n)] for n, user in enumerate(users)}
    async with case.open_log() as store:
        for user in users:
            await store.append(user, given[user])
        for user in users:
            same(await rows(store, user), given[user], f"read of {user!r} among its likes")
            same(await store.tops(user), VersionVector({"phone": 1}), f"tops of {user!r}")
        await store.append(users[0], series("phone", 2, 3))
        await store.erase(users[1])
        same(await rows(store, users[1]), [], f"read of {users[1]!r}, erased")
        for user in users[2:]:
            same(await rows(store, user), given[user], f"read of {user!r} after others changed")
        log = Log(store)
        for name in _HOSTILE_USERS:
            await refused(log.append(name, given[stem]), InvalidNameError, f"append to {name!r}")
            await refused(log.read(name), InvalidNameError, f"read of {name!r}")
            await refused(log.head(name), InvalidNameError, f"head of {name!r}")


@check(
    "names.device_hostile",
    rule="the protocol page, names: a device is [A-Za-z0-9._~-]{1,64}, not . or ..",
    kills=("M24",),
)
async def device_hostile(case: Case) -> None:
    """Outside the grammar is refused; inside it, signs and cases stay apart."""
    user = case.user()
    devices = [*shuffled_devices(), "x" * 64, "x" * 63 + "y", "laptop~0123456789abcdef", "..."]
    given = [one for device in devices for one in series(device, 1, 2, step=1)]
    async with case.open_log() as store:
        log = Log(store)
        for name in _HOSTILE_DEVICES:
            await refused(_seq(name), InvalidNameError, f"Seq(1, 1, {name!r})")
            await refused(
                log.read(user, devices=[name]), InvalidNameError, f"read(devices={name!r})"
            )
            await refused(log.trim(user, name, up_to=1), InvalidNameError, f"trim of {name!r}")
        await store.append(user, given)
        same(await rows(store, user), in_order(given), "read of all")
        same(await store.tops(user), tops_of(given), "tops")
        asked = dict.fromkeys(devices, 2)
        want = {one.device: one.digest for one in given if one.counter == 2}
        same(await store.digests(user, asked), want, "digests of all")
        for device in devices:
            own = [one for one in given if one.device == device]
            same(await rows(store, user, devices=[device]), own, f"read(devices={device})")


async def _seq(device: str) -> Seq:
    return Seq(1, 1, device)


@check(
    "names.keys_not_glued",
    rule="names are whole components: no two keys are the same when written together",
    kills=("M178", "M179"),
)
async def keys_not_glued(case: Case) -> None:
    """User, device and counter stay apart, whatever sign a store puts between them."""
    stem = case.user()
    given = {
        user: [one for device in devices for one in series(device, 1, 12, step=1)]
        for user, devices in {
            stem: ["d", "d1", "d11", "1", "a.b", "a-b", "a_b", "a~b", "ab"],
            case.own(stem + "a"): ["b", ".b", "-b"],
            case.own(stem + ".a"): ["b", "b.1"],
            case.own(stem + ":a"): ["b"],
            case.own(stem + "d"): ["1", "11"],
            case.own(stem + "\\"): ["d"],
        }.items()
    }
    async with case.open_log() as store:
        for user, entries in given.items():
            await written(store, user, entries)
        for user, entries in given.items():
            same(await rows(store, user), in_order(entries), f"read of {user!r} among its likes")
            same(await store.tops(user), tops_of(entries), f"tops of {user!r}")
            at = dict.fromkeys(tops_of(entries), 11)
            want = {one.device: one.digest for one in entries if one.counter == 11}
            same(await store.digests(user, at), want, f"digests of {user!r}")
        await store.trim(stem, "d", up_to=5)
        left = [one for one in given[stem] if one.device != "d" or one.counter > 5]
        same(await rows(store, stem), in_order(left), "read after one device was trimmed")


@check(
    "names.too_long_refused",
    rule="the protocol page, names: user 256, device 64, scope 32 characters",
    kills=("M126",),
)
async def too_long_refused(case: Case) -> None:
    """The longest names work; one character more is refused and nothing is cut off."""
    stem = case.user()
    longest = case.own((stem * 43)[:256])
    twin = case.own(longest[:255] + ("x" if longest[255] != "x" else "y"))
    given = [entry("d" * 64, 1, scope="s" * 32)]
    async with case.open_log() as store:
        log = Log(store)
        await log.append(longest, given)
        same(await rows(store, longest), given, "read of a user of 256 characters")
        same(await rows(store, twin), [], "read of one that differs in the last character")
        same(await rows(store, longest, scopes={"s" * 32}), given, "read of a scope of 32")
        same(await rows(store, longest, scopes={"s" * 31}), [], "read of a scope of 31")
        await refused(log.append(longest + "x", given), InvalidNameError, "a user of 257")
        await refused(log.read(stem, devices=["d" * 65]), InvalidNameError, "a device of 65")
        await refused(log.read(stem, scopes=["s" * 33]), InvalidNameError, "a scope of 33")
        await refused(_seq("d" * 65), InvalidNameError, "Seq with a device of 65")


@check(
    "names.empty_refused", rule="the protocol page, names: at least one character", kills=("M194",)
)
async def empty_refused(case: Case) -> None:
    """The empty name is no name, of user, device or scope."""
    user = case.user()
    async with case.open_log() as store:
        log = Log(store)
        await refused(log.append("", series("phone", 1, 1)), InvalidNameError, "append to ''")
        await refused(log.read(""), InvalidNameError, "read of ''")
        await refused(log.erase(""), InvalidNameError, "erase of ''")
        await refused(log.trim(user, "", up_to=1), InvalidNameError, "trim of device ''")
        await refused(log.read(user, scopes=[""]), InvalidNameError, "read(scopes='')")
        await refused(_seq(""), InvalidNameError, "Seq(1, 1, '')")


@check("names.surrogates_refused_or_kept", rule="a name is never mangled", kills=("M195",))
async def surrogates_refused_or_kept(case: Case) -> None:
    """Half a character, which no encoding can write, is refused before any store sees it."""
    user = case.user()
    async with case.open_log() as store:
        log = Log(store)
        for name in ("\ud83d", "a\udc00", "\udcff"):
            await refused(log.read(name), InvalidNameError, f"read of user {name!a}")
            await refused(log.read(user, devices=[name]), InvalidNameError, f"device {name!a}")
            await refused(log.read(user, scopes=[name]), InvalidNameError, f"scope {name!a}")
        same(await rows(store, user), [], "read after the refusals")
