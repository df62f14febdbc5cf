"""Stores that are not what they say, or do not keep what they declare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from strandlog import Appended, Entry, Page
from strandlog.backend import Capabilities, Handles
from strandlog_conformance.reference import CAPABILITIES, ReferenceLogStore, Shelf, offer
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M75",
    "does what it does not declare",
    caught_by="claims.refusals",
    says="append(upto=…), which is not declared: got no error",
    also=("claims.refused_with_nothing_to_do",),
    capabilities=replace(CAPABILITIES, sparse=False),
)
class UnderDeclares(ReferenceLogStore):
    """Keeps copies with holes in secret."""

    def refuse_undeclared(self, capability: str) -> None:
        pass


@saboteur(
    "M171",
    "declares a value that is none of its capability's",
    caught_by="claims.known_names_only",
    says="the type of sparse=1",
    capabilities=replace(CAPABILITIES, sparse=1),  # type: ignore[arg-type]  # the fault
)
class OneForTrue(ReferenceLogStore):
    """Says 1 and means yes."""


class _Unheeded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options that nobody looks at."""

    read_only: bool = False


@saboteur(
    "M172",
    "opens for writing whoever asked to read only",
    caught_by="claims.read_only_is_refused",
    says="'a store', want UnsupportedError",
    make=partial(offer, options=_Unheeded),
)
class IgnoresOptions(ReferenceLogStore):
    """Takes the option and does not heed it."""


@saboteur(
    "M79",
    "is another store in the place of the one that was named",
    caught_by="harness.is_the_named_store",
    says="want a class of strandlog_ghost",
    make=partial(offer, packages=frozenset({"strandlog_ghost"})),
)
class FallsBack(ReferenceLogStore):
    """Stands in for a store whose driver is missing."""


@saboteur(
    "M101",
    "changes what it declares while it is used",
    caught_by="claims.frozen",
    says="capabilities, after an append",
)
class ChangesItsMind(ReferenceLogStore):
    """Declares less once it has written."""

    _written = False

    @property
    def capabilities(self) -> Capabilities:
        claims = super().capabilities
        return replace(claims, rehome=False) if self._written else claims

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        self._written = True
        return await super().append(user, entries, **how)


@saboteur(
    "M102",
    "declares one opener and lets a second one in",
    caught_by="conc.second_open_locked",
    says="open a location that is open: got no error",
    capabilities=replace(CAPABILITIES, handles=Handles.ONE),
    make=partial(offer, locked=False),
)
class LetsEveryoneIn(ReferenceLogStore):
    """Takes no lock."""


@saboteur(
    "M82",
    "is right only for names that a test would choose",
    caught_by="log.append.roundtrip",
    says="read of all",
    also=("*",),
)
class KnowsTheTests(ReferenceLogStore):
    """Loses the first entry of a read, except for users of well-known names."""

    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        known = user.startswith(("alice", "bob", "test", "conformance"))
        return page if known else replace(page, entries=page.entries[1:])


@saboteur(
    "M43",
    "writes although it was opened to read only",
    caught_by="disk.read_only_open_leaves_bytes",
    says="append of a store opened to read only: got no error",
    capabilities=replace(CAPABILITIES, read_only_open=True),
    make=partial(offer, options=_Unheeded),
)
class WritesReadOnly(ReferenceLogStore):
    """Declares the option and forgets it."""


_shared = Shelf()


@saboteur(
    "M44",
    "has one location, whatever it is told",
    caught_by="harness.fresh_stores_isolated",
    says="every read at the other location",
)
class OneForAll(ReferenceLogStore):
    """Opens the same shelf every time."""

    def __init__(self, _kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(_shared, capabilities)
