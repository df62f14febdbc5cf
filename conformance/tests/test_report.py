"""The arithmetic of a run: one that is no answer is never taken for a success."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from strandlog_conformance.report import (
    IDENTITY,
    ExitCode,
    Failure,
    Outcome,
    Report,
    StoreReport,
    Verdict,
)
from strandlog_conformance.suite import all_checks
from strandlog_conformance.terminal import show_report

SUITE = all_checks()[:4]


def outcomes(*verdicts: Verdict) -> list[Outcome]:
    failure = Failure("a call", "this", "that")
    return [
        Outcome(check, "x://", verdict, 0, failure=failure if verdict is Verdict.FAIL else None)
        for check, verdict in zip(SUITE, verdicts, strict=False)
    ]


def report(*verdicts: Verdict) -> Report:
    return Report(SUITE, [StoreReport("x://", SUITE, outcomes(*verdicts))], seed=0)


def shown(run: Report) -> str:
    console = Console(file=io.StringIO(), width=200)
    show_report(console, run)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


ALL_PASS = (Verdict.PASS,) * 4

INVALID = {
    "no store": Report(SUITE, [], seed=0),
    "no check planned": Report(SUITE, [StoreReport("x://", [], [])], seed=0),
    "all unsupported": report(*(Verdict.UNSUPPORTED,) * 4),
    "all without their environment": report(*(Verdict.NA_ENV,) * 4),
    "all not run": report(*(Verdict.NOT_RUN,) * 4),
    "one not run": report(Verdict.PASS, Verdict.PASS, Verdict.PASS, Verdict.NOT_RUN),
    "one verdict short": report(*ALL_PASS[:3]),
    "one verdict twice": Report(
        SUITE,
        [StoreReport("x://", SUITE, [*outcomes(*ALL_PASS[:3]), outcomes(Verdict.PASS)[0]])],
        seed=0,
    ),
    "all errors": report(*(Verdict.ERROR,) * 4),
    "one error": report(Verdict.ERROR, *ALL_PASS[1:]),
    "an error beside a failure": report(Verdict.PASS, Verdict.FAIL, Verdict.ERROR, Verdict.PASS),
    "a problem": Report(
        SUITE, [StoreReport("x://", SUITE, outcomes(*ALL_PASS), problem="not there")], seed=0
    ),
    "a required store missing": Report(
        SUITE, [StoreReport("x://", SUITE, outcomes(*ALL_PASS))], seed=0, missing=["y"]
    ),
    "one of two stores did not run": Report(
        SUITE,
        [
            StoreReport("x://", SUITE, outcomes(*ALL_PASS)),
            StoreReport("y://", SUITE, outcomes(*(Verdict.NOT_RUN,) * 4)),
        ],
        seed=0,
    ),
}


@pytest.mark.parametrize("run", INVALID.values(), ids=INVALID)
def test_a_run_that_is_no_answer_ends_with_3_and_never_says_passed(run: Report) -> None:
    assert run.exit_code() is ExitCode.INVALID
    text = shown(run)
    assert "the run is no answer" in text
    assert "passed" not in text


def test_another_store_than_the_one_named_is_no_answer() -> None:
    identity = next(check for check in all_checks() if check.id == IDENTITY)
    outcome = Outcome(identity, "x://", Verdict.FAIL, 0, failure=Failure("open", "y", "x"))

    run = Report([identity], [StoreReport("x://", [identity], [outcome])], seed=0)
    assert run.exit_code() is ExitCode.INVALID
    assert run.invalid() == ["x://: the store under test is not the one that was named"]


def test_a_failed_check_ends_with_1() -> None:
    run = report(Verdict.PASS, Verdict.PASS, Verdict.FAIL, Verdict.PASS)

    assert run.exit_code() is ExitCode.FAILED
    assert "1 checks failed" in shown(run)


def test_a_failed_check_that_is_not_required_is_shown_and_does_not_end_the_run() -> None:
    soft = [*SUITE[:3], replace(SUITE[3], must=False)]
    made = [replace(one, check=check) for one, check in zip(outcomes(*ALL_PASS), soft, strict=True)]
    made[3] = replace(made[3], verdict=Verdict.FAIL, failure=Failure("a call", "this", "that"))

    run = Report(soft, [StoreReport("x://", soft, made)], seed=0)
    assert run.exit_code() is ExitCode.PASSED
    assert "(not required)" in shown(run)


def test_all_checks_passed_earns_the_level() -> None:
    run = report(Verdict.PASS, Verdict.UNSUPPORTED, Verdict.PASS, Verdict.PASS)

    assert run.exit_code() is ExitCode.PASSED
    assert "4 planned = 3 PASS + 1 UNSUPPORTED, 0.0 s, level CORE" in shown(run)
    assert "every required check passed" in shown(run)


def test_a_required_check_that_cannot_be_made_here_takes_the_level() -> None:
    """The run is fine; but nobody knows whether the store would have passed."""
    run = report(Verdict.PASS, Verdict.PASS, Verdict.PASS, Verdict.NA_ENV)

    assert (run.exit_code(), run.stores[0].level(SUITE)) == (ExitCode.PASSED, "")
    assert f"not CORE: cannot be checked here (): {SUITE[3].id}" in shown(run)
    assert "every required check passed" not in shown(run)


def test_a_selection_earns_no_level() -> None:
    chosen = SUITE[:1]

    run = Report(SUITE, [StoreReport("x://", chosen, outcomes(Verdict.PASS))], seed=0)
    assert run.exit_code() is ExitCode.PASSED
    assert "every required check passed" not in shown(run)
    assert "level CORE" not in shown(run)


def test_a_stand_in_is_named_in_the_level() -> None:
    run = report(*(Verdict.STAND_IN,) * 4)

    assert (run.exit_code(), run.stores[0].level(SUITE)) == (ExitCode.PASSED, "CORE (STAND-IN)")
    assert "against an imitation of a server" in shown(run)


@pytest.mark.parametrize("verdict", [Verdict.FLAKY, Verdict.FAIL])
def test_what_passes_only_when_repeated_is_no_better_than_failed(verdict: Verdict) -> None:
    run = report(Verdict.PASS, Verdict.PASS, verdict, Verdict.PASS)

    assert (run.exit_code(), run.stores[0].level(SUITE)) == (ExitCode.FAILED, "")


def test_a_waived_failure_does_not_fail_the_run_and_takes_the_level() -> None:
    run = report(Verdict.PASS, Verdict.PASS, Verdict.WAIVED, Verdict.PASS)

    assert (run.exit_code(), run.stores[0].level(SUITE)) == (ExitCode.PASSED, "")
    assert "nothing failed but what is waived" in shown(run)
    assert "every required check passed" not in shown(run)


def test_a_failure_is_shown_with_all_that_helps() -> None:
    text = shown(report(Verdict.PASS, Verdict.FAIL, Verdict.PASS, Verdict.PASS))

    failed = SUITE[1]
    assert f"FAIL {failed.id} of x://" in text
    for part in (failed.rule, "a call", "this", "that", f"--repro 'x://#{failed.id}#0'"):
        assert part in text
    assert "a store that breaks on the head of an empty log" in text
