"""``stores``: which backends are installed, and what each promises."""

from __future__ import annotations

import enum
from dataclasses import fields
from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.options import json_option
from strandlog.cli.output import json_line, table

if TYPE_CHECKING:
    from strandlog.backend.registry import Plugin
    from strandlog.backend.store import Capabilities

__all__ = ["stores"]


@click.command()
@json_option
def stores(*, as_json: bool) -> None:
    """List the installed backends; a broken one with its error."""
    from strandlog.backend.registry import installed_plugins

    found = installed_plugins()
    if as_json:
        json_line([_described(one) for one in found])
        return
    table(
        ("store", "from", "keeps", "promises"),
        [(f"{one.scheme}://", one.distribution, _keeps(one), _promises(one)) for one in found],
    )


def _keeps(one: Plugin) -> str:
    return " and ".join(kind for kind, offer in _offers(one).items() if offer) or "nothing"


def _offers(one: Plugin) -> dict[str, bool]:
    return {"logs": one.log is not None, "cursors": one.cursors is not None}


def _promises(one: Plugin) -> str:
    if one.error:
        return f"broken: {one.error}"
    backend = one.log or one.cursors
    if backend is None:
        return ""
    words = []
    for name, value in _capabilities(backend.capabilities).items():
        if value is True:
            words.append(name)
        elif isinstance(value, list):
            words += [f"{name}={','.join(value)}"] if value else []
        elif value not in (None, False):
            words.append(f"{name}={value}")
    return " ".join(words)


def _described(one: Plugin) -> dict[str, object]:
    backend = one.log or one.cursors
    return {
        "scheme": one.scheme,
        "distribution": one.distribution,
        **_offers(one),
        "capabilities": backend and _capabilities(backend.capabilities),
        "error": one.error or None,
    }


def _capabilities(capabilities: Capabilities) -> dict[str, object]:
    """Return what is promised in words that JSON has."""
    found: dict[str, object] = {}
    for one in fields(capabilities):
        value = getattr(capabilities, one.name)
        if isinstance(value, enum.Enum):
            value = value.value
        elif isinstance(value, frozenset):
            value = sorted(value)
        found[one.name] = value
    return found
