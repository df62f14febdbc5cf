"""Where reference stores keep things: locations that several openers share."""

from __future__ import annotations

import secrets
from asyncio import Queue
from copy import copy
from dataclasses import dataclass, field

from anyio.lowlevel import checkpoint

from strandlog import Entry, Identity, VersionVector
from strandlog.errors import StoreClosedError

__all__ = ["Closing", "KeptLog", "Shelf", "clear", "shelf"]


@dataclass(slots=True)
class KeptLog:
    """One log as it is kept.

    Attributes:
        entries: What is held; the content of redacted ones is gone.
        covered: The top of each device.
        floors: The floor of each device.
        masks: Which entry (first) is redacted by which (second).
        erased: Whether its tombstone stands.
        generation: How often it was erased.
    """

    entries: dict[Identity, Entry] = field(default_factory=dict)
    covered: dict[str, int] = field(default_factory=dict)
    floors: dict[str, int] = field(default_factory=dict)
    masks: set[tuple[Identity, Identity]] = field(default_factory=set)
    erased: bool = False
    generation: int = 0

    def copied(self) -> KeptLog:
        """Return a copy that shares nothing which changes."""
        return KeptLog(
            copy(self.entries),
            copy(self.covered),
            copy(self.floors),
            copy(self.masks),
            self.erased,
            self.generation,
        )


class Shelf:
    """A location: what all of its openers share."""

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(8)
        self.logs: dict[str, KeptLog] = {}
        self.cursors: dict[tuple[str, str], VersionVector] = {}
        self.listeners: list[Queue[str | None]] = []


class Closing:
    """A store that answers until it is closed, with one pause in each call."""

    def __init__(self) -> None:
        self.closed = False

    async def turn(self) -> None:
        """Let other tasks run; then refuse if the store is closed."""
        self.refuse_if_closed()
        await checkpoint()
        self.refuse_if_closed()

    def refuse_if_closed(self) -> None:
        if self.closed:
            raise StoreClosedError("this store is closed")

    async def close(self) -> None:
        self.closed = True


_shelves: dict[str, Shelf] = {}


def shelf(name: str) -> Shelf:
    """Return the shelf of that name; one that does not exist yet is made."""
    return _shelves.setdefault(name, Shelf())


def clear(name: str) -> None:
    """Forget a shelf."""
    _shelves.pop(name, None)
