"""The store under test: how it is opened, where, and what it claims to be."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from typing import TypeVar

from strandlog.backend import Backend, Capabilities, CursorStore, LogStore, StoreUrl
from strandlog.backend.registry import Plugin, plugin
from strandlog.errors import BackendError, BrokenBackendError

__all__ = ["GROUP", "FreshUrl", "Target", "installed_schemes"]

GROUP = "strandlog.conformance"
"""The entry-point group in which a plugin names its ``fresh_url``."""

FreshUrl = Callable[[Path], AbstractAsyncContextManager[str]]
"""Names a location that does not exist yet, given an empty directory, and cleans up after it."""

StoreT = TypeVar("StoreT", bound=LogStore | CursorStore)


@dataclass(frozen=True, slots=True)
class Target:
    """One store to be checked.

    Attributes:
        name: Its column in the matrix.
        log: Its backend for logs.
        cursors: Its backend for cursors, if it offers one.
        fresh_url: Where new locations come from.
        url: A location that is given: checked in fresh logs, which are removed
            afterwards. Empty if every check gets a location of its own.
        distribution: The distribution that it comes from, with its version.
        packages: The import packages that its classes may come from.
        scheme: The scheme by which other processes find the plugin, if it is installed.
        declared: What the store at the location says it can do, once it was
            opened; the options of a URL may ask for less than the backend offers.
    """

    name: str
    log: Backend[LogStore]
    cursors: Backend[CursorStore] | None = None
    fresh_url: FreshUrl | None = None
    url: str = ""
    distribution: str = ""
    packages: frozenset[str] = frozenset()
    declared: Capabilities | None = None
    scheme: str = ""

    @classmethod
    def installed(cls, scheme: str) -> Target:
        """Return an installed plugin, checked at locations that it names itself.

        Raises:
            BackendError: It is not installed, is broken, offers no log store, or
                registers no ``fresh_url``.
        """
        found = plugin(scheme)
        fresh_url = _registered_fresh_url(scheme)
        if fresh_url is None:
            raise BrokenBackendError(
                f"{scheme}:// names no fresh locations: register a fresh_url in the"
                f" entry-point group {GROUP}, or give a URL"
            )
        return cls._of_plugin(found, scheme, fresh_url, "")

    @classmethod
    def named(cls, name: str) -> Target:
        """Return the store at a URL, or, by its scheme alone, an installed plugin.

        Raises:
            BackendError, StoreUrlError: It cannot be used.
        """
        return cls.at(name) if "://" in name else cls.installed(name)

    @classmethod
    def at(cls, url: str) -> Target:
        """Return the store that *url* names; what the checks make there they remove.

        Raises:
            BackendError: No usable plugin answers to its scheme.
            StoreUrlError: It is not a store URL.
        """
        parsed = StoreUrl.parse(url)
        found = plugin(parsed.scheme)
        name = parsed.scheme.partition("+")[0]
        return cls._of_plugin(found, str(parsed), _registered_fresh_url(name), url)

    @classmethod
    def _of_plugin(cls, found: Plugin, name: str, fresh_url: FreshUrl | None, url: str) -> Target:
        if found.log is None:
            raise BrokenBackendError(f"{found.scheme}:// stores no logs")
        return cls(
            name,
            found.log,
            found.cursors,
            fresh_url,
            url,
            found.distribution,
            _packages_of(found.scheme),
            scheme=found.scheme,
        )

    @property
    def capabilities(self) -> Capabilities:
        return self.declared or self.log.capabilities

    @asynccontextmanager
    async def open_log(self, url: str) -> AsyncIterator[LogStore]:
        """Open the log store at *url*."""
        async with self.log.open(_checked(self.log, url)) as store:
            yield store

    @asynccontextmanager
    async def open_cursors(self, url: str) -> AsyncIterator[CursorStore]:
        """Open the cursor store at *url*."""
        if self.cursors is None:
            raise BackendError(f"{self.name} offers no cursor store")
        async with self.cursors.open(_checked(self.cursors, url)) as store:
            yield store

    @asynccontextmanager
    async def open_both(self, url: str) -> AsyncIterator[tuple[LogStore, CursorStore]]:
        """Open both stores at *url*, with one connection if the backend shares it."""
        if self.log.open_both is not None:
            async with self.log.open_both(_checked(self.log, url)) as both:
                yield both
        else:
            async with self.open_log(url) as log, self.open_cursors(url) as cursors:
                yield log, cursors


def installed_schemes() -> list[str]:
    """Return the scheme of every installed plugin, broken ones too."""
    return sorted({point.name for point in entry_points(group="strandlog.stores")})


def _checked(backend: Backend[StoreT], url: str) -> StoreUrl:
    parsed = StoreUrl.parse(url).check_location(backend.location)
    parsed.options(backend.options)
    return parsed


def _registered_fresh_url(scheme: str) -> FreshUrl | None:
    for point in entry_points(group=GROUP, name=scheme):
        fresh_url: FreshUrl = point.load()
        return fresh_url
    return None


@cache
def _packages_of(scheme: str) -> frozenset[str]:
    """Return the import packages of the distribution that offers *scheme*."""
    [point] = list(entry_points(group="strandlog.stores", name=scheme))[:1]
    own = {point.module.partition(".")[0]}
    if point.dist is not None:
        own |= {
            package
            for package, distributions in packages_distributions().items()
            if point.dist.name in distributions
        }
    return frozenset(own)
