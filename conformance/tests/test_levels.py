"""Levels and marks: earned by the required checks, and by nothing that happened to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from strandlog.backend import Capabilities, Durability, Handles
from strandlog_conformance.levels import Mark, mark_of, measured_durability, required, standing
from strandlog_conformance.suite import (
    Check,
    Level,
    Need,
    all_checks,
    declared,
    durability,
    handles,
)
from strandlog_conformance.verdicts import Outcome, Verdict

PLAIN = replace(all_checks()[0], must=True, requires=(), level=Level.CORE)


def a_check(name: str, *requires: Need, level: Level = Level.CORE, must: bool = True) -> Check:
    return replace(PLAIN, id=name, requires=requires, level=level, must=must)


SUITE = [
    a_check("log.append.roundtrip"),
    a_check("log.read.empty"),
    a_check("log.soft", must=False),
    a_check("life.reopen", durability(Durability.PROCESS)),
    a_check("crash.kill", durability(Durability.OS), level=Level.DURABLE),
    a_check("disk.full", level=Level.DURABLE),
    a_check("power.sync", durability(Durability.POWER), level=Level.DURABLE),
    a_check("conc.processes", handles(Handles.PROCESS)),
    a_check("corrupt.flip", declared("integrity"), level=Level.DURABLE),
    a_check("proto.story", declared("sparse"), declared("rehome")),
]

EVERYTHING = Capabilities(
    durability=Durability.POWER,
    handles=Handles.PROCESS,
    sparse=True,
    rehome=True,
    integrity=True,
)


def outcomes(
    special: Mapping[str, Verdict] | None = None, checks: Sequence[Check] = SUITE
) -> list[Outcome]:
    verdicts = special or {}
    return [Outcome(one, "x", verdicts.get(one.id, Verdict.PASS), 0) for one in checks]


def level(made: Sequence[Outcome], claims: Capabilities = EVERYTHING) -> str:
    return standing(SUITE, made, claims, cursors=True).level


def test_each_check_belongs_to_one_mark() -> None:
    marks = {one.id: mark_of(one).value for one in SUITE}

    assert marks == {
        "log.append.roundtrip": "CORE",
        "log.read.empty": "CORE",
        "log.soft": "CORE",
        "life.reopen": "CORE",
        "crash.kill": "OS",
        "disk.full": "OS",
        "power.sync": "POWER",
        "conc.processes": "MULTI",
        "corrupt.flip": "INTEGRITY",
        "proto.story": "PROTOCOL",
    }


def test_everything_passed_earns_every_mark() -> None:
    assert level(outcomes()) == "CORE+OS+POWER+MULTI+INTEGRITY+PROTOCOL"


def test_a_mark_that_is_not_declared_is_not_earned_and_not_missed() -> None:
    claims = replace(EVERYTHING, handles=Handles.ONE, durability=Durability.OS)

    found = standing(SUITE, outcomes(), claims, cursors=True)

    assert found.level == "CORE+OS+INTEGRITY+PROTOCOL"
    assert (found.complete, found.withheld) == (True, {})


def test_a_store_without_cursors_keeps_no_replica() -> None:
    found = standing(SUITE, outcomes(), EVERYTHING, cursors=False)

    assert "PROTOCOL" not in found.level


def test_core_alone_earns_core_and_says_what_was_not_chosen() -> None:
    chosen = [one for one in SUITE if one.level is Level.CORE]

    found = standing(SUITE, outcomes(checks=chosen), EVERYTHING, cursors=True)

    assert found.level == "CORE+MULTI+PROTOCOL"
    assert not found.complete
    assert found.withheld == {
        "OS": "none of its checks was made",
        "POWER": "none of its checks was made",
        "INTEGRITY": "none of its checks was made",
    }


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (Verdict.NA_ENV, "cannot be checked here (no strace): disk.full"),
        (Verdict.WAIVED, "WAIVED: disk.full"),
        (Verdict.NOT_RUN, "NOT-RUN: disk.full"),
        (Verdict.UNDERCLAIMED, "UNDERCLAIMED: disk.full"),
    ],
)
def test_a_mark_takes_all_of_its_checks(verdict: Verdict, why: str) -> None:
    """Power takes what survives the end of a process too."""
    made = [
        replace(one, verdict=verdict, reason="no strace") if one.check.id == "disk.full" else one
        for one in outcomes()
    ]

    found = standing(SUITE, made, EVERYTHING, cursors=True)

    assert found.level == "CORE+MULTI+INTEGRITY+PROTOCOL"
    assert found.withheld == {"OS": why, "POWER": "it takes OS"}


def test_a_check_that_was_left_out_takes_its_mark() -> None:
    made = [one for one in outcomes() if one.check.id != "disk.full"]

    found = standing(SUITE, made, EVERYTHING, cursors=True)

    assert found.withheld["OS"] == "not chosen: disk.full"


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.FLAKY, Verdict.ERROR])
def test_a_failure_anywhere_takes_everything(verdict: Verdict) -> None:
    """Whoever declares what he does not keep has no level, not one mark less."""
    made = outcomes({"corrupt.flip": verdict})

    assert level(made) == ""


def test_a_failure_of_what_is_not_required_takes_nothing() -> None:
    assert level(outcomes({"log.soft": Verdict.FAIL})).startswith("CORE+OS")


def test_an_undeclared_capability_takes_nothing_from_core() -> None:
    assert level(outcomes({"life.reopen": Verdict.UNSUPPORTED})).startswith("CORE+OS")


def test_a_mark_of_which_nothing_was_made_is_not_earned() -> None:
    assert "MULTI" not in level(outcomes({"conc.processes": Verdict.UNSUPPORTED}))


def test_an_imitation_is_named_in_the_level() -> None:
    made = [replace(one, verdict=Verdict.STAND_IN) for one in outcomes()]

    assert level(made) == "CORE+OS+POWER+MULTI+INTEGRITY+PROTOCOL (STAND-IN)"


@pytest.mark.parametrize(
    ("special", "shown"),
    [
        ({}, Durability.POWER),
        ({"power.sync": Verdict.NA_ENV}, Durability.OS),
        ({"crash.kill": Verdict.FAIL}, Durability.PROCESS),
        ({"life.reopen": Verdict.FAIL}, None),
    ],
)
def test_the_durability_that_was_shown_is_that_of_the_checks(
    special: dict[str, Verdict], shown: Durability | None
) -> None:
    assert measured_durability(SUITE, outcomes(special)) is shown


@pytest.mark.parametrize("mark", [Mark.CORE, Mark.MULTI, Mark.PROTOCOL])
def test_the_suite_has_checks_of_the_mark(mark: Mark) -> None:
    assert required(mark, all_checks())
