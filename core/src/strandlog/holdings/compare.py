"""Compares what two stores hold of one log, line by line of their exports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import zip_longest

from strandlog.holdings.export import cursor_lines, entry_line, header_line
from strandlog.holdings.walk import Outline, Stores, entries, outline, side_by_side
from strandlog.model import Entry

__all__ = ["Comparison", "Difference", "compare"]


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing in which two stores differ on one log.

    Attributes:
        text: What it is, in words that name both stores.
        device: Whose entry it is; empty if it is none's.
        counter: Which entry it is; 0 if it is none.
    """

    text: str
    device: str = ""
    counter: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What came of comparing one log.

    Attributes:
        entries: How many entries both hold; only up to the difference, if there is one.
        cursors: How many cursors both hold; likewise.
        sha256: The hash of the part of the export that both agree on: of the whole
            part if there is no difference.
        difference: The first difference, if there is one.
    """

    entries: int
    cursors: int
    sha256: str
    difference: Difference | None


class _Agreed:
    """What both sides have said alike so far."""

    def __init__(self, on_line: Callable[[bytes], None] | None) -> None:
        self.hasher = sha256()
        self.entries = 0
        self.cursors = 0
        self._on_line = on_line

    def add(self, line: bytes) -> None:
        self.hasher.update(line + b"\n")
        if self._on_line is not None:
            self._on_line(line)

    def end(self, difference: Difference | None = None) -> Comparison:
        return Comparison(self.entries, self.cursors, self.hasher.hexdigest(), difference)


async def compare(
    left: Stores,
    right: Stores,
    user: str,
    *,
    names: tuple[str, str],
    on_line: Callable[[bytes], None] | None = None,
) -> Comparison:
    """Compare all that two stores hold of *user*'s log, cursors included.

    Args:
        left: The one side.
        right: The other.
        user: Whose log.
        names: What to call the two in words.
        on_line: Given each line of the export on which both agree.
    """
    agreed = _Agreed(on_line)
    mine, theirs = await outline(left[0], user), await outline(right[0], user)
    if difference := _of_outlines(mine, theirs, names):
        return agreed.end(difference)
    if mine.known:
        agreed.add(header_line(mine))
    for device in mine.tops:
        pairs = side_by_side(entries(left[0], mine, device), entries(right[0], theirs, device))
        if difference := await _of_entries(pairs, device, names, agreed):
            return agreed.end(difference)
    lines = await cursor_lines(left[1], user), await cursor_lines(right[1], user)
    return agreed.end(_of_cursors(*lines, names, agreed))


def _of_outlines(mine: Outline, theirs: Outline, names: tuple[str, str]) -> Difference | None:
    if mine == theirs:
        return None
    said = [_state(one) for one in (mine, theirs)]
    if said[0] != said[1]:
        return Difference(f"{names[0]} {said[0]} and {names[1]} {said[1]}")
    for device in sorted({*mine.tops, *theirs.tops}):
        for word, here, there in (
            ("covers", mine.tops[device], theirs.tops[device]),
            ("has trimmed", mine.floor[device], theirs.floor[device]),
        ):
            if here != there:
                return Difference(
                    f"{names[0]} {word} {device} up to {here}, {names[1]} up to {there}",
                    device,
                    min(here, there) + 1,
                )
    return None


def _state(log: Outline) -> str:
    if log.erased:
        return "has erased this log"
    return "has this log" if log.tops else "has nothing of this log"


async def _of_entries(
    pairs: AsyncIterator[tuple[Entry | None, Entry | None]],
    device: str,
    names: tuple[str, str],
    agreed: _Agreed,
) -> Difference | None:
    async for mine, theirs in pairs:
        if mine is None or theirs is None:
            counter = (mine or theirs).counter  # type: ignore[union-attr]  # one of them is there
            has, lacks = names if theirs is None else reversed(names)
            return Difference(f"{has} has {device} {counter} and {lacks} has not", device, counter)
        line = entry_line(mine)
        if line != entry_line(theirs):
            return Difference(
                f"{names[0]} has {device} {mine.counter} {_shown(mine)}"
                f" and {names[1]} {_shown(theirs)}",
                device,
                mine.counter,
            )
        agreed.entries += 1
        agreed.add(line)
    return None


def _shown(entry: Entry) -> str:
    without = ", without its content" if entry.redacted else ""
    return f"with digest {entry.digest}{without}"


def _of_cursors(
    mine: Iterable[bytes], theirs: Iterable[bytes], names: tuple[str, str], agreed: _Agreed
) -> Difference | None:
    for here, there in zip_longest(mine, theirs):
        if here != there:
            said = [line.decode() if line else "none" for line in (here, there)]
            return Difference(f"{names[0]} has the cursor {said[0]} where {names[1]} has {said[1]}")
        agreed.cursors += 1
        agreed.add(here)
    return None
