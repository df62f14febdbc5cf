"""Seqs: their text, their order, and what is none."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from strandlog import Seq
from strandlog.errors import InvalidNameError, InvalidSeqError
from strandlog.model import COUNTER_MAX, TIMESTAMP_MAX

devices = st.from_regex(r"[A-Za-z0-9._~-]{1,64}", fullmatch=True).filter(
    lambda name: name not in (".", "..")
)
# Close together, so that ties in one part are common.
seqs = st.builds(
    Seq,
    st.sampled_from([0, 9, 10, 99, 100, TIMESTAMP_MAX]) | st.integers(0, TIMESTAMP_MAX),
    st.sampled_from([1, 9, 10, COUNTER_MAX]) | st.integers(1, COUNTER_MAX),
    st.sampled_from(["A", "a", "a.b", "a-b", "a~b", "ab", "~"]) | devices,
)


def test_encode_pads_to_15_and_12_digits() -> None:
    assert Seq(1710763200000, 3, "laptop").encode() == "001710763200000:000000000003:laptop"


@pytest.mark.parametrize(
    "text",
    [
        "1710763200000:3:laptop",
        "001710763200000:000000000003:laptop",
        "01710763200000:3:laptop",
        "1710763200000:0003:laptop",
    ],
)
def test_zeros_in_front_make_no_difference(text: str) -> None:
    assert Seq.parse(text) == Seq(1710763200000, 3, "laptop")


def test_the_greatest_numbers_are_seqs() -> None:
    greatest = Seq(999_999_999_999_999, 999_999_999_999, "laptop")

    assert Seq.parse("999999999999999:999999999999:laptop") == greatest


@given(seqs)
def test_parse_undoes_encode(seq: Seq) -> None:
    assert Seq.parse(seq.encode()) == seq


@given(seqs, seqs)
def test_strings_compare_byte_by_byte_as_seqs_do(one: Seq, other: Seq) -> None:
    assert (one < other) == (one.encode().encode() < other.encode().encode())
    assert (one == other) == (one.encode() == other.encode())


@given(
    st.text("0123456789:a.+-_ \n\0\u0663\u00b2\uff11e", max_size=40)
    | st.from_regex(r"[0-9]{0,17}:[0-9]{0,14}:[a-z.]{0,3}", fullmatch=True)
)
@example("0:1:a")
def test_a_text_is_a_seq_by_the_grammar_or_refused(text: str) -> None:
    """int() alone would take signs, spaces, underscores and other alphabets' digits."""
    match = re.fullmatch(r"0*(\d{1,15}):0*([1-9]\d{0,11}):([\w.~-]{1,64})", text, re.ASCII)
    widths = re.match(r"\d{1,15}:\d{1,12}:", text, re.ASCII)
    if match and widths and match[3] not in (".", ".."):
        assert Seq.parse(text) == Seq(int(match[1]), int(match[2]), match[3])
        return
    with pytest.raises(InvalidSeqError):
        Seq.parse(text)


@pytest.mark.parametrize("timestamp", [-1, 10**15, 1.0, True, "1", None])
def test_a_timestamp_has_a_range(timestamp: Any) -> None:
    with pytest.raises(InvalidSeqError):
        Seq(timestamp, 1, "laptop")


@pytest.mark.parametrize("counter", [-1, 0, 10**12, 1.0, True, "1", None])
def test_a_counter_has_a_range_and_begins_at_1(counter: Any) -> None:
    with pytest.raises(InvalidSeqError):
        Seq(0, counter, "laptop")


def test_a_seq_of_a_hostile_device_is_not_built() -> None:
    with pytest.raises(InvalidNameError):
        Seq(0, 1, "lap/top")


def test_a_refused_text_is_cut_in_the_message() -> None:
    """A peer may send a seq of a megabyte, and has the message sent back."""
    with pytest.raises(InvalidSeqError) as refused:
        Seq.parse("1:1:" + "\0" * 1_000_000)

    assert len(str(refused.value)) < 1000
