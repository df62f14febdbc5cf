"""The suite as pytest runs it from the package."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_RUN = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--pyargs")


def pytest_run(place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on the package, away from this workspace and its settings."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTEST_ADDOPTS"}
    return subprocess.run(  # noqa: S603  # our own words
        [*_RUN, "strandlog_conformance", *words],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_each_check_of_each_store_is_one_test(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/notes.db"

    result = pytest_run(tmp_path, "--store", "memory://", "--store", url, "-k", "log.range", "-v")

    assert result.returncode == 0, result.stdout
    # pytest itself writes the dots of a name as "::".
    assert "log::range::bounds[memory://] PASSED" in result.stdout
    assert f"log::range::bounds[{url}] PASSED" in result.stdout
    assert "12 passed" in result.stdout


def test_each_story_of_each_pair_is_one_test(tmp_path: Path) -> None:
    words = ("--store", "memory", "--store", "sqlite", "--store-pairs", "-k", "both_new", "-v")

    result = pytest_run(tmp_path, *words)

    assert result.returncode == 0, result.stdout
    for name in ("memory", "memory x memory", "memory x sqlite", "sqlite x memory"):
        assert f"proto::both_new_3_and_5[{name}] PASSED" in result.stdout
    assert "6 passed" in result.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no store was named"),
        (("--store", "memory://", "-k", "no_such_check"), "deselected"),
        (("--store", "memory://", "-k", "over_limit_refused"), "1 skipped"),
        (("--store", "nosuch://x", "-k", "log.range.limit"), "pip install strandlog-nosuch"),
    ],
    ids=["no store", "no check", "all skipped", "no backend"],
)
def test_a_run_in_which_nothing_ran_ends_with_3(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    result = pytest_run(tmp_path, *words)

    assert result.returncode == 3, result.stdout
    assert said in result.stdout


def test_somebody_elses_tests_are_left_alone(tmp_path: Path) -> None:
    """The plugin is loaded wherever the distribution is; there it does nothing."""
    Path(tmp_path, "test_own.py").write_text("def test_own():\n    pass\n", encoding="utf-8")
    words = [*_RUN[:-1], "test_own.py"]

    result = subprocess.run(  # noqa: S603  # our own words
        words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout


def test_the_plugin_imports_nothing_of_the_project_until_it_is_used() -> None:
    """It is imported by every run of pytest in its environment."""
    code = (
        "import sys, strandlog_conformance.plugin;"
        "print(sorted(n for n in sys.modules if n.startswith(('strandlog', 'anyio', 'rich'))))"
    )

    result = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert result.stdout.strip() == "['strandlog_conformance', 'strandlog_conformance.plugin']"


# -- the run as a whole ---------------------------------------------------------------

_WAIVER = """
[[waiver]]
id = "log.range.limit"
store = "memory"
kind = "store"
reason = "known"
link = "https://example.org/1"
expires = 2999-12-31
error = "read"
"""


def test_a_run_tells_what_it_came_to_and_writes_a_report(tmp_path: Path) -> None:
    words = ("--store", "memory", "-k", "log.range", "--store-report", "out")

    result = pytest_run(tmp_path, *words)

    assert result.returncode == 0, result.stdout
    assert re.search(r"memory: (\d+) planned = \1 PASS", result.stdout)
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["stores"][0]["totals"]["PASS"] == len(data["stores"][0]["checks"])


def test_a_waiver_that_is_not_needed_makes_the_run_no_answer(tmp_path: Path) -> None:
    (tmp_path / "waivers.toml").write_text(_WAIVER)
    words = ("--store", "memory", "-k", "log.range", "--store-waivers", "waivers.toml")

    result = pytest_run(tmp_path, *words)

    assert result.returncode == 3
    assert "is not needed: the check came to PASS" in result.stdout


def test_a_run_that_was_broken_off_is_no_answer(tmp_path: Path) -> None:
    """One store cannot be reached; pytest is told to stop there, and more was planned."""
    words = ("--store", "nosuch://x", "--store", "memory", "-k", "log.range", "-x")

    result = pytest_run(tmp_path, *words)

    assert result.returncode == 3
    assert "the run is no answer: nosuch://x: no backend" in result.stdout


def test_core_is_checked_unless_told(tmp_path: Path) -> None:
    core = pytest_run(tmp_path, "--store", "memory", "--collect-only", "-q")
    everything = pytest_run(
        tmp_path, "--store", "memory", "--collect-only", "-q", "--store-level", "all"
    )

    assert "crash.sigkill" not in core.stdout
    assert "crash.sigkill" in everything.stdout
