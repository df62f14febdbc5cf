"""Whatever happens: nothing is lost or doubled, and everybody sees the same order."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Awaitable, Callable

import anyio
import pytest

from .world import World, make_world

pytestmark = pytest.mark.anyio

STEPS = 40
ROUNDS = 12  # far more than any repair has taken: three or four
DEADLINE_SECONDS = 60.0

# What happens how often, of 100. Faults come in clusters here as in real life: a
# restored server meets wiped devices and copies of copies.
CHANCES: list[tuple[int, Callable[[World, str], Awaitable[None]]]] = [
    (35, World.add),
    (37, lambda world, name: world.sync(name, cut=True)),
    (4, World.save),
    (5, World.restore),
    (3, World.wipe),
    (2, World.clone),
    (4, World.save_server),
    (4, World.restore_server),
    (2, World.wipe_server),
    (4, World.grant),
]


async def _live(world: World) -> None:
    weights = [weight for weight, _ in CHANCES]
    for _ in range(STEPS):
        name = world.chance.choice(list(world.devices))
        world.devices[name].clock.advance(world.chance.choice([0, 1, 5, 1000, -500]))
        [(_, happen)] = world.chance.choices(CHANCES, weights)
        await happen(world, name)


async def _settle(world: World) -> None:
    """Let everybody sync until a whole round changes nothing."""
    machines = [world.server, *(device.stores for device in world.devices.values())]
    before: list[list[bytes]] = []
    for number in range(ROUNDS):
        world.story.append(f"round {number} of settling")
        for name in world.devices:
            await world.sync(name, cut=False)
        now = [await world.wire(stores) for stores in machines]
        if now == before:
            return
        before = now
    pytest.fail("\n".join(["it does not settle:", *world.story]))


@pytest.mark.parametrize("seed", range(int(os.environ.get("STRANDLOG_TEST_SEEDS", "60"))))
async def test_everybody_has_everything_once_and_in_one_order(seed: int) -> None:
    """Three devices, a friend and a server live through cuts, restores, wipes and copies.

    More of them: ``STRANDLOG_TEST_SEEDS=1000 pytest tests/convergence``.
    """
    with anyio.fail_after(DEADLINE_SECONDS):
        async with make_world(seed) as world:
            await _live(world)
            mine = {n: d for n, d in world.devices.items() if d.reader.user == "alice"}
            alive = set(await world.contents(world.server))
            for device in mine.values():
                alive |= set(await world.contents(device.stores))

            await _settle(world)

            story = "\n".join(world.story)
            log = await world.wire(world.server)
            final = await world.contents(world.server)
            assert alive <= set(final), f"lost: {alive - set(final)}\n{story}"
            for name, device in mine.items():
                assert await world.wire(device.stores) == log, f"{name} differs\n{story}"
            seen = world.shown["bob"]
            missing = set(await world.wire(world.server, seen)) - set(
                await world.wire(world.devices["bob/phone"].stores, seen)
            )
            assert not missing, f"bob misses {missing}\n{story}"
            # A server that lost the newer of two histories for good leaves two genuine
            # copies of an entry, as decision 12 says.
            if not world.server_lost_data:
                doubled = [content for content, n in Counter(final).items() if n > 1]
                assert not doubled, f"doubled: {doubled}\n{story}"
