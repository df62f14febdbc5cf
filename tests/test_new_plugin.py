"""A plugin from the template: red at first, and green once the tutorial was followed.

That it also works as a wheel among wheels, where nothing of this checkout is to
be found, ``tox run -e wheels`` tries.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from strandlog.backend import CursorStore, LogStore
from strandlog.cli.program import program
from strandlog_conformance.bare import run
from strandlog_conformance.new_plugin import LICENSES, LOCATIONS, render
from strandlog_conformance.report import StoreReport
from strandlog_conformance.suite import Level, all_checks, select
from strandlog_conformance.target import Target

ROOT = Path(__file__).parent.parent
TUTORIAL = ROOT / "docs/tutorial/write-a-store.md"
YOURS = ("_storage.py", "_log.py", "_cursors.py")


def _sources() -> dict[str, str]:
    """Return the files that the tutorial shows, each put together from its blocks."""
    found: dict[str, str] = {}
    blocks = re.findall(
        r"^```python no-run\n# (\S+)\n(.*?)^```$", TUTORIAL.read_text(), re.DOTALL | re.MULTILINE
    )
    for name, text in blocks:
        found[name] = found.get(name, "") + text
    return found


def _called(*arguments: str) -> Result:
    return CliRunner().invoke(program, ["new-plugin", *arguments])


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Render a plugin and put it on the path; yield its import package."""
    render("journal", tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "src")
    yield tmp_path / "src" / "strandlog_journal"
    for name in [name for name in sys.modules if name.startswith("strandlog_journal")]:
        del sys.modules[name]


def _fill(package: Path, *names: str) -> None:
    for name in names:
        (package / name).write_text(_sources()[f"src/strandlog_journal/{name}"])


def _checked(*only: str) -> StoreReport:
    plugin = importlib.import_module("strandlog_journal")
    testing = importlib.import_module("strandlog_journal.testing")
    target = Target(
        "journal",
        plugin.strandlog_log_store(),
        plugin.strandlog_cursor_store(),
        testing.fresh_url,
        packages=frozenset({"strandlog_journal"}),
    )
    checks = select(all_checks(), only=only, level=Level.CORE)
    return asyncio.run(run(target, checks, fast=True))


@pytest.mark.usefixtures("journal")
def test_begins_with_what_to_write_first() -> None:
    """Nothing can be checked yet, and one sentence says what to do about it."""
    report = _checked()

    assert "write Storage.open in _storage.py" in report.problem


@pytest.mark.parametrize(
    ("written", "check", "told"),
    [
        (1, "log.append.roundtrip", "write append in _log.py"),
        (2, "cursor.empty", "write load in _cursors.py"),
    ],
)
def test_each_failure_names_what_to_write_next(
    journal: Path, written: int, check: str, told: str
) -> None:
    _fill(journal, *YOURS[:written])

    [outcome] = _checked(check).outcomes

    assert outcome.failure
    assert told in outcome.failure.got


def test_is_green_once_three_files_are_filled(journal: Path) -> None:
    """The tutorial leads where it says it does."""
    _fill(journal, *YOURS)

    report = _checked()

    assert report.problem == ""
    assert [f"{one.check.id}: {one.failure}" for one in report.failures] == []
    assert {one.value for one in report.totals} <= {"PASS", "UNSUPPORTED", "NA-ENV"}


def test_the_tutorial_fills_these_three_files_and_no_other() -> None:
    assert list(_sources()) == [f"src/strandlog_journal/{name}" for name in YOURS]


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("module", "name", "contract"),
    [("_log", "JournalLogStore", LogStore), ("_cursors", "JournalCursorStore", CursorStore)],
)
def test_stubs_have_the_signatures_of_the_contract(
    module: str, name: str, contract: type[LogStore | CursorStore]
) -> None:
    """Whoever fills them in need not look them up, and those that may be left out are."""
    stubs = vars(getattr(importlib.import_module(f"strandlog_journal.{module}"), name))

    assert set(contract.__abstractmethods__) <= stubs.keys()
    for method in contract.__abstractmethods__ - {"capabilities"}:
        wanted = inspect.signature(getattr(contract, method))
        assert inspect.signature(stubs[method]) == wanted, method


@pytest.mark.parametrize("license_name", LICENSES)
@pytest.mark.parametrize("location", LOCATIONS)
def test_has_the_shape_of_a_room(tmp_path: Path, location: str, license_name: str) -> None:
    """One word stands in five places, as in the rooms of this workspace; its code compiles."""
    folder = tmp_path / "strandlog-parchment"

    written = render(
        "parchment", folder, location=location, license=license_name, author="Ann O'Nym"
    )

    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    module = "strandlog_parchment"
    names = {str(path.relative_to(folder)) for path in written}
    package = {
        f"src/{module}/{name}"
        for name in ("__init__.py", "_backend.py", "_handle.py", "py.typed", "testing.py", *YOURS)
    }
    license_files = {"LICENSE"} - ({"LICENSE"} if license_name == "none" else set())
    assert names == package | license_files | {
        *("README.md", "pyproject.toml", "tests/test_conformance.py")
    }
    assert project["name"] == "strandlog-parchment"
    assert project["entry-points"]["strandlog.stores"] == {"parchment": module}
    assert project["entry-points"]["strandlog.conformance"] == {
        "parchment": f"{module}.testing:fresh_url"
    }
    assert project.get("license", "none") == license_name
    for path in written:
        assert "{{" not in path.read_text()
        assert "{%" not in path.read_text()
        if path.suffix == ".py":
            compile(path.read_text(), path, "exec")


def test_license_is_that_of_the_author(tmp_path: Path) -> None:
    render("parchment", tmp_path / "mine", license="MIT", author="Ann O'Nym")
    render("parchment", tmp_path / "ours", license="MIT")

    lines = [(tmp_path / name / "LICENSE").read_text().splitlines()[2] for name in ("mine", "ours")]
    assert lines == [
        "Copyright (c) Ann O'Nym",
        "Copyright (c) the authors of strandlog-parchment",
    ]


def test_command_tells_the_next_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    done = _called("parchment")

    assert done.exit_code == 0
    assert done.output.splitlines() == [
        "strandlog-parchment: 12 files written; next:",
        "  cd strandlog-parchment",
        '  pip install -e ".[test]"',
        "  strandlog conformance parchment",
    ]
    assert (tmp_path / "strandlog-parchment" / "pyproject.toml").exists()


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Parchment", "cannot name a plugin"),
        ("two_words", "cannot name a plugin"),
        ("9lives", "cannot name a plugin"),
        ("p" * 17, "cannot name a plugin"),
        ("", "cannot name a plugin"),
        ("conformance", "is there already"),
        ("memory", "memory:// is offered by strandlog-memory already"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)

    done = _called(name)

    assert done.exit_code == 2
    assert told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    """Not even a file that the plugin lacks is added to it."""
    (tmp_path / "thesis.txt").write_text("all of it")

    done = _called("parchment", str(tmp_path))

    assert done.exit_code == 2
    assert "is there and not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "parchment"
    place.write_text("all of it")

    done = _called("parchment", str(place))

    assert done.exit_code == 2
    assert place.read_text() == "all of it"


def test_without_the_template_the_command_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an extra, for only authors need it."""
    monkeypatch.setitem(sys.modules, "copier", None)

    done = _called("parchment", str(tmp_path / "new"))

    assert done.exit_code == 2
    assert 'pip install "strandlog-conformance[template]"' in done.stderr
    assert not (tmp_path / "new").exists()
