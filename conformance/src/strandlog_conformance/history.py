"""Whether what many callers saw at once can have happened one call after the other.

In the contract a counter gives the place of an entry, so the order of a history
need not be searched for: every look shows how far each device had come, and that
has to fit the changes which were under way. Pure: times come with the calls.
"""

from __future__ import annotations

import enum
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

__all__ = ["FOREVER", "Change", "Fate", "Key", "Kind", "Look", "Violation", "violations"]

FOREVER = 1 << 80
"""When a call ended of which nobody knows whether it did."""

_NANOS_PER_MILLI = 1_000_000


class Kind(enum.Enum):
    """What a number of a history counts; none of them ever falls."""

    TOP = "top"  # the greatest counter of a device
    FLOOR = "floor"  # up to where a device was trimmed
    MASK = "mask"  # 1 if an entry has lost its content


class Key(NamedTuple):
    """One number of a log, or of a cursor."""

    kind: Kind
    device: str
    counter: int = 0

    def __str__(self) -> str:
        if self.kind is Kind.MASK:
            return f"content of {self.device} {self.counter}"
        return self.device if self.kind is Kind.TOP else f"floor of {self.device}"

    def at(self, value: int) -> str:
        """Return in words that the number is *value*."""
        if self.kind is Kind.MASK:
            return f"{self.device} {self.counter} {'without' if value else 'with'} its content"
        return f"{self} at {value}"


class Fate(enum.Enum):
    """What became of a change."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    UNKNOWN = "unknown"  # cancelled or cut off: it may be there or not


@dataclass(frozen=True, slots=True)
class Change:
    """One call that changes something, all of it at once.

    Attributes:
        by: Whose call it was.
        call: What was asked, in words.
        began: When, in nanoseconds of any clock that all calls were timed with.
        ended: When; ``FOREVER`` if that is not known.
        covers: The numbers that it leads to.
        fate: What became of it.
    """

    by: str
    call: str
    began: int
    ended: int
    covers: Mapping[Key, int]
    fate: Fate = Fate.ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Look:
    """One call that shows numbers, all of one moment.

    Attributes:
        by: Whose call it was.
        opener: Through which opener: each by itself never goes back.
        call: What was asked, in words.
        began: When.
        ended: When.
        found: The numbers that it showed.
        complete: The kinds of which it showed all: what is not found is 0.
    """

    by: str
    opener: str
    call: str
    began: int
    ended: int
    found: Mapping[Key, int]
    complete: frozenset[Kind] = frozenset({Kind.TOP})

    def value(self, key: Key) -> int | None:
        """Return a number as it was shown; ``None`` if it was not."""
        known = self.found.get(key)
        return 0 if known is None and key.kind in self.complete else known

    def shows(self, change: Change) -> bool:
        """Return whether nothing of *change* is missing here, as far as one can see."""
        return all(_reaches(self.value(key), least) for key, least in change.covers.items())


@dataclass(frozen=True, slots=True)
class Violation:
    """Two calls that do not fit together.

    Attributes:
        earlier: What had happened.
        later: What was shown nevertheless.
        got: What was shown, in words.
        want: What had to be shown, and why.
    """

    earlier: Change | Look
    later: Look
    got: str
    want: str

    @property
    def span(self) -> int:
        """How long both took together, in nanoseconds."""
        first = min(self.earlier.began, self.later.began)
        ends = [one.ended for one in (self.earlier, self.later) if one.ended < FOREVER]
        return max(ends) - first

    def words(self, origin: int) -> tuple[str, str, str]:
        """Return the later call, what it showed and what was wanted, with times after *origin*."""
        return (
            timed(self.later, origin),
            self.got,
            f"{self.want}: {timed(self.earlier, origin)}",
        )


def timed(call: Change | Look, origin: int) -> str:
    """Return a call in words, with its times in milliseconds after *origin*."""
    began = f"{(call.began - origin) / _NANOS_PER_MILLI:.3f}"
    ended = "?" if call.ended >= FOREVER else f"{(call.ended - origin) / _NANOS_PER_MILLI:.3f}"
    return f"{call.call} by {call.by} ({began} to {ended} ms)"


def violations(changes: Sequence[Change], looks: Sequence[Look]) -> list[Violation]:
    """Return the calls that cannot all be true, those that lie nearest together first.

    Each look has to show what was acknowledged before it began, nothing that nobody
    had begun to write, every change whole or not at all, no change without those
    that were acknowledged before it began, and never less than an earlier look
    through the same opener.
    """
    found: list[Violation] = []
    acknowledged = _Progress()
    for change in sorted(changes, key=attrgetter("ended")):
        if change.fate is Fate.ACKNOWLEDGED:
            acknowledged.add(change, change.covers)
    writers = _Writers(change for change in changes if change.fate is not Fate.REFUSED)
    seen: dict[str, _Progress] = defaultdict(_Progress)
    for look in sorted(looks, key=attrgetter("ended")):
        seen[look.opener].add(look, look.found)
    for look in looks:
        found += _unexplained(look, writers)
        found += _missing(look, acknowledged, writers)
        found += _gone_back(look, seen[look.opener])
    return sorted(found, key=attrgetter("span"))


@dataclass(slots=True)
class _Row:
    """How far one number had come, by the time at which that was known."""

    ends: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    calls: list[Change | Look] = field(default_factory=list)


class _Progress:
    """How far every number had come at any time; calls are added by their end."""

    def __init__(self) -> None:
        self._rows: dict[Key, _Row] = defaultdict(_Row)

    def add(self, call: Change | Look, numbers: Mapping[Key, int]) -> None:
        for key, value in numbers.items():
            row = self._rows[key]
            if value > (row.values[-1] if row.values else 0):
                row.ends.append(call.ended)
                row.values.append(value)
                row.calls.append(call)

    def lacking(self, look: Look, before: int) -> Iterable[tuple[Key, int, int, Change | Look]]:
        """Yield each number that was known to be greater, by calls that ended *before*."""
        for key, row in self._rows.items():
            at = bisect_left(row.ends, before) - 1
            shown = look.value(key)
            if at >= 0 and not _reaches(shown, row.values[at]):
                yield key, shown or 0, row.values[at], row.calls[at]


class _Writers:
    """Who led to which number."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._by_end: dict[tuple[Key, int], list[Change]] = defaultdict(list)
        self._by_key: dict[Key, list[Change]] = defaultdict(list)
        for change in sorted(changes, key=attrgetter("began")):
            for key, value in change.covers.items():
                self._by_end[key, value].append(change)
                self._by_key[key].append(change)

    def explaining(self, look: Look, key: Key, value: int) -> Change | None:
        """Return the first change that led to a number and is shown whole."""
        for change in self._by_end.get((key, value), ()):
            if change.began < look.ended and look.shows(change):
                return change
        return None

    def torn(self, look: Look, key: Key, value: int) -> Change | None:
        """Return a change that had begun and that must have led there, though not whole."""
        begun = [one for one in self._by_key.get(key, ()) if one.began < look.ended]
        over = [one for one in begun if one.covers[key] >= value]
        return min(over, key=lambda one: one.covers[key], default=None)

    def nearest(self, key: Key) -> Change | None:
        return next(iter(self._by_key.get(key, ())), None)


def _unexplained(look: Look, writers: _Writers) -> Iterable[Violation]:
    for key, value in look.found.items():
        if value == 0 or writers.explaining(look, key, value) is not None:
            continue
        torn = writers.torn(look, key, value)
        if torn is not None:
            parts = [
                one.at(look.value(one) or 0)
                for one, least in torn.covers.items()
                if look.value(one) != least
            ]
            got = ", ".join(dict.fromkeys([key.at(value), *parts]))
            yield Violation(torn, look, got, "all of it or nothing")
        else:
            nearest = writers.nearest(key) or look
            yield Violation(nearest, look, key.at(value), "what somebody had begun to write")


def _missing(look: Look, acknowledged: _Progress, writers: _Writers) -> Iterable[Violation]:
    # What is shown was begun at a time; all that was acknowledged until then came before it.
    shown = [writers.explaining(look, key, value) for key, value in look.found.items() if value]
    newest = max((one for one in shown if one), key=attrgetter("began"), default=None)
    for key, got, want, earlier in acknowledged.lacking(look, look.began):
        why = f"{key.at(want)}, acknowledged before"
        yield Violation(earlier, look, key.at(got), why)
    if newest is not None and newest.began > look.began:
        for key, got, want, earlier in acknowledged.lacking(look, newest.began):
            if earlier.ended >= look.began:
                text = f"{key.at(got)}, but all of {newest.call}"
                why = f"{key.at(want)}, acknowledged before that began"
                yield Violation(earlier, look, text, why)


def _gone_back(look: Look, seen: _Progress) -> Iterable[Violation]:
    for key, got, want, earlier in seen.lacking(look, look.began):
        why = f"{key.at(want)}, as {look.opener} showed before"
        yield Violation(earlier, look, key.at(got), why)


def _reaches(shown: int | None, least: int) -> bool:
    return shown is None or shown >= least
