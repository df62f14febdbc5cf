"""Runs a third party's tests once for each fault, and says which of them were noticed."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from strandlog_conformance.against.faults import Fault, faults_of
from strandlog_conformance.against.plugin import CLASS, FAULT, REPORT

__all__ = ["NoTrialError", "Trial", "Verdict", "try_against"]

# So many times longer than without a fault may the tests take; then they hang on it.
_PATIENCE = 5
_PATIENCE_SECONDS = 30.0

_PASSED, _FAILED = 0, 1  # the exit codes of pytest


class NoTrialError(Exception):
    """The tests cannot be tried; the message says why."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one fault.

    Attributes:
        fault: The fault.
        noticed_by: The first test that failed, or what else went wrong; empty if nothing did.
    """

    fault: Fault
    noticed_by: str


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of all of them.

    Attributes:
        store: The class, as it was named.
        verdicts: One for each fault.
    """

    store: str
    verdicts: Sequence[Verdict]

    @property
    def missed(self) -> list[Fault]:
        """The faults that no test noticed."""
        return [one.fault for one in self.verdicts if not one.noticed_by]

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            "store": self.store,
            "faults": [
                {
                    "name": one.fault.name,
                    "fault": one.fault.text,
                    "method": one.fault.method,
                    "noticed_by": one.noticed_by,
                }
                for one in self.verdicts
            ],
            "missed": [one.name for one in self.missed],
        }


def _class(store: str) -> type:
    module, _, name = store.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NoTrialError(f"{store}: {error}; give MODULE:CLASS") from error
    if not isinstance(found, type):
        raise NoTrialError(f"{store} is no class")
    return found


async def try_against(
    store: str,
    pytest_args: Sequence[str],
    *,
    only: Sequence[str] = (),
    processes: int = 2,
    on_verdict: Callable[[Verdict], None] | None = None,
) -> Trial:
    """Run pytest with these arguments without a fault, then once for each (or some, by name).

    The class is given as ``module:Class``. Nothing on the disk is changed: each
    run is a process of its own, in which the class is spoilt after collection.

    Raises:
        NoTrialError: There is no such class, or the tests fail without a fault.
    """
    try:
        faults = faults_of(_class(store))
    except TypeError as error:
        raise NoTrialError(str(error)) from error
    if unknown := [name for name in only if name not in {one.name for one in faults}]:
        raise NoTrialError(f"there is no fault {', '.join(unknown)} for such a store")
    faults = [one for one in faults if not only or one.name in only]
    verdicts: dict[str, Verdict] = {}
    with TemporaryDirectory(prefix="strandlog-") as directory:
        runs = _Runs(store, pytest_args, Path(directory))
        began = time.monotonic()
        problem = await runs.noticed(None, None)
        if problem:
            raise NoTrialError(f"the tests do not pass without a fault: {problem}")
        patience = _PATIENCE_SECONDS + _PATIENCE * (time.monotonic() - began)
        rest = iter(faults)

        async def hand() -> None:
            for fault in rest:
                verdicts[fault.name] = Verdict(fault, await runs.noticed(fault, patience))
                if on_verdict is not None:
                    on_verdict(verdicts[fault.name])

        async with anyio.create_task_group() as group:
            for _ in range(processes):
                group.start_soon(hand)
    return Trial(store, [verdicts[one.name] for one in faults])


@dataclass(frozen=True, slots=True)
class _Runs:
    store: str
    args: Sequence[str]
    directory: Path

    async def noticed(self, fault: Fault | None, patience: float | None) -> str:
        """Return which test fails first, or how the run goes wrong; empty if it does not."""
        report = self.directory / (fault.name if fault else "sound")
        environment = {**os.environ, CLASS: self.store, REPORT: str(report)}
        if fault is not None:
            environment[FAULT] = fault.name
        command = [sys.executable, "-m", "pytest", "-x", "-q"]
        command += ["-p", "strandlog_conformance.against.plugin", "-p", "no:cacheprovider"]
        with anyio.move_on_after(patience):
            done = await anyio.run_process(
                [*command, *self.args],
                check=False,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            if done.returncode == _PASSED:
                return ""
            failed = report.read_text("utf-8").splitlines() if report.exists() else []
            if failed:
                return failed[0]
            if fault is not None and done.returncode == _FAILED:
                return "the run failed"
            last = done.stdout.decode(errors="replace").strip().splitlines()[-1:]
            return f"pytest ended with {done.returncode}: {''.join(last)}"
        return "the tests did not come to an end"
