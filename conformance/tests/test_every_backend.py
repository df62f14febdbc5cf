"""Every installed store keeps the contract: each check of each store is one test.

Those that need a server are checked where a server is started, by the tests of the plugin.
"""

from __future__ import annotations

from functools import cache

import pytest

from strandlog_conformance.bare import reach, run_check
from strandlog_conformance.places import Places
from strandlog_conformance.report import Verdict
from strandlog_conformance.suite import Check, Level, all_checks
from strandlog_conformance.target import Target, installed_schemes

from .conftest import schemes_without_a_server

pytestmark = pytest.mark.anyio


@cache
def _installed(scheme: str) -> Target:
    return Target.installed(scheme)


@pytest.mark.parametrize("scheme", schemes_without_a_server())
@pytest.mark.parametrize(
    "check",
    [
        pytest.param(
            check, id=check.id, marks=() if check.level is Level.CORE else pytest.mark.once
        )
        for check in all_checks()
    ],
)
async def test_keeps_the_contract(check: Check, scheme: str, places: Places) -> None:
    """A store that is installed is checked without being asked; leaving it out takes an act."""
    target = await reach(_installed(scheme), places)

    # Crashes and losses of power at some moments; "strandlog conformance" tries more.
    outcome = await run_check(check, target, places, fast=check.level is not Level.CORE)

    if outcome.verdict in (Verdict.UNSUPPORTED, Verdict.NA_ENV):
        pytest.skip(f"{outcome.verdict.value}: {outcome.reason}")
    assert (outcome.verdict, outcome.failure) == (Verdict.PASS, None)


def test_the_stores_of_this_workspace_are_installed() -> None:
    """Where a plugin is missing its checks vanish; so somebody has to count them."""
    assert {"memory", "sqlite"} <= set(installed_schemes())
