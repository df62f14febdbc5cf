"""One reader's session on the stores: bytes in, frames out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import anyio

from strandlog.errors import StrandlogError, TooLargeError
from strandlog.model import Reader
from strandlog.protocol.codec import decode_client_frame
from strandlog.protocol.frames import (
    Add,
    ClientFrame,
    ErrorFrame,
    Hello,
    ServerFrame,
    error_frame,
)
from strandlog.protocol.server import ServerSession
from strandlog.server.service import Service, contained, logger
from strandlog.subscription import Follower

__all__ = ["ServedSession"]


class ServedSession:
    """The engine of one connection, or of one POST, driven on the stores.

    Not to be used by two tasks at once. What a peer sends never makes it raise:
    the answer is an error frame then.

    Args:
        service: What it is served with.
        reader: Who is connected.
        stream: Whether there is a connection, to which later frames can go.
    """

    def __init__(self, service: Service, reader: Reader, *, stream: bool) -> None:
        self._service = service
        self._reader = reader
        self._stream = stream
        self._engine: ServerSession | None = None

    @property
    def live_logs(self) -> set[str]:
        """The logs whose changes are to be pushed."""
        return set() if self._engine is None else self._engine.live_logs

    def decode(self, data: str | bytes) -> ClientFrame:
        """Read one frame.

        Raises:
            StrandlogError: It is too long, or none; with its ``id`` if that could be read.
        """
        limits = self._service.limits
        if _length(data) > limits.frame_bytes:
            raise TooLargeError(
                f"the frame takes {_length(data)} bytes, {limits.frame_bytes} are taken",
                limit=limits.frame_bytes,
            )
        with contained(self._reader):
            return decode_client_frame(data, frame_messages=limits.frame_messages)

    async def receive(
        self, frame: ClientFrame, *, writer: Follower | None = None
    ) -> Sequence[ServerFrame]:
        """Come to the answer to *frame*; whoever follows the log is told, except *writer*."""
        try:
            with contained(self._reader):
                engine = await self._started()
                try:
                    # Shielded: an append may complete although it was cancelled,
                    # and then those who follow would not hear of it.
                    with anyio.CancelScope(shield=True):
                        answers = await self._service.driver.run(engine.receive(frame))
                finally:
                    if isinstance(frame, Hello | Add) and frame.messages:
                        self._service.hub.notify(self._reader.user, but=writer)
        except StrandlogError as error:
            ref = frame.id if isinstance(frame, Hello | Add) else None
            answers = [error_frame(error, ref=ref)]
        return [self._discreet(answer) for answer in answers]

    async def push(self, user: str) -> Sequence[ServerFrame]:
        """Come to the frame that is due because the log of *user* may have changed.

        Raises:
            StoreUnavailableError: Nothing was read; call again later.
        """
        with contained(self._reader):
            engine = await self._started()
            frames = await self._service.driver.run(engine.push(user))
        return [self._discreet(frame) for frame in frames]

    async def _started(self) -> ServerSession:
        # Not before the first frame: if the store is away just now, that frame is
        # told so, and the connection lives.
        if self._engine is None:
            self._engine = ServerSession(
                self._reader,
                limits=self._service.limits,
                epoch=await self._service.epoch(),
                stream=self._stream,
            )
        return self._engine

    def _discreet(self, frame: ServerFrame) -> ServerFrame:
        """Log what a frame refuses; return it without what is for the operator alone."""
        if not isinstance(frame, ErrorFrame):
            return frame
        told = {"user": self._reader.user, "device": self._reader.device}
        if frame.code != "store-unavailable":
            # Not the message, which may quote what the peer wrote.
            logger.debug("%s: refused: %s", self._reader, frame.code, extra=told)
            return frame
        # What ails a store may name files and hosts.
        logger.warning("%s: the store: %s", self._reader, frame.message, extra=told)
        return replace(frame, message="the store cannot answer now")


def _length(data: str | bytes) -> int:
    if isinstance(data, bytes) or data.isascii():
        return len(data)
    return len(data.encode(errors="surrogatepass"))
