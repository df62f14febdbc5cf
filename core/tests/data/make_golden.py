"""Writes the golden vectors of docs/reference/golden, without any code of strandlog.

What the files say is computed here a second time, from the descriptions of the
layouts, so that neither the code nor its vectors can change alone::

    python core/tests/data/make_golden.py
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

GOLDEN = Path(__file__).parents[3] / "docs" / "reference" / "golden"

TIMESTAMPS = (
    *(0, 1, 9, 10, 99, 100),
    *(1710763199999, 1710763200000, 1710763200001),
    *(999999999999998, 999999999999999),
)
COUNTERS = (1, 2, 9, 10, 99, 100, 999999999999)
# In bytewise order: - . digits A-Z _ a-z ~
DEVICES = (
    *("-", "-a", "...", ".a", "0", "00", "1", "10", "2", "9", "A", "Laptop", "Z", "_"),
    *("a", "a-", "a-b", "a.", "a.b", "a0", "aA", "a_b", "aa", "ab", "a~b", "b"),
    *("laptop", "laptop2", "laptop~9f86d081884c7d65", "phone", "z" * 64, "~", "~server"),
)


@dataclass(frozen=True)
class Item:
    """One entry as the files write it; *digest* stands for content that is gone."""

    name: str
    device: str = "laptop"
    counter: int = 3
    timestamp: int = 1710763200000
    scope: str = "private"
    content: bytes | None = b'"hello"'
    redacts: tuple[str, int] | None = None
    meta: bytes | None = None
    digest: str = ""
    user: str = "alice"

    def fields(self) -> dict[str, object]:
        """Return what the files say of it, but for user and record."""
        return {
            "name": self.name,
            "device": self.device,
            "counter": self.counter,
            "timestamp": self.timestamp,
            "scope": self.scope,
            "content": _base64(self.content),
            "redacts": None if self.redacts is None else list(self.redacts),
            "meta": _base64(self.meta),
            "digest": digest(self),
        }


def digest(item: Item) -> str:
    """Hash an entry as the protocol page says."""
    if item.content is None:
        return item.digest
    hasher = hashlib.blake2b(digest_size=16)
    for part in (
        item.device.encode("ascii"),
        struct.pack(">Q", item.counter),
        struct.pack(">Q", item.timestamp),
        item.scope.encode("ascii"),
        None if item.redacts is None else b"%012d:%b" % (item.redacts[1], item.redacts[0].encode()),
        item.content,
        item.meta,
    ):
        hasher.update(struct.pack(">I", 0xFFFFFFFF if part is None else len(part)))
        hasher.update(part or b"")
    return hasher.hexdigest()


def record(item: Item) -> bytes:
    """Pack an entry as docs/reference/golden/README.md says."""
    flags = 0
    optional = b""
    if item.redacts is not None:
        flags |= 2
        device = item.redacts[0].encode("ascii")
        optional += struct.pack(f">QB{len(device)}s", item.redacts[1], len(device), device)
    if item.meta is not None:
        flags |= 4
        optional += struct.pack(f">I{len(item.meta)}s", len(item.meta), item.meta)
    if item.content is not None:
        flags |= 1
        optional += item.content
    device, scope = item.device.encode("ascii"), item.scope.encode("ascii")
    body = struct.pack(
        f">BBQQ16sB{len(device)}sB{len(scope)}s",
        1,
        flags,
        item.timestamp,
        item.counter,
        bytes.fromhex(digest(item)),
        len(device),
        device,
        len(scope),
        scope,
    )
    body += optional
    user = item.user.encode("ascii")
    checked = struct.pack(f">H{len(user)}s", len(user), user) + body
    return body + hashlib.blake2b(checked, digest_size=8).digest()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode("ascii")


def seqs() -> dict[str, object]:
    """Return seqs as peers may write them, their canonical form, and their order."""
    places = set(product(TIMESTAMPS, (1, 10, 999999999999), ("laptop", "phone")))
    places |= set(product((9, 10, 1710763200000), COUNTERS, ("A", "a", "laptop", "~")))
    places |= set(product((0, 1710763200000), (9,), DEVICES))
    canonical = {
        f"{timestamp:015}:{counter:012}:{device}": (timestamp, counter, device)
        for timestamp, counter, device in places
    }
    # Neither sorted nor left to chance.
    shuffled = sorted(canonical, key=lambda text: hashlib.blake2b(text.encode()).digest())
    written = []
    for number, text in enumerate(shuffled):
        timestamp, counter, device = canonical[text]
        forms = (text, f"{timestamp}:{counter}:{device}", f"0{timestamp}:00{counter}:{device}")
        form = forms[number % 3] if timestamp < 10**14 and counter < 10**10 else forms[number % 2]
        written.append({"text": form, "canonical": text})
    return {
        "seqs": written,
        "order": sorted(
            canonical, key=lambda text: (*canonical[text][:2], canonical[text][2].encode("ascii"))
        ),
    }


def bad_seqs() -> list[dict[str, str]]:
    """Return what looks like a seq and is none."""
    bad = {
        "number of parts": ("", "1710763200000", "1710763200000:3", "1710763200000:3:lap:top"),
        "empty part": (":3:laptop", "1710763200000::laptop", "1710763200000:3:"),
        "other separator": ("1710763200000-3-laptop",),
        "order of parts": ("laptop:3:1710763200000",),
        "counters begin at 1": ("1710763200000:0:laptop", "001710763200000:000000000000:laptop"),
        "sign": ("+1:3:laptop", "-1:3:laptop", "1:+3:laptop", "1:-3:laptop"),
        "underscore": ("1_710_763_200_000:3:laptop", "1710763200000:1_0:laptop"),
        "white space": (
            *(" 1:3:laptop", "1: 3:laptop", "1 :3:laptop", "1:3 :laptop", "1:3:laptop "),
            *("1:3:laptop\n", "\n1:3:laptop", "1:3\n:laptop", "1:3:laptop\t", "1:3:laptop\u00a0"),
        ),
        "null character": ("1710763200000:3:laptop\0",),
        "not a whole decimal number": (
            "1.5:3:laptop",
            "1e12:3:laptop",
            "0x18:3:laptop",
            "1:3a:laptop",
        ),
        "other digits": (
            *("\u0661\u0662\u0663:3:laptop", "1710763200000:\u0663:laptop"),
            *("\uff11\uff12:3:laptop", "1710763200000:\u00b3:laptop"),
        ),
        "timestamp of 16 digits": ("1000000000000000:3:laptop", "0001710763200000:3:laptop"),
        "counter of 13 digits": ("1:1000000000000:laptop", "1:0000000000003:laptop"),
        "device": (
            *(
                "1:3:" + "z" * 65,
                "1:3:.",
                "1:3:..",
                "1:3:lap/top",
                "1:3:lap top",
                "1:3:l\u00e4ptop",
            ),
            *("1:3:lap\nx", "1:3:\n"),
        ),
    }
    return [{"why": why, "text": text} for why, texts in bad.items() for text in texts]


def entries() -> list[Item]:
    """Return entries with every combination of fields, and some that are easy to confuse."""
    contents = (b'"hello"', b"0", '{"t":"grüß dich \N{WAVING HAND SIGN}"}'.encode())
    combinations = [
        Item(
            f"content {number}{', redacts' if redacts else ''}{', meta' if meta else ''}",
            content=content,
            redacts=redacts,
            meta=meta,
        )
        for number, (content, redacts, meta) in enumerate(
            product(contents, (None, ("phone", 42)), (None, b'{"id":"a1"}')), 1
        )
    ]
    return [
        *combinations,
        Item("least numbers", counter=1, timestamp=0),
        Item("greatest numbers", counter=999999999999, timestamp=999999999999999),
        Item("redacts the greatest counter", redacts=("~", 999999999999)),
        Item("longest names", device="z" * 64, scope="s" * 32, redacts=("y" * 64, 1)),
        Item("shortest names", device="~", scope="_"),
        Item("scope friend", scope="friend"),
        Item("device ab, scope c", device="ab", scope="c"),
        Item("device a, scope bc", device="a", scope="bc"),
        Item("content is what meta is below", content=b"{}"),
        Item("empty object as meta", meta=b"{}"),
        Item("empty meta is not absent meta", meta=b""),
        Item("empty content", content=b""),
        Item("empty content, meta", content=b"", meta=b"{}"),
        Item("content ends like meta", content=b'"hello"\xff\xff\xff\xff'),
        Item("every byte", content=bytes(range(256))),
        Item("one block of the hash", content=b"x" * 128),
        Item("many blocks of the hash", content=bytes(range(256)) * 5),
    ]


def stored() -> list[Item]:
    """Return entries as stores keep them: whole, redacted and withdrawn."""
    whole = entries()
    gone = [
        Item(
            f"{item.name}; redacted",
            *(item.device, item.counter, item.timestamp, item.scope, None),
            redacts=item.redacts,
            digest=digest(item),
        )
        for item in whole
        if item.meta != b"" and item.content != b""
    ]
    users = (
        Item("longest user", user="u" * 256),
        Item(
            "a DID is a user name", user="did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
        ),
        Item("one character", user="a"),
        Item("withdrawn: as redacted, but never with redacts", content=None, digest="0f" * 16),
    )
    return [*whole, *gone, *users]


def records() -> list[dict[str, object]]:
    """Return stored entries with their packed records."""
    return [{"user": item.user, **item.fields(), "record": record(item).hex()} for item in stored()]


def names() -> dict[str, dict[str, list[str]]]:
    """Return names in and outside of their grammar."""
    nowhere = ["", " ", "a b", " a", "a ", "a\n", "\na", "a\0", "\t", "a\x7f"]
    nowhere += ["\u00e4", "\u00e9", "e\u0301", "\u202eabc", "\U0001f600", "\u0661", "/", "#"]
    nowhere += ["a/b", "a#b"]
    users = ["alice", "Alice", "a", "~", "-", "_", "...", ".a", "a.", "0", "a:b", "a@b.example"]
    users += [f"a{character}b" for character in "!\"$%&'()*+,;<=>?@[\\]^`{|}"]
    users += ["100%", "a%2Fb", "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"]
    scopes = ["private", "friend", "a", "0", ".", "..", "-", "_", "a.b", "a-b", "a_b"]
    elsewhere = [f"a{character}b" for character in "!\"$%&'()*+,:;<=>?@[\\]^`{|}"]
    return {
        "user": {"good": [*users, "u" * 256], "bad": [*nowhere, ".", "..", "u" * 257]},
        "device": {
            "good": list(DEVICES),
            "bad": [*nowhere, *elsewhere, ".", "..", "z" * 65],
        },
        "scope": {
            "good": [*scopes, "s" * 32],
            "bad": [*nowhere, *elsewhere, "Friend", "FRIEND", "a~b", "s" * 33],
        },
    }


def contents() -> list[dict[str, object]]:
    """Return texts that are, or are not, the strict UTF-8 of exactly one JSON value."""
    good = (
        *(b"0", b"-0", b"1", b"-1.5e-7", b"1E+5", b"0e0", b"1.0", b"-0.0", b"1e999", b"1e-999"),
        *(b"9007199254740993", b"1" * 400, b"1." + b"1" * 400),
        *(b"null", b"true", b"false", b'""', b'"a"', b"[]", b"{}", b"[1,2]", b'{"a":1}'),
        *(b'{"a":1,"a":2}', b'{"":0}', b"[ 1 ,\t2\r\n]", b'{ "a" : 1 }'),
        *(b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', b'"\\u0000"', b'"\\u00e4"', b'"\\uD83D\\uDE00"'),
        *(
            b'"\x7f"',
            '"\u2028\u2029"'.encode(),
            '"\N{GRINNING FACE}"'.encode(),
            '"\uffff"'.encode(),
        ),
        *(b"[" * 128 + b"]" * 128, b'{"a":' * 128 + b"0" + b"}" * 128),
        b'[{"a":' * 64 + b"0" + b"}]" * 64,
        b"[" + b",".join([b"[[]]"] * 200) + b"]",
        b'["' + b"[" * 200 + b'"]',
        b'["\\"' + b"[" * 200 + b'\\"","\\\\",' + b"[" * 127 + b"]" * 127 + b"]",
    )
    bad = {
        "empty": (b"",),
        "white space only": (b" ",),
        "white space around": (b" 1", b"1 ", b"\n{}", b"{}\n"),
        "two values": (b"1 2", b"{}{}", b'"a"b'),
        "byte order mark": (b"\xef\xbb\xbf1",),
        "null byte": (b"1\0", b"\x001"),
        "not UTF-8": (b'"\xff"',),
        "not UTF-8: overlong": (b'"\xc0\x80"',),
        "not UTF-8: a surrogate": (b'"\xed\xa0\x80"',),
        "not UTF-8: above U+10FFFF": (b'"\xf4\x90\x80\x80"',),
        "not UTF-8: cut": (b'"\xf0\x9f\x98"',),
        "half a surrogate pair": (
            b'"\\ud800"',
            b'"\\udc00\\ud800"',
            b'"\\ud800a"',
            b'{"\\ud800":1}',
        ),
        "not a number": (b"NaN", b"Infinity", b"-Infinity"),
        "number": (b"01", b"-01", b"1.", b".5", b"+1", b"-", b"1e", b"1e+", b"0x10", b"1_0"),
        "word": (b"True", b"nul", b"undefined"),
        "comma": (b"[1,]", b'{"a":1,}', b"[,1]", b"[1 2]", b'{"a":1 "b":2}'),
        "key": (b'{"a" 1}', b"{a:1}", b"{1:2}", b"{'a':1}"),
        "single quotes": (b"'a'",),
        "comment": (b"/* */1", b"1//"),
        "control character": (b'"\n"', b'"\0"', b'{"\t":1}'),
        "escape": (b'"\\x41"', b'"\\a"', b'"\\u12"', b'"\\u12G4"', b'{"\\x":1}'),
        "unclosed": (b'"a', b'"\\"', b"[", b'{"a":'),
        "unopened": (b"]",),
        "crossed": (b"[}", b'{"a":[}]'),
        "white space that is none in JSON": (b"[1,\x0b2]", b"[1,\xc2\xa02]"),
        "129 levels": (
            b"[" * 129 + b"]" * 129,
            b'{"a":' * 129 + b"0" + b"}" * 129,
            b"[" + b'[{"a":' * 64 + b"0" + b"}]" * 64 + b"]",
            b"[1," + b"[" * 128 + b"]" * 128 + b",2]",
        ),
        "1000 levels": (b"[" * 1000, b"[" * 1000 + b"]" * 1000),
    }
    judged: list[dict[str, object]] = [
        {"content": _base64(text), "accepted": True} for text in good
    ]
    for why, texts in bad.items():
        judged += ({"content": _base64(text), "accepted": False, "why": why} for text in texts)
    return judged


def files() -> dict[str, str]:
    """Return every file's name and text."""
    values: dict[str, object] = {
        "seq-order.json": seqs(),
        "bad-seqs.json": bad_seqs(),
        "digests.json": [item.fields() for item in entries()],
        "records.json": records(),
        "names.json": names(),
        "content.json": contents(),
    }
    return {name: json.dumps(value, indent=1) + "\n" for name, value in values.items()}


def main() -> int:
    for name, text in files().items():
        (GOLDEN / name).write_text(text, encoding="ascii")
    return 0


if __name__ == "__main__":
    sys.exit(main())
