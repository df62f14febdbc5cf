"""What happens in a simulation: steps, drawn by chance or written by hand."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from strandlog.client.local import Draft
from strandlog.testing.simulation.process import Fault
from strandlog.testing.simulation.world import Device, World

__all__ = ["Setting", "Step", "draw_script", "draw_setting", "take"]

_FULL = 1_000_000


@dataclass(frozen=True, slots=True)
class Setting:
    """What a world is like before anything happens.

    Attributes:
        devices: For each machine its name, whether it stays connected, whose logs it
            follows, how far its clock is off in milliseconds, and how fast it goes.
        page_messages: The server's limit.
        slowest_seconds: The greatest delay of a frame.
    """

    devices: tuple[tuple[str, bool, tuple[str, ...], float, float], ...]
    page_messages: int
    slowest_seconds: float


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens.

    Attributes:
        at: When, in seconds since the beginning.
        what: Its name, such as ``"write"``.
        who: The machine that it happens to; empty if it is the server.
        how: What else there is to say, by name.
    """

    at: float
    what: str
    who: str = ""
    how: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        told = ", ".join(f"{name} {value}" for name, value in self.how)
        return f"{self.at:9.3f} s  {self.who or 'the server'}: {self.what}" + (
            f" ({told})" if told else ""
        )


def draw_setting(seed: int) -> Setting:
    """Return the setting that belongs to a seed."""
    chance = random.Random(f"{seed} setting")  # noqa: S311  # no secret
    names = ["alice/laptop", "alice/phone", "alice/desk", "alice/tablet"]
    names = names[: chance.choice([1, 2, 2, 3, 3, 4])]
    devices = []
    for name in [*names, "bob/phone"]:
        off = chance.choice([0.0, 0.0, 0.0, -3_600_000.0, 5_000.0, 1e10, 2.4e12])
        rate = chance.choice([1.0, 1.0, 1.0, 1.05, 0.9, 0.0])
        follow = ("alice",) if name.startswith("bob") else chance.choice([(), (), ("bob",)])
        devices.append((name, chance.random() < 0.7, follow, off, rate))  # noqa: PLR2004
    return Setting(
        tuple(devices),
        page_messages=chance.choice([1, 2, 3, 200]),
        slowest_seconds=chance.choice([0.01, 0.1, 0.1, 1.0]),
    )


def draw_script(seed: int, setting: Setting, *, steps: int) -> list[Step]:
    """Return the steps that belong to a seed, in order of time."""
    chance = random.Random(f"{seed} script")  # noqa: S311  # no secret
    at = 0.0
    script = []
    weights = [kind.weight for kind in _KINDS]
    for number in range(1, steps + 1):
        at += chance.choice([0.0, 0.01, 0.1, 1.0, 5.0, 20.0]) * chance.random()
        [kind] = chance.choices(_KINDS, weights)
        who = "" if kind.server else chance.choice(setting.devices)[0]
        how = kind.draw(chance, number)
        script.append(Step(round(at, 4), kind.what, who, tuple(how.items())))
    return script


def take(world: World, step: Step) -> None:
    """Let a step happen."""
    kind = next(kind for kind in _KINDS if kind.what == step.what and kind.server == (not step.who))
    world.tell(str(step).split("s  ", 1)[1])
    if step.who:
        if (device := world.devices.get(step.who)) is not None:
            kind.happen(world, device, **dict(step.how))
    else:
        kind.happen(world, **dict(step.how))


# -- what may happen to a device ---------------------------------------------------


def _write(world: World, device: Device, *, texts: Sequence[str], scope: str) -> None:
    world.write(device, [Draft(text.encode(), scope) for text in texts])


def _redact(world: World, device: Device, *, text: str) -> None:
    chosen = world.target(device, world.chance("redact"))
    if chosen is not None:
        identity, scope, content = chosen
        world.tell(f"{device.name} redacts {identity.device} {identity.counter}: {content}")
        world.doubtful.add(content)
        world.written.pop(content, None)
        world.write(device, [Draft(text.encode(), scope, redacts=identity)])


def _go_offline(world: World, device: Device) -> None:
    device.offline = True
    world.cut(device)


def _go_online(_world: World, device: Device) -> None:
    device.offline = False


def _cut(world: World, device: Device) -> None:
    world.cut(device)


def _fault(world: World, device: Device, *, calls: int, crash: bool, after: bool) -> None:
    world.arm(device.process, Fault(calls, crash, after))


def _save(world: World, device: Device) -> None:
    device.saved = world.mixed(device, device.disk, device.disk)


def _restore(world: World, device: Device, *, log: bool, cursors: bool) -> None:
    saved, now = device.saved, device.disk
    if saved is None:
        return
    world.stop_device(device)
    disk = world.mixed(device, saved if log else now, saved if cursors else now)
    world.replace_disk(device, disk)
    world.start_device(device)


def _wipe(world: World, device: Device) -> None:
    world.stop_device(device)
    world.replace_disk(device, world.empty(device))
    world.start_device(device)


def _clone(world: World, device: Device) -> None:
    name = f"{device.name}+{len(world.devices)}"
    disk = world.mixed(device, device.disk, device.disk)
    clone = Device(
        name, device.reader, disk, device.stays, device.follow, device.clock_millis + 7, 1.0
    )
    world.devices[name] = clone
    world.start_device(clone)


def _set_clock(_world: World, device: Device, *, seconds: float, rate: float) -> None:
    device.clock_millis += seconds * 1000
    device.clock_rate = rate


# -- what may happen to the server -------------------------------------------------


def _server_fault(world: World, *, calls: int, crash: bool, after: bool) -> None:
    world.arm(world.server.process, Fault(calls, crash, after))


def _save_server(world: World) -> None:
    world.server.saved = world.mixed(world.server, world.server.disk, world.server.disk)


def _restore_server(world: World, *, log: bool, cursors: bool) -> None:
    saved, now = world.server.saved, world.server.disk
    if saved is None:
        return
    world.stop_server()
    disk = world.mixed(world.server, saved if log else now, saved if cursors else now)
    world.replace_disk(world.server, disk)
    world.server.lost_data |= log
    world.start_server()


def _wipe_server(world: World) -> None:
    world.stop_server()
    world.replace_disk(world.server, world.empty(world.server))
    world.server.lost_data = True
    world.start_server()


def _grant(world: World, *, scopes: Sequence[str]) -> None:
    world.show("alice", "bob", frozenset(scopes))
    world.show("bob", "alice", frozenset({"friend"}))


# -- how often ---------------------------------------------------------------------

_Draw = Callable[[random.Random, int], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Kind:
    what: str
    weight: int
    happen: Callable[..., None]
    draw: _Draw
    server: bool = False


def _nothing(_chance: random.Random, _number: int) -> dict[str, Any]:
    return {}


def _texts(chance: random.Random, number: int) -> dict[str, Any]:
    count = chance.choice([1, 1, 2, 3, 5])
    return {
        "texts": tuple(f'"{number}.{place}"' for place in range(1, count + 1)),
        "scope": chance.choice(["private", "friend"]),
    }


def _a_fault(chance: random.Random, _number: int) -> dict[str, Any]:
    return {
        "calls": chance.choice([1, 1, 2, 3, 5, 8]),
        "crash": chance.random() < 0.6,  # noqa: PLR2004
        "after": chance.random() < 0.5,  # noqa: PLR2004
    }


def _halves(chance: random.Random, _number: int) -> dict[str, Any]:
    return chance.choice(
        [
            {"log": True, "cursors": True},
            {"log": True, "cursors": False},
            {"log": False, "cursors": True},
        ]
    )


_KINDS: tuple[_Kind, ...] = (
    _Kind("writes", 34, _write, _texts),
    _Kind("redacts", 2, _redact, lambda _, number: {"text": f'"redaction {number}"'}),
    _Kind("goes offline", 6, _go_offline, _nothing),
    _Kind("comes back online", 7, _go_online, _nothing),
    _Kind("loses its connection", 6, _cut, _nothing),
    _Kind("will suffer a fault", 7, _fault, _a_fault),
    _Kind("is backed up", 4, _save, _nothing),
    _Kind("is set back", 4, _restore, _halves),
    _Kind("is wiped", 2, _wipe, _nothing),
    _Kind("is copied to another machine", 2, _clone, _nothing),
    _Kind(
        "has its clock set",
        3,
        _set_clock,
        lambda chance, _: {
            "seconds": chance.choice([-3600.0, 60.0, 3600.0, 1e7]),
            "rate": chance.choice([1.0, 1.0, 0.0, 1.1]),
        },
    ),
    _Kind("will suffer a fault", 6, _server_fault, _a_fault, server=True),
    _Kind("is backed up", 4, _save_server, _nothing, server=True),
    _Kind("is set back", 3, _restore_server, _halves, server=True),
    _Kind("is wiped", 1, _wipe_server, _nothing, server=True),
    _Kind(
        "shows bob",
        3,
        _grant,
        lambda chance, _: {
            "scopes": chance.choice([("friend",), ("friend", "private"), ("private",), ()])
        },
        server=True,
    ),
)
