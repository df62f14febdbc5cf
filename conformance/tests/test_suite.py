"""The registry of checks: nothing falls out of it, and it tells what it holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import strandlog_conformance.scenarios
from strandlog.backend import Capabilities, Durability, Handles
from strandlog_conformance.case import Case
from strandlog_conformance.manifest import MANIFEST_FILE, manifest_text
from strandlog_conformance.suite import (
    MODULES,
    Level,
    all_checks,
    check,
    declared,
    durability,
    handles,
    manifest_hash,
    select,
)

CHECKS = all_checks()


def test_the_shipped_list_of_checks_is_in_step() -> None:
    """A check is added or dropped by an act: python -m strandlog_conformance.manifest."""
    assert MANIFEST_FILE.read_text("utf-8") == manifest_text(CHECKS)


def test_every_module_of_scenarios_is_read() -> None:
    """A module that nobody names would hold checks that nobody makes."""
    [place] = strandlog_conformance.scenarios.__path__

    found = {path.stem for path in Path(place).glob("*.py")} - {"__init__"}
    assert found == set(MODULES)


def test_every_check_tells_its_rule_and_its_story() -> None:
    assert [one.id for one in CHECKS if not one.rule or not one.story] == []


def test_two_checks_may_not_bear_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("strandlog_conformance.suite._registered", {})

    @check("test.twice", rule="a rule")
    async def first(case: Case) -> None:
        """The first one."""

    with pytest.raises(ValueError, match=r"two checks are named test\.twice"):

        @check("test.twice", rule="a rule")
        async def second(case: Case) -> None:
            """The second one."""


def test_the_manifest_tells_one_check_less() -> None:
    assert manifest_hash(CHECKS) != manifest_hash(CHECKS[:-1])


def test_the_manifest_tells_a_check_that_is_no_longer_required() -> None:
    softened = [replace(CHECKS[0], must=False), *CHECKS[1:]]

    assert manifest_hash(CHECKS) != manifest_hash(softened)


def test_patterns_select_checks() -> None:
    chosen = select(CHECKS, only=["log.range.*", "trim.imported_floor"])

    assert {one.category for one in chosen} == {"log.range", "trim"}


def test_a_level_leaves_out_the_checks_of_those_above_it() -> None:
    above = replace(CHECKS[0], level=Level.DURABLE)

    chosen = select([above, CHECKS[1]], level=Level.CORE)
    assert chosen == [CHECKS[1]]


@pytest.mark.parametrize(
    ("need", "met", "unmet"),
    [
        (declared("sparse"), Capabilities(sparse=True), Capabilities()),
        (declared("max_entry"), Capabilities(max_entry=9), Capabilities()),
        (
            durability(Durability.PROCESS),
            Capabilities(durability=Durability.OS),
            Capabilities(durability=Durability.NONE),
        ),
        (
            handles(Handles.PROCESS),
            Capabilities(handles=Handles.HOST),
            Capabilities(handles=Handles.TASK),
        ),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_need_is_met_by_what_was_declared(
    need: object, met: Capabilities, unmet: Capabilities
) -> None:
    checked = replace(CHECKS[0], requires=(need,), cursors=False)  # type: ignore[arg-type]

    assert checked.missing(met, cursors=True) == ""
    assert checked.missing(unmet, cursors=True).startswith("not declared: ")
