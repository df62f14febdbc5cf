"""Section L: backups, wiped devices, a server that lost data."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog.client import Diverged, Recovered, Rehomed, ServerLostData, Supplied
from strandlog.protocol.limits import Limits
from strandlog_conformance.expect import same
from strandlog_conformance.stage import Pair
from strandlog_conformance.stories import story


@story(
    "proto.restored_backup_conflict",
    rule="the protocol page, repair: a fork is re-homed",
    kills=("M303", "M305"),
)
async def restored_backup(pair: Pair) -> None:
    """Set back and written on: the server's entry stays, the other goes on under another name."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await laptop.add("m1", "m2")
    saved = await laptop.backup()
    await laptop.add("m3", "m4")
    await laptop.sync()
    await laptop.restore(saved)
    await laptop.add("other 3", "other 4", "other 5")
    trip = await laptop.sync()
    moves = [(one.from_device, one.from_counter, one.moved) for one in trip.told(Rehomed)]
    same(moves, [("laptop", 3, 3)], "what was re-homed")
    end = ["m1", "m2", "m3", "m4", "other 3", "other 4", "other 5"]
    same(await pair.settle(laptop, phone), end, "the log in the end")
    moved = (await laptop.status()).reader.device
    await laptop.add("m5")
    same(await pair.settle(phone, laptop), [*end, "m5"], "the log after one more entry")
    tops = VersionVector({"laptop": 4, moved: 4})
    same(await phone.tops(), tops, "tops on the phone")


@story(
    "proto.server_lost_data",
    rule="the protocol page, repair: server lost data",
    kills=("M01", "M18"),
)
async def server_lost_data(pair: Pair) -> None:
    """Set back, the server gets everything again from one device, the other one's too."""
    laptop, phone, desk = (pair.device(name) for name in ("laptop", "phone", "desk"))
    await laptop.add("l1", "l2")
    await phone.add("p1")
    await pair.settle(laptop, phone)
    saved = await pair.server.disk.copied()
    await laptop.add("l3", "l4", "l5")
    await phone.add("p2", "p3")
    end = await pair.settle(laptop, phone)
    await pair.server.restore(saved)
    trip = await laptop.sync()
    same(trip.told(ServerLostData), [ServerLostData(5, 2)], "what the laptop is told")
    same(trip.told(Supplied), [Supplied("phone", 1, 3)], "what it supplies")
    same(trip.down, [], "what it gets")
    same(await pair.server.texts(), end, "the server's log")
    same(await pair.settle(desk, phone, laptop), end, "the log in the end")
    pair.server.disk = await pair.server.disk.copied(log=pair.device("nobody").disk)
    same(await pair.settle(phone, laptop, desk), end, "the log after all of it was lost")


@story(
    "proto.new_device_full_history",
    rule="the protocol page: everybody gets everything",
    kills=("M117", "M306"),
)
async def full_history(pair: Pair) -> None:
    """A new device pages through all there is, in the order of the log."""
    laptop, phone, desk = (pair.device(name) for name in ("laptop", "phone", "desk"))
    for number in range(1, 21):
        await laptop.add(f"l{number}", scope="friend" if number % 2 else "private")
        if number % 3 == 0:
            await phone.add(f"p{number}")
    await laptop.sync()
    await phone.sync()
    pair.server.limits = Limits(page_messages=7)
    trip = await desk.sync()
    held = await pair.server.disk.entries("alice")
    same(trip.down, [f"{one.device} {one.counter}" for one in held], "messages of all pages")
    sizes = [len(body["messages"]) for kind, body in trip.got if kind == "hello"]
    same(sizes, [7, 7, 7, 5], "entries of each page")
    same(await desk.entries(), held, "the log on the new device")
    await pair.settle(laptop, phone, desk)


@story(
    "proto.wiped_device_first_hello_empty",
    rule="the protocol page, frames: a device gets its own lost entries first",
    kills=("M18", "M123"),
)
async def wiped_device(pair: Pair) -> None:
    """Own entries come first and alone; until they are back no counter is assigned."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await phone.add("p1", "p2")
    await phone.sync()
    await laptop.add("l1", "l2", "l3")
    await pair.settle(laptop, phone)
    await phone.add("p3")
    await phone.sync()
    laptop.wipe()
    trip = await laptop.sync()
    [(_, greeting), *_], [(_, reply), *_] = trip.sent, trip.got
    same((greeting["seq"], greeting.get("messages")), (0, None), "the first hello")
    same([one["content"] for one in reply["messages"]], ["l1", "l2", "l3"], "the first page")
    same((reply["more"], reply["upto"].get("phone", 0)), (True, 0), "more, and upto of the phone")
    same([len(one.entries) for one in trip.told(Recovered)], [3], "entries that came back")
    [entry] = await laptop.add("l4")
    same(entry.counter, 4, "the counter of the next entry")
    same(
        await pair.settle(laptop, phone),
        ["p1", "p2", "l1", "l2", "l3", "p3", "l4"],
        "the log in the end",
    )


@story(
    "proto.server_rollback_and_wiped_device",
    rule="the protocol page, repair: diverged",
    kills=("M02", "M305"),
)
async def rollback_and_wiped(pair: Pair) -> None:
    """Both lose the same entries and the device writes on; a third one still has the old ones."""
    phone, desk = pair.device("phone"), pair.device("desk")
    await phone.add("p1", "p2", "p3")
    await pair.settle(phone, desk)
    saved = await pair.server.disk.copied()
    await phone.add("p4", "p5")
    await desk.add("d1")
    await pair.settle(phone, desk)
    await pair.server.restore(saved)
    phone.wipe()
    await phone.sync()
    same(await phone.texts(), ["p1", "p2", "p3"], "the log on the wiped phone")
    await phone.add("other 4", "other 5", "other 6")
    await phone.sync()
    trip = await desk.sync()
    told = [(one.user, one.device) for one in trip.told(Diverged)]
    same(told, [("alice", "phone")], "what the desk is told")
    moves = [(one.from_device, one.from_counter, one.moved) for one in trip.told(Rehomed)]
    same(moves, [("phone", 4, 2)], "what the desk re-homes")
    end = ["p1", "p2", "p3", "p4", "p5", "d1", "other 4", "other 5", "other 6"]
    same(await pair.settle(desk, phone), end, "the log in the end")
