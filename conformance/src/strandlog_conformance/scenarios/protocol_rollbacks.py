"""Section L: a device that is set back and writes on, while answers were lost."""

from __future__ import annotations

from strandlog.client import Rehomed
from strandlog.protocol.limits import Limits
from strandlog_conformance.expect import same
from strandlog_conformance.stage import Pair, Trip
from strandlog_conformance.stories import story


@story(
    "proto.rollback_sliced_lost_ack",
    rule="the protocol page, who moves what: a higher seq proves nothing about own bytes",
    kills=("M305",),
)
async def sliced_lost_ack(pair: Pair) -> None:
    """The server counts further than the slice that it confirms: what is unsent stays unsent."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await laptop.add("m1", "m2", "m3", "m4")
    await laptop.sync()
    await laptop.add("m5", "m6")
    saved = await laptop.backup()
    await laptop.add("m7", "m8")
    same((await laptop.sync(cut_after=1)).up, _laptop(5, 8), "the upload whose answer is lost")
    await laptop.restore(saved)
    await laptop.add("other 7")
    # Its uploads are halved until the server takes them.
    pair.server.limits = Limits(frame_messages=2)
    trip = await laptop.sync()
    same(_moves(trip), [("laptop", 7, 1)], "what was re-homed")
    end = [*(f"m{number}" for number in range(1, 9)), "other 7"]
    same(await pair.settle(laptop, phone), end, "the log in the end")


@story(
    "proto.log_and_cursor_rolled_back_apart",
    rule="the protocol page, who moves what: last_synced is clamped to the own top",
    kills=("M302", "M304", "M305"),
)
async def rolled_back_apart(pair: Pair) -> None:
    """Only the log is set back, or only the cursors: nothing is taken for what the server has."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await laptop.add("m1", "m2")
    await laptop.sync()
    saved = await laptop.backup()
    await laptop.add("m3", "m4")
    await laptop.sync()
    await laptop.restore(saved, cursors=False)
    same((await laptop.status()).last_synced, 2, "last_synced with the log of before")
    await laptop.add("other 3")
    same((await laptop.status()).unsent, 1, "unsent entries after one more")
    trip = await laptop.sync()
    same(_moves(trip), [("laptop", 3, 1)], "what was re-homed")
    end = ["m1", "m2", "m3", "m4", "other 3"]
    same(await pair.settle(laptop, phone), end, "the log after that")
    await phone.add("p1", "p2")
    await phone.sync()
    empty = pair.device("nobody").disk
    await phone.restore(empty, log=False)
    same((await phone.status()).unsent, 2, "unsent entries with the cursors of before")
    trip = await phone.sync()
    same((trip.up, _moves(trip)), (["phone 1", "phone 2"], []), "the upload, and no re-homing")
    end += ["p1", "p2"]
    same(await pair.settle(laptop, phone), end, "the log after that too")
    desk = pair.device("desk")
    await desk.add("d1")
    saved = await desk.backup()
    await desk.add("d2", "d3")
    await desk.sync()
    later = await desk.backup()
    await desk.restore(saved)
    await desk.add("other 2", "other 3")
    await desk.restore(later, log=False)
    same((await desk.status()).unsent, 0, "unsent entries with the cursors of another history")
    trip = await desk.sync()
    same(_moves(trip), [("desk", 2, 2)], "what was re-homed at last")
    end += ["d1", "d2", "d3", "other 2", "other 3"]
    same(await pair.settle(laptop, phone, desk), end, "the log in the end")


@story(
    "proto.fork_above_lost_ack",
    rule="the protocol page, repair: only what differs is re-homed",
    kills=("M104", "M305"),
)
async def fork_above_lost_ack(pair: Pair) -> None:
    """3 and 4 were stored and their answer was lost; set back to these, there is another 5."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    await laptop.add("m1", "m2")
    await laptop.sync()
    await laptop.add("m3", "m4")
    saved = await laptop.backup()
    await laptop.add("m5")
    await laptop.sync(cut_after=1)
    await laptop.restore(saved)
    same((await laptop.status()).last_synced, 2, "last_synced after the restore")
    await laptop.add("other 5")
    trip = await laptop.sync()
    same(_moves(trip), [("laptop", 5, 1)], "what was re-homed")
    end = ["m1", "m2", "m3", "m4", "m5", "other 5"]
    same(await pair.settle(laptop, phone), end, "the log in the end")


def _laptop(first: int, last: int) -> list[str]:
    return [f"laptop {counter}" for counter in range(first, last + 1)]


def _moves(trip: Trip) -> list[tuple[str, int, int]]:
    return [(one.from_device, one.from_counter, one.moved) for one in trip.told(Rehomed)]
