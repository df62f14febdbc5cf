"""Into the event loop and back."""

from __future__ import annotations

import anyio
import click
import pytest

from strandlog.cli.running import in_event_loop
from strandlog.errors import GapError


async def in_a_task_group(*errors: Exception) -> None:
    async def fail(error: Exception) -> None:
        # All of them: none is cancelled by another before it is raised.
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        raise error

    async with anyio.create_task_group() as tasks:
        for error in errors:
            tasks.start_soon(fail, error)


def test_result_comes_back() -> None:
    @in_event_loop
    async def double(number: int, *, times: int) -> int:
        await anyio.lowlevel.checkpoint()
        return number * times

    assert double(2, times=3) == 6


@pytest.mark.parametrize(
    "error",
    [GapError("phone", expected=3, got=5), BrokenPipeError(), click.UsageError("no such thing")],
)
def test_expected_error_comes_out_of_its_task_group(error: Exception) -> None:
    """Otherwise a refusal of the store would be a traceback, for a task had it."""
    with pytest.raises(type(error)) as raised:
        in_event_loop(in_a_task_group)(error)

    assert raised.value is error


def test_surprise_beside_an_expected_error_is_not_swallowed() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        in_event_loop(in_a_task_group)(
            GapError("phone", expected=3, got=5), ZeroDivisionError("a fault")
        )

    assert raised.group_contains(ZeroDivisionError)
