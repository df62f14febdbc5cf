"""Section L: cut wires, lost answers, doubled frames, processes that end in the middle."""

from __future__ import annotations

import json

from strandlog import VersionVector
from strandlog.protocol.limits import Limits
from strandlog_conformance.expect import same, together
from strandlog_conformance.stage import USER, Pair, hello, names
from strandlog_conformance.stories import story


@story(
    "proto.lost_reply_resend",
    rule="the protocol page, who moves what: never on send",
    kills=("M01",),
)
async def lost_reply(pair: Pair) -> None:
    """The server has stored the upload, its answer is lost: the same is sent again, to no harm."""
    laptop = pair.device("laptop")
    await laptop.add("m1", "m2", "m3")
    first = await laptop.sync(cut_after=1)
    same((first.up, first.cut), (["laptop 1", "laptop 2", "laptop 3"], True), "the first upload")
    same((await laptop.status()).unsent, 3, "unsent entries after the lost answer")
    same(await pair.server.texts(), ["m1", "m2", "m3"], "the server's log after the lost answer")
    second = await laptop.sync()
    same(second.up, first.up, "the second upload")
    same(await pair.server.texts(), ["m1", "m2", "m3"], "the server's log")
    tops = VersionVector({"laptop": 3})
    same(await pair.server.cursor("alice/laptop"), tops, "the cursor")
    same((await laptop.status()).last_synced, 3, "last_synced")


@story(
    "proto.duplicate_and_reordered_hello",
    rule="the protocol page, data: identity and digest",
    kills=("M01",),
)
async def doubled_and_reordered(pair: Pair) -> None:
    """Frames of connections that died come late, twice and in the wrong order."""
    laptop = pair.device("laptop")
    reader = "alice/laptop"
    entries = await laptop.add("m1", "m2", "m3", "m4", "m5")
    base = [3, entries[2].digest]
    early = hello(3, entries[:3], v=1, have={})
    late = hello(5, entries[3:], v=1, have={}, base=base)
    kind, body = await pair.server.post(reader, late)
    refused = (kind, body["code"], body["device"], body["expected"])
    same(refused, ("error", "gap", "laptop", 1), "the answer to the late one first")
    for frame, due in ((early, []), (late, []), (early, [4, 5]), (late, []), (early, [4, 5])):
        kind, body = await pair.server.post(reader, frame)
        # Who says 3 when the server has 5 has lost two, and gets them back.
        same(
            names([(kind, body)]), [f"laptop {n}" for n in due], f"the answer to {frame[1]['seq']}"
        )
    same(await pair.server.texts(), ["m1", "m2", "m3", "m4", "m5"], "the server's log")
    same(await pair.settle(laptop), ["m1", "m2", "m3", "m4", "m5"], "the log in the end")


@story(
    "proto.crash_between_append_and_cursor",
    rule="the protocol page: log before cursor",
    kills=("M104", "M301"),
)
async def crash_between(pair: Pair) -> None:
    """A process ends after the log was written and before the cursor: that costs a repetition."""
    laptop, bob = pair.device("laptop"), pair.device("bob/phone", follow=[USER])
    pair.server.show({"friend"}, to="bob")
    await laptop.add("m1", "m2", "m3", scope="friend")
    laptop.disk.dies_before = "reset"
    same((await laptop.sync()).cut, True, "the laptop's exchange ended before last_synced moved")
    pair.server.disk.dies_before = "reset"
    await laptop.add("m4", scope="friend")
    same((await laptop.sync()).cut, True, "the server ended before it moved the cursor")
    bob.disk.dies_before = "reset"
    same((await bob.sync()).cut, True, "the friend's exchange ended before the cursor of the view")
    same(await bob.texts(USER), ["m1", "m2", "m3", "m4"], "the friend's copy after that")
    await pair.reopen()
    same((await laptop.status()).last_synced, 0, "last_synced after it all")
    same(await pair.settle(laptop, bob), ["m1", "m2", "m3", "m4"], "the log in the end")
    same(await bob.texts(USER), ["m1", "m2", "m3", "m4"], "the friend's copy in the end")
    same((await bob.sync()).down, [], "what is due to the friend in the end")


@story(
    "proto.crash_client_before_ack",
    rule="the protocol page, who moves what: have",
    kills=("M117", "M306"),
)
async def crash_before_ack(pair: Pair) -> None:
    """A page is stored and never acknowledged; after the restart it does not come again."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    pair.server.limits = _small_pages(3)
    await laptop.add(*[f"m{number}" for number in range(1, 6)])
    await laptop.sync()
    await phone.add("p1")
    first = await phone.sync(cut_after=2)
    same(first.down, ["laptop 1", "laptop 2", "laptop 3"], "the first page")
    same(await pair.server.cursor("alice/phone"), VersionVector({"phone": 1}), "the cursor then")
    await pair.reopen()
    second = await phone.sync()
    same(second.down, ["laptop 4", "laptop 5"], "what comes after the restart")
    every = VersionVector({"laptop": 5, "phone": 1})
    same(await pair.server.cursor("alice/phone"), every, "the cursor in the end")
    await pair.settle(laptop, phone)


@story(
    "proto.two_devices_hello_at_once",
    rule="the protocol page, frames: append in one atomic call",
    kills=("M17", "M53"),
    same_wire=False,
)
async def at_once(pair: Pair) -> None:
    """Three devices greet at the same time, again and again; nothing is lost between them."""
    devices = [pair.device(name) for name in ("laptop", "phone", "desk")]
    pair.server.limits = _small_pages(4)
    said: list[str] = []
    for turn in range(3):
        for device in devices:
            text = [f"{device.reader.device} {turn} {number}" for number in range(4)]
            await device.add(*text)
            said += text
        await together(*(device.sync() for device in devices))
    same(sorted(await pair.settle(*devices), key=str), sorted(said), "the log in the end")


@story(
    "proto.partial_reply_then_cut",
    rule="the protocol page: paging is the hello loop",
    kills=("M117", "M306"),
)
async def partial_reply(pair: Pair) -> None:
    """The wire is cut between two pages; the rest comes, and no more than the rest."""
    phone, desk = pair.device("phone"), pair.device("desk")
    await phone.add(*[f"m{number}" for number in range(1, 11)])
    await phone.sync()
    pair.server.limits = _small_pages(3)
    first = await desk.sync(cut_after=4)
    same(first.down, [f"phone {n}" for n in range(1, 7)], "two pages")
    same(await desk.tops(), VersionVector({"phone": 6}), "tops after two pages")
    again = await desk.sync(cut_after=1)
    same(json.dumps(again.sent[0][1]["have"]), '{"phone": 6}', "have of the next hello")
    last = await desk.sync()
    same(last.down, [f"phone {n}" for n in range(7, 11)], "what comes in the end")
    await pair.settle(phone, desk)


def _small_pages(entries: int) -> Limits:
    return Limits(page_messages=entries)
