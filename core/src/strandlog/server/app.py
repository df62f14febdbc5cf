"""The server as an ASGI application."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import version

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.websockets import WebSocket

from strandlog.access import AccessPolicy, FriendsPolicy
from strandlog.backend.registry import open_stores
from strandlog.backend.store import CursorStore, LogStore
from strandlog.driver import Driver
from strandlog.errors import ShuttingDownError, StrandlogError
from strandlog.protocol.frames import PROTOCOL_VERSION, error_frame
from strandlog.protocol.limits import Limits
from strandlog.server.authentication import Authenticate, local_pages_only
from strandlog.server.connection import Connection, close_socket, send_frame
from strandlog.server.connections import GOING_AWAY, REFUSED
from strandlog.server.post import answer_post
from strandlog.server.route import SyncRoute, reader_of
from strandlog.server.service import Service, logger

__all__ = ["SyncApp", "open_app"]

_READY_SECONDS = 5.0
_REFUSAL_SECONDS = 5.0


class SyncApp(Starlette):
    """The sync server: an ASGI application, to be served alone or mounted in another.

    It answers ``/sync/{user}/{device}`` by WebSocket and ``POST``, ``/healthz``,
    ``/readyz`` and ``/version``. It needs no lifespan of its own, and the stores
    belong to the caller: open before the first request, closed after the last.
    For one event loop.

    Args:
        log: Where the entries are.
        cursors: Where it is kept how far each reader has read.
        access: Who may see which scopes of whose log; by default nobody sees
            another's.
        authenticate: Asked before anything is taken from anybody; by default
            everybody may be whom they say, but no page of another site.
        limits: What is taken and given at most.
        clock: Returns seconds that never go back; paces are measured by it.
    """

    def __init__(
        self,
        log: LogStore,
        cursors: CursorStore,
        *,
        access: AccessPolicy | None = None,
        authenticate: Authenticate | None = None,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or Limits()
        self.authenticated = authenticate is not None
        self._service = Service(
            Driver(log, cursors, access or FriendsPolicy()),
            limits=self.limits,
            authenticate=authenticate or local_pages_only,
            clock=clock,
        )
        super().__init__(
            routes=[
                SyncRoute(self._serve_websocket, self._serve_post),
                Route("/healthz", _healthz),
                Route("/readyz", self._readyz),
                Route("/version", self._version),
            ]
        )

    @property
    def connections(self) -> int:
        """How many WebSockets are open."""
        return len(self._service.connections)

    def notify(self, user: str) -> None:
        """Tell those who follow the log of *user* that it has changed.

        For an application that appends to the store by itself; what comes
        through this server needs no telling. Returns at once.
        """
        self._service.hub.notify(user)

    async def drain(self) -> None:
        """Answer what was taken, close every WebSocket, and take nothing more.

        Returns once all are gone: in seconds, even if peers do not read; but a
        store that hangs holds it up, so give it a deadline. Then the stores can
        be closed. :func:`~strandlog.server.serve` does all this.
        """
        await self._service.connections.drain()

    async def _serve_websocket(self, socket: WebSocket) -> None:
        # Accepted whatever comes: a browser cannot see why a handshake was refused.
        await socket.accept()
        try:
            reader = reader_of(socket.scope)
            await self._service.check_speaker(socket, reader)
            connection = Connection(self._service, reader, socket)
            self._service.connections.enter(connection)
        except StrandlogError as error:
            await _refuse(socket, error)
            return
        await connection.run()

    async def _serve_post(self, request: Request) -> Response:
        return await answer_post(self._service, request)

    async def _readyz(self, request: Request) -> Response:
        try:
            self._service.connections.check_open()
            with anyio.fail_after(_READY_SECONDS):
                await self._service.check_stores()
        except TimeoutError:
            reason = f"the store has not answered for {_READY_SECONDS:g} seconds"
        except StrandlogError as error:
            reason = str(error)
        else:
            return JSONResponse({"ready": True})
        logger.warning("not ready: %s", reason)
        return JSONResponse({"ready": False, "reason": reason}, 503)

    async def _version(self, request: Request) -> Response:
        epoch: str | None = None
        try:
            epoch = await self._service.epoch()
        except StrandlogError as error:
            logger.warning("no epoch: %s", error)
        return JSONResponse(
            {
                "version": version("strandlog"),
                "protocol": list(range(PROTOCOL_VERSION + 1)),
                "epoch": epoch,
            }
        )


async def _healthz(_request: Request) -> Response:
    return JSONResponse({"alive": True})


async def _refuse(socket: WebSocket, error: StrandlogError) -> None:
    """Say why this connection is not served, and close it."""
    logger.info("%r: refused: %s", socket.scope["path"], error.code)
    ours = isinstance(error, ShuttingDownError)
    frame = error_frame(error)
    if await send_frame(socket, frame if ours else replace(frame, fatal=True)):
        # A client that greets without listening first would find the connection
        # closed while it sends, and never read why.
        with anyio.move_on_after(_REFUSAL_SECONDS):
            await socket.receive()
    await close_socket(socket, GOING_AWAY if ours else REFUSED, reason=frame.code)


@asynccontextmanager
async def open_app(
    log: str,
    cursors: str | None = None,
    *,
    access: AccessPolicy | None = None,
    authenticate: Authenticate | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[SyncApp]:
    """Open the stores that URLs name, such as ``sqlite:///logs.db``, and give their server.

    The stores stay open for the length of the context.

    Raises:
        StoreUrlError, BackendError, StoreError: The message says the next step.
    """
    async with open_stores(log, cursors) as (log_store, cursor_store):
        yield SyncApp(
            log_store, cursor_store, access=access, authenticate=authenticate, limits=limits
        )
