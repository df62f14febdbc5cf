"""Pages: where they are cut, and what a reader covers after one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandlog import Entry, Page, Seq, VersionVector
from strandlog.page import cut_page

UNLIMITED = 10**9
NOTHING = VersionVector()


def _entry(timestamp: int, device: str, counter: int, size: int = 1) -> Entry:
    return Entry(Seq(timestamp, counter, device), "private", b"1" * size)


# The phone wrote 1 and 2 before and after the desk wrote its 1.
P1, D1, P2, P3 = (
    _entry(10, "phone", 1),
    _entry(20, "desk", 1),
    _entry(30, "phone", 2),
    _entry(40, "phone", 3),
)
ROWS = [P1, D1, P2, P3]
TOPS = VersionVector({"phone": 3, "desk": 1})


def _cut(
    rows: list[Entry] = ROWS,
    *,
    after: VersionVector = NOTHING,
    tops: VersionVector = TOPS,
    limit: int = 9,
    max_bytes: int = UNLIMITED,
    devices: set[str] | None = None,
) -> Page:
    floor = VersionVector({"old": 7})
    return cut_page(
        rows, after=after, tops=tops, floor=floor, limit=limit, max_bytes=max_bytes, devices=devices
    )


def test_a_page_with_all_that_lacks_covers_the_tops() -> None:
    assert _cut() == Page(ROWS, TOPS, False, TOPS, VersionVector({"old": 7}))


def test_a_cut_page_covers_the_last_of_each_device_in_it() -> None:
    page = _cut(limit=3)

    assert (page.entries, page.more) == (ROWS[:3], True)
    assert page.upto == {"phone": 2, "desk": 1}


def test_a_cut_page_leaves_a_device_that_is_not_in_it_where_it_was() -> None:
    tops = VersionVector({"phone": 3, "desk": 9})

    page = _cut([P2, P3], after=VersionVector({"phone": 1, "desk": 4}), tops=tops, limit=1)

    assert page.upto == {"phone": 2, "desk": 4}


def test_exactly_the_limit_is_not_more() -> None:
    assert (_cut(limit=4).more, _cut(limit=3).more) == (False, True)


def test_limit_zero_gives_nothing_and_says_whether_there_is_more() -> None:
    page, none = _cut(limit=0), _cut([], limit=0, tops=NOTHING)

    assert (page.entries, page.upto, page.more) == ([], NOTHING, True)
    assert (none.entries, none.more) == ([], False)


def test_bytes_are_counted_as_messages_of_a_frame() -> None:
    length = sum(entry.wire_length for entry in ROWS[:2])

    assert _cut(max_bytes=length).entries == ROWS[:2]
    assert _cut(max_bytes=length - 1).entries == ROWS[:1]


@pytest.mark.parametrize("max_bytes", [0, 1, 1000])
def test_an_entry_larger_than_the_page_comes_alone(max_bytes: int) -> None:
    """Or else its reader would never get past it."""
    huge = _entry(5, "desk", 1, size=5000)

    page = _cut([huge, P1, P2], max_bytes=max_bytes)

    assert (page.entries, page.more) == ([huge], True)
    assert page.upto == {"desk": 1}


def test_an_entry_larger_than_the_page_does_not_join_one() -> None:
    page = _cut([P1, _entry(15, "desk", 1, size=5000), P2], max_bytes=1000)

    assert (page.entries, page.more) == ([P1], True)


def test_hidden_entries_are_covered_when_nothing_is_left() -> None:
    """A filtered page skips what the reader may not see, and it was looked at all the same."""
    page = _cut([P1], tops=VersionVector({"phone": 3, "desk": 1}))

    assert page.upto == {"phone": 3, "desk": 1}


def test_a_store_that_lost_data_says_so_when_nothing_is_left() -> None:
    """The reader learns that it is ahead, and can offer what it holds."""
    page = _cut([], after=VersionVector({"phone": 9, "gone": 4}), tops=TOPS)

    assert page.upto == {"phone": 3, "desk": 1}


def test_devices_that_were_not_asked_for_stay_as_they_were() -> None:
    after = VersionVector({"phone": 1, "desk": 4, "gone": 2})

    page = _cut([P2, P3], after=after, devices={"phone", "new"})

    assert page.upto == {"phone": 3, "desk": 4, "gone": 2}


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """Draw a log in seq order: inside one device timestamps never fall."""
    entries = []
    for device in draw(st.sets(st.sampled_from(["a", "b", "c"]))):
        timestamps = draw(st.lists(st.integers(0, 6), max_size=6))
        entries += [
            _entry(timestamp, device, counter, size=draw(st.integers(1, 60)))
            for counter, timestamp in enumerate(sorted(timestamps), 1)
        ]
    return sorted(entries, key=lambda entry: entry.seq)


limits = st.tuples(st.integers(1, 5), st.integers(0, 400))


@given(logs(), st.lists(limits, min_size=1), st.sets(st.sampled_from("abc")))
def test_any_cut_of_a_page_is_a_prefix_of_every_device(
    log: list[Entry], cuts: list[tuple[int, int]], seen: set[str]
) -> None:
    """So a reader that goes from page to page by *upto* gets everything once, in order."""
    tops = VersionVector({entry.device: entry.counter for entry in log})
    after = VersionVector({device: tops[device] // 2 for device in seen})
    due = [entry for entry in log if entry.counter > after[entry.device]]
    got: list[Entry] = []
    for turn in range(len(log) + 1):
        limit, max_bytes = cuts[turn % len(cuts)]
        rows = [entry for entry in log if entry.counter > after[entry.device]]
        page = cut_page(
            rows[: limit + 1],
            after=after,
            tops=tops,
            floor=NOTHING,
            limit=limit,
            max_bytes=max_bytes,
        )
        got += page.entries

        assert page.upto.covers(after)
        assert all(entry.counter <= page.upto[entry.device] for entry in page.entries)
        after = page.upto
        if not page.more:
            break

    assert got == due
    assert after == tops
