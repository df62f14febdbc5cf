"""A real server on 127.0.0.1, and clients that write frames by hand."""

from __future__ import annotations

import http.client
import inspect
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from anyio.abc import SocketAttribute, SocketStream, TaskStatus
from starlette.types import ASGIApp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from strandlog.backend.registry import open_stores
from strandlog.backend.store import CursorStore, LogStore
from strandlog.server import SyncApp, serve

DEADLINE_SECONDS = 30.0
"""What nobody waits for longer than, however busy the machine."""

Frame = Any

StoreT = TypeVar("StoreT", LogStore, CursorStore)


@dataclass(slots=True)
class Wire:
    """A client's end of one WebSocket: frames go out as they are written here."""

    socket: ClientConnection

    async def send(self, frame: Frame) -> None:
        """Send text or bytes as they are, and anything else as JSON."""
        text = frame
        if not isinstance(frame, str | bytes):
            text = json.dumps(frame, ensure_ascii=False)
        with anyio.fail_after(DEADLINE_SECONDS):
            await self.socket.send(text)

    async def receive(self) -> Frame:
        with anyio.fail_after(DEADLINE_SECONDS):
            return json.loads(await self.socket.recv())

    async def ask(self, frame: Frame) -> Frame:
        """Send, and return the next frame that comes."""
        await self.send(frame)
        return await self.receive()

    async def error(self) -> str:
        """Return the code of the error that comes next."""
        kind, body = await self.receive()
        assert kind == "error", body
        code: str = body["code"]
        return code

    async def refused(self, frame: Frame) -> str:
        """Return the code of the error that answers *frame*."""
        await self.send(frame)
        return await self.error()

    async def closed_after_error(self) -> int | None:
        """Take the error that ends the connection; return the code of the close."""
        await self.error()
        return await self.closed()

    async def closed(self) -> int | None:
        """Wait until the server has closed; return its code."""
        with anyio.fail_after(DEADLINE_SECONDS):
            try:
                frame = await self.socket.recv()
            except ConnectionClosed as error:
                return error.rcvd.code if error.rcvd else None
        raise AssertionError(f"not closed, but sent {frame!r}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP request came to."""

    status: int
    body: Any
    headers: Mapping[str, str]


@dataclass(slots=True)
class Running:
    """A server that runs for the length of a context."""

    app: SyncApp
    url: str
    prefix: str = ""
    stop: Callable[[], None] = field(default=lambda: None)

    @asynccontextmanager
    async def connect(self, reader: str, **options: Any) -> AsyncIterator[Wire]:
        """Open a WebSocket for ``user/device``, which is put into the URL as it stands."""
        url = f"{self.url.replace('http', 'ws', 1)}{self.prefix}/sync/{reader}"
        with anyio.fail_after(DEADLINE_SECONDS):
            socket = await connect(
                url, compression=None, max_size=None, ping_interval=None, **options
            )
        try:
            yield Wire(socket)
        finally:
            await socket.close()

    async def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        def ask() -> Answer:
            connection = http.client.HTTPConnection(
                self.url.removeprefix("http://"), timeout=DEADLINE_SECONDS
            )
            try:
                connection.request(method, self.prefix + path, body, dict(headers or {}))
                response = connection.getresponse()
                text = response.read()
                kind = response.headers.get_content_type()
                content = json.loads(text) if kind == "application/json" else text.decode()
                return Answer(response.status, content, dict(response.headers.items()))
            finally:
                connection.close()

        return await anyio.to_thread.run_sync(ask)

    @asynccontextmanager
    async def bare_socket(
        self, reader: str, *, receive_bytes: int = 16_384
    ) -> AsyncIterator[SocketStream]:
        """Open a WebSocket on a bare socket, which reads only when told to."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        with anyio.fail_after(DEADLINE_SECONDS):
            stream = await anyio.connect_tcp(host, int(port))
            raw = stream.extra(SocketAttribute.raw_socket)  # noqa: S610  # no Django here
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            await stream.send(
                f"GET {self.prefix}/sync/{reader} HTTP/1.1\r\nHost: {host}\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
            )
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += await stream.receive(1)
        async with stream:
            yield stream

    async def empty(self) -> None:
        """Wait until no WebSocket is open."""
        with anyio.fail_after(DEADLINE_SECONDS):
            while self.app.connections:
                await anyio.lowlevel.checkpoint()

    async def post(self, reader: str, frame: Frame, **headers: str) -> Answer:
        body = frame if isinstance(frame, bytes) else json.dumps(frame, ensure_ascii=False).encode()
        return await self.request("POST", f"/sync/{reader}", body, headers)


class Start(Protocol):
    """How a test starts a server: with the arguments of ``SyncApp``, and these."""

    def __call__(
        self,
        *,
        hinder: Callable[[str], Awaitable[None]] | None = None,
        mount: Callable[[SyncApp], ASGIApp] | None = None,
        prefix: str = "",
        grace_seconds: float = 10.0,
        **options: Any,
    ) -> AbstractAsyncContextManager[Running]: ...


def hindered(store: StoreT, before: Callable[[str], Awaitable[None]]) -> StoreT:
    """Return *store* with *before* awaited ahead of each call, which is told its name."""

    class Hindered:
        def __getattr__(self, name: str) -> object:
            method = getattr(store, name)
            if not inspect.iscoroutinefunction(method):
                return method

            async def call(*args: object, **kwargs: object) -> object:
                # An append of nothing only asks whether the log was erased.
                await before("ask" if name == "append" and not args[1] else name)
                return await method(*args, **kwargs)

            return call

    return cast(StoreT, Hindered())


@pytest.fixture(params=["memory", "sqlite"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The store behind the server; tests that ask for it run on each."""
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/server.db"


@pytest.fixture
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[tuple[LogStore, CursorStore]]:
    """Open the server's stores: of ``store_url`` if the test asks for it, else in memory."""
    asked = "store_url" in request.fixturenames
    url = request.getfixturevalue("store_url") if asked else "memory://"
    async with open_stores(url) as both:
        yield both


@asynccontextmanager
async def running(
    log: LogStore,
    cursors: CursorStore,
    *,
    hinder: Callable[[str], Awaitable[None]] | None = None,
    mount: Callable[[SyncApp], ASGIApp] | None = None,
    prefix: str = "",
    grace_seconds: float = 10.0,
    **options: Any,
) -> AsyncIterator[Running]:
    """Serve the stores for the length of the context."""
    if hinder is not None:
        log, cursors = hindered(log, hinder), hindered(cursors, hinder)
    app = SyncApp(log, cursors, **options)
    serving = anyio.CancelScope()

    async def run(*, task_status: TaskStatus[str]) -> None:
        with serving:
            await serve(
                app,
                port=0,
                within=mount(app) if mount else None,
                grace_seconds=grace_seconds,
                announce=task_status.started,
            )

    async with anyio.create_task_group() as tasks:
        with anyio.fail_after(DEADLINE_SECONDS):
            url = await tasks.start(run)
        yield Running(app, url, prefix, serving.cancel)
        serving.cancel()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The event loop, for as long as a server that the tests of a module share."""
    return "asyncio"


@pytest.fixture
def start(stores: tuple[LogStore, CursorStore]) -> Start:
    return partial(running, *stores)


@pytest.fixture
async def server(start: Start) -> AsyncIterator[Running]:
    """A server with nothing special about it."""
    async with start() as started:
        yield started


@pytest.fixture(scope="module")
async def shared() -> AsyncIterator[Running]:
    """A server that the tests of a module share; each speaks for a user of its own."""
    async with open_stores("memory://") as (log, cursors), running(log, cursors) as started:
        yield started


def text_frame(payload: bytes) -> bytes:
    """Return *payload* as a client's text frame on the wire, masked with zeros."""
    assert len(payload) < 126
    return b"\x81" + bytes([0x80 | len(payload)]) + bytes(4) + payload


def message(counter: int, device: str = "laptop", *, at: int = 0, **fields: Any) -> Frame:
    """Write one message, padded: stamped *at*, or at its counter."""
    seq = f"{at or counter:015d}:{counter:012d}:{device}"
    return {"seq": seq, "scope": "private", "content": f"{device} {counter}", **fields}


@pytest.fixture(name="at")
def running_at() -> type[Running]:
    """What a server that a test has started by itself is spoken to with."""
    return Running


@pytest.fixture(name="text_frame")
def text_frame_writer() -> Callable[[bytes], bytes]:
    return text_frame


@pytest.fixture(name="message")
def message_writer() -> Callable[..., Frame]:
    return message
