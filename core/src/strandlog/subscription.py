"""Who is told that a log has changed, within one process."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

__all__ = ["Follower", "Hub"]


class Follower(Protocol):
    """Somebody who wants to hear that a log has changed."""

    def wake(self, user: str) -> None:
        """Take note that *user*'s log may have changed.

        Returns at once and raises nothing: whoever tells of a change has others
        to tell. May be called again before anything came of the last call.
        """


class Hub:
    """Which followers follow which logs. For one event loop; nothing here waits.

    It carries no entries, only the word that there may be some: a follower reads
    what it lacks from the store. So it holds nothing for a slow one, and a word
    said too often does no harm.
    """

    def __init__(self) -> None:
        # Dictionaries for sets that keep their order: who came first is told first.
        self._followers: dict[str, dict[Follower, None]] = {}
        self._logs: dict[Follower, frozenset[str]] = {}

    def __len__(self) -> int:
        """Return how many followers follow a log."""
        return len(self._logs)

    def follow(self, follower: Follower, users: Collection[str]) -> None:
        """Have *follower* told of exactly these logs from now on; of none, forget it."""
        before, now = self._logs.get(follower, frozenset()), frozenset(users)
        for user in before - now:
            del self._followers[user][follower]
            if not self._followers[user]:
                del self._followers[user]
        for user in now - before:
            self._followers.setdefault(user, {})[follower] = None
        if now:
            self._logs[follower] = now
        else:
            self._logs.pop(follower, None)

    def notify(self, user: str, *, but: Follower | None = None) -> None:
        """Wake whoever follows the log of *user*, except *but*, who knows already."""
        for follower in list(self._followers.get(user, ())):
            if follower is not but:
                follower.wake(user)
