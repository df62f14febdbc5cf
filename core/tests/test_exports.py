"""What strandlog offers to those who import it, and what that costs them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import strandlog
from strandlog import errors
from strandlog.errors import StrandlogError

API = Path(__file__).parent / "data" / "api.txt"
PUBLIC = (
    "strandlog",
    "strandlog.access",
    "strandlog.backend",
    "strandlog.client",
    "strandlog.errors",
    "strandlog.holdings",
    "strandlog.server",
    "strandlog.testing",
)

# What a frame may name as the reason: the protocol page, errors.
WIRE_CODES = {
    *("bad-json", "bad-frame", "unknown-type", "bad-seq", "bad-name", "too-large", "rate", "auth"),
    *("forbidden", "version", "gap", "fork", "rejected", "trimmed", "erased", "superseded"),
    *("store-unavailable", "shutting-down"),
}

ERRORS = [
    one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, StrandlogError)
]


def _modules() -> list[str]:
    found = pkgutil.walk_packages(strandlog.__path__, "strandlog.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def _defined(module: ModuleType) -> set[str]:
    """Name the classes and functions that a module defines for others."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__ == module.__name__
    }


def test_public_names_are_those_of_api_txt() -> None:
    """A name enters or leaves this list in the change that means it to."""
    names = [
        f"{module}.{name}" for module in PUBLIC for name in importlib.import_module(module).__all__
    ]

    assert API.read_text().splitlines() == names


@pytest.mark.parametrize("name", ["strandlog", *_modules()])
def test_all_names_what_a_module_defines_for_others(name: str) -> None:
    """So whatever does not begin with an underscore was meant to be used elsewhere."""
    module = importlib.import_module(name)
    exported = set(getattr(module, "__all__", ()))

    assert _defined(module) - exported == set()
    assert {export for export in exported if not hasattr(module, export)} == set()
    assert len(exported) == len(getattr(module, "__all__", ()))


def _tree() -> list[tuple[str, str, str]]:
    """Read the tree in the docstring of the errors: name, parent, and what is said of it."""
    found = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if match := re.fullmatch(r"    ([ │├└─]*)(\w+Error)(.*)", line):
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            found.append((match[2], path[depth - 1] if depth else "", match[3].strip()))
    return found


def test_the_docstring_of_errors_is_their_tree() -> None:
    parents = {
        one.__name__: one.__bases__[0].__name__ if one is not StrandlogError else ""
        for one in ERRORS
    }

    assert {name: parent for name, parent, _ in _tree()} == parents
    assert set(errors.__all__) == {*parents}


def test_the_tree_tells_wire_codes_and_what_is_fatal() -> None:
    said = {name: text for name, _, text in _tree()}
    coded = [one for one in ERRORS if one.code]

    assert [one.__name__ for one in coded if said[one.__name__].split()[0] != one.code] == []
    assert [one.__name__ for one in ERRORS if one.fatal != ("(fatal)" in said[one.__name__])] == []


def test_every_wire_code_has_its_class() -> None:
    assert {one.code for one in ERRORS if one.code} == WIRE_CODES


def test_importing_strandlog_is_silent_and_loads_little() -> None:
    """What a program does not use until it opens a store, it does not wait for."""
    script = (
        "import sys; before = {*sys.modules}; import strandlog; print(*{*sys.modules} - before)"
    )

    run = subprocess.run(  # noqa: S603  # our own script
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )

    loaded = set(run.stdout.split())
    slow = {"anyio", "asyncio", "email", "importlib.metadata", "msgspec", "pluggy", "urllib.parse"}
    assert run.stderr == ""
    assert "strandlog.log" in loaded
    assert loaded & {*slow, "strandlog.backend"} == set()
