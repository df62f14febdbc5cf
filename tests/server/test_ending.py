"""The end of a server: what it has taken is answered, and nobody is kept waiting."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
from anyio.abc import TaskStatus
from starlette.applications import Starlette
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from strandlog.backend.registry import open_log_store
from strandlog.errors import InvalidArgumentError, LocalProtocolError
from strandlog.server import SyncApp, open_app, serve

if TYPE_CHECKING:
    from strandlog.backend.store import CursorStore, LogStore
    from tests.server.conftest import Frame, Running, Start

pytestmark = pytest.mark.anyio

Message = Callable[..., "Frame"]

HELLO = ["hello", {"seq": 0}]


class Gate:
    """Holds up an append until it is opened."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.opened = anyio.Event()

    async def __call__(self, call: str) -> None:
        if call == "append":
            self.reached.set()
            await self.opened.wait()


async def test_every_connection_is_told_and_closed(server: Running) -> None:
    """Those that wait for news, and those that have not said anything."""
    async with server.connect("alice/laptop") as laptop, server.connect("bob/phone") as bob:
        await laptop.ask(HELLO)
        server.stop()
        told = [await laptop.receive(), await bob.receive()]
        closed = [await laptop.closed(), await bob.closed()]

    assert [(kind, error["code"], error["fatal"]) for kind, error in told] == [
        ("error", "shutting-down", False),
        ("error", "shutting-down", False),
    ]
    assert told[0][1]["retry_after"] > 0
    assert closed == [1012, 1012]


@pytest.mark.usefixtures("store_url")
async def test_frame_in_progress_is_answered_before_the_end(start: Start, message: Message) -> None:
    """Its entries are durable, and the client is told so; what comes after is not taken."""
    gate = Gate()
    async with start(hinder=gate) as server, server.connect("alice/laptop") as laptop:
        await laptop.ask(HELLO)
        await laptop.send(["add", {"messages": [message(1)]}])
        with anyio.fail_after(30):
            await gate.reached.wait()
        server.stop()
        await _stopped_listening(server)
        with suppress(ConnectionClosed):
            await laptop.send(["add", {"messages": [message(2)]}])
        gate.opened.set()
        answers = [await laptop.receive(), await laptop.receive()]
        closed = await laptop.closed()

    assert answers[0] == ["ack", {"seq": 1}]
    assert answers[1][1]["code"] == "shutting-down"
    assert closed == 1012


async def test_post_in_progress_is_answered_before_the_end(start: Start, message: Message) -> None:
    gate = Gate()
    answers: list[Frame] = []
    async with start(hinder=gate) as server:

        async def post() -> None:
            answers.append(await server.post("alice/laptop", ["add", {"messages": [message(1)]}]))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(post)
            with anyio.fail_after(30):
                await gate.reached.wait()
            server.stop()
            await _stopped_listening(server)
            gate.opened.set()

    assert [answer.body for answer in answers] == [["ack", {"seq": 1}]]


async def test_drained_server_takes_nothing_more(server: Running) -> None:
    """For an application that ends it from inside, and goes on with other things."""
    async with server.connect("alice/laptop") as laptop:
        await server.app.drain()
        await laptop.closed_after_error()
    post = await server.post("alice/laptop", HELLO)
    async with server.connect("alice/laptop") as late:
        kind, refused = await late.ask(HELLO)
        closed = await late.closed()
    ready = await server.request("GET", "/readyz")

    assert (post.status, post.body[1]["code"]) == (503, "shutting-down")
    assert int(post.headers["retry-after"]) > 0
    assert (kind, refused["code"], closed) == ("error", "shutting-down", 1012)
    assert ready.status == 503


async def test_store_that_hangs_does_not_hold_up_the_end(start: Start, message: Message) -> None:
    """No longer than the time of grace, that is."""
    gate = Gate()
    with anyio.fail_after(30):
        async with (
            start(hinder=gate, grace_seconds=0.1) as server,
            server.connect("alice/laptop") as laptop,
        ):
            await laptop.send(["add", {"messages": [message(1)]}])
            await gate.reached.wait()
            server.stop()

    assert not gate.opened.is_set()


async def test_cancelled_task_ends_in_order_too(
    stores: tuple[LogStore, CursorStore], at: type[Running], message: Message
) -> None:
    """Cancelled by asyncio's own means, which anyio cannot shield from."""
    for counter in (1, 2):
        sync = SyncApp(*stores)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(sync, port=0, announce=address.set_result))
        async with at(sync, await address).connect("alice/laptop") as laptop:
            acked = await laptop.ask(["add", {"messages": [message(counter)]}])
            serving.cancel()
            told = await laptop.error()
            await asyncio.wait([serving])

        assert (acked, told) == (["ack", {"seq": counter}], "shutting-down")
        assert serving.cancelled()


async def test_server_in_another_thread_leaves_signals_alone() -> None:
    """Only the main thread may set handlers; who embeds it there has some of its own."""
    before = signal.getsignal(signal.SIGTERM)

    async def play() -> str:
        async with open_app("memory://") as sync, anyio.create_task_group() as tasks:
            url = await tasks.start(_announced, sync)
            tasks.cancel_scope.cancel()
        return str(url)

    url = await anyio.to_thread.run_sync(lambda: anyio.run(play))

    assert url.startswith("http://127.0.0.1:")
    assert signal.getsignal(signal.SIGTERM) is before


async def _announced(sync: SyncApp, *, task_status: TaskStatus[str]) -> None:
    await serve(sync, port=0, announce=task_status.started)


async def test_application_that_fails_to_start_is_an_error(server: Running) -> None:
    class Lifespan:
        def __init__(self, _app: Starlette) -> None:
            raise RuntimeError("no configuration")

        async def __aenter__(self) -> None: ...

        async def __aexit__(self, *_: object) -> None: ...

    with pytest.raises(LocalProtocolError, match="failed to start"):
        await serve(server.app, within=Starlette(lifespan=Lifespan), port=0)


async def test_port_in_use_is_an_error(server: Running) -> None:
    port = int(server.url.rpartition(":")[2])
    with pytest.raises(OSError, match="in use"):
        await serve(server.app, port=port)


async def test_unknown_host_is_an_error(server: Running) -> None:
    with pytest.raises(InvalidArgumentError, match="is not an address to listen on"):
        await serve(server.app, host="no-such-host.invalid", port=0, insecure=True)


async def test_server_without_authentication_listens_on_loopback_only(server: Running) -> None:
    with pytest.raises(InvalidArgumentError, match="nobody has to authenticate"):
        await serve(server.app, host="0.0.0.0", port=0)  # noqa: S104


# -- signals -----------------------------------------------------------------------


PROGRAM = """
import sys
import anyio
from strandlog.server import open_app, serve

class Policy:
    async def visible(self, reader, user):
        return frozenset()

    async def admit(self, reader, entries):
        if any(entry.scope == "hangs" for entry in entries):
            print("hangs", flush=True)
            await anyio.sleep_forever()

async def main():
    async with open_app(sys.argv[1], access=Policy()) as app:
        await serve(app, port=0, grace_seconds=600, announce=lambda url: print(url, flush=True))

anyio.run(main)
print("ended")
"""


@contextmanager
def _program(store: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, f"sqlite:///{store}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip().replace("http", "ws", 1)


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_the_server_in_order(
    tmp_path: Path, message: Message, one: signal.Signals
) -> None:
    """The client is told; what was acknowledged is there; the process has succeeded."""

    def play() -> tuple[list[Frame], tuple[str, str], int]:
        with _program(tmp_path / "logs.db") as process:
            with connect(f"{_address(process)}/sync/alice/laptop", compression=None) as laptop:
                laptop.send(json.dumps(["add", {"messages": [message(1)]}]))
                frames = [json.loads(laptop.recv(timeout=30))]
                process.send_signal(one)
                frames.append(json.loads(laptop.recv(timeout=30)))
            return frames, process.communicate(timeout=30), process.returncode

    frames, (printed, complained), status = await anyio.to_thread.run_sync(play)
    async with open_log_store(f"sqlite:///{tmp_path}/logs.db") as store:
        tops = await store.tops("alice")

    assert frames[0] == ["ack", {"seq": 1}]
    assert frames[1][1]["code"] == "shutting-down"
    assert (printed, complained, status) == ("ended\n", "", 0)
    assert tops == {"laptop": 1}


async def test_second_signal_ends_the_server_at_once(tmp_path: Path, message: Message) -> None:
    """A frame hangs, and the time of grace is ten minutes."""

    def play() -> tuple[str, int]:
        with _program(tmp_path / "logs.db") as process:
            with connect(f"{_address(process)}/sync/alice/laptop", compression=None) as laptop:
                laptop.send(json.dumps(["add", {"messages": [message(1, scope="hangs")]}]))
                assert process.stdout is not None
                assert process.stdout.readline() == "hangs\n"
                process.send_signal(signal.SIGTERM)
                # Until it refuses connections, the first one has not been heeded.
                with suppress(ConnectionError):
                    while True:
                        socket.create_connection(laptop.remote_address[:2]).close()
                process.send_signal(signal.SIGTERM)
                printed, _ = process.communicate(timeout=30)
            return printed, process.returncode

    printed, status = await anyio.to_thread.run_sync(play)

    assert (printed, status) == ("ended\n", 0)


async def _stopped_listening(server: Running) -> None:
    with anyio.fail_after(30), suppress(ConnectionError):
        while True:
            await server.request("GET", "/healthz")
