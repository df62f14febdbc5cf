"""Faults above the stores, in what all of them lean on.

Some checks ask little of a store: names, vectors and records are core's own. So
the fault is put there, for as long as a case of such a store lasts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import strandlog.backend.record
import strandlog.log
import strandlog.vector
from strandlog import Appended, Entry, Log, VersionVector
from strandlog.errors import InvalidNameError, TooLargeError
from strandlog.model import check_user
from strandlog_conformance.reference import (
    CAPABILITIES,
    ReferenceCursorStore,
    ReferenceLogStore,
    fresh_url,
    offer,
)
from strandlog_conformance.saboteurs.registry import saboteur
from strandlog_conformance.target import Target


def _with(thing: object, name: str, fault: object) -> Callable[..., Target]:
    """Return what offers a store in whose cases *thing* has another *name*."""

    @asynccontextmanager
    async def faulty(directory: Path) -> AsyncIterator[str]:
        sound = getattr(thing, name)
        setattr(thing, name, fault)
        try:
            async with fresh_url(directory) as url:
                yield url
        finally:
            setattr(thing, name, sound)

    def make(*args: Any, **how: Any) -> Target:
        return replace(offer(*args, **how), fresh_url=faulty)

    return make


async def _in_pieces(
    log: Log, user: str, entries: Iterable[Entry], **how: VersionVector | None
) -> Appended:
    done = Appended(VersionVector(), 0, 0)
    for entry in entries:
        done = await log.store.append(user, [entry], **how)
    return done


@saboteur(
    "M193",
    "has above it a log that stores what it is given piece by piece",
    caught_by="log.append.generator_that_raises",
    says="read after it",
    also=("log.append.*", "names.*"),
    make=_with(Log, "append", _in_pieces),
)
class Piecewise(ReferenceLogStore):
    """The store itself is sound."""


def _or_none(check: Callable[[str], str]) -> Callable[[str], str]:
    return lambda name: check(name) if name else name


@saboteur(
    "M194",
    "has above it a log that takes no name for a name",
    caught_by="names.empty_refused",
    says="append to ''",
    make=_with(strandlog.log, "check_user", _or_none(check_user)),
)
class Nameless(ReferenceLogStore):
    """The store itself is sound."""


def _mangled(name: str) -> str:
    kept = name.encode("ascii", "ignore").decode()
    if not kept and not name:
        raise InvalidNameError("a name has at least one character")
    return kept or "?"


@saboteur(
    "M195",
    "has above it a log that leaves out of a name what it cannot write",
    caught_by="names.surrogates_refused_or_kept",
    says="read of user",
    also=("names.*",),
    make=_with(strandlog.log, "check_user", _mangled),
)
class NamesMangled(ReferenceLogStore):
    """The store itself is sound."""


def _vector(self: VersionVector, counters: Any = None, /) -> None:
    given = dict(counters or {})
    self._counters = {device: int(given[device]) for device in sorted(given) if given[device]}


@saboteur(
    "M196",
    "is given vectors that nobody has checked",
    caught_by="cursor.invalid_refused",
    says="advance by",
    also=("data.big_numbers", "log.*"),
    make=_with(VersionVector, "__init__", _vector),
)
class VectorsUnchecked(ReferenceCursorStore):
    """The store itself is sound."""


@saboteur(
    "M197",
    "keeps records whose checksum forgets the user",
    caught_by="record.checksum_detects_any_flip",
    says="under another user",
    make=_with(
        strandlog.backend.record,
        "_checksum",
        partial(lambda check, _user, body: check("", body), strandlog.backend.record._checksum),  # noqa: SLF001
    ),
)
class UserNotSummed(ReferenceLogStore):
    """The store itself is sound."""


@saboteur(
    "M198",
    "refuses a batch that is as long as it may be",
    caught_by="log.append.max_batch",
    says="TooLargeError",
    also=("*",),
    capabilities=replace(CAPABILITIES, max_batch=64),
)
class LimitExcluded(ReferenceLogStore):
    """Compares with less, not with less or equal."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        limit = self._capabilities.max_batch or 0
        if len(entries) == limit:
            raise TooLargeError(f"{len(entries)} entries, fewer than {limit} at once", limit=limit)
        return await super().append(user, entries, **how)
