"""What counts as the same, and how a difference reads."""

from __future__ import annotations

import pytest

from strandlog import Page, VersionVector
from strandlog.errors import ForkError, GapError
from strandlog_conformance.expect import CheckFailed, refused, same
from strandlog_conformance.samples import entry, series


@pytest.mark.parametrize(
    ("got", "want"),
    [
        (True, 1),
        (0, False),
        ({"phone": 1}, VersionVector({"phone": 1})),
        (None, ""),
        (b"", None),
        (bytearray(b"x"), b"x"),
        ([1, 2], [1]),
        ([entry("phone", 1)], [entry("phone", 1, scope="friend")]),
        ([entry("phone", 1)], [entry("phone", 1).without_content()]),
    ],
)
def test_what_only_looks_alike_is_not_the_same(got: object, want: object) -> None:
    with pytest.raises(CheckFailed):
        same(got, want, "a call")


@pytest.mark.parametrize(
    ("got", "want"),
    [
        ((1, 2), [1, 2]),
        (VersionVector({"a": 1, "b": 0}), VersionVector({"a": 1})),
        (series("phone", 1, 3), tuple(series("phone", 1, 3))),
    ],
)
def test_what_says_the_same_is_the_same(got: object, want: object) -> None:
    same(got, want, "a call")


def test_a_failure_shows_the_first_place_where_two_pages_differ() -> None:
    nothing, top = VersionVector(), VersionVector({"phone": 3})
    got = Page(series("phone", 1, 3), top, False, top, nothing)
    want = Page([*series("phone", 1, 2), entry("phone", 3, at=31)], top, False, top, nothing)

    with pytest.raises(CheckFailed) as failed:
        same(got, want, "read of all")

    assert failed.value.call == "read of all"
    assert failed.value.got.startswith("at Page.entries[2]: <30:3:phone")
    assert failed.value.want.startswith("at Page.entries[2]: <31:3:phone")


def test_a_failure_of_a_long_list_says_where_an_item_is_missing() -> None:
    given = series("phone", 1, 40)

    with pytest.raises(CheckFailed) as failed:
        same(given[:17] + given[18:], given, "read")

    assert failed.value.got.startswith("39 items, at 17 <190:19:phone")
    assert failed.value.want.startswith("40 items, at 17 <180:18:phone")


async def _gap() -> None:
    raise GapError("phone", expected=2, got=5)


async def _answer() -> int:
    return 42


@pytest.mark.anyio
async def test_a_refusal_with_its_attributes_is_returned() -> None:
    error = await refused(_gap(), GapError, "append", device="phone", expected=2, got=5)

    assert str(error) == "phone: counter 5 came, 2 is next"


@pytest.mark.anyio
async def test_a_refusal_with_another_attribute_fails() -> None:
    with pytest.raises(CheckFailed, match="attributes of GapError: got at expected: 2, want at"):
        await refused(_gap(), GapError, "append", expected=3)


@pytest.mark.anyio
async def test_a_refusal_by_another_error_fails() -> None:
    with pytest.raises(CheckFailed, match="got GapError: phone"):
        await refused(_gap(), ForkError, "append")


@pytest.mark.anyio
async def test_an_answer_instead_of_a_refusal_fails_and_is_shown() -> None:
    with pytest.raises(CheckFailed, match="got no error, but 42, want ForkError"):
        await refused(_answer(), ForkError, "append")
