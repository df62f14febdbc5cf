"""``strandlog conformance`` as it is typed."""

from __future__ import annotations

import json
import re
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
    assert re.search(r"(\d+) planned = \1 PASS", " ".join(result.output.split()))


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

    told = json.loads(typed("list", "--json").stdout)

    assert [row["id"] for row in told["checks"]] == [check.id for check in all_checks()]
    assert all(rule["rule"] and rule["why"] for rule in told["untested"])


@pytest.mark.once
def test_the_selftest_prints_which_check_catches_a_faulty_store() -> None:
    result = typed("selftest", "--only", "M14")

    assert result.exit_code == 0, result.output
    assert "takes a limit of 0 for no limit" in result.output
    assert "log.range.limit" in result.output


# -- levels, reports, and what else makes a run an answer -----------------------------


def test_everything_is_checked_at_all_levels_by_default() -> None:
    from strandlog_conformance.session import Order
    from strandlog_conformance.suite import Level

    assert Order(all_installed=True).depth is Level.ALL
    assert Order(stores=["memory"]).depth is Level.CORE
    assert Order(all_installed=True, level=Level.CORE).depth is Level.CORE


def test_a_backend_that_cannot_be_reached_is_no_answer_until_it_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An installed backend is a test parameter; leaving one out takes an act."""
    monkeypatch.setattr(
        "strandlog_conformance.session.installed_schemes", lambda: ["memory", "nosuch"]
    )
    words = ("--all", "--only", "proto.offline*")

    with_it = typed(*words)
    without = typed(*words, "--without", "nosuch")

    assert (with_it.exit_code, without.exit_code) == (3, 0)
    told = " ".join(with_it.output.split())
    assert "nosuch: no backend for nosuch:// is installed" in told
    assert "memory x nosuch:" not in told.partition("the run is no answer")[2]


def test_a_report_is_written_for_programs_build_servers_and_people(tmp_path: Path) -> None:
    result = typed("memory", "--only", "log.range.*", "--report", str(tmp_path / "out"))

    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "report.json",
        "junit.xml",
        "report.html",
    }


def test_the_report_says_how_it_was_made() -> None:
    words = ("memory", "--only", "log.range.l*", "--seed", "5", "--fast", "--timeout", "9")
    data = json.loads(typed(*words, "--retries", "2", "--json").stdout)

    run = data["run"]
    assert (run["seed"], run["fast"], run["timeout_seconds"], run["retries"]) == (5, True, 9.0, 2)
    assert (run["level"], run["only"]) == ("core", ["log.range.l*"])


def test_a_long_run_repeats_what_is_up_to_chance() -> None:
    words = ("memory", "--only", "model.random_ops", "--fast", "--soak", "0.2s", "--json")

    data = json.loads(typed(*words).stdout)

    assert data["run"]["soak_rounds"] >= 1


@pytest.mark.parametrize("text", ["10x", "m", "ten"])
def test_what_is_no_duration_is_a_wrong_call(text: str) -> None:
    assert typed("memory", "--soak", text).exit_code == 2


def test_the_rules_of_a_version_are_those_that_it_had() -> None:
    known = typed("memory", "--only", "log.range.limit", "--spec", "0.1")
    unknown = typed("memory", "--spec", "0.0")

    assert (known.exit_code, unknown.exit_code) == (0, 2)
    assert "no version of the rules is '0.0'" in unknown.output


def test_a_repro_line_keeps_fast_and_the_time() -> None:
    data = json.loads(typed("--repro", "memory#log.range.law#3", "--fast", "--json").stdout)

    assert (data["run"]["fast"], data["run"]["seed"]) == (True, 3)


def test_the_list_shows_the_rules_without_a_check() -> None:
    result = typed("list")

    assert "rules without a check" in result.output
