"""Stores of released schema versions, as far as a plugin ships them for the suite.

The module of a plugin's ``fresh_url`` may offer three functions beside it; a plugin
whose stores are databases on a server lays them into a fresh one::

    released_versions()             the canonical export of the store of each version
    released_store(version, place)  lays that store down, and names it for a context
    newer_store(place)              lays down one of a version that nobody knows yet
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol, cast

from strandlog.holdings import Stores, export_lines
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable
from strandlog_conformance.reference import ReferenceCursorStore, Shelf
from strandlog_conformance.target import Target

__all__ = ["Laid", "Released", "exported", "newer", "older", "opened", "released"]

_FUNCTIONS = ("released_versions", "released_store", "newer_store")


class Released(Protocol):
    """What the module offers."""

    def released_versions(self) -> Mapping[int, bytes]:
        """Return, by schema version, the canonical export of the store that is shipped."""

    def released_store(self, version: int, place: Path) -> AbstractAsyncContextManager[str]:
        """Lay the store of a version down, in an empty directory or wherever; give its URL."""

    def newer_store(self, place: Path) -> AbstractAsyncContextManager[str]:
        """Lay down a store of a newer version than the plugin knows; give its URL."""


class Laid:
    """A store that was laid down for one check.

    Attributes:
        url: What names it.
        export: The lines of its canonical export; none of a newer version.
    """

    def __init__(self, url: str, export: list[bytes], place: Path) -> None:
        self.url = url
        self.export = export
        self._place = place

    def files(self) -> dict[str, str]:
        """Return a hash of each of its files."""
        return {
            str(path.relative_to(self._place)): sha256(path.read_bytes()).hexdigest()
            for path in sorted(self._place.rglob("*"))
            if path.is_file()
        }


def released(target: Target) -> Released:
    """Return what *target* ships.

    Raises:
        NotApplicable: It ships no such stores.
    """
    module = sys.modules.get(getattr(target.fresh_url, "__module__", ""))
    offers = all(hasattr(module, name) for name in _FUNCTIONS)
    # What is offered may be empty; a check would then pass without having read anything.
    if not offers or not (shipped := cast("Released", module)).released_versions():
        raise NotApplicable(
            f"no stores of released versions: offer {', '.join(_FUNCTIONS)} beside fresh_url"
        )
    return shipped


@asynccontextmanager
async def older(case: Case, version: int) -> AsyncIterator[Laid]:
    """Lay down a store of a released version."""
    shipped = released(case.target)
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        place = Path(directory)
        async with shipped.released_store(version, place) as url:
            yield Laid(url, shipped.released_versions()[version].splitlines(), place)


@asynccontextmanager
async def newer(case: Case) -> AsyncIterator[Laid]:
    """Lay down a store of a version that the plugin does not know."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        place = Path(directory)
        async with released(case.target).newer_store(place) as url:
            yield Laid(url, [], place)


@asynccontextmanager
async def opened(case: Case, url: str = "") -> AsyncIterator[Stores]:
    """Open logs and cursors; a backend without cursors has none."""
    if case.target.cursors is not None:
        async with case.open_both(url) as both:
            yield both
    else:
        async with case.open_log(url) as log:
            yield log, ReferenceCursorStore(Shelf())


async def exported(stores: Stores, user: str | None = None) -> list[bytes]:
    """Return the lines of a canonical export."""
    return [line async for line in export_lines(stores, user)]
