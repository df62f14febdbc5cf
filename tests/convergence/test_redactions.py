"""Redactions in a world of cuts, wipes and copies take away what they mean, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable

import anyio
import pytest

from strandlog.client import Draft

from .test_convergence import CHANCES, DEADLINE_SECONDS, STEPS, _settle
from .world import World, make_world

pytestmark = pytest.mark.anyio

# Of 100 seeds, few have redactions that meet a fault; more of these than of the usual.
CHANCE = 8


class Redactions:
    """What was redacted in one run: the content of each redaction, and what it means."""

    def __init__(self) -> None:
        self.meant: dict[bytes, bytes] = {}

    async def redact(self, world: World, name: str) -> None:
        device = world.devices[name]
        page = await device.stores[0].read_range(device.reader.user, limit=100_000)
        found = [one for one in page.entries if one.content is not None and not one.redacts]
        if not found:
            return
        target = world.chance.choice(found)
        world.written += 1
        content = b'"sorry %d"' % world.written
        draft = Draft(content, target.scope, target.identity)
        [added] = await world.replica(device).add_many([draft])
        self.meant[content] = target.content or b""
        world.story.append(f"{name}: {added.seq} redacts {target.seq} {target.content!r}")


@pytest.mark.parametrize("seed", range(int(os.environ.get("STRANDLOG_TEST_SEEDS", "40"))))
async def test_nothing_but_what_is_redacted_is_gone(seed: int) -> None:
    """No entry that nobody meant is lost, also when what a redaction names has moved away.

    A redaction that the server had, and lost, may meet another entry in its target's
    place (decision 14), so such runs are left out.
    """
    redactions = Redactions()
    happenings: list[tuple[int, Callable[[World, str], Awaitable[None]]]] = [
        *CHANCES,
        (CHANCE, redactions.redact),
    ]
    with anyio.fail_after(DEADLINE_SECONDS):
        async with make_world(seed) as world:
            for _ in range(STEPS):
                name = world.chance.choice(list(world.devices))
                world.devices[name].clock.advance(world.chance.choice([0, 1, 5, 1000, -500]))
                [(_, happen)] = world.chance.choices(happenings, [w for w, _ in happenings])
                await happen(world, name)
            alive = set(await world.contents(world.server))
            for device in world.devices.values():
                if device.reader.user == "alice":
                    alive |= set(await world.contents(device.stores))

            await _settle(world)

            final = set(await world.contents(world.server))
            lost = alive - final - {None, *redactions.meant.values()}
            assert world.server_lost_data or not lost, "\n".join([f"lost: {lost}", *world.story])
