"""Faulty runs: what a broken runner might hand to the reports.

None of them may look like a store that conforms, in any form of the report:
a suite that can be made to say "passed" by doing nothing is worth nothing.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rich.console import Console

from strandlog_conformance.document import Document, document
from strandlog_conformance.report import (
    IDENTITY,
    ExitCode,
    Failure,
    Outcome,
    Report,
    StoreReport,
    Verdict,
)
from strandlog_conformance.suite import Check, all_checks
from strandlog_conformance.waivers import Waiver, Waivers

__all__ = ["FaultyRun", "faulty_runs", "unnoticed"]

_NAME = "reference"
_GREEN = "every required check passed"
_FAILURE = Failure("a call", "this", "that")
_TODAY = dt.date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class FaultyRun:
    """One run that must not be taken for a success.

    Attributes:
        id: Its stable name.
        fault: What is wrong with it.
        report: The run.
        ends: How it has to end.
        sound: How many of its stores are not touched by the fault, and keep their level.
    """

    id: str
    fault: str
    report: Report
    ends: ExitCode = ExitCode.INVALID
    sound: int = 0

    def problem(self) -> str:
        """Return how the run looks better than it is; empty if it does not."""
        if (code := self.report.exit_code()) is not self.ends:
            return f"a run in which {self.fault} ends with {int(code)}, not {int(self.ends)}"
        if sum(bool(self.report.level(one)) for one in self.report.stores) != self.sound:
            return f"a run in which {self.fault} earns a level"
        told = document(self.report)
        if told.run.exit_code != int(self.ends) or _marked(told) != self.sound:
            return f"the report.json of a run in which {self.fault} looks like a success"
        if _GREEN in _shown(self.report):
            return f"a run in which {self.fault} is shown as {_GREEN!r}"
        return ""


def _marked(told: Document) -> int:
    return sum(bool(one.marks or one.level) for one in told.stores)


def faulty_runs() -> list[FaultyRun]:
    """Return every faulty run."""
    suite = all_checks()
    sound = _outcomes(suite, lambda _: Verdict.PASS)
    short = suite[:-1]
    every = tuple(one.id for one in suite)
    second = suite[1].id

    def run(*outcomes: Sequence[Outcome], planned: Sequence[Check] = suite) -> Report:
        stores = [StoreReport(f"{_NAME}{n}", planned, made) for n, made in enumerate(outcomes)]
        return Report(suite, stores, 0, shipped=every)

    def only(verdict: Verdict, name: str) -> list[Outcome]:
        return _outcomes(suite, lambda one: verdict if one.id == name else Verdict.PASS)

    def all_of(verdict: Verdict) -> list[Outcome]:
        return _outcomes(suite, lambda _: verdict)

    return [
        FaultyRun("R1", "nothing ran", run([], planned=[])),
        FaultyRun("R1b", "no store was found", run()),
        FaultyRun("R2", "every check was skipped", run(all_of(Verdict.UNSUPPORTED))),
        FaultyRun("R2b", "nothing can be checked here", run(all_of(Verdict.NA_ENV))),
        FaultyRun(
            "R2d",
            "every check that was chosen was skipped",
            run(all_of(Verdict.UNSUPPORTED)[1:4], planned=suite[1:4]),
        ),
        FaultyRun("R2c", "no check was reached", run(all_of(Verdict.NOT_RUN))),
        FaultyRun(
            "R3",
            "one check of the manifest is not there",
            replace(run(sound[:-1], planned=short), suite=short),
        ),
        FaultyRun("R3b", "one verdict is missing", run(sound[:-1])),
        FaultyRun("R3c", "one verdict stands twice", run([*sound[:-1], sound[0]])),
        FaultyRun("R4", "one check broke the harness", run(only(Verdict.ERROR, second))),
        FaultyRun("R4b", "every check broke the harness", run(all_of(Verdict.ERROR))),
        FaultyRun("R5", "a waiver fits two checks", _waived(suite, "log.range.*")),
        FaultyRun("R5b", "a waiver names no check", _waived(suite, "no.such")),
        FaultyRun("R5c", "a waiver has expired", _waived(suite, second, last=dt.date(2025, 1, 1))),
        FaultyRun("R5d", "a waived check passes", _waived(suite, second, verdict=Verdict.PASS)),
        FaultyRun("R5e", "a check fails otherwise than waived", _waived(suite, second, says="x y")),
        FaultyRun("R5f", "the check of the right store is waived", _waived(suite, IDENTITY)),
        FaultyRun(
            "R6", "another store was opened than was named", run(only(Verdict.FAIL, IDENTITY))
        ),
        FaultyRun(
            "R7", "one of two stores was not reached", run(sound, all_of(Verdict.NOT_RUN)), sound=1
        ),
        FaultyRun("R8", "a required store is missing", replace(run(sound), missing=["x"]), sound=1),
        FaultyRun(
            "R9", "a required check failed", run(only(Verdict.FAIL, second)), ExitCode.FAILED
        ),
        FaultyRun(
            "R9b", "a check passed only again", run(only(Verdict.FLAKY, second)), ExitCode.FAILED
        ),
        FaultyRun(
            "R10",
            "one required check was not chosen",
            run(sound[1:], planned=suite[1:]),
            ExitCode.PASSED,
        ),
        FaultyRun(
            "R11",
            "one required check cannot be made here",
            run(only(Verdict.NA_ENV, second)),
            ExitCode.PASSED,
        ),
    ]


def unnoticed() -> list[str]:
    """Return which faulty runs look like a success, a sentence each."""
    return [f"{one.id}: {problem}" for one in faulty_runs() if (problem := one.problem())]


def _outcomes(suite: Sequence[Check], verdict: Callable[[Check], Verdict]) -> list[Outcome]:
    return [
        Outcome(one, f"{_NAME}0", given, 0, failure=_FAILURE if given is Verdict.FAIL else None)
        for one in suite
        for given in [verdict(one)]
    ]


def _waived(
    suite: Sequence[Check],
    name: str,
    *,
    last: dt.date = _TODAY,
    verdict: Verdict = Verdict.FAIL,
    says: str = "got this",
) -> Report:
    """Return a run in which all passed but what one waiver names."""
    fitting = suite[1].id if name not in {one.id for one in suite} else name
    outcomes = _outcomes(suite, lambda one: verdict if one.id == fitting else Verdict.PASS)
    waiver = Waiver(name, _NAME, "store", "a reason", "a link", last, says)
    waivers = Waivers([waiver], _TODAY)
    made, stale, used = waivers.applied(outcomes, _NAME)
    store = StoreReport(f"{_NAME}0", suite, made, waived=used)
    return Report(suite, [store], 0, problems=[*waivers.problems(suite), *stale])


def _shown(report: Report) -> str:
    from strandlog_conformance.terminal import show_report

    file = io.StringIO()
    show_report(Console(file=file, width=200), report)
    return file.getvalue()
