"""Runs that must not be taken for a success, whatever their verdicts look like."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strandlog_conformance.report import ExitCode
from strandlog_conformance.reporters import FaultyRun, faulty_runs, unnoticed

RUNS = faulty_runs()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.id)
def test_a_faulty_run_never_looks_like_a_success(run: FaultyRun) -> None:
    assert run.problem() == ""


def test_the_gate_names_every_run_that_looks_like_a_success() -> None:
    assert unnoticed() == []


def test_a_run_that_looks_better_than_it_is_is_told() -> None:
    """The gate itself can say no: a sound run in the place of a faulty one is noticed."""
    [faulty] = [one for one in RUNS if one.id == "R3"]
    [sound] = [one for one in RUNS if one.id == "R8"]

    looking_well = replace(faulty, report=replace(sound.report, missing=()))
    assert looking_well.problem().endswith("ends with 0, not 3")
    assert replace(looking_well, ends=ExitCode.PASSED).problem().endswith("earns a level")


def test_the_five_faults_of_the_reports_are_among_them() -> None:
    assert {"R1", "R2", "R3", "R4", "R5"} <= {one.id for one in RUNS}
