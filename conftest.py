"""Rooms whose driver cannot be had here: passed over aloud, and never in CI.

LevelDB's driver may have to be built, which takes a compiler and headers that a
machine may lack. Every test that bears the name of such a room is skipped then.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

_DRIVERS = {"leveldb": ("plyvel", "install a C++ compiler and LevelDB's headers first")}
_MISSING = {
    room: f"{driver} is not installed: {hint}"
    for room, (driver, hint) in _DRIVERS.items()
    if find_spec(driver) is None
}


class _LeftOut(pytest.Module):
    """A module that cannot be imported without its driver."""

    def collect(self) -> list[pytest.Item]:
        pytest.skip(_MISSING[self.path.parent.parent.name])


def pytest_sessionstart() -> None:
    """End the run at once where leaving something out is no choice."""
    if _MISSING and os.environ.get("CI"):
        pytest.exit(f"CI is set, and {'; '.join(_MISSING.values())}", returncode=3)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> _LeftOut | None:
    """Put a module in the place of one that needs what is missing."""
    if module_path.parent.parent.name not in _MISSING:
        return None
    module: _LeftOut = _LeftOut.from_parent(parent, path=module_path)
    return module


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Skip what is about such a room and lies elsewhere."""
    for item in items:
        for room, reason in _MISSING.items():
            if room in item.name:
                item.add_marker(pytest.mark.skip(reason=reason))
