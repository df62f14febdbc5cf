"""Waivers: a known failure passes by in sight, and a waiver that does not hold stops the run."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from click.testing import CliRunner

from strandlog.cli.conformance import conformance
from strandlog_conformance.report import Failure, Outcome, Verdict
from strandlog_conformance.suite import all_checks
from strandlog_conformance.waivers import Waiver, WaiverFileError, Waivers, read_waivers

TODAY = dt.date(2026, 6, 1)
SUITE = all_checks()
LIMIT = next(one for one in SUITE if one.id == "log.range.limit")

TEXT = """
[[waiver]]
id = "log.range.limit"
store = "memory"
kind = "store"
reason = "a limit of 0 is taken for no limit"
link = "https://example.org/issues/7"
expires = 2999-12-31
error = "read(limit=0)"
"""


def a_waiver(**other: object) -> Waiver:
    fields = {
        "id": LIMIT.id,
        "store": "memory",
        "kind": "store",
        "reason": "a limit of 0 is taken for no limit",
        "link": "https://example.org/issues/7",
        "expires": TODAY,
        "error": "read(limit=0)",
    }
    return Waiver(**{**fields, **other})  # type: ignore[arg-type]


def an_outcome(verdict: Verdict = Verdict.FAIL, store: str = "memory://x") -> Outcome:
    failure = Failure("read(limit=0)", "all", "nothing") if verdict is Verdict.FAIL else None
    return Outcome(LIMIT, store, verdict, 0, failure=failure)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(TEXT)

    assert read_waivers(path) == [a_waiver(expires=dt.date(2999, 12, 31))]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[waiver]]", "[[waiver", "not a waiver file"),
        ("[[waiver]]", "[[waive]]", "unknown field `waive`"),
        ("kind =", "sort =", "unknown field `sort`"),
        ('kind = "store"', 'kind = "whim"', "Invalid enum value 'whim'"),
        ("expires = 2999-12-31", "", "missing required field `expires`"),
        ("expires = 2999-12-31", 'expires = "soon"', "expires"),
        ('error = "read(limit=0)"', 'error = " "', "has an empty error"),
        ('reason = "a limit of 0 is taken for no limit"', 'reason = ""', "has an empty reason"),
    ],
)
def test_a_file_that_is_no_waiver_file_is_refused(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(TEXT.replace(old, new))

    with pytest.raises(WaiverFileError, match=said):
        read_waivers(path)


def test_a_failure_that_is_known_is_waived_with_its_reason() -> None:
    [outcome], stale, used = Waivers([a_waiver()], TODAY).applied([an_outcome()], "memory")

    assert (outcome.verdict, stale, used) == (Verdict.WAIVED, [], [a_waiver()])
    assert outcome.failure is not None
    assert outcome.reason == (
        "a limit of 0 is taken for no limit (https://example.org/issues/7, until 2026-06-01)"
    )


def test_a_waiver_names_the_store_by_its_name_in_the_run_too() -> None:
    waivers = Waivers([a_waiver(store="memory x sqlite")], TODAY)

    [outcome], _, _ = waivers.applied([an_outcome(store="memory x sqlite")], "memory x sqlite")

    assert outcome.verdict is Verdict.WAIVED


def test_the_failure_of_another_store_is_not_waived() -> None:
    [outcome], stale, _ = Waivers([a_waiver()], TODAY).applied([an_outcome(store="s")], "sqlite")

    assert (outcome.verdict, stale) == (Verdict.FAIL, [])


@pytest.mark.parametrize(
    ("waiver", "verdict", "said"),
    [
        (a_waiver(error="other words"), Verdict.FAIL, "failed with: read(limit=0)"),
        (a_waiver(), Verdict.PASS, "is not needed: the check came to PASS"),
        (a_waiver(), Verdict.UNSUPPORTED, "is not needed: the check came to UNSUPPORTED"),
        (a_waiver(), Verdict.FLAKY, "passed when it was repeated"),
    ],
)
def test_a_waiver_that_does_not_fit_is_told_and_waives_nothing(
    waiver: Waiver, verdict: Verdict, said: str
) -> None:
    [outcome], [stale], used = Waivers([waiver], TODAY).applied([an_outcome(verdict)], "memory")

    assert (outcome.verdict, used) == (verdict, [])
    assert said in stale


@pytest.mark.parametrize("verdict", [Verdict.NA_ENV, Verdict.NOT_RUN])
def test_a_check_that_could_not_be_made_says_nothing_about_its_waiver(verdict: Verdict) -> None:
    [outcome], stale, _ = Waivers([a_waiver()], TODAY).applied([an_outcome(verdict)], "memory")

    assert (outcome.verdict, stale) == (verdict, [])


@pytest.mark.parametrize(
    ("waivers", "said"),
    [
        ([a_waiver(id="log.range.nonsense")], "there is no such check"),
        ([a_waiver(id="log.range.*")], "checks: log.range."),
        ([a_waiver(id="log.range.lim*")], "is a pattern: write log.range.limit"),
        ([a_waiver(expires=TODAY - dt.timedelta(days=1))], "expired on 2026-05-31"),
        ([a_waiver(), a_waiver(error="x")], "two waivers name log.range.limit for memory"),
    ],
)
def test_a_waiver_that_cannot_be_meant_waives_nothing(waivers: list[Waiver], said: str) -> None:
    """Neither a pattern, nor an old one, nor one of two that contradict each other."""
    given = Waivers(waivers, TODAY)

    [problem] = given.problems(SUITE)
    [outcome], _, _ = given.applied([an_outcome()], "memory")
    assert said in problem
    assert outcome.verdict is Verdict.FAIL


def test_a_waiver_holds_on_its_last_day() -> None:
    assert Waivers([a_waiver()], TODAY).problems(SUITE) == []


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        (TEXT, 3, "is not needed: the check came to PASS"),
        (TEXT.replace("2999", "2001"), 3, "expired on 2001-12-31"),
        (TEXT.replace("log.range.limit", "log.range.*"), 3, "checks: log.range."),
        (TEXT.replace("kind", "sort"), 2, "is not a waiver file"),
    ],
)
def test_the_command_takes_no_waiver_that_does_not_hold(
    text: str, code: int, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "waivers.toml"
    path.write_text(text)

    words = ["memory", "--only", "log.range.limit", "--waivers", str(path)]
    result = CliRunner().invoke(conformance, words)

    assert result.exit_code == code
    assert said in " ".join(result.output.split())
