"""Plays scripts, judges how they end, and makes the failing ones short."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from strandlog.protocol.codec import encode_entry
from strandlog.protocol.limits import Limits
from strandlog.testing.simulation.disks import open_cabinet
from strandlog.testing.simulation.script import (
    Setting,
    Step,
    draw_script,
    draw_setting,
    take,
)
from strandlog.testing.simulation.world import World
from strandlog.testing.virtual_time import run_virtually

__all__ = ["Outcome", "heal", "judge", "play", "shrink", "simulate"]

_USERS = ("alice", "bob")

_STEPS = 40

# A while in which everything that is due has happened: reconnecting takes half a minute
# at most, and clones of a device take turns of that length.
_QUIET_SECONDS = 100.0
_ROUNDS_MAX = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run.

    Attributes:
        seed: Which run.
        breaches: Which promises were broken; none if all is well.
        story: What happened, a line each.
        script: The steps of it.
        frames: How many frames travelled.
        written: How many entries were acknowledged to an application.
        seconds: How much virtual time passed.
    """

    seed: int
    breaches: Sequence[str]
    story: Sequence[str] = field(repr=False)
    script: Sequence[Step] = field(repr=False)
    frames: int
    written: int
    seconds: float


def simulate(
    seed: int, *, device_store: str = "memory", server_store: str = "memory", steps: int = _STEPS
) -> Outcome:
    """Play the run that belongs to a seed: the same one each time.

    Args:
        seed: Which run.
        device_store: The backend of the devices, by its scheme.
        server_store: The backend of the server.
        steps: How many things happen.
    """
    setting = draw_setting(seed)
    script = draw_script(seed, setting, steps=steps)
    return play(seed, setting, script, device_store=device_store, server_store=server_store)


def play(
    seed: int,
    setting: Setting,
    script: Sequence[Step],
    *,
    device_store: str = "memory",
    server_store: str = "memory",
) -> Outcome:
    """Play a script in a setting; the seed decides about delays only."""
    with _chance_of(seed), _logged_faults() as faults:
        world, seconds = run_virtually(_play(seed, setting, script, device_store, server_store))
    for fault in faults:
        world.breaches.append(f"the server failed unforeseen: {fault}")
    return Outcome(
        seed,
        tuple(world.breaches),
        tuple(world.story),
        tuple(script),
        world.frames,
        len(world.written),
        seconds,
    )


async def _play(
    seed: int, setting: Setting, script: Sequence[Step], device_store: str, server_store: str
) -> tuple[World, float]:
    with ExitStack() as opened:
        world = World(
            str(seed),
            users=_USERS,
            client_disks=opened.enter_context(open_cabinet(device_store, _USERS)),
            server_disks=opened.enter_context(open_cabinet(server_store, _USERS)),
            limits=Limits(page_messages=setting.page_messages),
            slowest_seconds=setting.slowest_seconds,
        )
        await _live(world, setting, script)
        return world, world.now


async def _live(world: World, setting: Setting, script: Sequence[Step]) -> None:
    world.show("alice", "bob", frozenset({"friend"}))
    world.show("bob", "alice", frozenset({"friend"}))
    world.start_server()
    for name, stays, follow, off, rate in setting.devices:
        world.add_device(name, stays=stays, follow=follow, clock_millis=off, clock_rate=rate)
    for step in script:
        await asyncio.sleep(max(0.0, step.at - world.now))
        take(world, step)
    await asyncio.sleep(10.0)
    heal(world)
    alive = world.alive()
    await _quiet(world)
    for number, device in enumerate(world.devices.values()):
        take(
            world,
            Step(
                world.now,
                "writes",
                device.name,
                (("texts", (f'"last {number}"',)), ("scope", "friend")),
            ),
        )
    await _quiet(world)
    judge(world, alive)
    for device in list(world.devices.values()):
        world.stop_device(device)
    world.stop_server()
    await asyncio.sleep(0)


def heal(world: World) -> None:
    """End all that ails: from now on everything works."""
    world.tell("from now on everything works")
    processes = [world.server.process, *(one.process for one in world.devices.values())]
    for process in processes:
        if process is not None:
            process.fault = None
    world.start_server()
    for device in world.devices.values():
        device.offline = False
        world.start_device(device)
        # Whoever was granted more while connected learns of it by the next hello.
        world.cut(device)


async def _quiet(world: World) -> None:
    """Let time pass until nothing changes any more."""
    before: object = None
    for _ in range(_ROUNDS_MAX):
        await asyncio.sleep(_QUIET_SECONDS)
        now = _holdings(world)
        if now == before:
            return
        before = now
    world.break_promise("it does not come to rest")


def _holdings(world: World) -> list[list[list[bytes]]]:
    disks = [world.server.disk, *(device.disk for device in world.devices.values())]
    return [
        [[encode_entry(entry) for entry in world.entries(disk, user)] for user in _USERS]
        for disk in disks
    ]


def judge(world: World, alive: set[str]) -> None:
    """Hold a world that has come to rest to the promises.

    Args:
        world: The world.
        alive: What somebody held when the last fault was over.
    """
    for user in _USERS:
        log = world.entries(world.server.disk, user)
        wire = [encode_entry(entry) for entry in log]
        for device in world.devices_of(user):
            held = [encode_entry(entry) for entry in world.entries(device.disk, user)]
            if held != wire:
                world.break_promise(
                    f"{device.name} and the server differ: {_difference(held, wire)}"
                )
        for device in world.devices.values():
            if user in device.follow and device.reader.user != user:
                seen = world.shown(user, device.reader.user)
                due = {encode_entry(entry) for entry in log if entry.scope in seen}
                missing = due - {
                    encode_entry(entry) for entry in world.entries(device.disk, user, seen)
                }
                if missing:
                    world.break_promise(f"{device.name} misses of {user}'s {sorted(missing)}")
        found = [entry.content.decode() for entry in log if entry.content is not None]
        must = {token for token, whose in world.written.items() if whose == user} - world.gone
        must |= {token for token in alive if world.written.get(token) == user}
        if lost := must - set(found) - world.doubtful:
            world.break_promise(f"lost of {user}'s: {sorted(lost)}")
        doubled = [token for token, count in Counter(found).items() if count > 1]
        # A server that lost the newer of two histories for good leaves two genuine
        # copies of an entry: nothing says that they are one.
        if doubled and not world.server.lost_data:
            world.break_promise(f"doubled of {user}'s: {doubled}")
        masked = {entry.redacts for entry in log if entry.redacts is not None}
        for entry in log:
            if entry.identity in masked and entry.content is not None:
                world.break_promise(f"redacted and still there: {entry.seq}")


def _difference(held: Sequence[bytes], wire: Sequence[bytes]) -> str:
    less, more = [one for one in wire if one not in held], [one for one in held if one not in wire]
    return f"it lacks {less} and has {more}" if less or more else "in their order"


def shrink(
    outcome: Outcome,
    *,
    device_store: str = "memory",
    server_store: str = "memory",
    on_try: Callable[[int], None] | None = None,
) -> Outcome:
    """Return a failing run with as few steps as can be found that fails as well."""
    setting = draw_setting(outcome.seed)
    best = outcome
    size = max(1, len(best.script) // 2)
    while size:
        at = 0
        while at < len(best.script):
            script = [*best.script[:at], *best.script[at + size :]]
            tried = play(
                outcome.seed,
                setting,
                script,
                device_store=device_store,
                server_store=server_store,
            )
            if on_try is not None:
                on_try(len(script))
            if tried.breaches:
                best = tried
            else:
                at += size
        size //= 2
    return best


@contextmanager
def _chance_of(seed: int) -> Iterator[None]:
    """Let what asks the module ``random``, such as waits with jitter, depend on the seed."""
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)


@contextmanager
def _logged_faults() -> Iterator[list[str]]:
    """Collect what the server logs as an error, and keep the rest of its log to itself."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(f"{record.getMessage()}: {record.exc_info and record.exc_info[1]!r}")

    with ExitStack() as undo:
        for name, handler in (
            ("strandlog.server", Collector(logging.ERROR)),
            ("stamina", logging.NullHandler()),  # it tells of every repetition
        ):
            logger = logging.getLogger(name)
            undo.callback(setattr, logger, "propagate", logger.propagate)
            undo.callback(logger.removeHandler, handler)
            logger.addHandler(handler)
            logger.propagate = False
        yield found
