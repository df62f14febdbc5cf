"""What a store is made to do in a process that may not live to the end of it."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from strandlog.backend import CursorStore, LogStore
from strandlog.errors import StrandlogError
from strandlog_conformance.target import Target

__all__ = ["Deed", "Event", "FileLimit", "Lanes", "Order", "Strike", "act"]

_OF_CURSORS = frozenset({"advance", "reset", "forget"})


@dataclass(frozen=True, slots=True)
class Deed:
    """One call of a store, about the log of whoever's lane it is in.

    Attributes:
        call: The method.
        how: What it is called with, besides the user.
    """

    call: str
    how: Mapping[str, object] = field(default_factory=dict)
    args: tuple[object, ...] = ()

    async def done(self, user: str, log: LogStore, cursors: CursorStore | None) -> None:
        """Do it.

        Raises:
            StrandlogError: The store refuses.
        """
        store = cursors if self.call in _OF_CURSORS else log
        await getattr(store, self.call)(user, *self.args, **self.how)


Lanes = Mapping[str, Sequence[Deed]]
"""Deeds by user: those of one come one after the other, those of several side by side."""


@dataclass(frozen=True, slots=True)
class Strike:
    """When something befalls the process, and what.

    Attributes:
        kinds: The calls that are counted, by their kind.
        at: The first that it befalls, counted from one.
        number: The error that the call fails with; 0: the process is killed.
        lasts: How many deeds are refused until calls succeed again; 0 is for one
            call only, -1 is for ever.
        after_acks: The process is killed after so many deeds were acknowledged; if
            a call is struck too, so many after that.
        wait_seconds: And that much later.
    """

    kinds: frozenset[str] = frozenset()
    at: int = 0
    number: int = 0
    lasts: int = 0
    after_acks: int = 0
    wait_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class FileLimit:
    """No file may grow beyond a length, from the first deed on.

    Attributes:
        length: In bytes.
        lasts: How many deeds are refused until it is lifted.
    """

    length: int
    lasts: int


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to do.

    Attributes:
        url: The location.
        root: The directory in which its files lie.
        lanes: The deeds.
        attempts: How often a deed that is refused is tried.
        cursors: Whether to open the cursors as well.
        closes: Whether it closes the store in the end, or just ends.
        watched: Whether its calls are watched.
        strike: What befalls it.
        file_limit: What it may not do.
        after_loss: Where to put what is left if the power is lost at its end: one
            directory where ``contents`` are gone that were not synced, one for
            ``names``, for ``both``, or for both with ``torn`` writes.
    """

    url: str
    root: str
    lanes: Lanes
    attempts: int = 1
    cursors: bool = False
    closes: bool = True
    watched: bool = True
    strike: Strike | None = None
    file_limit: FileLimit | None = None
    after_loss: Mapping[str, str] = field(default_factory=dict)


class Event(NamedTuple):
    """Something that happened, as the process said or as was seen.

    Attributes:
        what: ``open``, ``begun``, ``acked``, ``refused``, ``closed``, ``broke``;
            ``call``; ``struck``; ``ended``.
        user: Whose deed.
        deed: Which one, counted from zero.
        text: The error, or the call.
        kind: The kind of the error, or of the call.
        path: What a call was about.
    """

    what: str
    user: str = ""
    deed: int = -1
    text: str = ""
    kind: str = ""
    path: str = ""


async def act(target: Target, order: Order, say: Callable[[Event], None]) -> None:
    """Do what is ordered; whatever a store raises is said, not raised."""
    try:
        async with _opened(target, order) as (log, cursors):
            limit = _Limit(order.file_limit)
            say(Event("open"))
            await asyncio.gather(
                *(
                    _lane(order, user, partial(_do, log, cursors, user), limit, say)
                    for user in order.lanes
                )
            )
            limit.lift()
            if not order.closes:
                return
        say(Event("closed"))
    # A stranger's store may raise anything, and there is nobody else to tell it.
    except Exception as error:  # noqa: BLE001
        say(_told("broke", "", -1, error))


@asynccontextmanager
async def _opened(
    target: Target, order: Order
) -> AsyncIterator[tuple[LogStore, CursorStore | None]]:
    if order.cursors:
        async with target.open_both(order.url) as both:
            yield both
    else:
        async with target.open_log(order.url) as log:
            yield log, None


async def _do(log: LogStore, cursors: CursorStore | None, user: str, deed: Deed) -> None:
    await deed.done(user, log, cursors)


async def _lane(
    order: Order,
    user: str,
    do: Callable[[Deed], Awaitable[None]],
    limit: _Limit,
    say: Callable[[Event], None],
) -> None:
    attempts = order.attempts
    for index, deed in enumerate(order.lanes[user]):
        while True:
            say(Event("begun", user, index))
            try:
                await do(deed)
            except Exception as error:  # noqa: BLE001  # a stranger's store, see above
                say(_told("refused", user, index, error))
                limit.refused()
                attempts -= 1
                if attempts == 0:
                    return
            else:
                say(Event("acked", user, index))
                break


def _told(what: str, user: str, index: int, error: Exception) -> Event:
    kind = type(error).__name__
    if not isinstance(error, StrandlogError):
        kind = f"a driver's {kind}"
    text = f"{type(error).__name__}: {error}"
    path = "".join(traceback.format_exception(error)[-3:])[-1_500:]
    return Event(what, user, index, text[:1_000], kind, path)


class _Limit:
    """A limit of the length of files, in force until it is lifted."""

    def __init__(self, limit: FileLimit | None) -> None:
        self._left = 0
        if limit is None:
            return
        # Not at the top: not every system has it.
        import resource

        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit.length, self._before[1]))
        self._left = limit.lasts

    def refused(self) -> None:
        """Count one deed that was refused."""
        if self._left == 1:
            self.lift()
        elif self._left:
            self._left -= 1

    def lift(self) -> None:
        """Lift the limit, if it is in force."""
        if self._left:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, self._before)
            self._left = 0
