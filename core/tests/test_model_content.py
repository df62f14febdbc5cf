"""Content: exactly one JSON value in strict UTF-8; the table is in the golden vectors."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandlog.errors import InvalidContentError
from strandlog.model import check_content

leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.text('"\\[]{}a')
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text('"\\[]{}a'), inner)
)
# Each puts one level around a value, some beside strings that look like brackets.
wrappings: list[Callable[[str], str]] = [
    lambda inner: f"[{inner}]",
    lambda inner: f'{{"k":{inner}}}',
    lambda inner: f'["[[[{{",{inner},"]"]',
    lambda inner: f'{{"\\\\":"\\"[","]":{inner}}}',
    lambda inner: f'[[],"\\\\\\"{{",{{}},{inner},"\\\\"]',
]


@given(values, st.booleans(), st.sampled_from([None, 1]))
def test_every_json_value_is_taken_as_it_is(
    value: object, ascii_only: bool, indent: int | None
) -> None:
    content = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()

    assert check_content(content) is content


@given(st.lists(st.sampled_from(wrappings), min_size=125, max_size=129))
def test_128_levels_are_taken_and_one_more_is_not(around: list[Callable[[str], str]]) -> None:
    text = "[]"
    for wrap in around:
        text = wrap(text)
    if 1 + len(around) <= 128:
        assert check_content(text.encode()) == text.encode()
        return
    with pytest.raises(InvalidContentError, match="deeper than 128 levels"):
        check_content(text.encode())


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"[" * 100_000, id="unclosed lists"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="lists"),
        pytest.param(b'{"a":' * 100_000 + b"0" + b"}" * 100_000, id="objects"),
    ],
)
def test_a_hundred_thousand_levels_are_refused_like_129(content: bytes) -> None:
    """Not by a RecursionError, which would end the connection of whoever sends that."""
    with pytest.raises(InvalidContentError, match="deeper than 128 levels"):
        check_content(content)


def test_an_unclosed_string_of_escapes_is_refused_in_one_pass() -> None:
    """Looking for the end of the string from each of its quotes would take minutes."""
    with pytest.raises(InvalidContentError):
        check_content(b"[" * 200 + b'"' + rb"\"" * 130_000)


@given(st.binary())
def test_any_other_bytes_are_refused_by_the_same_error(content: bytes) -> None:
    try:
        json.loads(content.decode())
    except ValueError:
        with pytest.raises(InvalidContentError):
            check_content(content)


@pytest.mark.parametrize("content", [b"", b"\xff", b" 1", b"[" * 129 + b"]" * 129])
def test_the_error_says_what_was_looked_at(content: bytes) -> None:
    with pytest.raises(InvalidContentError, match=r"^meta "):
        check_content(content, what="meta")
