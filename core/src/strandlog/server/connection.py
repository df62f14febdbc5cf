"""One WebSocket: frames are answered in order, and pushes come in between."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from starlette.websockets import WebSocket, WebSocketDisconnect

from strandlog.errors import RateError, StoreUnavailableError, StrandlogError
from strandlog.model import Reader
from strandlog.protocol.codec import encode_frame
from strandlog.protocol.frames import ClientFrame, ErrorFrame, Hello, ServerFrame, error_frame
from strandlog.server.connections import REFUSED
from strandlog.server.rate import TokenBucket
from strandlog.server.service import Service, logger
from strandlog.server.session import ServedSession

__all__ = ["Connection", "close_socket", "send_frame"]

# How long an ending connection may take to answer its last frame and say why it
# ends. A newer connection of the device or the end of the server wait no longer.
_FAREWELL_SECONDS = 5.0


class Connection:
    """A WebSocket that was accepted, of a reader that may speak.

    One task reads and answers. A second one runs only while something is to be
    pushed. They take turns, a frame each: the session is not to be used by two,
    and what is sent must come in the order in which it was read. Nothing is
    queued: while the peer does not read, this does not go on either, and then
    reads from the store what is due.
    """

    def __init__(self, service: Service, reader: Reader, socket: WebSocket) -> None:
        limits = service.limits
        self.reader = reader
        self._service = service
        self._socket = socket
        self._session = ServedSession(service, reader, stream=True)
        self._pace = TokenBucket(limits.frames_per_second, limits.frames_burst, clock=service.clock)
        self._turn = anyio.Lock()
        self._tasks: TaskGroup = anyio.create_task_group()
        self._due: dict[str, None] = {}
        self._pushing = False
        self._greeted = False
        self._ending = False
        self._refusals = 0

    async def run(self) -> None:
        """Serve until one side ends it; however it ends, nothing of it stays behind."""
        logger.info("%s: connected", self.reader, extra=self._extra())
        async with self._tasks:
            try:
                await self._serve()
            finally:
                self._service.hub.follow(self, ())
                self._service.connections.leave(self)
                self._tasks.cancel_scope.cancel()
                logger.info("%s: gone", self.reader, extra=self._extra())

    def wake(self, user: str) -> None:
        """Push, soon, what is due of the log of *user*."""
        self._due[user] = None
        if not self._pushing and not self._ending:
            self._pushing = True
            self._tasks.start_soon(self._push)

    def end(self, error: StrandlogError, *, code: int) -> None:
        """Answer what was taken, say *error* and close; soon, and at most once."""
        if not self._ending:
            self._ending = True
            self._tasks.start_soon(self._farewell, error, code)

    # -- reading and answering ---------------------------------------------------

    async def _serve(self) -> None:
        hello_by = anyio.current_time() + self._service.limits.hello_seconds
        while True:
            with anyio.CancelScope(deadline=hello_by) as waiting:
                message = await self._socket.receive()
            if waiting.cancelled_caught:
                seconds = self._service.limits.hello_seconds
                error = RateError(f"no hello within {seconds:g} seconds", retry_after_seconds=0.0)
                await self._refuse(error_frame(error))
                return
            if message["type"] == "websocket.disconnect":
                return
            data = message.get("text")
            async with self._turn:
                if not await self._answer(message["bytes"] if data is None else data):
                    return
            if self._greeted:
                hello_by = float("inf")

    async def _answer(self, data: str | bytes) -> bool:
        """Answer one frame; return whether the connection goes on."""
        frame: ClientFrame | None = None
        answers: Sequence[ServerFrame]
        try:
            self._check_pace()
            frame = self._session.decode(data)
            if isinstance(frame, Hello) and not self._greeted:
                self._service.connections.greet(self)
                self._greeted = True
        except StrandlogError as error:
            answers = [error_frame(error, ref=error.ref)]
        else:
            answers = await self._session.receive(frame, writer=self)
        for answer in map(self._counted, answers):
            if isinstance(answer, ErrorFrame) and answer.fatal:
                await self._refuse(answer)
                return False
            await self._send(answer)
        if isinstance(frame, Hello):
            self._follow(frame.user or self.reader.user)
        return True

    def _check_pace(self) -> None:
        if wait := self._pace.take():
            limits = self._service.limits
            raise RateError(
                f"frames come faster than {limits.frames_per_second:g} a second",
                retry_after_seconds=wait,
            )

    def _counted(self, answer: ServerFrame) -> ServerFrame:
        """Return the answer; an error, if it is one too many in a row, as a fatal one."""
        if not isinstance(answer, ErrorFrame):
            self._refusals = 0
            return answer
        # That the store is away is no fault of the peer's.
        if answer.code != "store-unavailable":
            self._refusals += 1
        if self._refusals < self._service.limits.abuse:
            return answer
        message = f"{self._refusals} frames in a row were refused, this one: {answer.message}"
        return replace(answer, message=message, fatal=True)

    def _follow(self, user: str) -> None:
        logs = self._session.live_logs
        self._service.hub.follow(self, logs)
        if user in logs:
            # What was appended after the page was read and before this was followed,
            # and what the first page of a version 0 greeting left over.
            self.wake(user)

    # -- pushing -----------------------------------------------------------------

    async def _push(self) -> None:
        """Push until nothing is due: of each log a page in turn."""
        try:
            while self._due and not self._ending:
                user = next(iter(self._due))
                del self._due[user]
                try:
                    async with self._turn:
                        frames = await self._session.push(user)
                        for frame in frames:
                            await self._send(frame)
                except StoreUnavailableError as error:
                    logger.info("%s: cannot push now: %s", self.reader, error)
                    self._due[user] = None
                    await anyio.sleep(error.retry_after_seconds)
                    continue
                if any(isinstance(frame, ErrorFrame) for frame in frames):
                    self._service.hub.follow(self, self._session.live_logs)
                elif frames:
                    self._due[user] = None  # there may be another page
        finally:
            self._pushing = False

    # -- sending and ending ------------------------------------------------------

    async def _send(self, frame: ServerFrame) -> None:
        """Send, or end the connection if the peer is gone or has stopped reading."""
        with anyio.move_on_after(self._service.limits.send_seconds) as waiting:
            if await send_frame(self._socket, frame):
                return
        if waiting.cancelled_caught:
            logger.info("%s: does not read", self.reader, extra=self._extra())
        self._tasks.cancel_scope.cancel()
        await anyio.lowlevel.checkpoint()

    async def _refuse(self, error: ErrorFrame) -> None:
        logger.info("%s: closed: %s", self.reader, error.code, extra=self._extra())
        self._ending = True
        await self._send(replace(error, fatal=True))
        await close_socket(self._socket, REFUSED, reason=error.code)

    async def _farewell(self, error: StrandlogError, code: int) -> None:
        with anyio.move_on_after(_FAREWELL_SECONDS):
            # Who has the turn, or waits for it already, comes first: that is what
            # was taken. Turns are given in order.
            async with self._turn:
                logger.info("%s: closed: %s", self.reader, error.code, extra=self._extra())
                await self._send(error_frame(error))
                await close_socket(self._socket, code, reason=error.code)
        self._tasks.cancel_scope.cancel()

    def _extra(self) -> dict[str, str]:
        return {"user": self.reader.user, "device": self.reader.device}


async def send_frame(socket: WebSocket, frame: ServerFrame) -> bool:
    """Send one frame; return whether the connection took it."""
    try:
        await socket.send_text(encode_frame(frame).decode())
    except (WebSocketDisconnect, RuntimeError):
        # ASGI servers say by a RuntimeError that they are closing the connection.
        return False
    return True


async def close_socket(socket: WebSocket, code: int, *, reason: str) -> None:
    """Close; that the peer has done so already is not an error."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code, reason)
