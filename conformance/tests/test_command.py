"""``strandlog conformance`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from strandlog.cli.conformance import conformance


def typed(*words: str) -> Result:
    return CliRunner().invoke(conformance, list(words))


def test_a_store_is_checked_by_its_url_without_saying_run(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/notes.db"

    result = typed(url, "--only", "trim.*")

    assert result.exit_code == 0, result.output
    assert "4 planned = 4 PASS" in " ".join(result.output.split())


def test_every_installed_store_is_checked_at_places_of_its_own() -> None:
    result = typed("--all", "--only", "log.range.limit", "--json")

    report = json.loads(result.stdout)
    assert result.exit_code == 0
    assert {"memory", "sqlite"} <= {store["store"] for store in report["stores"]}


def test_leaving_a_store_out_takes_an_act() -> None:
    result = typed("--all", "--without", "sqlite", "--only", "log.range.limit", "--json")

    stores = [store["store"] for store in json.loads(result.stdout)["stores"]]
    assert "memory" in stores
    assert "sqlite" not in stores


def test_a_required_store_that_was_not_checked_makes_the_run_no_answer() -> None:
    result = typed("memory://", "--require", "memory,sqlite", "--only", "log.range.limit")

    assert result.exit_code == 3
    assert "sqlite was required and was not checked" in " ".join(result.output.split())


def test_a_required_store_that_was_checked_is_fine() -> None:
    result = typed("memory://", "--require", "memory", "--only", "log.range.limit")

    assert result.exit_code == 0


def test_a_backend_that_is_not_installed_is_no_answer() -> None:
    result = typed("nosuch://x", "--only", "log.range.limit")

    assert result.exit_code == 3
    assert "pip install strandlog-nosuch" in " ".join(result.output.split())


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("memory://", "--only", "nonsense.*"),
        ("memory://", "--explain", "nonsense"),
        ("--repro", "memory"),
        ("--repro", "memory#nonsense#1"),
        ("memory://", "--level", "nonsense"),
    ],
)
def test_a_wrong_call_ends_with_2(words: tuple[str, ...]) -> None:
    assert typed(*words).exit_code == 2


def test_a_check_is_made_again_from_its_repro_line() -> None:
    result = typed("--repro", "memory#log.range.law#11", "--json")

    report = json.loads(result.stdout)
    [made] = report["stores"][0]["checks"]
    assert (made["id"], made["seed"], made["verdict"]) == ("log.range.law", 11, "PASS")


def test_a_check_is_explained_with_the_stores_that_it_catches() -> None:
    result = typed("--explain", "log.range.bounds")

    assert result.exit_code == 0
    assert "catches M10, a store that includes the lower bound of a range" in result.output


def test_the_list_names_every_check() -> None:
    from strandlog_conformance.suite import all_checks

    rows = json.loads(typed("list", "--json").stdout)

    assert [row["id"] for row in rows] == [check.id for check in all_checks()]


def test_the_selftest_prints_which_check_catches_a_faulty_store() -> None:
    result = typed("selftest", "--only", "M14")

    assert result.exit_code == 0, result.output
    assert "takes a limit of 0 for no limit" in result.output
    assert "log.range.limit" in result.output
