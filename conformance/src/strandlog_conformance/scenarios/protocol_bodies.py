"""Section L: contents that nobody reads, entries that are refused, simple clients by POST."""

from __future__ import annotations

import json

from strandlog import VersionVector
from strandlog.client import Withdrawn
from strandlog.protocol.codec import encode_entry
from strandlog.protocol.limits import Limits
from strandlog_conformance.expect import same
from strandlog_conformance.samples import entry
from strandlog_conformance.stage import USER, Pair, hello, names
from strandlog_conformance.stories import story

_BODIES = (
    b'{"a":1.0}',
    b'{ "b" : [1,  2 ],\n\t"b":null}',
    b"1e400",
    b"-0",
    b"123456789012345678901234567890.000",
    b'"\\u00e9\\ud83d\\ude00\\/\\u0000"',
    "\"é 😀 \u2028 \ufeff\"".encode(),
    b'""',
    b"null",
    b"[ ]",
    b"[" * 128 + b"]" * 128,
    b'"' + b"x" * 5_000 + b'"',
)  # fmt: skip


@story(
    "proto.body_is_opaque",
    rule="the protocol page, data: content comes back byte for byte",
    kills=("M130",),
)
async def opaque(pair: Pair) -> None:
    """No two programs write JSON alike; here nobody writes it anew."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await laptop.add_raw(*_BODIES)
    await laptop.sync()
    await phone.sync()
    same([one.content for one in await pair.server.disk.entries(USER)], list(_BODIES), "server")
    same([one.content for one in await phone.entries()], list(_BODIES), "the phone")


@story(
    "proto.refused_middle_entry", rule="the protocol page: after a refused append", kills=("M131",)
)
async def refused_middle(pair: Pair) -> None:
    """One entry is refused for good: it goes up withdrawn, and the later ones still arrive."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    pair.server.refused.add(b'"bad"')
    await phone.add("p1")
    await phone.sync()
    await laptop.add("m1", "m2", "bad", "m4", "m5")
    trip = await laptop.sync()
    refused = [(one.identity.counter, one.code) for one in trip.told(Withdrawn)]
    same(refused, [(3, "rejected")], "entries that are withdrawn")
    await phone.sync()
    same(await phone.texts(), ["p1", "m1", "m2", None, "m4", "m5"], "the log on the phone")
    same(await laptop.texts(), ["p1", "m1", "m2", "bad", "m4", "m5"], "the log on the laptop")
    same((await laptop.status()).unsent, 0, "unsent entries")
    again = await laptop.sync()
    same((again.up, again.events), ([], []), "what a later exchange sends and tells")


@story(
    "proto.resend_below_floor",
    rule="the protocol page, trim: nothing is stored below the floor",
    kills=("M01", "M156"),
)
async def below_floor(pair: Pair) -> None:
    """What the server has trimmed is sent once more: it is neither stored nor asked for."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    entries = await laptop.add("m1", "m2", "m3", "m4", "m5")
    await laptop.sync()
    await pair.server.disk.log.trim(USER, "laptop", up_to=3)
    await laptop.restore(pair.device("nobody").disk, log=False)
    trip = await laptop.sync()
    same(trip.up[:5], [f"laptop {counter}" for counter in range(1, 6)], "what is sent again")
    same(await pair.server.texts(), ["m4", "m5"], "the server's log")
    same((await laptop.status()).unsent, 0, "unsent entries")
    kind, body = await pair.server.post("alice/laptop", hello(5, entries[:2], v=1, have={}))
    refused = (kind, body["code"], body["device"], body["floor"])
    same(refused, ("error", "trimmed", "laptop", 3), "the answer to a slice below the floor")
    await phone.sync()
    same(await phone.texts(), ["m4", "m5"], "the log on the phone")
    same(await phone.tops(), VersionVector({"laptop": 5}), "tops on the phone")
    await laptop.add("m6")
    await laptop.sync()
    await phone.sync()
    same(await phone.texts(), ["m4", "m5", "m6"], "the log on the phone in the end")


@story("proto.invalid_utf8_post", rule="the protocol page, data: strict UTF-8", kills=("M33",))
async def invalid_utf8(pair: Pair) -> None:
    """A content that is no text would break every page that it stands in; so it gets nowhere."""
    reader, phone = "alice/laptop", pair.device("phone")
    good = entry("laptop", 1, content=b'"good"')
    text = json.dumps(hello(1, [good], v=1, have={})).encode()
    for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82"):
        kind, body = await pair.server.post(reader, text.replace(b"good", bad))
        same((kind, body["code"]), ("error", "bad-json"), f"the answer to content with {bad!r}")
    same(await pair.server.texts(), [], "the server's log after the bad ones")
    kind, body = await pair.server.post(reader, text)
    same((kind, body.get("seq")), ("hello", 1), "the answer to a good one")
    await phone.sync()
    same(await phone.texts(), ["good"], "the log on the phone")


@story(
    "proto.v0_post_two_pages",
    rule="the protocol page, version 0: the remainder as one reply",
    kills=("M117", "M306"),
)
async def version_0_by_post(pair: Pair) -> None:
    """A client that knows no pages gets them all in one answer, or is told what to send."""
    phone = pair.device("phone")
    await phone.add(*[f"m{number}" for number in range(1, 11)])
    await phone.sync()
    pair.server.limits = Limits(page_messages=6)
    mine = entry("laptop", 1, content=b'"mine"')
    every = [f"phone {counter}" for counter in range(1, 11)]
    for turn in ("first", "second"):
        # Nothing says that the first answer has arrived, so it comes again.
        kind, body = await pair.server.post("alice/laptop", hello(1, [mine]))
        same(sorted(body), ["messages", "seq"], f"what the {turn} answer holds")
        same(names([(kind, body)]), every, f"messages of the {turn} answer")
        same(body["seq"], 1, f"seq of the {turn} answer")
    pair.server.limits = Limits(page_messages=6, frame_messages=9)
    kind, body = await pair.server.post("alice/laptop", hello(1))
    same((kind, body["code"]), ("error", "too-large"), "the answer when it does not fit")
    kind, body = await pair.server.post("alice/laptop", hello(1, v=1, have={"phone": 0}))
    same((body["more"], names([(kind, body)])), (True, every[:6]), "the answer to version 1")
    held = await pair.server.disk.entries(USER)
    same(
        [encode_entry(one) for one in held if one.device == "laptop"], [encode_entry(mine)], "mine"
    )
