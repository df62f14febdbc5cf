"""Plays the part of the driver: an engine's calls are expected and answered one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from strandlog.protocol.calls import Call, Steps

ResultT = TypeVar("ResultT")

Exchange = tuple[Call[Any] | type[Call[Any]], object]
"""A call, or only its kind, and what it comes to: an exception is thrown in."""


def play(steps: Steps[ResultT], exchanges: Sequence[Exchange] = ()) -> ResultT:
    """Run *steps* to the result, if it makes just these calls in this order."""
    left = list(exchanges)
    answer: object = None
    while True:
        try:
            call = steps.throw(answer) if isinstance(answer, Exception) else steps.send(answer)
        except StopIteration as stop:
            assert left == [], f"never called: {left}"
            result: ResultT = stop.value
            return result
        assert left, f"one call too many: {call}"
        expected, answer = left.pop(0)
        assert expected in (call, type(call)), f"{call} came, {expected} was due"
