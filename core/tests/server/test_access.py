"""Who is whose friend, by a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from strandlog.access import load_friends
from strandlog.errors import InvalidArgumentError
from strandlog.model import Reader

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_file_says_who_sees_which_scopes(tmp_path: Path) -> None:
    """Friendship goes one way, and what is shown by name counts for more."""
    file = tmp_path / "friends.json"
    file.write_text(
        '{"friends": {"alice": ["bob", "carol"]}, "shows": {"alice": {"carol": ["a", "b"]}}}'
    )
    policy = load_friends(file)
    seen: dict[tuple[str, str], Any] = {
        (reader, user): await policy.visible(Reader(reader, "phone"), user)
        for reader, user in [
            ("bob", "alice"),
            ("carol", "alice"),
            ("alice", "bob"),
            ("mallory", "alice"),
            ("bob", "alic"),
        ]
    }

    assert seen == {
        ("bob", "alice"): {"friend"},
        ("carol", "alice"): {"a", "b"},
        ("alice", "bob"): set(),
        ("mallory", "alice"): set(),
        ("bob", "alic"): set(),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"foes": {}}',
        '{"friends": {"alice": "bob"}}',
        '{"friends": {"a/b": ["bob"]}}',
        '{"friends": {"alice": ["b b"]}}',
        '{"shows": {"alice": {"bob": ["Friend"]}}}',
        b'{"friends": {"al\xff": ["bob"]}}',
        None,
    ],
)
async def test_file_that_says_something_else_is_named(
    tmp_path: Path, text: str | bytes | None
) -> None:
    file = tmp_path / "friends.json"
    if text is not None:
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    with pytest.raises(InvalidArgumentError, match=r"friends\.json is not a friends file"):
        load_friends(file)
