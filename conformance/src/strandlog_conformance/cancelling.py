"""Calls cut off at every moment at which a caller can be cancelled."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Coroutine, Generator, Iterator
from typing import Any

from strandlog_conformance.expect import fail

__all__ = ["Moment", "When", "moments"]

# Far more than a call of any store awaits; what awaits more often would not come to an end.
_AWAITS_MAX = 500

# Where a call waits for a thread or a server, the loop turns many times during one await.
_TURNS = (2, 5, 12, 30, 75, 190, 475, 1_200)


class When(enum.Enum):
    """At which moment of an await the cancellation comes."""

    BEGINS = "as await {} begins"
    ENDS = "as await {} ends, with its result there already"
    TURNS = "after {} turns of the loop"


class Moment:
    """One moment at which one call is cancelled.

    Attributes:
        reached: Whether the call came so far; known once it was cut.
    """

    def __init__(self, when: When, place: int) -> None:
        self._when = when
        self._place = place
        self.reached = False

    def __str__(self) -> str:
        return f"cancelled {self._when.value.format(self._place)}"

    async def cut(self, action: Coroutine[Any, Any, object]) -> object:
        """Make the call and cancel it at this moment; return what it returned or raised."""
        if self._when is When.TURNS:
            task = asyncio.ensure_future(action)
            for _ in range(self._place):
                await asyncio.sleep(0)
            self.reached = not task.done()
            task.cancel()
        else:
            task = asyncio.ensure_future(self._watched(action))
        [outcome] = await asyncio.gather(task, return_exceptions=True)
        return outcome

    async def _watched(self, action: Coroutine[Any, Any, object]) -> object:
        return await _Watched(action, self)

    def pass_by(
        self, task: asyncio.Task[object], number: int, waited: asyncio.Future[object] | None
    ) -> bool:
        """See an await of *task* begin; return whether it is one of those that are numbered."""
        if self._when is When.ENDS and waited is None:
            return False  # it ends as it begins: one turn of the loop
        if number == self._place:
            self.reached = True
            if waited is None or self._when is When.BEGINS:
                task.cancel()
            else:
                # Comes before the task's own callback: the result is there, and never read.
                waited.add_done_callback(lambda _: task.cancel())
        return True


class _Watched:
    """Passes on every await of a call, after a look at it."""

    def __init__(self, action: Coroutine[Any, Any, object], moment: Moment) -> None:
        self._action = action
        self._moment = moment

    def __await__(self) -> Generator[Any, Any, object]:
        task = asyncio.current_task()
        error: BaseException | None = None
        number = 0
        while True:
            try:
                waited = self._action.send(None) if error is None else self._action.throw(error)
            except StopIteration as end:
                value: object = end.value
                return value
            number += task is not None and self._moment.pass_by(task, number, waited)
            error = None
            try:
                yield waited
            except BaseException as thrown:  # noqa: BLE001  # the call's to take
                error = thrown


def moments(call: str) -> Iterator[Moment]:
    """Yield one moment after the other, until the call ends before it is reached.

    First each await as it begins, then each as it ends, then in between.
    """
    for when in (When.BEGINS, When.ENDS):
        for place in range(_AWAITS_MAX):
            moment = Moment(when, place)
            yield moment
            if not moment.reached:
                break
        else:
            fail(call, got=f"more than {_AWAITS_MAX} awaits", want="an end")
    for turns in _TURNS:
        moment = Moment(When.TURNS, turns)
        yield moment
        if not moment.reached:
            break
