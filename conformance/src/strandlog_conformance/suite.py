"""The registry of checks: what each demands, of whom, and which faults it must catch."""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TYPE_CHECKING

from strandlog.backend import Capabilities, Durability, Handles

if TYPE_CHECKING:
    from strandlog_conformance.case import Case

__all__ = [
    "MODULES",
    "Check",
    "Level",
    "Need",
    "all_checks",
    "check",
    "declared",
    "durability",
    "handles",
    "manifest_hash",
    "select",
]

MODULES = (
    "harness",
    "claims",
    "undeclared",
    "append",
    "append_batches",
    "refusals",
    "order",
    "ranges",
    "reading",
    "paging",
    "vectors",
    "scopes",
    "names",
    "alike",
    "data",
    "lifecycle",
    "openers",
    "resources",
    "concurrency",
    "histories",
    "cancellation",
    "processes",
    "cursors",
    "cursor_races",
    "sparse",
    "redaction",
    "trimming",
    "rehoming",
    "moving",
    "following",
    "amounts",
    "meeting",
    "notifying",
    "erasing",
    "protocol_news",
    "protocol_scopes",
    "protocol_cuts",
    "protocol_restores",
    "protocol_rollbacks",
    "protocol_bodies",
    "protocol_lives",
    "crashes",
    "power",
    "disk_faults",
    "corruption",
    "model",
    "formats",
)
"""The modules of ``strandlog_conformance.scenarios``, in the order of the report."""


class Level(enum.Enum):
    """How much is run: each level includes those before it."""

    CORE = "core"  # inside one process
    DURABLE = "durable"  # crashes, full disks, damaged files
    ALL = "all"  # pairs of backends, long runs


@dataclass(frozen=True, slots=True)
class Need:
    """What a store must have declared for a check to be made of it."""

    name: str
    met_by: Callable[[Capabilities], bool]


def declared(name: str) -> Need:
    """Return the need of a capability that is a yes or a limit."""
    return Need(name, lambda capabilities: bool(getattr(capabilities, name)))


def durability(least: Durability) -> Need:
    """Return the need of at least this durability."""
    return Need(
        f"durability ≥ {least.value}",
        lambda capabilities: _at_least(capabilities.durability, least),
    )


def handles(least: Handles) -> Need:
    """Return the need of at least this many openers of one location."""
    return Need(
        f"handles ≥ {least.value}", lambda capabilities: _at_least(capabilities.handles, least)
    )


def _at_least(value: enum.Enum, least: enum.Enum) -> bool:
    ranks = list(type(least))
    return ranks.index(value) >= ranks.index(least)


@dataclass(frozen=True, slots=True)
class Check:
    """One claim about every store.

    Attributes:
        id: Its stable name; reports and waivers use it.
        rule: The rule that it holds a store to.
        story: The docstring of the check.
        play: The coroutine.
        must: Whether a store that fails it does not conform.
        requires: Capabilities without which it is not made.
        cursors: Whether it needs a cursor store.
        kills: Faults that it has to catch, by their id in ``faults``.
        level: The level from which on it is run.
        since: The version of the suite that brought it.
    """

    id: str
    rule: str
    story: str
    play: Callable[[Case], Awaitable[None]]
    must: bool
    requires: tuple[Need, ...]
    cursors: bool
    kills: tuple[str, ...]
    level: Level
    since: str

    @property
    def category(self) -> str:
        """The row of the matrix that it counts in."""
        return self.id.rpartition(".")[0]

    def missing(self, capabilities: Capabilities, *, cursors: bool) -> str:
        """Return why the check is not made of such a store; empty if it is."""
        if self.cursors and not cursors:
            return "the backend offers no cursor store"
        unmet = [need.name for need in self.requires if not need.met_by(capabilities)]
        return f"not declared: {', '.join(unmet)}" if unmet else ""


_registered: dict[str, Check] = {}


def check(
    name: str,
    *,
    rule: str,
    must: bool = True,
    requires: Sequence[Need] = (),
    cursors: bool = False,
    kills: Sequence[str] = (),
    level: Level = Level.CORE,
    since: str = "0.1",
) -> Callable[[Callable[[Case], Awaitable[None]]], Callable[[Case], Awaitable[None]]]:
    """Register a coroutine that takes a ``Case`` as the check *name*."""

    def register(play: Callable[[Case], Awaitable[None]]) -> Callable[[Case], Awaitable[None]]:
        made = Check(
            name,
            rule,
            inspect.getdoc(play) or "",
            play,
            must,
            tuple(requires),
            cursors,
            tuple(kills),
            level,
            since,
        )
        known = _registered.setdefault(name, made)
        if known is not made and known.play.__qualname__ != play.__qualname__:
            raise ValueError(f"two checks are named {name}")
        return play

    return register


def all_checks() -> list[Check]:
    """Return every check, in the order of the report."""
    for module in MODULES:
        importlib.import_module(f"strandlog_conformance.scenarios.{module}")
    places = {f"strandlog_conformance.scenarios.{name}": i for i, name in enumerate(MODULES)}
    # Sorting is stable: inside a module the checks stay as they were written.
    return sorted(_registered.values(), key=lambda one: places.get(one.play.__module__, 0))


def select(
    checks: Iterable[Check], *, only: Sequence[str] = (), level: Level = Level.ALL
) -> list[Check]:
    """Return the checks up to *level* whose id fits one of the patterns in *only*."""
    ranks = list(Level)
    return [
        one
        for one in checks
        if ranks.index(one.level) <= ranks.index(level)
        and (not only or any(fnmatchcase(one.id, pattern) for pattern in only))
    ]


def manifest_hash(checks: Iterable[Check]) -> str:
    """Return the hash that says which checks a report is about."""
    lines = sorted(
        f"{one.id}|{one.must}|{one.level.value}|{one.since}|"
        f"{','.join(need.name for need in one.requires)}"
        for one in checks
    )
    return sha256("\n".join(lines).encode()).hexdigest()
