"""Which connections are open: how many of a user, and one of each device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import anyio

from strandlog.errors import RateError, ShuttingDownError, StrandlogError, SupersededError
from strandlog.model import Reader
from strandlog.protocol.limits import Limits
from strandlog.server.rate import TokenBucket

__all__ = ["GOING_AWAY", "REFUSED", "Connections", "OpenConnection"]

REFUSED = 1008  # the close codes of RFC 6455: policy violation
GOING_AWAY = 1012  # service restart

# A server that was restarted is back in about this time.
_RESTART_SECONDS = 2.0
_CROWDED_SECONDS = 30.0


class OpenConnection(Protocol):
    """A WebSocket that is being served."""

    @property
    def reader(self) -> Reader:
        """Whose it is."""

    def end(self, error: StrandlogError, *, code: int) -> None:
        """Say *error* after the frame in progress is answered, then close. Returns at once."""


class Connections:
    """The open connections of one server, in one process."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._draining = False
        self._open: dict[str, set[OpenConnection]] = {}
        self._greeted: dict[Reader, OpenConnection] = {}
        self._turnover: dict[Reader, TokenBucket] = {}
        self._emptied = anyio.Event()

    def __len__(self) -> int:
        return sum(map(len, self._open.values()))

    def check_open(self) -> None:
        """Return if the server still takes frames.

        Raises:
            ShuttingDownError: It does not.
        """
        if self._draining:
            raise _shutting_down()

    def enter(self, connection: OpenConnection) -> None:
        """Take in a connection, which has not said anything yet.

        Raises:
            ShuttingDownError: The server ends.
            RateError: The user has as many connections as are allowed.
        """
        self.check_open()
        user = connection.reader.user
        if len(self._open.get(user, ())) >= self._limits.user_connections:
            raise RateError(
                f"{user} has {self._limits.user_connections} connections open,"
                " as many as are allowed",
                retry_after_seconds=_CROWDED_SECONDS,
            )
        self._open.setdefault(user, set()).add(connection)

    def greet(self, connection: OpenConnection) -> None:
        """Note the first hello of a connection, which ends an older one of the same device.

        Raises:
            RateError: They have taken each other's place too often. The older one stays.
        """
        reader = connection.reader
        older = self._greeted.get(reader)
        if older is not None:
            self._count_turnover(reader)
            older.end(
                SupersededError(f"a newer connection of {reader} took this one's place"),
                code=REFUSED,
            )
        self._greeted[reader] = connection

    def leave(self, connection: OpenConnection) -> None:
        """Forget a connection; one that never entered is not an error."""
        reader = connection.reader
        mine = self._open.get(reader.user, set())
        mine.discard(connection)
        if not mine:
            self._open.pop(reader.user, None)
        if self._greeted.get(reader) is connection:
            del self._greeted[reader]
            self._turnover.pop(reader, None)
        if not self._open:
            self._emptied.set()

    async def drain(self) -> None:
        """Take in nothing more, end every connection, and return once all have left."""
        self._draining = True
        self._emptied = anyio.Event()
        for connection in [one for mine in self._open.values() for one in mine]:
            connection.end(_shutting_down(), code=GOING_AWAY)
        if self._open:
            await self._emptied.wait()

    def _count_turnover(self, reader: Reader) -> None:
        # Two clones of a device would otherwise end each other as fast as they
        # can connect. The count lives as long as one of them is connected.
        limits = self._limits
        turnover = self._turnover.setdefault(
            reader,
            TokenBucket(
                limits.supersedes_per_minute / 60, limits.supersedes_burst, clock=self._clock
            ),
        )
        if wait := turnover.take():
            raise RateError(
                f"connections of {reader} take each other's place too often:"
                " is there a second device of that name",
                retry_after_seconds=wait,
            )


def _shutting_down() -> ShuttingDownError:
    return ShuttingDownError("the server is shutting down", retry_after_seconds=_RESTART_SECONDS)
