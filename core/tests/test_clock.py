"""The hybrid clock, on wall clocks that misbehave."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from strandlog import HybridClock
from strandlog.clock import MAX_SKEW_MILLIS
from strandlog.model import TIMESTAMP_MAX

HOUR = 60 * 60 * 1000
NOON = 1710763200000
IN_2099 = 4070908800000


class WallClock:
    """A clock on a wall, whose hands the test moves."""

    def __init__(self, millis: int = NOON) -> None:
        self.millis = millis

    def __call__(self) -> int:
        return self.millis


def test_a_good_clock_is_followed() -> None:
    wall = WallClock()
    clock = HybridClock(wall)
    stamps = [clock.stamp()]

    wall.millis += 5000
    stamps.append(clock.stamp())

    assert stamps == [NOON, NOON + 5000]


def test_a_frozen_clock_still_gives_rising_stamps() -> None:
    clock = HybridClock(WallClock())

    assert [clock.stamp() for _ in range(4)] == [NOON, NOON + 1, NOON + 2, NOON + 3]


def test_a_clock_set_back_by_an_hour_gives_rising_stamps() -> None:
    wall = WallClock()
    clock = HybridClock(wall)
    before = clock.stamp()

    wall.millis -= HOUR

    assert clock.stamp() == before + 1


def test_a_device_that_restarts_with_an_older_clock_goes_on_after_its_last_entry() -> None:
    clock = HybridClock(WallClock(NOON - HOUR), last=NOON)

    assert clock.stamp() == NOON + 1


def test_a_reply_sorts_after_what_it_answers() -> None:
    """The other device's clock goes ten minutes fast, and ours is right."""
    question = NOON + HOUR // 6
    clock = HybridClock(WallClock())

    believed = clock.observe(question)

    assert believed
    assert clock.stamp() == question + 1


def test_the_highest_of_what_was_seen_counts() -> None:
    clock = HybridClock(WallClock())

    for seen in (NOON + 20, NOON + 70, NOON + 50):
        clock.observe(seen)

    assert clock.stamp() == NOON + 71


def test_another_device_in_2099_pulls_nobody_there() -> None:
    clock = HybridClock(WallClock())

    believed = clock.observe(IN_2099)

    assert not believed
    assert clock.stamp() == NOON


def test_a_day_ahead_is_believed_and_a_millisecond_more_is_not() -> None:
    clock = HybridClock(WallClock())

    assert [clock.observe(NOON + MAX_SKEW_MILLIS + extra) for extra in (0, 1)] == [True, False]
    assert clock.stamp() == NOON + MAX_SKEW_MILLIS + 1


def test_a_device_that_was_in_2099_itself_stays_after_its_own_entries() -> None:
    """Its stamps must not fall, whatever they were; only others do not follow."""
    wall = WallClock(IN_2099)
    clock = HybridClock(wall)
    clock.stamp()

    wall.millis = NOON

    assert clock.stamp() == IN_2099 + 1


def test_what_was_credible_in_2099_is_not_once_the_clock_is_right() -> None:
    wall = WallClock(IN_2099)
    clock = HybridClock(wall, last=NOON - HOUR)
    clock.observe(IN_2099 + 5)

    wall.millis = NOON

    assert clock.stamp() == NOON


def test_a_stamp_no_longer_believed_hides_no_later_one() -> None:
    """Two stamps were credible, each when it came; only the second still is."""
    wall = WallClock(IN_2099)
    clock = HybridClock(wall)
    clock.observe(IN_2099)
    wall.millis = NOON

    clock.observe(NOON + 50)

    assert clock.stamp() == NOON + 51


def test_at_the_end_of_time_stamps_repeat() -> None:
    clock = HybridClock(WallClock(TIMESTAMP_MAX + 7))

    assert [clock.stamp(), clock.stamp()] == [TIMESTAMP_MAX, TIMESTAMP_MAX]


@given(
    st.lists(
        st.tuples(st.integers(NOON - 10, NOON + 10), st.none() | st.integers(NOON - 9, NOON + 30))
    )
)
def test_stamps_rise_and_follow_what_was_believed(
    moments: list[tuple[int, int | None]],
) -> None:
    wall = WallClock()
    clock = HybridClock(wall, last=NOON - 5, max_skew_millis=15)
    last, believed = NOON - 5, 0
    for now, seen in moments:
        wall.millis = now
        if seen is not None and clock.observe(seen):
            believed = seen
        stamp = clock.stamp()

        assert stamp > last
        assert stamp >= now
        assert stamp > believed or believed > now + 15
        last = stamp
