"""Several processes that share a list of jobs: what one of them breaks, the others do not see."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

__all__ = ["Answer", "serve", "work"]

_LINE_MAX = 1 << 22


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a job.

    Attributes:
        job: The job.
        value: What was found out; ``None`` if the process did not live to tell.
        problem: Why it did not; empty if it did.
    """

    job: str
    value: Any
    problem: str = ""


async def work(
    module: str,
    jobs: Sequence[str],
    *,
    hands: int,
    limit_seconds: float,
    on_answer: Callable[[Answer], None],
) -> list[Answer]:
    """Have *jobs* done by processes that run *module*; return the answers in the order of the jobs.

    A process that takes longer than *limit_seconds* for one job is ended, and
    another takes its place; so is one that dies. Cancelled, all are ended.
    """
    answers: dict[str, Answer] = {}
    rest = iter(jobs)

    def take(answer: Answer) -> None:
        answers[answer.job] = answer
        on_answer(answer)

    async with anyio.create_task_group() as group:
        for _ in range(min(hands, len(jobs))):
            group.start_soon(_hand, module, rest, limit_seconds, take)
    return [answers[job] for job in jobs]


async def _hand(
    module: str, jobs: Iterator[str], limit_seconds: float, take: Callable[[Answer], None]
) -> None:
    for job in jobs:
        process = await anyio.open_process([sys.executable, "-m", module], stderr=None)
        try:
            await _served(process, job, jobs, limit_seconds, take)
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.aclose()


async def _served(
    process: Process,
    job: str,
    jobs: Iterator[str],
    limit_seconds: float,
    take: Callable[[Answer], None],
) -> None:
    """Give one process jobs until there are none left, or it fails at one."""
    assert process.stdin is not None  # noqa: S101  # open_process makes pipes
    assert process.stdout is not None  # noqa: S101
    lines = BufferedByteReceiveStream(process.stdout)
    for one in _chain(job, jobs):
        try:
            with anyio.fail_after(limit_seconds):
                await process.stdin.send(json.dumps(one).encode() + b"\n")
                line = await lines.receive_until(b"\n", _LINE_MAX)
        except TimeoutError:
            take(Answer(one, None, f"it did not end within {limit_seconds:g} s"))
            return
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            take(Answer(one, None, "its process ended"))
            return
        take(Answer(one, json.loads(line)))


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def serve(do: Callable[[str], Awaitable[Any]]) -> None:
    """Answer the jobs that come on standard input, until that ends; :func:`work` asks them."""
    # Stores under test may print; only answers go where answers are read.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answer = anyio.run(_awaited, do, json.loads(line))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


async def _awaited(do: Callable[[str], Awaitable[Any]], job: str) -> Any:
    return await do(job)
