"""From a command, which click calls, into the event loop and back."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import rich_click as click

from strandlog.errors import StrandlogError

__all__ = ["in_event_loop"]

_EXPECTED = (StrandlogError, OSError, click.ClickException, click.Abort)

Params = ParamSpec("Params")
ResultT = TypeVar("ResultT")


def in_event_loop(
    command: Callable[Params, Coroutine[Any, Any, ResultT]],
) -> Callable[Params, ResultT]:
    """Make a coroutine function one that runs it to its end in an event loop of its own.

    An expected error is raised by itself, where a task group has wrapped it.
    """

    @wraps(command)
    def run(*args: Params.args, **kwargs: Params.kwargs) -> ResultT:
        import anyio

        try:
            return anyio.run(partial(command, *args, **kwargs))
        except BaseExceptionGroup as group:
            leaves = list(_leaves(group))
            # One surprise among them must show, with its traceback.
            if all(isinstance(leaf, _EXPECTED) for leaf in leaves):
                raise leaves[0] from group
            raise

    return run


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
