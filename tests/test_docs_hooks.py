"""The page of signatures says what the code says."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from pathlib import Path
from typing import Any

import msgspec
import pluggy
import pytest

import strandlog.backend
from strandlog.backend import CursorStore, LogStore, hookspecs
from strandlog_conformance.released import Released

PAGE = Path(__file__).parent.parent / "docs/reference/hooks.md"

# What a plugin offers to the suite, as functions of its module.
RELEASED = ("newer_store", "released_store", "released_versions")
OF_PLUGINS = {"fresh_url", *RELEASED}


def _shown() -> dict[str, Any]:
    """Return what the code of the page defines. Its annotations stay text, as in this module."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    namespace: dict[str, Any] = {"__name__": __name__}
    imports, *definitions = blocks
    exec(imports, namespace)  # noqa: S102  # our own page
    known = set(namespace)
    for block in definitions:
        exec(compile(block, PAGE, "exec"), namespace)  # noqa: S102
    return {name: value for name, value in namespace.items() if name not in known}


SHOWN = _shown()
CLASSES = sorted(name for name, value in SHOWN.items() if inspect.isclass(value))
FUNCTIONS = sorted(
    name
    for name, value in SHOWN.items()
    if inspect.isfunction(value) and name not in OF_PLUGINS and not name.startswith("__")
)


def _real(name: str) -> Any:
    return getattr(strandlog.backend, name, None) or getattr(hookspecs, name)


def test_every_public_name_is_shown() -> None:
    wanted = {*strandlog.backend.__all__, *hookspecs.__all__}

    assert wanted <= SHOWN.keys()
    assert {*CLASSES, *FUNCTIONS} <= wanted


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_has_the_signature_that_is_shown(name: str) -> None:
    assert inspect.signature(SHOWN[name]) == inspect.signature(_real(name))


@pytest.mark.parametrize("name", CLASSES)
def test_class_has_the_members_that_are_shown(name: str) -> None:
    """No fewer, no others, and each with its signature or its default."""
    assert _members(SHOWN[name]) == _members(_real(name))


def _members(kind: type) -> dict[str, object]:
    found: dict[str, object] = {"is abstract": inspect.isabstract(kind), **_fields(kind)}
    for name in dir(kind):
        # The class and the page come from different modules, so their objects differ.
        value = inspect.getattr_static(kind, name)
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        if not name.startswith("_") and inspect.isfunction(function):
            found[name] = (
                type(value).__name__,
                str(inspect.signature(function)),
                inspect.iscoroutinefunction(function),
                getattr(function, "__isabstractmethod__", False),
            )
    return found


def _fields(kind: type) -> dict[str, object]:
    if issubclass(kind, enum.Enum):
        return {one.name: one.value for one in kind}
    if issubclass(kind, msgspec.Struct):
        config = kind.__struct_config__
        switches = (config.frozen, config.omit_defaults, config.forbid_unknown_fields)
        defaults = repr(kind.__struct_defaults__)
        return {**vars(kind).get("__annotations__", {}), "": (switches, defaults)}
    if dataclasses.is_dataclass(kind):
        flags = (kind.__dataclass_params__.frozen, "__slots__" in vars(kind))  # type: ignore[attr-defined]
        fields = {
            one.name: (one.type, _default(one), one.kw_only) for one in dataclasses.fields(kind)
        }
        return {**fields, "": flags}
    return {name: str(hint) for name, hint in vars(kind).get("__annotations__", {}).items()}


@pytest.mark.parametrize("name", ["__aenter__", "__aexit__"])
@pytest.mark.parametrize("kind", [LogStore, CursorStore])
def test_stores_are_the_context_managers_that_are_shown(kind: type, name: str) -> None:
    inherited = inspect.signature(getattr(kind, name))
    _, *parameters = inherited.parameters.values()

    assert inspect.signature(SHOWN[name]) == inherited.replace(parameters=parameters)


@pytest.mark.parametrize("name", RELEASED)
def test_what_the_suite_asks_of_a_plugin_is_shown(name: str) -> None:
    asked = inspect.signature(getattr(Released, name))
    _, *parameters = asked.parameters.values()

    assert inspect.signature(SHOWN[name]) == asked.replace(parameters=parameters)


def _default(one: dataclasses.Field[Any]) -> str:
    made = one.default if one.default_factory is dataclasses.MISSING else one.default_factory
    # A class of the page is not that of the code; their names are the same.
    return str(getattr(made, "__name__", repr(made)))


def test_constants_have_the_values_that_are_shown() -> None:
    assert SHOWN["API_LEVEL"] == strandlog.backend.API_LEVEL
    assert isinstance(SHOWN["hookimpl"], pluggy.HookimplMarker)
    assert SHOWN["hookimpl"].project_name == strandlog.backend.hookimpl.project_name
