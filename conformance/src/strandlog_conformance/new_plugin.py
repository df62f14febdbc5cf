"""A new plugin: all that every plugin has, and stubs that say what is left to write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.metadata import entry_points, version
from pathlib import Path

from strandlog.errors import InvalidArgumentError, InvalidNameError

__all__ = ["LICENSES", "LOCATIONS", "check_name", "render"]

LOCATIONS = ("file", "name", "server")
"""What a store URL of the plugin may name, as ``strandlog.backend.Location`` has it."""

LICENSES = ("Apache-2.0", "MIT", "none")

_TEMPLATE = Path(__file__).with_name("template")

# One word stands in the scheme, the distribution and the import package: what all three allow.
_NAME = re.compile(r"[a-z][a-z0-9]{0,15}", re.ASCII)


def check_name(name: str) -> str:
    """Return *name* if it can name a plugin, which is not installed yet.

    Raises:
        InvalidNameError: It cannot, or is taken.
    """
    if not _NAME.fullmatch(name):
        raise InvalidNameError(
            f"{name!r} cannot name a plugin: a letter, then at most 15 more of a-z 0-9"
        )
    if name == "conformance":
        raise InvalidNameError("strandlog-conformance is there already: choose another name")
    for point in entry_points(group="strandlog.stores", name=name):
        source = point.dist.name if point.dist else point.value
        raise InvalidNameError(f"{name}:// is offered by {source} already: choose another name")
    return name


def render(
    name: str,
    folder: Path,
    *,
    location: str = LOCATIONS[0],
    license: str = LICENSES[0],  # noqa: A002  # as pyproject.toml calls it
    author: str = "",
) -> Sequence[Path]:
    """Write a plugin into *folder*, which is made; return what was written.

    Raises:
        InvalidArgumentError: *name* cannot be used, or *folder* is not empty; nothing was written.
        ModuleNotFoundError: The extra ``template`` is not installed.
    """
    check_name(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgumentError(f"{folder} is there and not empty: name another folder")
    from copier import run_copy

    answers = {
        "name": name,
        "location": location,
        "license": license,
        "series": ".".join(version("strandlog").split(".")[:2]),
    }
    if author:
        answers["author"] = author
    run_copy(str(_TEMPLATE), folder, data=answers, defaults=True, quiet=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())
