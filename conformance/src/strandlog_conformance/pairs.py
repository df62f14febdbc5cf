"""Two backends at once: one keeps what the devices have, the other what the server has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

from strandlog.backend import Capabilities
from strandlog_conformance.bare import reach
from strandlog_conformance.places import Places
from strandlog_conformance.suite import Check
from strandlog_conformance.target import Target

__all__ = [
    "CATEGORY",
    "DIFFERENTIAL",
    "Paired",
    "is_pair",
    "members",
    "of_pairs",
    "pair_names",
    "reach_pair",
]

CATEGORY = "proto"
"""The stories, which are made of pairs."""

DIFFERENTIAL = "model.pair_differential"
"""The check that asks both stores of a pair the same."""

_BETWEEN = " x "


@dataclass(frozen=True, slots=True)
class Paired(Target):
    """A devices' store, together with the store of the server that they sync with.

    Attributes:
        server: The server's store; ``None`` if it is the devices' own.
    """

    server: Target | None = None

    @property
    def capabilities(self) -> Capabilities:
        own = self.declared or self.log.capabilities
        imitated = own.stand_in or (self.server is not None and self.server.capabilities.stand_in)
        return replace(own, stand_in=imitated)


def is_pair(name: str) -> bool:
    """Return whether *name* is that of a pair: ``"memory x sqlite:///x.db"``."""
    return _BETWEEN in name


def members(name: str) -> list[str]:
    """Return the stores that *name* stands for: the devices' and the server's, or the one."""
    return name.split(_BETWEEN)


def pair_names(stores: Iterable[str]) -> list[str]:
    """Return the name of every pair of these stores, each with itself too."""
    named = list(stores)
    return [f"{devices}{_BETWEEN}{server}" for devices in named for server in named]


def of_pairs(checks: Iterable[Check]) -> list[Check]:
    """Return those of *checks* that are made of pairs."""
    return [one for one in checks if one.category == CATEGORY or one.id == DIFFERENTIAL]


async def reach_pair(name: str) -> Target:
    """Open both stores of a pair once; return them as what checks are made of.

    Raises:
        StrandlogError, UnreachableError: One of them cannot be used.
    """
    devices_name, server_name = members(name)
    with Places() as places:
        devices = await reach(Target.named(devices_name), places)
        server: Target | None = None
        if server_name != devices_name:
            server = await reach(Target.named(server_name), places)
    return paired(name, devices, server)


def paired(name: str, devices: Target, server: Target | None) -> Paired:
    """Return *devices* with *server* behind it; with ``None`` it is its own server."""
    known = {one.name: getattr(devices, one.name) for one in fields(Target)} | {"name": name}
    if server is not None:
        known["distribution"] = ", ".join(filter(None, _distributions(devices, server)))
        # Both sides need a cursor store, so a pair has one only if both have.
        known["cursors"] = devices.cursors if server.cursors is not None else None
    return Paired(**known, server=server)


def _distributions(*targets: Target) -> Sequence[str]:
    return [target.distribution for target in targets]
