"""Section I: disks that are full, that fail, and that nobody may write to."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from strandlog import errors
from strandlog.backend import Durability
from strandlog_conformance.calls import NAME, SYNC, WRITE, unwatchable
from strandlog_conformance.case import Case
from strandlog_conformance.deeds import Deed, Event, FileLimit, Lanes, Strike
from strandlog_conformance.expect import NotApplicable, fail
from strandlog_conformance.lab import Lab, Told, chosen
from strandlog_conformance.lives import appends, big_appends, everything_once
from strandlog_conformance.samples import entry
from strandlog_conformance.suite import Level, check, durability

_WRITES = frozenset({WRITE})
_AFTERWARDS = 20
"""How many appends are tried after a fault: a driver may go on well for a few."""

_REFUSALS = 3
_ROOM = 24_000


@check(
    "disk.enospc_at_each_write",
    rule="StoreError: a disk that is full loses nothing that is acknowledged, before or after",
    requires=(durability(Durability.OS),),
    level=Level.DURABLE,
    kills=("M70", "M213", "M214"),
)
async def enospc_at_each_write(case: Case) -> None:
    """One write fails, or some in a row, wherever that is; twenty more appends are tried then.

    A store may go on or refuse until it is opened again; what it acknowledges is kept.
    """
    user = case.user()
    lanes: Lanes = {user: [*everything_once(case), *_more()]}
    async with Lab.opened(case) as lab:
        expected = await lab.expected(lanes)
        scouted = await lab.run(lab.order(await lab.site(), lanes))
        calls = _calls(scouted, WRITE)
        for turn, at in enumerate(chosen(calls, case.scale(64, 12), case.random)):
            site = await lab.site()
            lasts = _REFUSALS if turn % 2 else 0
            strike = Strike(kinds=_WRITES, at=at, number=errno.ENOSPC, lasts=lasts)
            told = await lab.run(
                replace(lab.order(site, lanes), strike=strike, attempts=_AFTERWARDS)
            )
            what = f"after the disk was full in {told.struck} (write {at})"
            _in_words_of_the_contract(told, what)
            await lab.survived(site, lanes, told, expected, what)


@check(
    "disk.eio_on_sync",
    rule="StoreError: what a failed sync was for is never taken for durable",
    requires=(durability(Durability.POWER),),
    level=Level.DURABLE,
    kills=("M71", "M215"),
)
async def eio_on_sync(case: Case) -> None:
    """A sync fails once; the system forgets what it was for, and says so only that once.

    Who syncs again is told that all is well, while the disk never gets those bytes.
    """
    user = case.user()
    lanes: Lanes = {user: [*appends(case, 5), *_more()]}
    async with Lab.opened(case) as lab:
        expected = await lab.expected(lanes)
        scouted = await lab.run(lab.order(await lab.site(), lanes))
        calls = _calls(scouted, SYNC)
        for turn, at in enumerate(chosen(calls, case.scale(32, 16), case.random)):
            site, left = await lab.site(), lab.left("contents")
            strike = Strike(
                kinds=frozenset({SYNC}), at=at, number=errno.EIO, after_acks=1 if turn % 3 else 2
            )
            told = await lab.run(
                replace(
                    lab.order(site, lanes), strike=strike, attempts=_AFTERWARDS, after_loss=left
                )
            )
            what = f"after {told.struck} failed (sync {at}) and the power was lost"
            _in_words_of_the_contract(told, what)
            lab.put_back(site, left["contents"])
            await lab.survived(site, lanes, told, expected, what)


@check(
    "disk.limit_file_size",
    rule="StoreError: where files may not grow any more nothing acknowledged is lost",
    requires=(durability(Durability.OS),),
    level=Level.DURABLE,
    kills=("M216",),
)
async def limit_file_size(case: Case) -> None:
    """No file may grow beyond a length, for a while or for good, and a write is cut off there."""
    lanes: Lanes = {case.user(): big_appends(case, 60, 1_500)}
    async with Lab.opened(case, watches=False) as lab:
        expected = await lab.expected(lanes)
        # What is there before the first deed does not count.
        site = await lab.site()
        await lab.run(replace(lab.order(site, {}), watched=False, closes=False))
        longest = max((one.stat().st_size for one in _files(site.root)), default=0)
        if not longest:
            raise NotApplicable("it keeps no files in the directory that it was given")
        for lasts in (_REFUSALS, 1_000):
            for room in (_ROOM, _ROOM + 1_713):
                site = await lab.site()
                order = replace(
                    lab.order(site, lanes),
                    watched=False,
                    attempts=_AFTERWARDS,
                    file_limit=FileLimit(longest + room, lasts),
                )
                told = await lab.run(order)
                what = f"after no file could exceed {longest + room} bytes"
                _in_words_of_the_contract(told, what)
                await lab.survived(site, lanes, told, expected, what)


@check(
    "disk.read_only_dir",
    rule="StoreError: where nothing can be written, a store refuses, and harms nothing",
    requires=(durability(Durability.PROCESS),),
    level=Level.DURABLE,
    kills=("M217", "M218"),
)
async def read_only_dir(case: Case) -> None:
    """Where everything is read-only a store does not open, or it refuses to change anything."""
    user = case.user()
    watches = not unwatchable()
    lanes: Lanes = {user: [*appends(case, 4), *_more()]}
    async with Lab.opened(case, watches=watches) as lab:
        expected = await lab.expected(lanes)
        site = await lab.site()
        begun = {user: lanes[user][:4]}
        first = await lab.run(replace(lab.order(site, begun), watched=False))
        if not _files(site.root):
            raise NotApplicable("it keeps no files in the directory that it was given")
        rest = {user: lanes[user][4:]}
        order = replace(lab.order(site, rest), watched=watches, attempts=3)
        if watches:
            everything = frozenset({WRITE, NAME})
            strike = Strike(kinds=everything, at=1, number=errno.EROFS, lasts=-1)
            told = await lab.run(replace(order, strike=strike))
        else:
            with _read_only(site.root):
                told = await lab.run(order)
        what = "after its directory was read-only"
        _in_words_of_the_contract(told, what)
        both = Told([*first.events, *told.events])
        await lab.survived(site, lanes, both, expected, what)


def _more() -> list[Deed]:
    """Return appends to come after those of before."""
    return [
        Deed("append", {"entries": [entry("later", n, at=1_000 + n)]})
        for n in range(1, _AFTERWARDS + 1)
    ]


def _calls(told: Told, kind: str) -> list[Event]:
    calls = told.calls(kind)
    if not calls:
        raise NotApplicable("it changes no files on this machine")
    return calls


def _in_words_of_the_contract(told: Told, what: str) -> None:
    """Demand that whatever was refused was refused by an error for that."""
    broke = told.broke()
    for one in [*told.refused, *([broke] if broke else [])]:
        kind = getattr(errors, one.kind, None)
        if kind is None or not issubclass(kind, errors.StoreError):
            where = f"deed {one.deed + 1}" if one.deed >= 0 else "opening or closing it"
            fail(f"{where} {what}", got=f"{one.kind}: {one.text}", want="a StoreError")


def _files(root: Path) -> list[Path]:
    return [one for one in root.rglob("*") if one.is_file()]


@contextmanager
def _read_only(root: Path) -> Iterator[None]:
    """Take away the right to write beneath a directory, as far as rights count.

    Raises:
        NotApplicable: Whoever runs this may write everywhere.
    """
    if os.geteuid() == 0:
        raise NotApplicable("for root there are no read-only directories")
    known = {one: one.stat().st_mode for one in [root, *root.rglob("*")]}
    for one, mode in known.items():
        one.chmod(mode & ~0o222)
    try:
        yield
    finally:
        for one, mode in known.items():
            one.chmod(mode)
