"""Stores whose calls are written down with their times, to be judged when all is over."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from strandlog import Appended, Entry, Page, Seq, VersionVector
from strandlog.backend import CursorStore, LogStore
from strandlog.errors import AppendError
from strandlog_conformance.expect import CheckFailed, fail, same
from strandlog_conformance.history import (
    FOREVER,
    Change,
    Fate,
    Key,
    Kind,
    Look,
    timed,
    violations,
)
from strandlog_conformance.samples import NOTHING, UNBOUNDED, in_order, tops_of

__all__ = ["History", "RecordedCursor", "RecordedLog"]

_ALL_OF_A_PAGE = frozenset({Kind.TOP, Kind.FLOOR})


@dataclass(frozen=True, slots=True)
class _Reading:
    """A page, and which entries of a log it was asked for."""

    look: Look
    page: Page
    due: Callable[[Entry], bool]
    limit: int
    after: VersionVector | None = None
    reverse: bool = False


class History:
    """Every call that many callers made of one log, or of one cursor.

    Attributes:
        changes: What they changed.
        looks: What they saw.
    """

    def __init__(self, clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.changes: list[Change] = []
        self.looks: list[Look] = []
        self.clock = clock
        self._written: dict[tuple[str, int], list[tuple[Fate, Entry]]] = {}
        self._answers: list[tuple[Change, Appended, int]] = []
        self._readings: list[_Reading] = []

    def note_append(
        self, by: str, began: int, ended: int, entries: Sequence[Entry], outcome: object
    ) -> None:
        """Write down an append; *outcome* is what it returned or raised."""
        fate = Fate.UNKNOWN
        if isinstance(outcome, Appended):
            fate = Fate.ACKNOWLEDGED
        elif isinstance(outcome, AppendError):
            fate = Fate.REFUSED
        covers = _tops(tops_of(entries))
        covers |= {
            Key(Kind.MASK, one.redacts.device, one.redacts.counter): 1
            for one in entries
            if one.redacts
        }
        text = ", ".join(f"{name} …{top}" for name, top in tops_of(entries).items())
        known = ended if fate is not Fate.UNKNOWN else FOREVER
        change = Change(by, f"append({text})", began, known, covers, fate)
        self.changes.append(change)
        if isinstance(outcome, Appended):
            self._answers.append((change, outcome, len(entries)))
        for one in entries:
            self._written.setdefault((one.device, one.counter), []).append((fate, one))

    def note_look(self, look: Look) -> None:
        """Write down what a caller saw."""
        self.looks.append(look)

    def note_page(self, look: Look, reading: _Reading) -> None:
        """Write down a page: its numbers, and that it has to hold what they promise."""
        self.looks.append(look)
        self._readings.append(reading)

    def check(self) -> None:
        """Demand that all of it fits together.

        Raises:
            CheckFailed: Two calls contradict each other; those nearest together are shown.
        """
        began = [one.began for one in self.changes] + [one.began for one in self.looks]
        origin = min(began, default=0)
        found = violations(self.changes, self.looks)
        if found:
            call, got, want = found[0].words(origin)
            raise CheckFailed(call, got, f"{want} ({len(found)} such pairs in all)")
        entries = self._held()
        for reading in self._readings:
            _check_page(reading, entries, origin)
        self._check_answers(origin)

    def _held(self) -> list[Entry]:
        """Return every entry that may be there, in order; of two that differ none is allowed."""
        held: list[Entry] = []
        for place, written in self._written.items():
            sure = {one.digest: one for fate, one in written if fate is Fate.ACKNOWLEDGED}
            maybe = {one.digest: one for fate, one in written if fate is Fate.UNKNOWN}
            if len(sure) > 1:
                fail(
                    f"appends of {place[0]} {place[1]}",
                    got=f"{len(sure)} different entries, all acknowledged",
                    want="one, and ForkError for the others",
                )
            held += list((sure or maybe).values())[:1]
        return in_order(held)

    def _check_answers(self, origin: int) -> None:
        added = 0
        for change, answer, count in self._answers:
            call = timed(change, origin)
            same(answer.added + answer.duplicates, count, f"added and duplicates of {call}")
            added += answer.added
        unsure = any(one.fate is Fate.UNKNOWN for one in self.changes)
        distinct = len(
            [1 for one in self._written.values() if any(f is Fate.ACKNOWLEDGED for f, _ in one)]
        )
        if not unsure:
            same(added, distinct, "added of all appends together, want one for each entry")


class RecordedLog:
    """One caller of one log through one opener."""

    def __init__(
        self, history: History, store: LogStore, user: str, *, by: str, opener: str
    ) -> None:
        self._history = history
        self._store = store
        self._user = user
        self._by = by
        self._opener = opener

    async def append(self, entries: Sequence[Entry]) -> Appended:
        """Append; an error is written down and raised."""
        began = self._history.clock()
        outcome: object = None
        try:
            done = outcome = await self._store.append(self._user, entries)
        except BaseException as error:
            outcome = error
            raise
        finally:
            ended = self._history.clock()
            self._history.note_append(self._by, began, ended, entries, outcome)
        # What it returns is a look, too: at the devices that it named.
        self._look("what append returned", began, ended, _tops(done.tops), frozenset())
        own = tops_of(entries)
        same(done.tops.merge(own), done.tops, f"tops that append of {dict(own)} returned")
        return done

    async def read(
        self,
        after: VersionVector = NOTHING,
        *,
        limit: int,
        scopes: Collection[str] | None = None,
    ) -> Page:
        began = self._history.clock()
        page = await self._store.read(
            self._user, after=after, scopes=scopes, limit=limit, max_bytes=UNBOUNDED
        )
        call = f"read(after={dict(after)}, limit={limit})"
        self._page(
            call,
            began,
            page,
            lambda one: one.counter > after[one.device] and (not scopes or one.scope in scopes),
            limit,
            after=after,
        )
        return page

    async def read_range(
        self,
        *,
        after: Seq | None = None,
        up_to: Seq | None = None,
        limit: int,
        reverse: bool = False,
    ) -> Page:
        began = self._history.clock()
        page = await self._store.read_range(
            self._user, after=after, up_to=up_to, limit=limit, reverse=reverse
        )
        self._page(
            f"read_range(after={after}, up_to={up_to}, limit={limit}, reverse={reverse})",
            began,
            page,
            lambda one: (after is None or one.seq > after) and (up_to is None or one.seq <= up_to),
            limit,
            reverse=reverse,
        )
        return page

    async def tops(self) -> VersionVector:
        began = self._history.clock()
        tops = await self._store.tops(self._user)
        self._look("tops", began, self._history.clock(), _tops(tops), frozenset({Kind.TOP}))
        return tops

    async def trim(self, device: str, *, up_to: int) -> VersionVector:
        """Trim; the floors that it returns are a look, and its own one is what it changed."""
        began = self._history.clock()
        floors = await self._store.trim(self._user, device, up_to=up_to)
        ended = self._history.clock()
        found = _floors(floors)
        own = {key: least for key, least in found.items() if key.device == device}
        call = f"trim({device}, up_to={up_to})"
        self._history.changes.append(Change(self._by, call, began, ended, own))
        self._look(f"what {call} returned", began, ended, found, frozenset({Kind.FLOOR}))
        return floors

    def _look(
        self, call: str, began: int, ended: int, found: Mapping[Key, int], kinds: frozenset[Kind]
    ) -> None:
        look = Look(self._by, self._opener, call, began, ended, found, kinds)
        self._history.note_look(look)

    def _page(
        self,
        call: str,
        began: int,
        page: Page,
        due: Callable[[Entry], bool],
        limit: int,
        *,
        after: VersionVector | None = None,
        reverse: bool = False,
    ) -> None:
        found = {**_tops(page.tops), **_floors(page.floor)}
        # Complete only for what it shows: of other entries nobody learns what became of them.
        found |= {
            Key(Kind.MASK, one.device, one.counter): int(one.content is None)
            for one in page.entries
        }
        ended = self._history.clock()
        look = Look(self._by, self._opener, call, began, ended, found, _ALL_OF_A_PAGE)
        reading = _Reading(look, page, due, limit, after, reverse)
        self._history.note_page(look, reading)


class RecordedCursor:
    """One caller of one reader's cursor through one opener."""

    def __init__(
        self, history: History, store: CursorStore, user: str, reader: str, *, by: str, opener: str
    ) -> None:
        self._history = history
        self._store = store
        self._user = user
        self._reader = reader
        self._by = by
        self._opener = opener

    async def advance(self, vector: VersionVector) -> VersionVector:
        began = self._history.clock()
        found = await self._store.advance(self._user, self._reader, vector)
        ended = self._history.clock()
        call = f"advance({dict(vector)})"
        self._history.changes.append(Change(self._by, call, began, ended, _tops(vector)))
        self._look(f"what {call} returned", began, found)
        same(found.merge(vector), found, f"the cursor that {call} returned")
        return found

    async def load(self) -> VersionVector:
        began = self._history.clock()
        found = await self._store.load(self._user, self._reader)
        self._look("load", began, found)
        return found

    async def readers(self) -> VersionVector:
        """Return the cursor as the list of all readers has it."""
        began = self._history.clock()
        listed = (await self._store.readers(self._user)).get(self._reader, NOTHING)
        self._look("readers", began, listed)
        return listed

    def _look(self, call: str, began: int, found: VersionVector) -> None:
        ended = self._history.clock()
        look = Look(self._by, self._opener, call, began, ended, _tops(found), frozenset({Kind.TOP}))
        self._history.note_look(look)


def _check_page(reading: _Reading, entries: Iterable[Entry], origin: int) -> None:
    """Demand that a page holds the entries up to its tops, and says rightly if there are more."""
    page = reading.page
    due = [
        one
        for one in entries
        if page.floor[one.device] < one.counter <= page.tops[one.device] and reading.due(one)
    ]
    if reading.reverse:
        due.reverse()
    call = timed(reading.look, origin)
    want = [_envelope(one) for one in due[: reading.limit]]
    same([_envelope(one) for one in page.entries], want, f"the entries of {call}")
    same(page.more, len(due) > reading.limit, f"more of {call}")
    if reading.after is not None:
        reached = {one.device: one.counter for one in page.entries}
        if not page.more:
            reached = {device: page.tops[device] for device in {*page.tops, *reading.after}}
        same(page.upto, reading.after.replace(reached), f"upto of {call}")


def _envelope(one: Entry) -> str:
    return f"{one.seq} {one.scope} #{one.digest}"


def _tops(vector: VersionVector) -> dict[Key, int]:
    return {Key(Kind.TOP, device): counter for device, counter in vector.items()}


def _floors(vector: VersionVector) -> dict[Key, int]:
    return {Key(Kind.FLOOR, device): counter for device, counter in vector.items()}
