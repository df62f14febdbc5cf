"""What holds for the workspace as a whole: its rooms, names, versions and commands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from strandlog.backend.registry import plugin

ROOT = Path(__file__).parent.parent
PLUGINS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
ROOMS = [ROOT / "core", *PLUGINS, ROOT / "conformance"]

each_plugin = pytest.mark.parametrize("room", PLUGINS, ids=lambda room: room.name)
each_room = pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


def _project(room: Path) -> dict[str, Any]:
    project: dict[str, Any] = _toml(room / "pyproject.toml")["project"]
    return project


def _import_name(room: Path) -> str:
    name: str = _project(room)["name"]
    return name.replace("-", "_")


def _sources(room: Path) -> str:
    return f"{room.relative_to(ROOT)}/src"


def _tracked(*patterns: str) -> list[str]:
    """Name the files of the repository, those included that are about to enter it."""
    asked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    return subprocess.run(
        asked, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def _test_command() -> str:
    """Return the command of the README that runs all tests."""
    [command] = [
        line for line in (ROOT / "README.md").read_text().splitlines() if line.endswith("tox run")
    ]
    return command


def test_no_module_is_over_600_lines() -> None:
    lengths = {
        name: len((ROOT / name).read_text().splitlines())
        for name in _tracked("*.py")
        if (ROOT / name).exists()
    }

    assert {name: lines for name, lines in lengths.items() if lines > 600} == {}


def test_there_are_plugin_rooms() -> None:
    """The tests below run once for each of them, and so not at all without any."""
    assert {"memory", "sqlite"} <= {room.name for room in PLUGINS}


@each_plugin
def test_one_word_stands_in_five_places(room: Path) -> None:
    """Folder, distribution, import, entry point and scheme: who knows one knows all."""
    word = room.name
    project = _project(room)
    module = f"strandlog_{word}"

    loaded = plugin(word)

    assert project["name"] == f"strandlog-{word}"
    assert [path.name for path in (room / "src").iterdir()] == [module]
    assert project["entry-points"]["strandlog.stores"] == {word: module}
    assert project["entry-points"]["strandlog.conformance"] == {word: f"{module}.testing:fresh_url"}
    assert {offer.scheme for offer in (loaded.log, loaded.cursors) if offer} == {word}


@each_plugin
def test_plugin_rooms_have_one_shape(room: Path) -> None:
    module = room / "src" / f"strandlog_{room.name}"
    wanted = [
        room / "LICENSE",
        room / "README.md",
        room / "tests",
        *(module / name for name in ("__init__.py", "_log.py", "_cursors.py", "testing.py")),
    ]

    assert [path.relative_to(room) for path in wanted if not path.exists()] == []


@each_plugin
def test_modules_of_a_plugin_are_private_but_for_testing(room: Path) -> None:
    public = {
        path.name
        for path in room.glob("src/*/*.py")
        if not path.name.startswith("_") and path.name != "testing.py"
    }

    assert public == set()


@each_room
def test_every_room_is_typed_and_licensed(room: Path) -> None:
    package = room / "src" / _import_name(room)

    assert (package / "py.typed").read_text() == ""
    assert (room / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_versions_move_in_lockstep() -> None:
    """All rooms have core's version, and ask for core of the same series."""
    version: str = _project(ROOT / "core")["version"]
    series = version.rpartition(".")[0]

    assert {room.name: _project(room)["version"] for room in ROOMS} == {
        room.name: version for room in ROOMS
    }
    for room in ROOMS[1:]:
        needs = [re.sub(r"\[.*\]", "", one) for one in _project(room)["dependencies"]]
        assert f"strandlog~={series}.0" in needs


@each_room
def test_every_room_is_known_to_every_tool(room: Path) -> None:
    """A room that a tool does not know of would be passed over without a word."""
    workspace = _toml(ROOT / "pyproject.toml")["tool"]
    tox = (ROOT / "tox.ini").read_text()
    name = _import_name(room)

    assert f"$MYPY_CONFIG_FILE_DIR/{_sources(room)}" in workspace["mypy"]["mypy_path"]
    assert name in workspace["importlinter"]["root_packages"]
    assert name in workspace["coverage"]["run"]["source_pkgs"]
    assert f"{{tox_root}}/{_sources(room)}" in tox
    assert f"-e {room.relative_to(ROOT)}" in tox


@each_plugin
def test_every_plugin_is_held_by_the_import_contracts(room: Path) -> None:
    contracts = _toml(ROOT / "pyproject.toml")["tool"]["importlinter"]["contracts"]
    naming_plugins = [
        contract
        for contract in contracts
        if "strandlog_sqlite" in contract.get("source_modules", contract.get("modules", ()))
    ]

    assert len(naming_plugins) == 3
    for contract in naming_plugins:
        assert _import_name(room) in contract.get("source_modules", contract.get("modules"))


def test_continuous_integration_runs_the_readme() -> None:
    """What is promised to a newcomer is what is tried, word for word."""
    assert _test_command() in (ROOT / ".ci" / "run").read_text()


def test_constraints_hold_names_and_versions_and_nothing_else() -> None:
    lines = (ROOT / ".ci" / "constraints.txt").read_text().splitlines()

    assert [line for line in lines if not re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", line)] == []
    assert "pytest" in {line.partition("==")[0] for line in lines}


def test_links_of_pages_outside_the_site_lead_somewhere() -> None:
    """Those of the site are checked where it is built."""
    broken = [
        f"{page}: {target}"
        for page in _tracked("*.md", ":!docs")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
        if not (ROOT / page).parent.joinpath(target).exists()
    ]

    assert broken == []


def test_no_lock_file_is_tracked() -> None:
    assert _tracked("*uv.lock", "*poetry.lock", "*package-lock.json") == []


def test_importing_strandlog_warns_of_nothing() -> None:
    told = _python("-W", "error", "-c", "import strandlog")

    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_importing_strandlog_leaves_the_extras_alone() -> None:
    """Who embeds the core neither needs them nor waits for them."""
    told = _python("-c", "import strandlog, sys; print(*sys.modules)")

    assert (
        set(told.stdout.split())
        & {
            *("aiosqlite", "click", "cryptography", "rich", "rich_click"),
            *("stamina", "starlette", "uvicorn", "websockets"),
        }
        == set()
    )


def test_command_without_its_extra_says_what_to_install() -> None:
    """The script is there after a plain install; a traceback would help nobody."""
    told = _python(
        "-c",
        "import sys; sys.modules.update(click=None, rich_click=None)\n"
        "from strandlog.__main__ import main; main()",
    )

    assert told.returncode == 2
    assert told.stdout == ""
    assert told.stderr == (
        'strandlog: the command line needs more packages: pip install "strandlog[cli]"\n'
    )


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], check=False, capture_output=True, text=True)
