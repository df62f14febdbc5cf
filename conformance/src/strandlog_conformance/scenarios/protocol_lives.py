"""Section L: random lives, after which everybody has everything once and in one order."""

from __future__ import annotations

from collections import Counter

from strandlog.protocol.limits import Limits
from strandlog_conformance.disks import Disk
from strandlog_conformance.expect import fail, same
from strandlog_conformance.stage import USER, Device, Pair
from strandlog_conformance.stories import story

_NAMES = ("laptop", "phone", "desk")

_LIVES = 4
_STEPS = 25

# What happens how often, of 100.
_CHANCES = {"add": 40, "sync": 44, "save": 6, "restore": 5, "wipe": 3, "grant": 2}


@story(
    "proto.converges",
    rule="the protocol page: the three promises",
    kills=("M17", "M18"),
)
async def converges(pair: Pair) -> None:
    """Devices live through cut wires, restored backups and wiped disks, then settle."""
    for life in range(1 if pair.fast else _LIVES):
        await _live(pair, life)


async def _live(pair: Pair, life: int) -> None:
    chance = pair.random
    pair.server.disk = Disk(pair.server_side)
    pair.server.limits = Limits(page_messages=chance.choice([1, 2, 3, 200]))
    pair.server.show({"friend"}, to="bob")
    devices = [
        pair.device(name, behind_millis=chance.choice([0, 0, 3_600_000, -5_000])) for name in _NAMES
    ]
    bob = pair.device("bob/phone", follow=[USER])
    saved: dict[str, Disk] = {}
    story: list[str] = []
    for step in range(_STEPS // 2 if pair.fast else _STEPS):
        device = chance.choice([*devices, bob])
        pair.clock.advance(chance.choice([0, 1, 5, 1_000, -500]))
        [what] = chance.choices(list(_CHANCES), list(_CHANCES.values()))
        story.append(f"{device.reader} {what}")
        await _happen(pair, device, what, f"{life}.{step}", saved)
    alive = {text for one in devices for text in await one.texts()}
    alive |= set(await pair.server.texts())

    final = await pair.settle(*devices, bob)

    told = "; ".join(story)
    if missing := sorted(alive - set(final), key=str):
        fail(told, got=f"lost {missing}", want="every message")
    if doubled := [text for text, count in Counter(final).items() if count > 1]:
        fail(told, got=f"doubled {doubled}", want="every message once")
    held = await pair.server.disk.entries(USER)
    seen = await bob.entries(USER)
    scopes = pair.server.shown[USER]["bob"]
    same([one for one in held if one.scope in scopes and one not in seen], [], f"not shown: {told}")


async def _happen(
    pair: Pair, device: Device, what: str, number: str, saved: dict[str, Disk]
) -> None:
    chance, name = pair.random, str(device.reader)
    match what:
        case "add":
            said = [f"{name} {number}.{n}" for n in range(chance.choice([1, 1, 2, 4]))]
            await device.add(*said, scope=chance.choice(["private", "friend"]))
        case "sync":
            await device.sync(cut_after=chance.choice([None, None, 0, 1, 2, 3, 4, 5]))
        case "save":
            saved[name] = await device.backup()
        case "restore" if name in saved:
            both, log, cursors = (True, True), (True, False), (False, True)
            what_log, what_cursors = chance.choice([both, log, cursors])
            await device.restore(saved[name], log=what_log, cursors=what_cursors)
        case "wipe":
            device.wipe()
        case "grant":
            scopes = chance.choice([{"friend"}, {"friend", "private"}])
            pair.server.show(scopes, to="bob")
