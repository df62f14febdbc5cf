"""Secrets: none is in what a run prints or writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from strandlog.cli.conformance import conformance
from strandlog_conformance.bare import run
from strandlog_conformance.case import Case
from strandlog_conformance.expect import fail
from strandlog_conformance.masking import Masked, masked_name
from strandlog_conformance.reference import offer
from strandlog_conformance.suite import all_checks

SECRET = "s3cr/et-p4ss"
URL = "nosuch://alice:s3cr%2Fet-p4ss@db.example.org/notes"


@pytest.mark.parametrize(
    "text",
    [
        f"cannot connect to {URL}",
        f"password {SECRET!r} was refused",
        "password s3cr%2Fet-p4ss was refused",
        "cannot connect to postgresql://bob:other@host/",
    ],
)
def test_a_secret_is_masked_in_any_text(text: str) -> None:
    masked = Masked([URL]).text(text)

    assert "***" in masked
    assert not any(one in masked for one in (SECRET, "s3cr%2Fet", "other"))


def test_a_secret_in_the_place_of_the_user_is_one() -> None:
    masked = Masked(["nosuch://fnAabc123@host/"])

    assert masked.text("the key fnAabc123 is revoked") == "the key *** is revoked"


def test_a_user_with_a_password_is_an_ordinary_word() -> None:
    assert Masked([URL]).text("the log of alice") == "the log of alice"


def test_the_name_of_a_pair_hides_the_secrets_of_both() -> None:
    assert masked_name(f"{URL} x memory") == "nosuch://***@db.example.org/notes x memory"


def test_the_name_of_a_file_stays() -> None:
    assert masked_name("sqlite:////tmp/a@b.db") == "sqlite:////tmp/a@b.db"


@pytest.mark.anyio
async def test_what_a_store_says_about_its_location_is_masked() -> None:
    """The location is one that the plugin names itself, with a secret of its own."""

    @asynccontextmanager
    async def secret_place(_place: Path) -> AsyncIterator[str]:
        yield f"reference://someone:{SECRET.replace('/', '%2F')}@x"

    async def play(case: Case) -> None:
        fail(f"open {case.url}", got=f"the password {SECRET}", want="a store")

    check = replace(all_checks()[0], id="test.secret", play=play, requires=(), cursors=False)

    report = await run(replace(offer(), fresh_url=secret_place), [check])

    [outcome] = report.outcomes
    assert outcome.failure is not None
    assert outcome.failure.call == "open reference://***@x"
    assert outcome.failure.got == "the password ***"
    assert SECRET not in outcome.failure.trace


def test_no_secret_is_in_any_file_of_a_report(tmp_path: Path) -> None:
    words = [URL, f"{URL} x memory", "--only", "proto.offline*", "--report", str(tmp_path)]

    result = CliRunner().invoke(conformance, words)

    assert result.exit_code == 3
    texts = [result.output, *(path.read_text("utf-8") for path in tmp_path.iterdir())]
    assert len(texts) == 4
    assert [one for one in texts if SECRET in one or "s3cr%2Fet" in one] == []


def test_a_masked_secret_is_asked_for_when_a_check_is_made_again() -> None:
    repro = f"{masked_name(URL)}#log.range.limit#0"

    result = CliRunner().invoke(conformance, ["--repro", repro])

    assert result.exit_code == 2
    assert "write the secret" in result.output
