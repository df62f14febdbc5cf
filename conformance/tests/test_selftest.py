"""The self-test as a whole: what it tries, what it calls a problem, what it publishes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from strandlog.cli.conformance import conformance
from strandlog_conformance.crew import Answer, work
from strandlog_conformance.matrix import matrix_page
from strandlog_conformance.saboteurs.registry import all_saboteurs
from strandlog_conformance.selftest import Kill, Selftest, Sound
from strandlog_conformance.suite import all_checks

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "kill-matrix.md"

HANDS = """
import os
import threading

from strandlog_conformance.crew import serve


async def do(job):
    print("what a store says is no answer")
    if job == "dies":
        os._exit(1)
    if job == "stuck":
        threading.Event().wait()
    return "done " + job[-1]


serve(do)
"""


@pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not beside this distribution")
def test_the_published_matrix_is_that_of_the_suite() -> None:
    """To write it anew: strandlog conformance selftest --matrix docs/reference/kill-matrix.md."""
    assert PAGE.read_text("utf-8") == matrix_page()


def test_the_matrix_names_every_faulty_store_once() -> None:
    page = matrix_page()

    assert [one.id for one in all_saboteurs() if page.count(f"\n| {one.id} |") != 1] == []


def whole(**changes: object) -> Selftest:
    """Return a self-test in which every check is failed by some faulty store."""
    names = [one.id for one in all_checks()]
    kills = [Kill(one, names, "") for one in all_saboteurs()]
    sound = [Sound("reference", {"PASS": len(names)}, [])]
    return replace(Selftest(sound, kills, all_checks()), **changes)  # type: ignore[arg-type]


def test_a_suite_that_notices_everything_has_no_problem() -> None:
    assert whole().problems == []


def test_a_check_that_no_faulty_store_fails_is_a_problem() -> None:
    names = [one.id for one in all_checks()]
    kills = [Kill(one, names[1:], "") for one in all_saboteurs()]

    assert whole(kills=kills).problems == [f"{names[0]}: no faulty store fails it"]


def test_of_a_few_faulty_stores_nothing_is_said_about_the_other_checks() -> None:
    assert whole(kills=[Kill(all_saboteurs()[0], [], "")]).problems == []


def test_a_sound_store_that_fails_a_check_is_a_problem() -> None:
    sound = [Sound("reference", {"FAIL": 1}, ["it failed log.digests: got 1, want 2"])]

    [problem] = whole(sound=sound).problems
    assert problem == "reference, which is sound: it failed log.digests: got 1, want 2"


def test_a_run_without_faulty_stores_is_a_problem() -> None:
    assert "no faulty store was tried" in whole(kills=[]).problems


@pytest.mark.once
def test_the_command_tries_the_stores_that_are_named() -> None:
    result = CliRunner().invoke(conformance, ["selftest", "--only", "M14", "--json"])

    told = json.loads(result.stdout)
    assert result.exit_code == 0, result.output
    assert [one["id"] for one in told["kills"]] == ["M14"]
    assert "log.range.limit" in told["kills"][0]["failed"]
    assert told["complete"] is False


@pytest.mark.parametrize("words", [["--only", "M0"], ["tests"]])
def test_the_command_refuses_what_it_does_not_know(words: list[str]) -> None:
    result = CliRunner().invoke(conformance, ["selftest", *words])

    assert result.exit_code == 2


@pytest.mark.anyio
async def test_a_process_that_does_not_answer_is_ended_and_another_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store may block its process for ever: the rest is tried all the same."""
    (tmp_path / "conformance_hands.py").write_text(HANDS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answers: list[Answer] = []
    jobs = ["quick 1", "stuck", "dies", "quick 2"]

    found = await work(
        "conformance_hands", jobs, hands=2, limit_seconds=3.0, on_answer=answers.append
    )

    assert [one.job for one in found] == jobs
    assert [one.value for one in found] == ["done 1", None, None, "done 2"]
    assert found[1].problem == "it did not end within 3 s"
    assert found[2].problem == "its process ended"
    assert {one.job for one in answers} == set(jobs)
