"""How frames travel between a replica and a server: two methods, any medium."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Protocol
from urllib.parse import quote, urlsplit

from strandlog.errors import ConnectionLostError, InvalidArgumentError
from strandlog.model import Reader

__all__ = ["Connect", "Transport", "websocket_transport"]

# Larger than any frame a server sends with default limits: one entry of 256 KiB.
_FRAME_BYTES_MAX = 16 * 1024 * 1024


class Transport(Protocol):
    """An open connection that carries whole frames in order, both ways."""

    async def send(self, frame: bytes) -> None:
        """Write one frame; return once the medium has taken it.

        A medium in which something may still be unread drops the frame if the
        connection has ended, and lets :meth:`receive` report the end.

        Raises:
            ConnectionLostError: The connection has ended.
        """

    async def receive(self) -> bytes | str:
        """Wait for the next frame.

        Raises:
            ConnectionLostError: The connection has ended.
        """


Connect = Callable[[Reader], AbstractAsyncContextManager[Transport]]
"""Opens a transport for a reader; the context closes it."""


def websocket_transport(url: str, *, headers: dict[str, str] | None = None) -> Connect:
    """Return what connects to a server by WebSocket.

    Args:
        url: Where the server is, such as ``ws://127.0.0.1:8420``; a path is kept,
            for a server that is mounted below one.
        headers: Sent with the handshake, such as ``Authorization``.

    Raises:
        InvalidArgumentError: *url* is not ``ws://`` or ``wss://``.
    """
    base = url.rstrip("/")
    if urlsplit(base).scheme not in ("ws", "wss"):
        raise InvalidArgumentError(f"{url!r} is not a server: write one like ws://127.0.0.1:8420")

    @asynccontextmanager
    async def connect(reader: Reader) -> AsyncIterator[Transport]:
        # Imported here: only who connects needs the package.
        from websockets.asyncio.client import connect as open_websocket
        from websockets.exceptions import (
            ConnectionClosed,
            InvalidHandshake,
            InvalidURI,
        )

        class WebSocketTransport:
            async def send(self, frame: bytes) -> None:
                # What the server said before it closed may still be unread, such as
                # why: so it is receive() that reports the end.
                with suppress(ConnectionClosed):
                    await websocket.send(frame, text=True)

            async def receive(self) -> bytes:
                try:
                    return await websocket.recv(decode=False)
                except ConnectionClosed as error:
                    raise ConnectionLostError(f"{base}: {error}") from error

        where = f"{base}/sync/{quote(reader.user, safe='')}/{quote(reader.device, safe='')}"
        try:
            websocket = await open_websocket(
                where,
                additional_headers=headers,
                # Content is often encrypted, and then deflate costs time and saves nothing.
                compression=None,
                max_size=_FRAME_BYTES_MAX,
            )
        except (OSError, InvalidHandshake, InvalidURI, TimeoutError) as error:
            raise ConnectionLostError(f"{base} cannot be reached: {error}") from error
        try:
            yield WebSocketTransport()
        finally:
            await websocket.close()

    return connect
