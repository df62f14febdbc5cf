"""Who may see which scopes of whose log, and what is taken into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from strandlog.errors import InvalidArgumentError, InvalidNameError
from strandlog.model import Entry, Reader, check_scope, check_user

__all__ = ["FRIEND_SCOPE", "AccessPolicy", "FriendsPolicy", "load_friends"]

FRIEND_SCOPE = "friend"


class AccessPolicy(Protocol):
    """What a server asks before it shows or takes entries. May be asked at any time."""

    async def visible(self, reader: Reader, user: str) -> frozenset[str] | None:
        """Return the scopes of *user*'s log that *reader* may see now.

        ``None`` is all of them, an empty set none. Not asked for the reader's
        own log, of which every device sees every scope.
        """

    async def admit(self, reader: Reader, entries: Sequence[Entry]) -> None:
        """Let the entries pass, which *reader* has written to its own log.

        Not asked about entries without content.

        Raises:
            RejectedError: One of them is refused for good. The client then
                uploads it without its content, so that its counters stay dense.
        """


class FriendsPolicy:
    """Shows certain scopes of a log to certain users, and takes every entry.

    Args:
        shown: For each user whose log it is: each friend, and the scopes that
            this friend may see.
    """

    def __init__(self, shown: Mapping[str, Mapping[str, frozenset[str]]] | None = None) -> None:
        self._shown = shown or {}

    async def visible(self, reader: Reader, user: str) -> frozenset[str] | None:
        return self._shown.get(user, {}).get(reader.user, frozenset())

    async def admit(self, reader: Reader, entries: Sequence[Entry]) -> None:
        return None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    friends: dict[str, list[str]] = {}
    shows: dict[str, dict[str, list[str]]] = {}


def load_friends(path: Path) -> FriendsPolicy:
    """Read a policy from a JSON file.

    ``{"friends": {"alice": ["bob"]}}`` shows bob the scope ``friend`` of alice's
    log; ``{"shows": {"alice": {"carol": ["friend", "family"]}}}`` names scopes. Where
    both name the same two, ``shows`` counts.

    Raises:
        InvalidArgumentError: The file cannot be read or says something else.
    """
    shown: dict[str, dict[str, frozenset[str]]] = {}
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
        for user, friends in file.friends.items():
            for friend in friends:
                seen = frozenset({FRIEND_SCOPE})
                shown.setdefault(check_user(user), {})[check_user(friend)] = seen
        for user, scopes_by_friend in file.shows.items():
            for friend, scopes in scopes_by_friend.items():
                seen = frozenset(check_scope(scope) for scope in scopes)
                shown.setdefault(check_user(user), {})[check_user(friend)] = seen
    except (OSError, UnicodeError, msgspec.DecodeError, InvalidNameError) as error:
        raise InvalidArgumentError(f"{path} is not a friends file: {error}") from error
    return FriendsPolicy(shown)
