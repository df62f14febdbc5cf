"""Stories of the protocol as checks: each is told on the stores, and leaves its wire behind.

What travels depends on what was stored, and on nothing else. So a story that is
told once more on the suite's own stores has to give the very same frames.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from strandlog_conformance.case import Case
from strandlog_conformance.disks import Side
from strandlog_conformance.expect import fail, same
from strandlog_conformance.pairs import Paired
from strandlog_conformance.places import Places
from strandlog_conformance.reference import offer
from strandlog_conformance.stage import Frame, Pair
from strandlog_conformance.suite import check, declared

__all__ = ["compare", "story"]

Play = Callable[[Pair], Awaitable[None]]

# A replica needs both; a server needs neither.
_CLIENT = (declared("sparse"), declared("rehome"))

_reference_wires: dict[tuple[str, int, bool], list[Frame]] = {}


def story(
    name: str, *, rule: str, kills: Sequence[str] = (), same_wire: bool = True
) -> Callable[[Play], Play]:
    """Register a coroutine that takes a ``Pair`` as the check *name*.

    Without *same_wire* the frames may differ from store to store: where two
    devices talk at once, it is chance who is heard first.
    """

    def register(play: Play) -> Play:
        @functools.wraps(play)
        async def told(case: Case) -> None:
            # Drawn from the case's own chance: with the same seed the same for each store.
            chance = case.random.getrandbits(32)
            async with _server_case(name, case) as server:
                wire = await _tell(play, case, server, chance)
            if same_wire:
                with _noting(wire):
                    compare(wire, await _reference_wire(name, play, chance, fast=case.fast))

        check(name, rule=rule, requires=_CLIENT, cursors=True, kills=kills)(told)
        return play

    return register


async def _tell(play: Play, devices: Case, server: Case, chance: int) -> list[Frame]:
    """Play a story; return every frame that travelled."""
    async with Side.opened(devices) as device_side:
        if server is devices:
            pair = Pair(device_side, device_side, chance=chance, fast=devices.fast)
            with _noting(pair.frames):
                await play(pair)
        else:
            async with Side.opened(server) as server_side:
                pair = Pair(device_side, server_side, chance=chance, fast=devices.fast)
                with _noting(pair.frames):
                    await play(pair)
        return pair.frames


@contextmanager
def _noting(frames: Sequence[Frame]) -> Iterator[None]:
    """Note on an error what had travelled until then: a report shows it beside the failure."""
    try:
        yield
    except Exception as error:
        error.add_note("\n".join(_line(*one) for one in enumerate(frames, 1)))
        raise


def _line(number: int, frame: Frame) -> str:
    way = "→" if frame.upwards else "←"
    return f"{number} {frame.reader} {way} {frame.text.decode('utf-8', 'replace')}"


@asynccontextmanager
async def _server_case(name: str, case: Case) -> AsyncIterator[Case]:
    """Give the case of the server's store, which without a pair is the devices' own."""
    target = case.target
    if not isinstance(target, Paired) or target.server is None:
        yield case
        return
    with Places() as places:
        server = Case(name, target.server, places, seed=0, fast=case.fast)
        async with _prepared(server):
            yield server


@asynccontextmanager
async def _prepared(case: Case) -> AsyncIterator[None]:
    try:
        await case.prepare()
        yield
    finally:
        await case.clean_up()


async def _reference_wire(name: str, play: Play, chance: int, *, fast: bool) -> list[Frame]:
    """Return the frames of the story as told on the suite's own stores."""
    key = (name, chance, fast)
    if key not in _reference_wires:
        with Places() as places:
            case = Case(name, offer(), places, seed=0, fast=fast)
            async with _prepared(case):
                _reference_wires[key] = await _tell(play, case, case, chance)
    return _reference_wires[key]


def compare(got: Sequence[Frame], want: Sequence[Frame]) -> None:
    """Demand that the same frames travelled, whatever store they come from."""
    for number, (frame, other) in enumerate(zip(got, want, strict=False), 1):
        if (frame.reader, _normal(frame)) != (other.reader, _normal(other)):
            way = "to" if frame.upwards else "from"
            call = f"frame {number} on the wire, {way} the server, {frame.reader}"
            same((frame.reader, _normal(frame)), (other.reader, _normal(other)), call)
    if len(got) != len(want):
        fail("frames on the wire", got=f"{len(got)} frames", want=f"{len(want)} frames")


def _normal(frame: Frame) -> Any:
    """Return a frame without what may differ: epoch, session, and text for people."""
    content = frame.content
    if not isinstance(content, list):
        return content
    kind, body = content
    # An error's message is for people, and a store may have written it.
    varying = {"epoch", "session"} | ({"message"} if kind == "error" else set())
    return [kind, {key: value for key, value in body.items() if key not in varying}]
