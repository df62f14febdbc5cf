"""The history checker: sound histories pass, and each kind of contradiction is found and shown."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from strandlog import Identity, VersionVector
from strandlog.errors import ForkError
from strandlog_conformance.expect import CheckFailed, attempt
from strandlog_conformance.history import FOREVER, Change, Fate, Key, Kind, Look, violations
from strandlog_conformance.recording import History, RecordedCursor, RecordedLog
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.samples import entry, series

A, B = Key(Kind.TOP, "a"), Key(Kind.TOP, "b")
MASKED = Key(Kind.MASK, "a", 2)


def wrote(
    began: int, ended: int, covers: Mapping[Key, int], fate: Fate = Fate.ACKNOWLEDGED
) -> Change:
    return Change("writer", f"append {began}", began, ended, covers, fate)


def saw(began: int, ended: int, found: Mapping[Key, int], opener: str = "first") -> Look:
    return Look("reader", opener, f"read {began}", began, ended, found)


def found(changes: list[Change], looks: list[Look]) -> list[tuple[str, str, str, str]]:
    return [
        (one.earlier.call, one.later.call, one.got, one.want) for one in violations(changes, looks)
    ]


SOUND = {
    "one after the other": (
        [wrote(1, 2, {A: 1}), wrote(5, 6, {A: 2})],
        [saw(3, 4, {A: 1}), saw(7, 8, {A: 2})],
    ),
    "beside a write both answers are right": (
        [wrote(1, 9, {A: 1})],
        [saw(2, 3, {}), saw(4, 5, {A: 1})],
    ),
    "what was cut off may be there": (
        [wrote(1, FOREVER, {A: 1}, Fate.UNKNOWN)],
        [saw(2, 3, {}), saw(4, 5, {A: 1})],
    ),
    "what was cut off may never be there": (
        [wrote(1, FOREVER, {A: 1}, Fate.UNKNOWN)],
        [saw(2, 3, {}), saw(40, 50, {})],
    ),
    "another opener may be behind while nothing is acknowledged": (
        [wrote(1, 9, {A: 1})],
        [saw(2, 3, {A: 1}), saw(4, 5, {}, "second")],
    ),
    "batches that overlap are each whole": (
        [wrote(1, 2, {A: 3}), wrote(1, 9, {A: 5, B: 1})],
        [saw(3, 4, {A: 3}), saw(5, 6, {A: 5, B: 1})],
    ),
    "what is not shown is not known": (
        [wrote(1, 2, {B: 1, MASKED: 1})],
        [saw(3, 4, {B: 1})],
    ),
}


@pytest.mark.parametrize("name", SOUND)
def test_sound_history_has_no_violation(name: str) -> None:
    changes, looks = SOUND[name]

    assert found(changes, looks) == []


def test_acknowledged_change_that_a_later_look_lacks() -> None:
    lost = [wrote(1, 2, {A: 1}), wrote(3, 4, {A: 2})], [saw(5, 6, {A: 1})]

    assert found(*lost) == [("append 3", "read 5", "a at 1", "a at 2, acknowledged before")]


def test_batch_of_which_a_look_shows_a_part() -> None:
    torn = [wrote(1, 9, {A: 5, B: 2})], [saw(2, 3, {A: 5})]

    assert found(*torn) == [("append 1", "read 2", "a at 5, b at 0", "all of it or nothing")]


def test_batch_that_is_cut_in_the_middle_of_a_device() -> None:
    torn = [wrote(1, 9, {A: 5})], [saw(2, 3, {A: 3})]

    assert found(*torn) == [("append 1", "read 2", "a at 3", "all of it or nothing")]


def test_redaction_that_is_there_before_its_effect() -> None:
    torn = [wrote(1, 9, {B: 1, MASKED: 1})], [saw(2, 3, {B: 1, MASKED: 0})]

    [(_, _, got, want)] = found(*torn)
    assert (got, want) == ("b at 1, a 2 with its content", "all of it or nothing")


def test_number_that_nobody_had_begun_to_write() -> None:
    early = [wrote(5, 6, {A: 1})], [saw(1, 2, {A: 1})]

    assert found(*early) == [("append 5", "read 1", "a at 1", "what somebody had begun to write")]


def test_refused_change_that_shows_nevertheless() -> None:
    kept = [wrote(1, 2, {A: 1}, Fate.REFUSED)], [saw(3, 4, {A: 1})]

    assert found(*kept) == [("read 3", "read 3", "a at 1", "what somebody had begun to write")]


def test_change_that_shows_without_what_was_acknowledged_before_it_began() -> None:
    """The look itself began before either of them, so only their own order convicts it."""
    swapped = [wrote(2, 3, {A: 1}), wrote(4, 5, {B: 1})], [saw(1, 6, {B: 1})]

    assert found(*swapped) == [
        (
            "append 2",
            "read 1",
            "a at 0, but all of append 4",
            "a at 1, acknowledged before that began",
        )
    ]


def test_opener_that_shows_less_than_before() -> None:
    back = [wrote(1, 9, {A: 1})], [saw(2, 3, {A: 1}), saw(4, 5, {})]

    assert found(*back) == [("read 2", "read 4", "a at 0", "a at 1, as first showed before")]


def test_shortest_pair_comes_first_with_its_times() -> None:
    """Of ten reads that miss an entry, the one right after it tells most."""
    changes = [wrote(1_000_000, 2_000_000, {A: 1})]
    late = [saw(n * 1_000_000, n * 1_000_000 + 500_000, {}) for n in range(12, 2, -1)]

    first = violations(changes, late)[0]
    assert first.words(1_000_000) == (
        "read 3000000 by reader (2.000 to 2.500 ms)",
        "a at 0",
        "a at 1, acknowledged before: append 1000000 by writer (0.000 to 1.000 ms)",
    )


class Ticks:
    """A clock that moves on by one each time it is asked."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def history() -> History:
    return History(Ticks())


@pytest.fixture
def log(shelf: Shelf, history: History) -> RecordedLog:
    store = ReferenceLogStore(shelf)
    return RecordedLog(history, store, "alice", by="writer", opener="first")


@pytest.mark.anyio
async def test_calls_of_a_sound_store_fit_together(
    log: RecordedLog, history: History, shelf: Shelf
) -> None:
    """Appends, a redaction, a trim, a refusal, pages both ways, and a cursor."""
    await log.append(series("a", 1, 5) + series("b", 1, 2))
    await log.append([entry("b", 3, at=90, redacts=Identity("a", 2)), *series("a", 4, 5)])
    await log.trim("a", up_to=1)
    refusal = await attempt(log.append([entry("a", 2, content=b"0")]))
    page = await log.read(limit=3)
    await log.read(page.upto, limit=99)
    await log.read_range(after=page.entries[0].seq, limit=2, reverse=True)
    await log.tops()
    cursors = ReferenceCursorStore(shelf)
    cursor = RecordedCursor(History(Ticks()), cursors, "alice", "r", by="x", opener="first")
    await cursor.advance(VersionVector({"a": 1}))

    history.check()
    assert (type(refusal), page.more) == (ForkError, True)
    assert await cursor.load() == await cursor.readers() == VersionVector({"a": 1})


@pytest.mark.anyio
async def test_failure_names_both_calls_and_their_times(
    log: RecordedLog, history: History, shelf: Shelf
) -> None:
    await log.append(series("a", 1, 2))
    shelf.logs.clear()
    await log.read(limit=9)

    with pytest.raises(CheckFailed) as failed:
        history.check()

    assert str(failed.value) == (
        "read(after={}, limit=9) by writer (2.000 to 3.000 ms): got a at 0, want a at 2,"
        " acknowledged before: append(a …2) by writer (0.000 to 1.000 ms) (2 such pairs in all)"
    )


@pytest.mark.anyio
async def test_page_without_an_entry_that_its_tops_promise(
    log: RecordedLog, history: History, shelf: Shelf
) -> None:
    await log.append(series("a", 1, 3))
    del shelf.logs["alice"].entries[Identity("a", 2)]
    await log.read(limit=9)

    with pytest.raises(CheckFailed, match="the entries of read"):
        history.check()


@pytest.mark.anyio
async def test_two_entries_acknowledged_under_one_identity(
    log: RecordedLog, history: History, shelf: Shelf
) -> None:
    await log.append(series("a", 1, 1))
    shelf.logs.clear()
    await log.append([entry("a", 1, content=b"0")])

    with pytest.raises(CheckFailed, match="2 different entries, all acknowledged"):
        history.check()


@pytest.mark.anyio
async def test_entry_that_two_appends_say_they_added(
    log: RecordedLog, history: History, shelf: Shelf
) -> None:
    await log.append(series("a", 1, 1))
    shelf.logs.clear()
    await log.append(series("a", 1, 1))

    with pytest.raises(CheckFailed, match="added of all appends together"):
        history.check()


@pytest.mark.anyio
async def test_cursor_that_forgets(shelf: Shelf, history: History) -> None:
    cursor = RecordedCursor(
        history, ReferenceCursorStore(shelf), "alice", "r", by="x", opener="first"
    )
    await cursor.advance(VersionVector({"a": 4}))
    shelf.cursors.clear()
    await cursor.load()

    with pytest.raises(CheckFailed, match=r"load .* got a at 0, want a at 4"):
        history.check()
