"""Section I: the power is lost, and with it whatever was not synced."""

from __future__ import annotations

from dataclasses import replace

from strandlog.backend import Durability
from strandlog_conformance.calls import NAME, SYNC, WRITE
from strandlog_conformance.case import Case
from strandlog_conformance.deeds import Deed, Lanes, Strike
from strandlog_conformance.expect import NotApplicable, fail
from strandlog_conformance.lab import Lab, Told, chosen, evenly
from strandlog_conformance.lives import appends, everything_once
from strandlog_conformance.suite import Level, check, durability

_EVERY_KIND = frozenset({WRITE, SYNC, NAME})


@check(
    "power.sync_before_ack",
    rule="Capabilities.durability: with power, it is synced before it is acknowledged",
    requires=(durability(Durability.POWER),),
    level=Level.DURABLE,
    kills=("M69", "M74", "M207", "M208"),
)
async def sync_before_ack(case: Case) -> None:
    """A file is synced in each append; and the power may go after any change that was acknowledged.

    What is tried then is the disk without a byte that was not synced.
    """
    await _lose(case, "contents", "what was not synced in a file is gone")


@check(
    "power.new_file_dir_synced",
    rule="Capabilities.durability: with power, also that a file is there has to be synced",
    requires=(durability(Durability.POWER),),
    level=Level.DURABLE,
    kills=("M210",),
)
async def new_file_dir_synced(case: Case) -> None:
    """After a file is made or renamed its directory is synced, before anything in it counts."""
    await _lose(case, "names", "names that were not synced in their directory are gone")


async def _lose(case: Case, gone: str, words: str) -> None:
    """Lose the power after one acknowledgement, then, elsewhere, after another."""
    async with Lab.opened(case) as lab:
        user = case.user()
        lanes: Lanes = {user: [*appends(case, 6), *_elsewhere(everything_once(case))]}
        expected = await lab.expected(lanes)
        scouted = await lab.run(lab.order(await lab.site(), lanes))
        _has_files(scouted)
        if gone == "contents":
            _each_synced(scouted, lanes)
        for count in evenly(len(lanes[user]), case.scale(20, 8)):
            site, left = await lab.site(), lab.left(gone)
            order = replace(
                lab.order(site, lanes), strike=Strike(after_acks=count), after_loss=left
            )
            told = await lab.run(order)
            lab.put_back(site, left[gone])
            what = f"after the power was lost behind the ack of deed {count}: {words}"
            await lab.survived(site, lanes, told, expected, what)


@check(
    "power.loss_at_each_call",
    rule="append and every other change: all or nothing, also when the power is lost",
    requires=(durability(Durability.POWER),),
    level=Level.DURABLE,
    kills=("M212",),
)
async def loss_at_each_call(case: Case) -> None:
    """Whatever call the power is lost in, and if writes come to the disk by half, it is whole."""
    lanes: Lanes = {case.user(): everything_once(case)}
    async with Lab.opened(case) as lab:
        expected = await lab.expected(lanes)
        scouted = await lab.run(lab.order(await lab.site(), lanes))
        _has_files(scouted)
        calls = scouted.calls(*_EVERY_KIND)
        for at in chosen(calls, case.scale(48, 12), case.random):
            site, left = await lab.site(), lab.left("both", "torn")
            strike = Strike(kinds=_EVERY_KIND, at=at)
            told = await lab.run(replace(lab.order(site, lanes), strike=strike, after_loss=left))
            for gone, words in (("both", ""), ("torn", ", which tore what was being written")):
                lab.put_back(site, left[gone])
                what = f"after the power was lost in {told.struck} (call {at}){words}"
                await lab.survived(site, lanes, told, expected, what)


def _elsewhere(deeds: list[Deed]) -> list[Deed]:
    """Return the deeds that a log takes which has grown already: it is erased first."""
    return [Deed("erase"), Deed("restore"), *deeds]


def _has_files(told: Told) -> None:
    if not told.calls(*_EVERY_KIND):
        raise NotApplicable("it changes no files on this machine")


def _each_synced(told: Told, lanes: Lanes) -> None:
    """Demand a sync between the beginning of each append and its acknowledgement."""
    synced = 0
    for event in told.events:
        if event.what == "begun":
            synced = 0
        elif event.what == "call" and event.kind == SYNC:
            synced += 1
        elif event.what == "acked" and not synced:
            deed = lanes[event.user][event.deed]
            if deed.call == "append":
                fail(
                    f"append, deed {event.deed + 1}",
                    got="no sync of any file before it was acknowledged",
                    want="at least one",
                )
