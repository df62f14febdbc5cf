"""Stores that show what a view must not show, or of devices that were not asked for."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from strandlog import Page
from strandlog_conformance.reference import ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M32",
    "ignores the scopes in one of its reads",
    caught_by="log.scope.filtered_everywhere",
    says="read_range(scopes=",
    also=("*",),
)
class ScopeIgnored(ReferenceLogStore):
    """Filters pages but not ranges."""

    async def read_range(self, user: str, *, scopes: Any = None, **query: Any) -> Page:
        return await super().read_range(user, **query)


@saboteur(
    "M126",
    "takes a scope for the beginning of others",
    caught_by="log.scope.filtered_everywhere",
    says="read(scopes=['friend'])",
    also=("log.scope.unknown_scope", "names.too_long_refused", "names.like_numbers"),
)
class ScopeByPrefix(ReferenceLogStore):
    """Shows ``friends`` to those who may see ``friend``."""

    async def read(self, user: str, *, scopes: Collection[str] | None = None, **query: Any) -> Page:
        held = {one.scope for one in self.kept(user).entries.values()}
        if scopes is not None:
            scopes = {one for one in held if one.startswith(tuple(scopes))}
        return await super().read(user, scopes=scopes, **query)


@saboteur(
    "M127",
    "takes no scope at all for every scope",
    caught_by="log.scope.unknown_scope",
    says="read(scopes=set())",
    also=("model.*",),
)
class NoScopeIsAll(ReferenceLogStore):
    """Asks ``scopes or all``."""

    async def read(self, user: str, *, scopes: Collection[str] | None = None, **query: Any) -> Page:
        return await super().read(user, scopes=scopes or None, **query)


@saboteur(
    "M125",
    "takes a device for the beginning of others",
    caught_by="log.since.excludes_self_exactly",
    says="read(devices=a)",
    also=("*",),
)
class DeviceByPrefix(ReferenceLogStore):
    """Finds devices by LIKE."""

    async def read(
        self, user: str, *, devices: Collection[str] | None = None, **query: Any
    ) -> Page:
        held = {one.device for one in self.kept(user).entries.values()}
        if devices is not None:
            like = tuple(devices)
            devices = {one for one in held if one.startswith(like)} | set(devices)
        return await super().read(user, devices=devices, **query)
