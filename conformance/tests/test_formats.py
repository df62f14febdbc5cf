"""The checks of formats, against a store whose format has changed once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from strandlog_conformance.bare import run
from strandlog_conformance.reference.versioned import fresh_url, offer_formats
from strandlog_conformance.suite import all_checks

pytestmark = pytest.mark.anyio

CHECKS = [one for one in all_checks() if one.category == "format"]


@asynccontextmanager
async def _fresh_url(place: Path) -> AsyncIterator[str]:
    async with fresh_url(place) as url:
        yield url


async def test_a_store_that_migrates_well_passes() -> None:
    """Two versions are read, one opener migrates, and a newer version is refused."""
    report = await run(offer_formats("formats"), CHECKS, fast=True)

    assert {one.check.id: one.verdict.value for one in report.outcomes} == {
        one.id: "PASS" for one in CHECKS
    }


async def test_who_ships_no_old_stores_is_told_what_to_offer() -> None:
    """Nothing was checked then, and the report says so."""
    target = replace(offer_formats("formats"), fresh_url=_fresh_url)

    report = await run(target, CHECKS, fast=True)

    said = {one.check.id: (one.verdict.value, one.reason) for one in report.outcomes}
    reason = (
        "no stores of released versions: offer released_versions, released_store, newer_store"
        " beside fresh_url"
    )
    assert said.pop("format.export_import_identity") == ("PASS", "")
    assert set(said.values()) == {("NA-ENV", reason)}
