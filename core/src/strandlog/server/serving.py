"""Serving by uvicorn: where it listens, and how it ends."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import anyio
import uvicorn
from starlette.types import ASGIApp

from strandlog.errors import InvalidArgumentError, LocalProtocolError
from strandlog.server.app import SyncApp
from strandlog.server.authentication import check_bind

__all__ = ["serve"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

# In frames: one that is too long is read and answered by its own
# error. Only what is longer than this ends the connection.
_READ_FRAMES = 16

# A page of 64 KiB reaches a phone on a bad line before the ping behind it is given up.
_PING_SECONDS = 20.0
_PONG_SECONDS = 60.0

_BACKLOG = 2048  # uvicorn's default


async def serve(
    sync: SyncApp,
    *,
    host: str = "127.0.0.1",
    port: int = 8420,
    within: ASGIApp | None = None,
    insecure: bool = False,
    grace_seconds: float = 10.0,
    announce: Callable[[str], object] | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or cancellation; answer first what was taken.

    A second signal ends it at once. Signals are heeded in the main thread only.

    Args:
        sync: The sync server.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        within: The application that *sync* is mounted in, if it is.
        insecure: Whether other machines may connect although nobody has to authenticate.
        grace_seconds: How long the end may take.
        announce: Called with the URL once connections are taken.

    Raises:
        InvalidArgumentError: *host* is no address of this machine, or other
            machines could connect without authentication.
        LocalProtocolError: The lifespan of *within* failed to start.
        OSError: The port is taken.
    """
    check_bind(host, authenticated=sync.authenticated, insecure=insecure)
    listener = await _listen(host, port)
    config = uvicorn.Config(
        within or sync,
        ws="websockets-sansio",
        ws_max_size=_READ_FRAMES * sync.limits.frame_bytes,
        # Content is often encrypted, and then deflate costs time and memory for nothing.
        ws_per_message_deflate=False,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PONG_SECONDS,
        # Its own lines give whole URLs, tokens in their queries included.
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(grace_seconds)),
    )

    def started() -> None:
        if announce is not None:
            announce(_url(listener))

    server = _Server(config, sync, started=started, grace_seconds=grace_seconds)
    failure: LocalProtocolError | None = None

    async def run() -> None:
        nonlocal failure
        # An orderly end takes time, and a cancelled task has none. It is a task of
        # its own, since asyncio's way to cancel one knows of no shield.
        with anyio.CancelScope(shield=True):
            try:
                await server.serve(sockets=[listener])
            except LocalProtocolError as error:
                failure = error  # raised below: in here it would come out in a group
        tasks.cancel_scope.cancel()

    with listener, _quiet_about_peers():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(server.exit_when_cancelled)
    if failure is not None:
        raise failure


class _Server(uvicorn.Server):
    """Lets the sync server answer and say goodbye before uvicorn closes its WebSockets."""

    def __init__(
        self,
        config: uvicorn.Config,
        sync: SyncApp,
        *,
        started: Callable[[], None],
        grace_seconds: float,
    ) -> None:
        super().__init__(config)
        self._sync = sync
        self._started = started
        self._grace_seconds = grace_seconds
        self._draining = anyio.CancelScope()

    async def exit_when_cancelled(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        except SystemExit as error:
            raise LocalProtocolError("the application failed to start; its log says why") from error
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        with self._draining:
            self._draining.deadline = anyio.current_time() + self._grace_seconds
            await self._sync.drain()
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own raises each signal once more at the end, so that the
        # process dies of it; an orderly end is a success.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in _SIGNALS}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            self.force_exit = True
            self._loop.call_soon_threadsafe(self._draining.cancel)
        self.should_exit = True


async def _listen(host: str, port: int) -> socket.socket:
    try:
        found = await anyio.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise InvalidArgumentError(f"{host!r} is not an address to listen on: {error}") from error
    family, _, _, _, address = found[0]
    return socket.create_server((address[0], address[1]), family=family, backlog=_BACKLOG)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _quiet_about_peers() -> Iterator[None]:
    """Keep uvicorn from printing a traceback for text of a peer's that is not UTF-8."""
    log = logging.getLogger("uvicorn.error")

    def worth_a_line(record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError))

    log.addFilter(worth_a_line)
    try:
        yield
    finally:
        log.removeFilter(worth_a_line)
