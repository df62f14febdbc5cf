"""Who is named by a path, in whatever way an ASGI server gives it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.routing import Match

from strandlog.errors import InvalidNameError
from strandlog.model import Reader
from strandlog.server.route import SyncRoute, reader_of

USERS = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/#"),
    min_size=1,
    max_size=60,
).filter(lambda name: name not in (".", ".."))


def _scope(raw: str, *, below: str = "") -> dict[str, object]:
    return {"type": "http", "raw_path": raw.encode(), "root_path": below}


@given(USERS, st.booleans())
def test_every_user_can_be_written_into_a_path(user: str, everything: bool) -> None:
    """Whether a client escapes only what it must, or every character."""
    escaped = "".join(f"%{ord(sign):02x}" if everything or sign in "%?" else sign for sign in user)

    assert reader_of(_scope(f"/sync/{escaped}/laptop")) == Reader(user, "laptop")


@pytest.mark.parametrize(
    ("raw", "below"),
    [
        ("/notes/sync/alice/laptop", "/notes"),
        ("/sync/sync/alice/laptop", "/sync"),
        ("/sync/sync/sync/alice/laptop", "/sync/sync"),
        ("/my%20notes/sync/alice/laptop", "/my notes"),
        ("/a%2Fb/sync/alice/laptop", "/a/b"),
    ],
)
def test_prefix_of_a_mount_is_no_part_of_a_name(raw: str, below: str) -> None:
    assert reader_of(_scope(raw, below=below)) == Reader("alice", "laptop")


@pytest.mark.parametrize("raw", ["/", "/sync", "/synced/alice/laptop", "/other/sync/alice/laptop"])
def test_other_paths_are_not_the_protocols(raw: str) -> None:
    route = SyncRoute(None, None)  # type: ignore[arg-type]  # it does not come to that

    assert route.matches(_scope(raw))[0] is Match.NONE


@pytest.mark.parametrize(
    "raw",
    [
        "/sync/",
        "/sync/alice",
        "/sync/alice/",
        "/sync//laptop",
        "/sync/alice/laptop/",
        "/sync/../laptop",
        "/sync/%2e%2e/laptop",
        "/sync/alice%2flaptop",
        "/sync/al%ffice/laptop",
        "/sync/al%5Cxff%ffice/laptop",
        "/sync/alice%/laptop",
        "/sync/alice%2/laptop",
        "/sync/alice%zz/laptop",
    ],
)
def test_path_that_names_nobody_is_still_the_protocols(raw: str) -> None:
    """So that the answer is its own error, and says why."""
    route = SyncRoute(None, None)  # type: ignore[arg-type]  # it does not come to that

    assert route.matches(_scope(raw))[0] is Match.FULL
    with pytest.raises(InvalidNameError):
        reader_of(_scope(raw))


def test_decoded_path_will_do_where_there_is_no_raw_one() -> None:
    scope = {"type": "http", "path": "/notes/sync/100%25/laptop", "root_path": "/notes"}

    assert reader_of(scope) == Reader("100%25", "laptop")


def test_other_path_is_not_the_protocols_without_a_raw_one() -> None:
    route = SyncRoute(None, None)  # type: ignore[arg-type]  # it does not come to that

    assert route.matches({"type": "http", "path": "/synced/alice/laptop"})[0] is Match.NONE
