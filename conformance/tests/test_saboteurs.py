"""The suite bites: each faulty store is caught, by its check and for its reason."""

from __future__ import annotations

import pytest

from strandlog_conformance.bare import run
from strandlog_conformance.report import Verdict
from strandlog_conformance.saboteurs.registry import all_saboteurs
from strandlog_conformance.selftest import selftest, sound_targets
from strandlog_conformance.suite import all_checks
from strandlog_conformance.target import Target

CHECKS = all_checks()
SABOTEURS = all_saboteurs()


@pytest.mark.once
@pytest.mark.anyio
async def test_faulty_stores_are_caught_by_their_check_and_pass_the_others() -> None:
    """A kill by a wrong error is no kill, and a check that fires on everything is no check.

    What a check says it kills, it kills: a failed check names these as suspects.
    """
    result = await selftest()

    failed = {kill.saboteur.id: set(kill.failed) for kill in result.kills}
    idle = [
        f"{one.id} {name}" for one in CHECKS for name in one.kills if one.id not in failed[name]
    ]
    assert (result.problems, idle) == ([], [])


@pytest.mark.anyio
@pytest.mark.parametrize("target", sound_targets(), ids=lambda target: target.name)
async def test_store_without_a_fault_passes_everything(target: Target) -> None:
    """One that can everything, and one that is allowed little: no check cries wolf."""
    report = await run(target, CHECKS, fast=True)

    assert (report.failures, report.invalid()) == ([], "")
    # Some declare less than they do, so that refusals are tried.
    sound = {Verdict.PASS, Verdict.UNSUPPORTED, Verdict.NA_ENV, Verdict.UNDERCLAIMED}
    assert set(report.totals) <= sound


def test_every_suspect_that_a_check_names_is_there() -> None:
    known = {one.id for one in SABOTEURS}

    assert {name for check in CHECKS for name in check.kills} - known == set()


def test_every_saboteur_is_a_suspect_of_the_check_that_catches_it() -> None:
    kills = {check.id: check.kills for check in CHECKS}

    assert [one.id for one in SABOTEURS if one.id not in kills[one.caught_by]] == []


def test_every_check_has_a_faulty_store_that_it_catches() -> None:
    """Whoever adds a check says which fault it is about; that it is caught is tested above."""
    assert [one.id for one in CHECKS if not one.kills] == []
