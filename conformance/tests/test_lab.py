"""Experiments: processes are watched, struck and killed, and what they said is known."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from strandlog.backend import Backend, Capabilities, Durability, LogStore, StoreUrl
from strandlog_conformance import calls
from strandlog_conformance.bare import run_check
from strandlog_conformance.case import Case
from strandlog_conformance.deeds import Deed, Event, FileLimit, Lanes, Strike
from strandlog_conformance.expect import CheckFailed, NotApplicable
from strandlog_conformance.lab import Lab, chosen, evenly
from strandlog_conformance.places import Places
from strandlog_conformance.reference.files import FILE_CAPABILITIES, FileLogStore, offer_files
from strandlog_conformance.report import Verdict
from strandlog_conformance.samples import series
from strandlog_conformance.suite import all_checks
from strandlog_conformance.target import Target

pytestmark = pytest.mark.anyio

watched = pytest.mark.skipif(bool(calls.unwatchable()), reason=calls.unwatchable())

LANES: Lanes = {"alice": [Deed("append", {"entries": series("phone", n, n)}) for n in range(1, 7)]}
SYNC = frozenset({calls.SYNC})
CHECKS = {one.id: one for one in all_checks()}


def _case(places: Places, target: Target | None = None) -> Case:
    return Case("a check", target or offer_files(), places, seed=0, fast=True)


@watched
async def test_each_call_is_seen_in_its_place(places: Places) -> None:
    """What is said and what is done come in one order, so a sync before an answer is one."""
    async with Lab.opened(_case(places)) as lab:
        told = await lab.run(lab.order(await lab.site(), LANES))

    words = [one.kind if one.what == "call" else one.what for one in told.events]
    begin = words.index("begun")
    assert words[begin : begin + 4] == ["begun", "write", "sync", "acked"]
    assert (told.acked("alice"), words[-2:]) == (6, ["closed", "ended"])


@watched
async def test_a_process_is_killed_in_place_of_a_call(places: Places) -> None:
    async with Lab.opened(_case(places)) as lab:
        site = await lab.site()
        strike = Strike(kinds=SYNC, at=8)
        told = await lab.run(replace(lab.order(site, LANES), strike=strike))
        await lab.survived(site, LANES, told, await lab.expected(LANES), "after it was killed")

    assert (told.struck, told.events[-1].what) == ("fdatasync store/logs.journal", "struck")


async def test_a_process_is_killed_after_an_answer(places: Places) -> None:
    """That takes nothing of the system but processes."""
    async with Lab.opened(_case(places), watches=False) as lab:
        order = replace(
            lab.order(await lab.site(), LANES), watched=False, strike=Strike(after_acks=3)
        )
        told = await lab.run(order)

    assert told.events[-1].what == "struck"
    assert told.acked("alice") >= 3


@watched
async def test_a_call_fails_once(places: Places) -> None:
    """The store says no, and goes on saying it; the process lives."""
    async with Lab.opened(_case(places)) as lab:
        strike = Strike(kinds=frozenset({calls.WRITE}), at=4, number=errno.ENOSPC)
        told = await lab.run(replace(lab.order(await lab.site(), LANES), strike=strike, attempts=5))

    assert {one.kind for one in told.refused} == {"StoreFullError"}
    assert (len(told.refused), told.events[-2].what) == (5, "closed")


async def test_no_file_grows_beyond_a_limit(places: Places) -> None:
    async with Lab.opened(_case(places), watches=False) as lab:
        order = replace(lab.order(await lab.site(), LANES), watched=False)
        told = await lab.run(replace(order, file_limit=FileLimit(400, 100), attempts=2))

    assert {one.kind for one in told.refused} == {"StoreFullError"}


@watched
async def test_what_was_acknowledged_and_is_gone_is_noticed(places: Places) -> None:
    """The files are what a loss of power leaves of a store that was told of no failure."""
    async with Lab.opened(_case(places)) as lab:
        site, left = await lab.site(), lab.left("contents")
        told = await lab.run(
            replace(lab.order(site, LANES), strike=Strike(after_acks=2), after_loss=left)
        )
        lab.put_back(site, left["contents"])
        claimed = replace(told, events=[*told.events, *told.events])
        with pytest.raises(CheckFailed, match="4 of 6 deeds acknowledged"):
            await lab.survived(site, LANES, claimed, await lab.expected(LANES), "after that")


async def test_a_store_that_only_this_process_knows_is_forked(places: Places) -> None:
    """Whoever defines a store inside a function cannot have it imported elsewhere."""

    @asynccontextmanager
    async def open_here(url: StoreUrl) -> AsyncIterator[LogStore]:
        async with FileLogStore.at(
            Path(url.file_path), FILE_CAPABILITIES, read_only=False
        ) as store:
            yield store

    base = offer_files()
    mine = replace(base, log=replace(base.log, open=open_here), cursors=None)
    async with Lab.opened(_case(places, mine), watches=False) as lab:
        told = await lab.run(replace(lab.order(await lab.site(), LANES), watched=False))

    assert told.acked("alice") == 6


async def test_a_system_that_shows_no_calls_is_told_apart(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NA-ENV says that nothing was found out; a kill at any moment is tried all the same."""
    monkeypatch.setattr("strandlog_conformance.calls.platform.machine", lambda: "vax")

    verdicts = {
        name: (await run_check(CHECKS[name], offer_files(), places, fast=True)).verdict
        for name in ("power.sync_before_ack", "crash.sigkill_random", "disk.limit_file_size")
    }
    assert verdicts == {
        "power.sync_before_ack": Verdict.NA_ENV,
        "crash.sigkill_random": Verdict.PASS,
        "disk.limit_file_size": Verdict.PASS,
    }


async def test_without_processes_nothing_is_tried(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("os.fork")

    with pytest.raises(NotApplicable, match="no processes that fork"):
        async with Lab.opened(_case(places)):
            pass


def _posing(scheme: str) -> Target:
    """Return an installed store that syncs less than it says."""
    target = Target.installed(scheme)
    fresh = target.fresh_url
    assert fresh is not None

    @asynccontextmanager
    async def fresh_url(place: Path) -> AsyncIterator[str]:
        async with fresh(place) as url:
            yield f"{url}?durability=normal"

    posing: Capabilities = replace(target.capabilities, durability=Durability.POWER)
    log: Backend[LogStore] = replace(target.log, capabilities=posing)
    return replace(target, log=log, fresh_url=fresh_url, declared=posing)


@watched
@pytest.mark.parametrize("scheme", ["sqlite", "leveldb"])
async def test_an_engine_that_is_told_not_to_sync_is_caught(scheme: str, places: Places) -> None:
    """It would survive every signal; only its calls to the disk tell."""
    outcome = await run_check(CHECKS["power.sync_before_ack"], _posing(scheme), places, fast=True)

    assert outcome.failure is not None
    assert outcome.failure.got == "no sync of any file before it was acknowledged"


def test_calls_are_chosen_of_every_sort(places: Places) -> None:
    """The one that comes once is not left out for those that come again and again."""
    made = [Event("call", text="write a")] * 50 + [Event("call", text="rename b")]

    assert 51 in chosen(made, 2, _case(places).random)


def test_numbers_are_spread_with_both_ends() -> None:
    assert (evenly(3, 5), evenly(9, 3)) == ([1, 2, 3], [1, 5, 9])
