"""Section I: processes that are killed, and what is found after them."""

from __future__ import annotations

from dataclasses import replace

from strandlog.backend import Durability
from strandlog_conformance.calls import NAME, SYNC, WRITE
from strandlog_conformance.case import Case
from strandlog_conformance.deeds import Event, Lanes, Strike
from strandlog_conformance.expect import NotApplicable
from strandlog_conformance.lab import Lab, chosen
from strandlog_conformance.lives import appends, everything_once
from strandlog_conformance.suite import Level, check, durability

_EVERY_KIND = frozenset({WRITE, SYNC, NAME})
_NO_FILES = "it changes no files on this machine"


@check(
    "crash.sigkill_random",
    rule="Capabilities.durability: with os, what was acknowledged outlives the process",
    requires=(durability(Durability.OS),),
    level=Level.DURABLE,
    kills=("M200", "M201", "M202"),
)
async def sigkill_random(case: Case) -> None:
    """Killed at any moment while several logs grow, a store loses nothing it acknowledged."""
    async with Lab.opened(case, watches=False) as lab:
        for _ in range(case.scale(12, 4)):
            site = await lab.site()
            lanes = {case.user(): appends(case, 24) for _ in range(3)}
            strike = Strike(
                after_acks=case.random.randrange(1, 60),
                wait_seconds=case.random.random() * 0.004,
            )
            order = replace(lab.order(site, lanes), watched=False, strike=strike)
            told = await lab.run(order)
            what = "after its process was killed"
            await lab.survived(site, lanes, told, await lab.expected(lanes), what)


@check(
    "crash.sigkill_at_each_sync",
    rule="append and every other change: all or nothing, also when the process is killed",
    requires=(durability(Durability.OS),),
    level=Level.DURABLE,
    kills=("M66", "M203", "M204"),
)
async def sigkill_at_each_sync(case: Case) -> None:
    """Killed in place of its next write, sync or renaming, wherever that is, it is whole."""
    lanes: Lanes = {case.user(): everything_once(case)}
    async with Lab.opened(case) as lab:
        expected = await lab.expected(lanes)
        for at in chosen(await _calls(lab, lanes), case.scale(120, 40), case.random):
            site = await lab.site()
            told = await lab.run(
                replace(lab.order(site, lanes), strike=Strike(kinds=_EVERY_KIND, at=at))
            )
            what = f"after its process was killed in {told.struck} (call {at})"
            await lab.survived(site, lanes, told, expected, what)


@check(
    "crash.kill_during_open_and_migrate",
    rule="opening: a store that is made or recovered and is killed meanwhile can be opened again",
    requires=(durability(Durability.OS),),
    level=Level.DURABLE,
    kills=("M205", "M206"),
)
async def kill_during_open_and_migrate(case: Case) -> None:
    """Killed while it is made, or while it recovers from having been killed, nothing is lost."""
    lanes: Lanes = {case.user(): appends(case, 12)}
    async with Lab.opened(case) as lab:
        expected = await lab.expected(lanes)
        for at in chosen(await _calls(lab, {}), case.scale(60, 24), case.random):
            site = await lab.site()
            strike = Strike(kinds=_EVERY_KIND, at=at)
            told = await lab.run(replace(lab.order(site, {}), strike=strike))
            what = f"after it was killed while it was made, in {told.struck} (call {at})"
            await lab.survived(site, lanes, told, expected, what)
        for at in range(1, case.scale(16, 8)):
            site = await lab.site()
            in_the_middle = Strike(kinds=frozenset({SYNC}), after_acks=6)
            told = await lab.run(replace(lab.order(site, lanes), strike=in_the_middle))
            strike = Strike(kinds=_EVERY_KIND, at=at)
            again = await lab.run(replace(lab.order(site, {}), strike=strike))
            what = f"after it was killed, and again while it recovered, in {again.struck}"
            await lab.survived(site, lanes, told, expected, what)


async def _calls(lab: Lab, lanes: Lanes) -> list[Event]:
    """Return the calls that change files while these deeds are done.

    Raises:
        NotApplicable: None does.
    """
    told = await lab.run(lab.order(await lab.site(), lanes))
    calls = told.calls(WRITE, SYNC, NAME)
    if not calls:
        raise NotApplicable(_NO_FILES)
    return calls
