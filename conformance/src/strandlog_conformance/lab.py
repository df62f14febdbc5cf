"""Where stores are made to crash: in processes of their own, which nobody misses.

What such a process was told is done is held against what is found afterwards, by
opening the location here. What should be found is computed with the suite's own
store, deed by deed: after a crash a log has to be as it was after the last deed
that was acknowledged, or after the one that was under way.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from strandlog.backend import CursorStore, LogStore
from strandlog_conformance import runner
from strandlog_conformance.calls import unwatchable
from strandlog_conformance.case import Case
from strandlog_conformance.deeds import Deed, Event, Lanes, Order
from strandlog_conformance.expect import NotApplicable, attempt, fail, plain, same
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.samples import state
from strandlog_conformance.target import Target

__all__ = ["Lab", "Seen", "Site", "Told", "chosen", "evenly"]

Seen = Mapping[str, object]
"""All that can be seen of a log and its cursors."""


class Site(NamedTuple):
    """A location of an experiment's own, and the directory in which its files lie."""

    url: str
    root: Path


@dataclass(frozen=True, slots=True)
class Told:
    """What happened in a process, in its order."""

    events: Sequence[Event]

    def acked(self, user: str) -> int:
        """Return how many deeds of a lane were acknowledged."""
        return sum(one.what == "acked" and one.user == user for one in self.events)

    @property
    def refused(self) -> list[Event]:
        """The deeds that were refused, one event for each attempt."""
        return [one for one in self.events if one.what == "refused"]

    @property
    def struck(self) -> str:
        """The call that was struck, in words; empty if none was."""
        return next((one.text or "an ack" for one in self.events if one.what == "struck"), "")

    def calls(self, *kinds: str) -> list[Event]:
        """Return the calls of these kinds that were let through or struck."""
        return [one for one in self.events if one.what == "call" and one.kind in kinds]

    def broke(self) -> Event | None:
        """Return the error that ended the process, if one did."""
        return next((one for one in self.events if one.what == "broke"), None)


class Lab:
    """Experiments with the store of one case."""

    def __init__(self, case: Case, orders: socket.socket) -> None:
        self._case = case
        self._orders = orders

    @classmethod
    @asynccontextmanager
    async def opened(cls, case: Case, *, watches: bool = True) -> AsyncIterator[Lab]:
        """Start what starts processes, for the length of the context.

        Raises:
            NotApplicable: Processes cannot be started here, or not be watched.
        """
        if not hasattr(os, "fork") or sys.platform in ("emscripten", "wasi"):
            raise NotApplicable("this system has no processes that fork")
        if watches and (reason := unwatchable()):
            raise NotApplicable(reason)
        store = Target(case.target.name, case.target.log, case.target.cursors)
        ours, end = await _started(store)
        try:
            yield cls(case, ours)
        finally:
            ours.close()
            end()

    async def site(self) -> Site:
        """Return a new location."""
        return Site(*await self._case.new_site())

    def order(self, site: Site, lanes: Lanes) -> Order:
        """Return the order to do these deeds, and close the store."""
        cursors = self._case.target.cursors is not None
        return Order(site.url, str(site.root), lanes, cursors=cursors)

    async def run(self, order: Order) -> Told:
        """Have an order carried out.

        Raises:
            NotApplicable: It is to be watched, and the system does not allow it.
            CheckFailed: The process did not end in time.
        """
        await _send(self._orders, order)
        events: list[Event] = await _receive(self._orders)
        told = Told(events)
        for one in events:
            if one.what == runner.UNWATCHED:
                raise NotApplicable(f"this system does not show the calls of a process: {one.text}")
            if one.what == "stuck":
                fail("the deeds of a process", got=_last(events), want="an end in time")
        return told

    async def expected(self, lanes: Lanes) -> dict[str, list[Seen]]:
        """Return how each log has to look after none of its deeds, after one, and so on."""
        log, cursors = ReferenceLogStore(shelf := Shelf()), ReferenceCursorStore(shelf)
        return {
            user: [await self._seen(user, log, cursors)]
            + [await self._after(deed, user, log, cursors) for deed in deeds]
            for user, deeds in lanes.items()
        }

    async def _after(self, deed: Deed, user: str, log: LogStore, cursors: CursorStore) -> Seen:
        await deed.done(user, log, cursors)
        return await self._seen(user, log, cursors)

    async def _seen(self, user: str, log: LogStore, cursors: CursorStore | None) -> Seen:
        seen = await state(log, user)
        if self._case.target.cursors is not None and cursors is not None:
            seen["readers"] = await cursors.readers(user)
        return seen

    async def survived(
        self,
        site: Site,
        lanes: Lanes,
        told: Told,
        expected: Mapping[str, Sequence[Seen]],
        what: str,
    ) -> None:
        """Demand that everything acknowledged is there, nothing in part, and that it goes on."""
        done = {user: told.acked(user) for user in lanes}
        outcome = await attempt(self._check(site.url, lanes, done, expected, what))
        if isinstance(outcome, AssertionError) or not isinstance(outcome, Exception):
            if isinstance(outcome, BaseException):
                raise outcome
            return
        acked = sum(done.values())
        fail(
            f"open and use it {what}, {acked} deeds acknowledged",
            got=f"{type(outcome).__name__}: {outcome}",
            want="no error",
        )

    async def _check(
        self,
        url: str,
        lanes: Lanes,
        done: Mapping[str, int],
        expected: Mapping[str, Sequence[Seen]],
        what: str,
    ) -> None:
        async with self._case.open_all(url) as (log, cursors):
            for user, deeds in lanes.items():
                count = done[user]
                allowed = expected[user][count : count + 2]
                seen = await self._seen(user, log, cursors)
                if plain(seen) not in [plain(one) for one in allowed]:
                    call = f"every read {what}, {count} of {len(deeds)} deeds acknowledged"
                    same(seen, allowed[0], call)
                for deed in deeds[count:]:
                    await deed.done(user, log, cursors)
                same(
                    await self._seen(user, log, cursors),
                    expected[user][-1],
                    f"every read {what}, after the rest was done",
                )

    def put_back(self, site: Site, directory: str) -> None:
        """Put what is left of a location in its place."""
        for one in site.root.iterdir():
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        shutil.copytree(directory, site.root, dirs_exist_ok=True)

    def left(self, *kept: str) -> dict[str, str]:
        """Return new directories for what a loss of power leaves, by what is kept."""
        return {one: str(self._case.empty_directory()) for one in kept}


def evenly(count: int, most: int) -> list[int]:
    """Return at most *most* of the numbers from 1 to *count*, both ends included."""
    if count <= most:
        return list(range(1, count + 1))
    return sorted({1 + round(at * (count - 1) / (most - 1)) for at in range(most)})


def chosen(calls: Sequence[Event], most: int, chance: random.Random) -> list[int]:
    """Return the numbers, from one, of at most *most* calls: of each sort as many, by chance.

    Not at even distances: a store does the same again and again, and one and the
    same step of it would be met.
    """
    numbers = list(range(1, len(calls) + 1))
    chance.shuffle(numbers)
    met: Counter[str] = Counter()
    turns: dict[int, int] = {}
    for number in numbers:
        sort = calls[number - 1].text
        turns[number] = met[sort]
        met[sort] += 1
    return sorted(sorted(numbers, key=turns.__getitem__)[:most])


def _last(events: Sequence[Event]) -> str:
    said = [one for one in events if one.what != "call"]
    return " ".join(map(str, said[-2])) if len(said) > 1 else "nothing"


async def _started(target: Target) -> tuple[socket.socket, Callable[[], None]]:
    """Start the runner; return how to speak with it, and how to end it."""
    try:
        data = pickle.dumps(target)
    except (pickle.PicklingError, AttributeError, TypeError):
        return _forked(target)
    # What the main program defines is not found by another one.
    return _forked(target) if b"__main__" in data else await _executed(target)


async def _executed(target: Target) -> tuple[socket.socket, Callable[[], None]]:
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(  # noqa: ASYNC220, S603  # does not wait
            [sys.executable, "-m", "strandlog_conformance.runner", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Or the first one would write what it has compiled.
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )

    def end() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    ours.setblocking(False)
    try:
        await _send(ours, sys.path)
        await _send(ours, target)
    except BaseException:
        ours.close()
        end()
        raise
    return ours, end


def _forked(target: Target) -> tuple[socket.socket, Callable[[], None]]:
    """Start the runner as a copy of this process: the only one that knows the store."""
    ours, theirs = socket.socketpair()
    with warnings.catch_warnings():
        # That other threads are not copied does no harm: it needs none of them.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            ours.close()
            runner.serve(theirs, target)
        finally:
            os._exit(0)
    theirs.close()
    ours.setblocking(False)

    def end() -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

    return ours, end


async def _send(to: socket.socket, value: object) -> None:
    await asyncio.get_running_loop().sock_sendall(to, runner.packed(value))


async def _receive(source: socket.socket) -> Any:
    loop = asyncio.get_running_loop()

    async def exactly(length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = await loop.sock_recv(source, length - len(data))
            if not piece:
                raise NotApplicable(
                    "the process that runs experiments has ended: is the module"
                    " of the store importable?"
                )
            data += piece
        return data

    return runner.unpacked(await exactly(int.from_bytes(await exactly(4), sys.byteorder)))
