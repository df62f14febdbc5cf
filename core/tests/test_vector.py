"""Version vectors: the laws of merging and covering."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandlog import VersionVector
from strandlog.errors import InvalidArgumentError

vectors = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 4)).map(VersionVector)


@given(vectors, vectors)
def test_merge_does_not_ask_who_comes_first(one: VersionVector, other: VersionVector) -> None:
    assert one.merge(other) == other.merge(one)


@given(vectors, vectors, vectors)
def test_merge_does_not_ask_in_which_steps(
    one: VersionVector, two: VersionVector, three: VersionVector
) -> None:
    assert one.merge(two).merge(three) == one.merge(two.merge(three))


@given(vectors)
def test_merging_again_changes_nothing(vector: VersionVector) -> None:
    assert vector.merge(vector) == vector.merge({}) == vector


@given(vectors, vectors)
def test_merge_is_the_least_that_covers_both(one: VersionVector, other: VersionVector) -> None:
    merged = one.merge(other)

    assert merged.covers(one)
    assert merged.covers(other)
    assert all(merged[device] in (one[device], other[device]) for device in "abcd")


@given(vectors, vectors)
def test_clamp_is_the_most_that_both_cover(one: VersionVector, other: VersionVector) -> None:
    clamped = one.clamp(other)

    assert {device: clamped[device] for device in "abcd"} == {
        device: min(one[device], other[device]) for device in "abcd"
    }


@given(vectors, vectors, vectors)
def test_covers_is_a_partial_order(
    one: VersionVector, two: VersionVector, three: VersionVector
) -> None:
    assert one.covers(one)
    assert not (one.covers(two) and two.covers(one)) or one == two
    assert not (one.covers(two) and two.covers(three)) or one.covers(three)


def test_neither_of_two_may_cover_the_other() -> None:
    one, other = VersionVector({"phone": 1}), VersionVector({"desk": 1})

    assert (one.covers(other), other.covers(one)) == (False, False)


@given(vectors, vectors)
def test_missing_from_names_exactly_what_the_other_lacks(
    one: VersionVector, other: VersionVector
) -> None:
    missing = {
        (device, counter)
        for device, (first, last) in one.missing_from(other).items()
        for counter in range(first, last + 1)
    }

    assert missing == {
        (device, counter)
        for device in "abcd"
        for counter in range(1, one[device] + 1)
        if counter > other[device]
    }
    assert (not missing) == other.covers(one)


def test_42_and_46_of_52_lack_ten_and_six() -> None:
    tops = VersionVector({"phone": 52, "desk": 52, "laptop": 5})

    assert tops.missing_from({"phone": 42, "desk": 46, "laptop": 5}) == {
        "phone": (43, 52),
        "desk": (47, 52),
    }


@given(vectors, vectors)
def test_replace_takes_the_values_of_the_other_down_as_well(
    one: VersionVector, other: VersionVector
) -> None:
    named = {device: other[device] for device in "ab"}

    replaced = one.replace(named)

    assert {device: replaced[device] for device in "abcd"} == {
        "a": other["a"], "b": other["b"], "c": one["c"], "d": one["d"]
    }  # fmt: skip


def test_an_unknown_device_counts_zero() -> None:
    vector = VersionVector({"phone": 3, "desk": 0})

    assert (vector["desk"], vector["laptop"], "desk" in vector, len(vector)) == (0, 0, False, 1)
    assert vector == VersionVector({"phone": 3}) == {"phone": 3, "laptop": 0}
    assert hash(vector) == hash(VersionVector({"phone": 3}))


def test_devices_come_in_bytewise_order() -> None:
    names = ["~", "a", "_", "Z", "9", ".x", "-"]

    assert list(VersionVector(dict.fromkeys(names, 1))) == ["-", ".x", "9", "Z", "_", "a", "~"]


def test_what_it_was_made_of_may_change_afterwards() -> None:
    counters = {"phone": 3}
    vector = VersionVector(counters)

    counters["phone"] = 4

    assert vector == {"phone": 3}


@pytest.mark.parametrize("counter", [-1, 10**12, 1.0, True, "1", None])
def test_a_counter_is_an_integer_in_its_range(counter: Any) -> None:
    with pytest.raises(InvalidArgumentError):
        VersionVector({"phone": counter})


def test_it_differs_from_what_is_no_vector() -> None:
    assert VersionVector() != 0
    assert VersionVector({"phone": 1}) != [("phone", 1)]
