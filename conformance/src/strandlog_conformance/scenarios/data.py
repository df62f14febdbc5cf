"""Section E: bytes and numbers come back exactly as they were given."""

from __future__ import annotations

from dataclasses import replace

from strandlog import Appended, Entry, Seq, VersionVector
from strandlog.backend import pack
from strandlog.errors import InvalidArgumentError, InvalidSeqError, TooLargeError
from strandlog.model import COUNTER_MAX, TIMESTAMP_MAX
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable, refused, same
from strandlog_conformance.samples import entry, everything, rows, series, state, written
from strandlog_conformance.suite import check, declared

_RULE = "LogStore.append: content is any bytes, and comes back byte for byte"
_KIB, _MIB = 1 << 10, 1 << 20


async def _keeps(case: Case, contents: list[bytes], what: str) -> None:
    """Append an entry for each content that fits, and read them back."""
    user = case.user()
    limit = case.capabilities.max_entry
    if limit is not None:
        contents = [content for content in contents if len(content) + _KIB <= limit]
    if not contents:
        raise NotApplicable(f"max_entry={limit} leaves no room for {what}")
    given = [entry("phone", n, content=content) for n, content in enumerate(contents, 1)]
    async with case.open_log() as store:
        await written(store, user, given)
        same(await rows(store, user), given, f"read of {what}")
        same((await everything(store, user)).entries, given, f"read_range of {what}")
        at = {"phone": len(given)}
        same(await store.digests(user, at), {"phone": given[-1].digest}, f"digest of {what}")


@check("data.all_byte_values", rule=_RULE, kills=("M25",))
async def all_byte_values(case: Case) -> None:
    """Each byte alone, all in a row, and sequences that are no text in any encoding."""
    contents = [bytes([n]) for n in range(256)]
    contents += [
        bytes(range(256)),
        b"\x00",
        b"a\x00b",
        b"\xff\xfe\x00",
        b"\xed\xa0\x80",
        b"\xc0\x80",
    ]
    await _keeps(case, contents, "all byte values")


@check("data.empty_body", rule=_RULE, kills=("M26",))
async def empty_body(case: Case) -> None:
    """Empty content is content: not missing, not redacted, not the same as ``null``."""
    user = case.user()
    given = [entry("phone", 1, content=b""), entry("phone", 2, content=b"null")]
    async with case.open_log() as store:
        done = await store.append(user, given)
        same(done, Appended(VersionVector({"phone": 2}), 2, 0), "append of empty content")
        found = await rows(store, user)
        same(found, given, "read of empty content")
        same([one.redacted for one in found], [False, False], "redacted")


@check("data.sizes", rule=_RULE, kills=("M129",))
async def sizes(case: Case) -> None:
    """Sizes around every border that a format may have, up to a few MiB."""
    lengths = [0, 1, 127, 128, 255, 256, 257, 4095, 4096, 4097, 32767, 32768, 65535, 65536, 65537]
    lengths += [_MIB + 1] if case.fast else [_MIB, _MIB + 1, 5 * _MIB + 1]
    await _keeps(case, [b"x" * length for length in lengths], "many sizes")


@check(
    "data.over_limit_refused",
    rule="Capabilities.max_entry: at the limit fine, one byte more is TooLargeError",
    requires=(declared("max_entry"),),
    kills=("M77",),
)
async def over_limit_refused(case: Case) -> None:
    """The limit counts the packed record; beyond it nothing of the batch is stored."""
    user = case.user()
    limit = case.capabilities.max_entry or 0
    room = limit - len(pack(user, entry("phone", 1, content=b"")))
    fits = entry("phone", 1, content=b"x" * room)
    async with case.open_log() as store:
        done = await store.append(user, [fits])
        same(done, Appended(VersionVector({"phone": 1}), 1, 0), "append of max_entry bytes")
        same(await rows(store, user), [fits], "read of max_entry bytes")
        before = await state(store, user)
        long = entry("phone", 2, content=b"x" * (room + 1))
        await refused(
            store.append(user, [entry("desk", 1), long]),
            TooLargeError,
            "append of max_entry + 1 bytes",
            limit=limit,
            counter=2,
        )
        same(await state(store, user), before, "the log after the refusal")


@check(
    "data.big_numbers",
    rule="the protocol page, seq: 15 digits of timestamp and 12 of counter, exact",
    kills=("M28", "M188"),
)
async def big_numbers(case: Case) -> None:
    """Numbers beyond 32 bits and beyond a float's reach are exact; one more is refused."""
    user = case.user()
    stamps = [0, 2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**48 + 1, TIMESTAMP_MAX - 1, TIMESTAMP_MAX]
    given = [entry("phone", n, at=at) for n, at in enumerate(stamps, 1)]
    async with case.open_log() as store:
        await store.append(user, given)
        same(await rows(store, user), given, "read of great timestamps")
        for n, one in enumerate(given):
            page = await store.read_range(user, after=one.seq, limit=99)
            same(page.entries, given[n + 1 :], f"read_range after timestamp {one.seq.timestamp}")
            page = await store.read_range(user, up_to=one.seq, reverse=True, limit=99)
            same(page.entries, given[n::-1], f"read_range up to timestamp {one.seq.timestamp}")
        for counter in (2**31, 2**32 + 1, COUNTER_MAX):
            owner = case.user()
            last = entry("desk", counter, at=5)
            floor = VersionVector({"desk": counter - 1})
            done = await store.append(owner, [last], floor=floor)
            tops = VersionVector({"desk": counter})
            same(done, Appended(tops, 1, 0), f"append of counter {counter}")
            same(await rows(store, owner), [last], f"read of counter {counter}")
            same(await rows(store, owner, after=floor), [last], f"read after {counter - 1}")
            same(await rows(store, owner, after=tops), [], f"read after {counter}")
            same(await store.tops(owner), tops, f"tops of counter {counter}")
            same(await store.digests(owner, tops), {"desk": last.digest}, f"digest of {counter}")
    for numbers in ((TIMESTAMP_MAX + 1, 1), (0, COUNTER_MAX + 1), (-1, 1), (0, 0)):
        await refused(_seq(*numbers), InvalidSeqError, f"Seq{numbers}")
    await refused(_vector(COUNTER_MAX + 1), InvalidArgumentError, "a vector with one more")


async def _seq(timestamp: int, counter: int) -> Seq:
    return Seq(timestamp, counter, "desk")


async def _vector(counter: int) -> VersionVector:
    return VersionVector({"desk": counter})


class _Name(str):
    """A name that is not exactly a ``str``, as a library of an application makes them."""

    __slots__ = ()


class _Bytes(bytes):
    """Content that is not exactly ``bytes``."""

    __slots__ = ()


@check(
    "data.memoryview_and_subclasses",
    rule="LogStore.append: a subclass is as good as its type",
    kills=("M06",),
)
async def memoryview_and_subclasses(case: Case) -> None:
    """Names and content of derived types are taken and come back equal."""
    user = case.user()
    plain = entry("phone", 1, content=b'"text"', scope="friend")
    derived = Entry(
        Seq(10, 1, _Name("phone")), _Name("friend"), _Bytes(b'"text"'), digest=plain.digest
    )
    buffer = bytearray(b'"buffer"')
    viewed = Entry(Seq(20, 2, "phone"), "friend", memoryview(buffer))  # type: ignore[arg-type]
    async with case.open_log() as store:
        await store.append(_Name(user), [derived, viewed])
        buffer[1:7] = b"reused"
        found = await rows(store, user, scopes={"friend"})
        second = entry("phone", 2, content=b'"buffer"', scope="friend")
        same(found == [plain, second], True, f"read of derived types, {found}, equals plain ones")
        same(await store.tops(_Name(user)), VersionVector({"phone": 2}), "tops")
        done = await store.append(user, [plain])
        same(done, Appended(VersionVector({"phone": 2}), 0, 1), "append of the plain one again")


@check("data.json_like_bodies_untouched", rule=_RULE, kills=("M130",))
async def json_like_bodies_untouched(case: Case) -> None:
    """What looks like JSON is neither parsed nor written anew, in content and in ``meta``."""
    user = case.user()
    texts = [
        b'{"a":1.0}', b'{"a":1.0,"a":2}', b"1e400", b'"\\u00e9"', b'"e\xcc\x81"', b'"\xc3\xa9"',
        b'{ "b" : 1 , "a" : 2 }', b"\xef\xbb\xbf{}", b'"a\r\nb"', b"-0", b"12345678901234567890",
        b'"\\/"', b"  [1]  ", b'"\x7f"', b"{}\n", b"true",
    ]  # fmt: skip
    given = [entry("phone", n, content=text) for n, text in enumerate(texts, 1)]
    given += [
        replace(entry("desk", n, content=b"0"), meta=meta, digest="")
        for n, meta in enumerate([b"{}", b'{"z":1.0,"a":"\\u00e9"}', b'{ "id" : "x" }'], 1)
    ]
    async with case.open_log() as store:
        await store.append(user, given)

        found = {one.identity: one for one in await rows(store, user)}
        for one in given:
            same(found.get(one.identity), one, f"read of {one.device} {one.counter}")


@check("data.compressible_and_random", rule=_RULE, kills=("M129",))
async def compressible_and_random(case: Case) -> None:
    """Long runs, noise and repeated records of 100 KiB are kept."""
    size = 100 * _KIB
    noise = case.random.randbytes(size)
    contents = [b"\x00" * size, noise, noise, bytes(reversed(noise)), b"ab" * (size // 2)]
    await _keeps(case, contents, "compressible and random content")


@check(
    "data.withdrawn_entries",
    rule="Entry: without content it keeps the digest that it was given",
    kills=("M131",),
)
async def withdrawn_entries(case: Case) -> None:
    """An entry that never had its content here is stored with envelope and digest."""
    user = case.user()
    whole = series("phone", 1, 3)
    given = [whole[0], whole[1].withdrawn(), whole[2].without_content()]
    async with case.open_log() as store:
        done = await store.append(user, given)
        same(done, Appended(VersionVector({"phone": 3}), 3, 0), "append of entries without content")
        same(await rows(store, user), given, "read of them")
        done = await store.append(user, whole)
        same(done, Appended(VersionVector({"phone": 3}), 0, 3), "append of the originals")
        same(await rows(store, user), given, "read after the originals came: first one stays")
