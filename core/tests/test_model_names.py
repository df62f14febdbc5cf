"""Names of users, devices, scopes and readers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strandlog import Identity, Reader, Seq
from strandlog.errors import InvalidArgumentError, InvalidNameError
from strandlog.model import check_device, check_scope, check_user


@pytest.mark.parametrize("check", [check_device, check_scope, check_user])
def test_a_refused_name_is_shown_and_cut(check: Callable[[str], str]) -> None:
    with pytest.raises(InvalidNameError) as refused:
        check("no such name" + "\0" * 1_000_000)

    assert "no such name" in str(refused.value)
    assert len(str(refused.value)) < 1000


def test_an_invalid_name_is_a_value_error_too() -> None:
    with pytest.raises(ValueError, match="cannot name a device"):
        check_device("")


def test_a_reader_is_written_with_a_slash() -> None:
    reader = Reader("did:key:z6Mk", "laptop~2")

    assert str(reader) == "did:key:z6Mk/laptop~2"
    assert Reader.parse(str(reader)) == reader


def test_a_text_without_a_slash_is_refused_with_an_example() -> None:
    with pytest.raises(InvalidNameError, match="such as alice/laptop"):
        Reader.parse("alice")


@pytest.mark.parametrize(
    "text", ["", "/", "alice/", "/laptop", "alice/lap/top", "al ice/laptop", "alice/.."]
)
def test_a_reader_is_a_user_and_a_device(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        Reader.parse(text)


def test_identity_of_a_seq_leaves_the_clock_out() -> None:
    assert Seq(1, 3, "laptop").identity == Seq(2, 3, "laptop").identity == Identity("laptop", 3)
