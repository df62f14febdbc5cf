"""The faulty stores of the suite, and what has to be noticed about each."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

from strandlog.backend import Capabilities, CursorStore, LogStore
from strandlog_conformance.reference import (
    CAPABILITIES,
    ReferenceCursorStore,
    ReferenceLogStore,
    offer,
)
from strandlog_conformance.suite import Check
from strandlog_conformance.target import Target

__all__ = ["Saboteur", "all_saboteurs", "saboteur", "suspects"]

_MODULES = (
    "posing",
    "writing",
    "batches",
    "ordering",
    "ranging",
    "paging",
    "scoping",
    "naming",
    "keeping",
    "closing",
    "racing",
    "cursors",
    "holes",
    "redacting",
    "removing",
    "syncing",
)

StoreT = TypeVar("StoreT", bound=type[LogStore] | type[CursorStore])


@dataclass(frozen=True, slots=True)
class Saboteur:
    """One faulty store.

    Attributes:
        id: Its stable name; checks name it in ``kills``.
        fault: What is wrong with it, in words that also serve as a diagnosis.
        target: The store.
        caught_by: The check that has to fail.
        says: What the text of that failure has to contain.
        also: Patterns of the other checks that fail with it.
    """

    id: str
    fault: str
    target: Target
    caught_by: str
    says: str
    also: tuple[str, ...]

    def may_fail(self, check: str) -> bool:
        """Return whether the fault is known to show in *check*."""
        # Whatever a store does wrong, a story that needs it may go wrong with it.
        named = (self.caught_by, "proto.*", *self.also)
        return any(fnmatchcase(check, one) for one in named)

    def tries(self, checks: Sequence[Check]) -> list[Check]:
        """Return those of *checks* that it is tried against.

        Of the stories only those that name it: nearly every fault shows in some of
        them, and each takes as long as ten other checks.
        """
        return [
            one
            for one in checks
            if one.category != "proto" or self.id in one.kills or one.id == self.caught_by
        ]


_registered: dict[str, Saboteur] = {}


def saboteur(
    name: str,
    fault: str,
    *,
    caught_by: str,
    says: str,
    also: Sequence[str] = (),
    capabilities: Capabilities = CAPABILITIES,
    make: Callable[..., Target] = offer,
) -> Callable[[StoreT], StoreT]:
    """Register a store class, of logs or of cursors, as the saboteur *name*."""

    def register(store: StoreT) -> StoreT:
        if name in _registered:
            raise ValueError(f"two saboteurs are named {name}")
        is_log = issubclass(store, LogStore)
        target = make(
            name,
            log=store if is_log else ReferenceLogStore,
            cursors=ReferenceCursorStore if is_log else store,
            capabilities=capabilities,
        )
        _registered[name] = Saboteur(name, fault, target, caught_by, says, tuple(also))
        return store

    return register


def all_saboteurs() -> list[Saboteur]:
    """Return every faulty store, by the number in its name."""
    for module in _MODULES:
        importlib.import_module(f"strandlog_conformance.saboteurs.{module}")
    return sorted(_registered.values(), key=lambda one: int(one.id[1:]))


def suspects(kills: Sequence[str]) -> list[Saboteur]:
    """Return the faulty stores of these names: what a failed check may be a sign of."""
    return [one for one in all_saboteurs() if one.id in kills]
