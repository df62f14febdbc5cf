"""A server in this process, without a network."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from strandlog.access import AccessPolicy, FriendsPolicy
from strandlog.backend.store import CursorStore, LogStore
from strandlog.client.transport import Transport
from strandlog.driver import Driver
from strandlog.errors import ConnectionLostError, StrandlogError
from strandlog.model import Reader
from strandlog.protocol.codec import decode_client_frame, encode_frame
from strandlog.protocol.frames import ServerFrame, error_frame
from strandlog.protocol.limits import Limits
from strandlog.protocol.server import ServerSession

__all__ = ["LocalServer"]


class LocalServer:
    """A server in this process, without sockets: the same engine, the same frames.

    Its :meth:`connect` is what :class:`~strandlog.client.Replica` takes. Every
    frame goes through the codec, as on a wire.

    Attributes:
        transcript: Every frame that travelled, in order, as ``(reader, ">" or "<", text)``.
    """

    def __init__(
        self,
        log: LogStore,
        cursors: CursorStore,
        *,
        access: AccessPolicy | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._driver = Driver(log, cursors, access or FriendsPolicy())
        self._limits = limits or Limits()
        self._connections: set[_LocalConnection] = set()
        self.transcript: list[tuple[str, str, str]] = []

    @asynccontextmanager
    async def connect(self, reader: Reader) -> AsyncIterator[Transport]:
        """Open a connection of *reader*, for the length of the context."""
        info = await self._driver.log.info()
        session = ServerSession(reader, limits=self._limits, epoch=info.epoch)
        connection = _LocalConnection(self, session)
        self._connections.add(connection)
        try:
            yield connection
        finally:
            self._connections.discard(connection)

    def disconnect(self) -> None:
        """Cut every connection, as a network does."""
        for connection in self._connections:
            connection.cut()
        self._connections.clear()

    async def post(self, reader: Reader, frame: bytes) -> bytes:
        """Answer one frame, as ``POST`` does."""
        info = await self._driver.log.info()
        session = ServerSession(reader, limits=self._limits, epoch=info.epoch, stream=False)
        answers = await self.receive(session, frame)
        self.wake_others(None)
        return encode_frame(answers[0]) if answers else b""

    async def receive(self, session: ServerSession, data: bytes) -> list[ServerFrame]:
        try:
            frame = decode_client_frame(data)
        except StrandlogError as error:
            return [error_frame(error, ref=error.ref)]
        return await self._driver.run(session.receive(frame))

    async def push(self, session: ServerSession) -> list[ServerFrame]:
        frames: list[ServerFrame] = []
        for user in sorted(session.live_logs):
            while pushed := await self._driver.run(session.push(user)):
                frames += pushed
        return frames

    def wake_others(self, writer: _LocalConnection | None) -> None:
        for connection in self._connections:
            if connection is not writer:
                connection.wake()


class _LocalConnection:
    """The client's end; the server's half runs when the client sends or waits."""

    def __init__(self, server: LocalServer, session: ServerSession) -> None:
        self._server = server
        self._session = session
        self._due: deque[bytes] = deque()
        self._news = anyio.Event()
        self._lock = anyio.Lock()
        self._cut = False

    def wake(self) -> None:
        self._news.set()

    def cut(self) -> None:
        self._cut = True
        self._news.set()

    async def send(self, frame: bytes) -> None:
        if self._cut:
            raise ConnectionLostError("the connection was cut")
        self._note(">", frame)
        async with self._lock:
            answers = await self._server.receive(self._session, frame)
            self._due.extend(encode_frame(answer) for answer in answers)
        self._news.set()
        self._server.wake_others(self)

    async def receive(self) -> bytes:
        while not self._due:
            if self._cut:
                raise ConnectionLostError("the connection was cut")
            news, self._news = self._news, anyio.Event()
            async with self._lock:
                pushed = await self._server.push(self._session)
                self._due.extend(encode_frame(frame) for frame in pushed)
            if not self._due and not news.is_set():
                self._news = news
                await news.wait()
        frame = self._due.popleft()
        self._note("<", frame)
        return frame

    def _note(self, way: str, frame: bytes) -> None:
        self._server.transcript.append((str(self._session.reader), way, frame.decode()))
