"""Makes a program that fails as short as it may be and still fail."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

from strandlog_conformance.expect import CheckFailed
from strandlog_conformance.programs import Step

__all__ = ["Failing", "shrink"]

# Of a program that does not fail each time, so many of its last steps are shown.
_LAST = 8


@dataclass(slots=True)
class Failing:
    """A program, up to the step that failed.

    Attributes:
        steps: The steps.
        failure: What came of the last one.
        always: Whether it failed again when it was repeated.
    """

    steps: Sequence[Step]
    failure: CheckFailed
    always: bool = True

    def __str__(self) -> str:
        steps = self.steps if self.always else self.steps[-_LAST:]
        left_out = len(self.steps) - len(steps)
        before = f"not every time; {left_out} steps, then " if not self.always else ""
        return before + "; ".join(str(step) for step in steps)


async def shrink(
    failing: Failing,
    play: Callable[[Sequence[Step]], Awaitable[Failing | None]],
    *,
    left: Callable[[], bool],
) -> Failing:
    """Return a program of which nothing can be left out, as far as there is time *left*.

    First steps go, larger parts before smaller ones, then parts of steps.
    """
    again = await play(failing.steps)
    if again is None:
        return Failing(failing.steps, failing.failure, always=False)
    now = again
    before: list[Step] = []
    while left() and before != now.steps:
        before = list(now.steps)
        for shorter in _tries(now):
            if not left():
                break
            found = await play(shorter)
            if found is not None:
                now.steps, now.failure = found.steps, found.failure
    return now


def _tries(now: Failing) -> Iterator[Sequence[Step]]:
    """Yield programs that ask for less than *now*, which may change in between."""
    size = max(len(now.steps) // 2, 1)
    while size:
        at = 0
        while at < len(now.steps):
            length = len(now.steps)
            yield [*now.steps[:at], *now.steps[at + size :]]
            if len(now.steps) == length:  # it takes this part to fail
                at += size
        size //= 2
    at = 0
    while at < len(now.steps):
        yield from _simpler(now, at)
        at += 1


def _simpler(now: Failing, at: int) -> Iterator[Sequence[Step]]:
    """Yield programs with a simpler step there; begins anew after each that fails too."""
    found = True
    while found and at < len(now.steps):
        found = False
        step = now.steps[at]
        for simpler in step.simpler():
            yield [*now.steps[:at], simpler, *now.steps[at + 1 :]]
            if at >= len(now.steps) or now.steps[at] is not step:
                found = True
                break
