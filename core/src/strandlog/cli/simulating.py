"""``simulate``: plays the life of devices and a server by chance, and looks for broken promises."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.options import json_option
from strandlog.cli.output import json_line

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from strandlog.testing.simulation import Outcome

__all__ = ["simulate"]

_DOUBTS_MAX = 10  # broken runs after which it is pointless to go on


@click.command()
@click.option("--seed", type=click.IntRange(min=0), default=0, help="The first run's seed.")
@click.option("--runs", type=click.IntRange(min=1), default=100, help="How many runs.")
@click.option("--backend", default="memory", metavar="NAME", help="What the devices keep logs in.")
@click.option("--server-backend", metavar="NAME", help="And the server; the same unless told.")
@click.option("--steps", type=click.IntRange(min=1), default=40, help="What happens in each run.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, help="Runs at a time.")
@click.option("--story", is_flag=True, help="Tell what happens, of sound runs too.")
@click.option("--no-shrink", is_flag=True, help="Leave a broken run as long as it is.")
@json_option
@click.pass_context
def simulate(
    ctx: click.Context,
    *,
    seed: int,
    runs: int,
    backend: str,
    server_backend: str | None,
    steps: int,
    jobs: int,
    story: bool,
    no_shrink: bool,
    as_json: bool,
) -> None:
    """Play random lives of devices, a friend and a server, and hold them to the promises.

    Devices write, lose connections, crash, are wiped, set back and copied; so is
    the server. In the end everybody has to have everything, once, and in one
    order. A seed names a run, which is the same each time. A run that breaks a
    promise is made as short as it can be and told as a story.

    Exit codes: 0 all promises held, 1 one was broken.
    """
    server_backend = server_backend or backend
    broken: list[Outcome] = []
    frames = written = done = 0
    with _workers(jobs) as workers:
        for outcome in _played(workers, range(seed, seed + runs), backend, server_backend, steps):
            done += 1
            frames += outcome.frames
            written += outcome.written
            if story:
                click.echo("\n".join(outcome.story))
            if outcome.breaches:
                broken.append(outcome)
                click.echo(f"seed {outcome.seed}: {outcome.breaches[0][:300]}", err=True)
                if len(broken) == _DOUBTS_MAX:
                    break
            elif done % 100 == 0:
                click.echo(f"{done} of {runs} runs", err=True)
        shortest = min(broken, key=lambda one: len(one.script), default=None)
        if shortest is not None and not no_shrink:
            click.echo("looking for a shorter one", err=True)
            shortest = _shrunk(workers, shortest, backend, server_backend)
    if as_json:
        json_line(
            {
                "runs": done,
                "broken": [one.seed for one in broken],
                "frames": frames,
                "written": written,
                "backend": backend,
                "server_backend": server_backend,
                "story": [] if shortest is None else list(shortest.story),
            }
        )
    else:
        if shortest is not None:
            click.echo(f"seed {shortest.seed}, {len(shortest.script)} steps:")
            click.echo("\n".join(shortest.story))
        click.echo(
            f"{done} runs, devices on {backend}, server on {server_backend}:"
            f" {len(broken)} broken; {written} entries written, {frames} frames"
        )
    ctx.exit(1 if broken else 0)


@contextmanager
def _workers(jobs: int) -> Iterator[Executor]:
    """Give workers in which a seed always means the same."""
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # The order of a set of strings depends on this, and on it which of two things that
    # happen at one moment comes first. It is read when an interpreter starts.
    os.environ["PYTHONHASHSEED"] = "0"
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as workers:
        try:
            yield workers
        finally:
            workers.shutdown(cancel_futures=True)


def _played(
    workers: Executor, seeds: range, backend: str, server_backend: str, steps: int
) -> Iterator[Outcome]:
    from strandlog.testing.simulation import simulate as play

    waiting = [
        workers.submit(play, seed, device_store=backend, server_store=server_backend, steps=steps)
        for seed in seeds
    ]
    for future in waiting:
        yield future.result()


def _shrunk(workers: Executor, outcome: Outcome, backend: str, server_backend: str) -> Outcome:
    from strandlog.testing.simulation import shrink

    return workers.submit(
        shrink, outcome, device_store=backend, server_store=server_backend
    ).result()
