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
    "claiming",
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
    "contending",
    "holding",
    "cursors",
    "holes",
    "redacting",
    "removing",
    "moving",
    "syncing",
    "crashing",
    "failing",
    "damaging",
    "formats",
    "alike",
    "outdated",
    "limited",
    "meeting",
    "layers",
    "sharing",
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
        of_cursors: Whether the fault is in its cursor store, and not in its log store.
    """

    id: str
    fault: str
    target: Target
    caught_by: str
    says: str
    also: tuple[str, ...]
    of_cursors: bool = False

    def may_fail(self, check: str) -> bool:
        """Return whether the fault is known to show in *check*."""
        # Whatever a store does wrong, a story that needs it may go wrong with it.
        return _fits(check, (self.caught_by, "proto.*", *self.also))

    def tries(self, checks: Sequence[Check]) -> list[Check]:
        """Return those of *checks* that it is tried against: those that it may fail, and others.

        Of the others none that asks only its sound half, and none that takes long:
        as many faulty stores as there are, each of these takes as long as ten others.
        """
        if "fs" in self.target.capabilities.needs:
            # Its fault lies below all that the other checks ask for, and it takes long.
            return [one for one in checks if self._names(one) or one.id in _SANE]
        return [
            one
            for one in checks
            if self._names(one) or (one.cursors == self.of_cursors and not _fits(one.id, _LONG))
        ]

    def _names(self, check: Check) -> bool:
        named = (self.caught_by, *(one for one in self.also if one != "*"))
        return self.id in check.kills or _fits(check.id, named)


# The stories of devices, and checks that need many entries, turns or processes, or no store.
_LONG = (
    "proto.*",
    "model.*",
    "format.*",
    "disk.*",
    "crash.*",
    "power.*",
    "corrupt.*",
    "record.*",
    "log.append.large_batch_10k",
    "log.heads.many_devices",
    "log.page.big_log",
    "log.page.one_millisecond",
    "log.read.many_devices",
    "log.scope.many",
    "redact.many",
    "cursor.many_readers",
    "conc.busy_is_waited_not_leaked",
    "conc.tailing_reader_misses_nothing",
    "life.open_close_200x_no_leak",
)


_SANE = ("log.append.roundtrip", "life.reopen_keeps_everything", "cursor.roundtrip_merges_peers")


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, one) for one in patterns)


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
        _registered[name] = Saboteur(name, fault, target, caught_by, says, tuple(also), not is_log)
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
