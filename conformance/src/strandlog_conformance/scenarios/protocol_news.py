"""Section L: the stories that say what the protocol is for."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog_conformance.expect import same
from strandlog_conformance.stage import USER, Pair
from strandlog_conformance.stories import story


def _numbered(first: int, last: int) -> list[str]:
    return [f"m{number}" for number in range(first, last + 1)]


def _of(device: str, first: int, last: int) -> list[str]:
    return [f"{device} {counter}" for counter in range(first, last + 1)]


@story(
    "proto.offline_adds_8_9",
    rule="the protocol page, frames: hello with a slice of own",
    kills=("M33",),
)
async def offline_adds(pair: Pair) -> None:
    """Seven are synced, two are written offline: the hello carries exactly these two."""
    laptop = pair.device("laptop")
    await laptop.add(*_numbered(1, 7))
    await laptop.sync()
    [*_, seventh] = await laptop.entries()
    await laptop.add("m8", "m9")
    trip = await laptop.sync()
    [(kind, body), *_] = trip.sent
    same((kind, body["seq"]), ("hello", 9), "the first frame of the laptop")
    same(body["base"], [7, seventh.digest], "its base")
    same((trip.up, trip.down), (["laptop 8", "laptop 9"], []), "messages, up and down")
    same((await laptop.status()).last_synced, 9, "last_synced")
    same(await pair.server.texts(), _numbered(1, 9), "the server's log")


@story(
    "proto.server_has_newer",
    rule="the protocol page, frames: a reply holds what is new",
    kills=("M123",),
)
async def server_has_newer(pair: Pair) -> None:
    """The laptop has nothing new; the server has three entries of the phone for it."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await laptop.add(*_numbered(1, 7))
    await laptop.sync()
    await phone.sync()
    await phone.add("a", "b", "c")
    await phone.sync()
    trip = await laptop.sync()
    [(_, body), *_] = trip.sent
    same((body["seq"], body.get("messages")), (7, None), "seq and messages of the hello")
    same((trip.up, trip.down), ([], _of("phone", 1, 3)), "messages, up and down")
    same(await laptop.texts(), [*_numbered(1, 7), "a", "b", "c"], "the log on the laptop")


@story(
    "proto.both_new_3_and_5",
    rule="the protocol page, frames: own entries do not come back",
    kills=("M123",),
)
async def both_new(pair: Pair) -> None:
    """Three go up and five come down in one exchange, and of the own ones none comes back."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await laptop.add("m1", "m2")
    await laptop.sync()
    await phone.sync()
    await laptop.add("m3", "m4", "m5")
    await phone.add(*"abcde")
    await phone.sync()
    trip = await laptop.sync()
    same(trip.up, _of("laptop", 3, 5), "messages that went up")
    same(trip.down, _of("phone", 1, 5), "messages that came down")
    [(_, reply), *_] = trip.got
    same((reply["seq"], reply["upto"]), (5, {"laptop": 5, "phone": 5}), "seq and upto of the reply")
    same(await laptop.texts(), [*_numbered(1, 5), *"abcde"], "the log on the laptop")


@story(
    "proto.per_device_record",
    rule="the protocol page, data: one record for each reader",
    kills=("M48", "M123"),
)
async def per_device_record(pair: Pair) -> None:
    """Five, three and seven entries; of each reader the server knows what it has of whom."""
    laptop, phone, desk = (pair.device(name) for name in ("laptop", "phone", "desk"))
    for device, count in ((laptop, 5), (phone, 3), (desk, 7)):
        await device.add(*_numbered(1, count))
        await device.sync()
    for device, known in (
        (laptop, {"laptop": 5}),
        (phone, {"laptop": 5, "phone": 3}),
        (desk, {"laptop": 5, "phone": 3, "desk": 7}),
    ):
        reader = str(device.reader)
        same(await pair.server.cursor(reader), VersionVector(known), f"the cursor of {reader}")
        same(await device.tops(), VersionVector(known), f"the tops on {reader}")
    every = VersionVector({"laptop": 5, "phone": 3, "desk": 7})
    await laptop.sync()
    await phone.sync()
    readers = {str(one.reader): every for one in (laptop, phone, desk)}
    same(await pair.server.disk.cursors.readers(USER), readers, "all cursors in the end")


@story(
    "proto.three_devices_10_plus_6",
    rule="the protocol page, data: a cursor is a version vector",
    kills=("M07", "M17"),
)
async def ten_plus_six(pair: Pair) -> None:
    """The desk has 42 of the one and 46 of the other; with both at 52, ten and six are due."""
    laptop, phone, desk = (pair.device(name) for name in ("laptop", "phone", "desk"))
    await laptop.add_raw(*[b"%d" % number for number in range(42)])
    await phone.add_raw(*[b"%d" % number for number in range(46)])
    for device in (laptop, phone, desk):
        await device.sync()
    pair.clock.advance(1_000)
    await laptop.add_raw(*[b"%d" % number for number in range(42, 52)])
    await phone.add_raw(*[b"%d" % number for number in range(46, 52)])
    await laptop.sync()
    await phone.sync()
    trip = await desk.sync()
    [(_, body), *_] = trip.sent
    same(body["have"], {"laptop": 42, "phone": 46}, "have of the hello")
    same(sorted(trip.down), sorted(_of("laptop", 43, 52) + _of("phone", 47, 52)), "messages")
    same(await desk.entries(), await pair.server.disk.entries(USER), "the log on the desk")


@story(
    "proto.head_of_log_three_devices",
    rule="the protocol page, data: seq gives the order",
    kills=("M18", "M122"),
)
async def head_of_log(pair: Pair) -> None:
    """A slow clock writes behind the head: the head stays, and yet everybody gets the entry."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    desk = pair.device("desk", behind_millis=3_600_000)
    await laptop.add("m1")
    await phone.add("m2")
    await laptop.sync()
    await phone.sync()
    head = await phone.disk.log.head(USER)
    await desk.add("late")
    await desk.sync()
    same(await pair.server.disk.log.head(USER), head, "the server's head after the late upload")
    trip = await phone.sync()
    same(trip.down, ["desk 1"], "what the phone gets")
    await laptop.sync()
    for device in (laptop, phone, desk):
        same(await device.texts(), ["late", "m1", "m2"], f"the log on {device.reader}")
        same(await device.disk.log.head(USER), head, f"the head on {device.reader}")
