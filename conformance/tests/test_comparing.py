"""What has changed between two reports: losses are told first, and fail the run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from strandlog.cli.conformance import conformance
from strandlog_conformance.comparing import Change, compare
from strandlog_conformance.document import Document, document
from strandlog_conformance.report import Failure, Outcome, Report, StoreReport, Verdict
from strandlog_conformance.suite import Level, all_checks

SUITE = [replace(one, level=Level.CORE, requires=()) for one in all_checks()[:3]]
FIRST, SECOND, THIRD = (one.id for one in SUITE)


def a_report(
    verdicts: Mapping[str, Verdict] | None = None, *, left_out: str = "", name: str = "x"
) -> Document:
    given = verdicts or {}
    planned = [one for one in SUITE if one.id != left_out]
    outcomes = [
        Outcome(one, name, given.get(one.id, Verdict.PASS), 0, failure=Failure("c", "g", "w"))
        for one in planned
    ]
    return document(Report(SUITE, [StoreReport(name, planned, outcomes)], 0))


def test_two_reports_of_the_same_have_no_difference() -> None:
    assert compare(a_report(), a_report()) == []


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        (Verdict.PASS, Verdict.FAIL, True),
        (Verdict.PASS, Verdict.FLAKY, True),
        (Verdict.PASS, Verdict.UNSUPPORTED, True),
        (Verdict.PASS, Verdict.WAIVED, True),
        (Verdict.WAIVED, Verdict.FAIL, True),
        (Verdict.FAIL, Verdict.PASS, False),
        (Verdict.UNSUPPORTED, Verdict.PASS, False),
        (Verdict.STAND_IN, Verdict.PASS, False),
    ],
)
def test_another_verdict_is_told_and_judged(before: Verdict, now: Verdict, worse: bool) -> None:
    changes = compare(a_report({SECOND: before}), a_report({SECOND: now}))

    assert Change("x", SECOND, before.value, now.value, worse) in changes


def test_a_lost_level_is_told() -> None:
    changes = compare(a_report(), a_report({SECOND: Verdict.FAIL}))

    assert Change("x", "level", "CORE", "none", worse=True) in changes


def test_a_check_that_is_not_made_any_more_is_a_loss() -> None:
    changes = compare(a_report(), a_report(left_out=THIRD))

    assert Change("x", THIRD, "PASS", "missing", worse=True) in changes


def test_a_new_check_is_none() -> None:
    changes = compare(a_report(left_out=THIRD), a_report())

    assert Change("x", THIRD, "missing", "PASS", worse=False) in changes


def test_a_new_check_that_fails_is_a_loss() -> None:
    changes = compare(a_report(left_out=THIRD), a_report({THIRD: Verdict.FAIL}))

    assert Change("x", THIRD, "missing", "FAIL", worse=True) in changes


def test_losses_come_first_and_so_does_a_store_that_is_gone() -> None:
    changes = compare(a_report(), a_report(name="y"))

    assert changes == [
        Change("x", "store", "checked", "not checked", worse=True),
        Change("y", "store", "not checked", "checked", worse=False),
    ]


# -- the command -------------------------------------------------------------------


def typed(*words: str) -> Result:
    return CliRunner().invoke(conformance, list(words))


def test_the_command_fails_when_something_was_lost(tmp_path: Path) -> None:
    """The run by itself is fine; but the report of before knew one check more."""
    typed("memory", "--only", "log.range.*", "--report", str(tmp_path))
    before = str(tmp_path / "report.json")

    same = typed("memory", "--only", "log.range.*", "--compare", before)
    less = typed("memory", "--only", "log.range.l*", "--compare", before)

    assert (same.exit_code, less.exit_code) == (0, 1)
    assert "worse: memory log.range.bounds: PASS → missing" in " ".join(less.output.split())


def test_what_is_no_report_is_a_wrong_call(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"schema": 1}))

    result = typed("memory", "--only", "log.range.limit", "--compare", str(path))

    assert result.exit_code == 2
