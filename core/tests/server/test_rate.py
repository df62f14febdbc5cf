"""The token bucket that paces frames and fences."""

from __future__ import annotations

from strandlog.server.rate import TokenBucket


class Clock:
    def __init__(self) -> None:
        self.seconds = 50.0

    def __call__(self) -> float:
        return self.seconds


def test_as_many_as_the_burst_pass_at_once() -> None:
    bucket = TokenBucket(2, 3, clock=Clock())

    assert [bucket.take() for _ in range(4)] == [0, 0, 0, 0.5]


def test_waiting_as_long_as_told_lets_one_pass() -> None:
    clock = Clock()
    bucket = TokenBucket(4, 1, clock=clock)
    bucket.take()
    clock.seconds += bucket.take()

    assert [bucket.take(), bucket.take()] == [0, 0.25]


def test_being_refused_takes_nothing() -> None:
    """Who asks again and again waits no longer than who asks once."""
    clock = Clock()
    bucket = TokenBucket(1, 1, clock=clock)
    bucket.take()
    for _ in range(100):
        bucket.take()
    clock.seconds += 1

    assert bucket.take() == 0


def test_long_silence_saves_up_no_more_than_the_burst() -> None:
    clock = Clock()
    bucket = TokenBucket(1, 2, clock=clock)
    clock.seconds += 1_000_000

    assert [bucket.take() for _ in range(3)] == [0, 0, 1]
