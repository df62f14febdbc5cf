"""Simulated lives keep the promises, and are the same each time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from strandlog.testing.simulation import shrink, simulate
from strandlog.testing.simulation.runs import play
from strandlog.testing.simulation.script import Setting, Step, draw_setting
from strandlog.testing.virtual_time import StalledError, run_virtually

ROOT = Path(__file__).parent.parent.parent

QUIET = Setting(
    (("alice/laptop", True, (), 0.0, 1.0), ("bob/phone", True, ("alice",), 0.0, 1.0)), 200, 0.01
)


@pytest.mark.parametrize("seed", range(15))
def test_no_promise_is_broken(seed: int) -> None:
    """More of them: ``strandlog simulate --runs 10000``."""
    outcome = simulate(seed)

    assert (outcome.breaches, "\n".join(outcome.story) * bool(outcome.breaches)) == ((), "")
    assert outcome.written > 0


@pytest.mark.parametrize("scheme", ["sqlite", "leveldb"])
def test_what_happens_does_not_depend_on_the_store(scheme: str) -> None:
    """Stores in files: the same story, word for word, as on stores in memory."""
    in_files = simulate(3, device_store=scheme, server_store=scheme, steps=15)

    assert in_files.story == simulate(3, steps=15).story
    assert not in_files.breaches


def test_a_seed_is_the_same_run_each_time() -> None:
    assert simulate(7, steps=20) == simulate(7, steps=20)


def test_a_broken_run_is_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that forgets an upload: all that is needed to show it is one step or none."""
    from strandlog.driver import Driver
    from strandlog.page import Appended
    from strandlog.protocol import calls
    from strandlog.vector import VersionVector

    carry_out = Driver._carry_out

    async def forgetful(self: Driver, call: calls.Call[object]) -> object:
        if isinstance(call, calls.Append) and call.upto is None and call.entries:
            tops = VersionVector({one.device: one.counter for one in call.entries})
            return Appended(tops, len(call.entries), 0)
        return await carry_out(self, call)

    monkeypatch.setattr(Driver, "_carry_out", forgetful)

    found = shrink(simulate(1, steps=10))

    assert found.breaches
    assert len(found.script) <= 1


def test_a_script_is_played_as_written() -> None:
    script = [
        Step(1.0, "writes", "alice/laptop", (("texts", ('"milk"',)), ("scope", "friend"))),
        Step(2.0, "goes offline", "alice/laptop"),
        Step(3.0, "writes", "alice/laptop", (("texts", ('"bread"',)), ("scope", "friend"))),
    ]

    outcome = play(0, QUIET, script)

    assert outcome.breaches == ()
    assert sum("has written" in line for line in outcome.story) == 4  # and a last word each


def test_settings_differ() -> None:
    assert len({draw_setting(seed) for seed in range(20)}) > 10


def test_time_passes_only_while_everybody_waits() -> None:
    async def wait() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    assert run_virtually(wait()) == 3600


def test_waiting_for_nothing_is_an_error() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(StalledError):
        run_virtually(wait())


def test_the_command_tells_what_it_found() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "strandlog", "simulate", "--runs", "2", "--steps", "10", "--json"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert told.returncode == 0, told.stderr
    assert '"runs":2,"broken":[]' in told.stdout.replace(" ", "")
