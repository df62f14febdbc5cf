"""The server inside another application, and what watches over it."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from strandlog.errors import StoreUnavailableError
from strandlog.log import Log
from strandlog.model import Entry, Seq
from strandlog.server import SyncApp, open_app

if TYPE_CHECKING:
    from pathlib import Path

    from strandlog.backend.store import CursorStore, LogStore
    from tests.server.conftest import Frame, Running, Start

    Stores = tuple[LogStore, CursorStore]

pytestmark = pytest.mark.anyio

Message = Callable[..., "Frame"]


async def _home(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("the application")


def _mounted(path: str) -> Callable[[SyncApp], ASGIApp]:
    return lambda sync: Starlette(routes=[Route("/", _home), Mount(path, app=sync)])


@pytest.mark.parametrize(
    ("path", "prefix"),
    [("/notes", "/notes"), ("/sync", "/sync"), ("/my notes", "/my%20notes"), ("/a/b", "/a/b")],
)
async def test_server_is_mounted_below_a_path(
    start: Start, message: Message, path: str, prefix: str
) -> None:
    """With WebSocket, POST and a name that needs escapes; and the application is still there."""
    async with start(mount=_mounted(path), prefix=prefix) as server:
        async with server.connect("did:key:z6Mk%25/phone") as phone:
            await phone.ask(["hello", {"seq": 0}])
            await server.post("did:key:z6Mk%25/laptop", ["add", {"messages": [message(1)]}])
            push = await phone.receive()
        alive = await server.request("GET", "/healthz")
        server.prefix = ""
        home = await server.request("GET", "/")

    assert push == ["add", {"messages": [message(1)]}]
    assert alive.body == {"alive": True}
    assert home.body == "the application"


async def test_server_that_keeps_no_raw_path_will_do(start: Start, message: Message) -> None:
    """ASGI leaves it to the server whether it gives one."""

    def without_raw_path(sync: SyncApp) -> ASGIApp:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            scope.pop("raw_path", None)
            await sync(scope, receive, send)

        return app

    async with start(mount=without_raw_path) as server:
        taken = await server.post("100%25/laptop", ["add", {"messages": [message(1)]}])
        again = await server.post("100%2525/laptop", ["add", {"messages": [message(2)]}])
        refused = await server.post("../laptop", ["add", {"messages": [message(1)]}])

    assert taken.body == ["ack", {"seq": 1}]
    assert again.body[1]["code"] == "gap"
    assert refused.body[1]["code"] == "bad-name"


async def test_application_tells_of_what_it_appends_itself(
    server: Running, stores: Stores, message: Message
) -> None:
    async with server.connect("alice/phone") as phone:
        await phone.ask(["hello", {"seq": 0}])
        entry = Entry(Seq(1, 1, "laptop"), "private", b'"laptop 1"')
        await Log(stores[0]).append("alice", [entry])
        server.app.notify("alice")
        push = await phone.receive()

    assert push == ["add", {"messages": [message(1)]}]


async def test_other_paths_are_not_found(server: Running) -> None:
    answers = [
        await server.request("GET", path) for path in ("/", "/sync", "/synced/a/b", "/sync2")
    ]

    assert [answer.status for answer in answers] == [404, 404, 404, 404]


# -- watching ----------------------------------------------------------------------


@pytest.mark.usefixtures("store_url")
async def test_server_is_ready_while_its_store_answers(server: Running, stores: Stores) -> None:
    """Alive it is even without."""
    ready = await server.request("GET", "/readyz")
    await stores[0].close()
    closed = await server.request("GET", "/readyz")
    alive = await server.request("GET", "/healthz")

    assert (ready.status, ready.body) == (200, {"ready": True})
    assert (closed.status, closed.body["ready"]) == (503, False)
    assert "closed" in closed.body["reason"]
    assert (alive.status, alive.body) == (200, {"alive": True})


@pytest.mark.parametrize("call", ["tops", "load"])
async def test_server_is_not_ready_while_a_store_is_away(start: Start, call: str) -> None:
    async def before(name: str) -> None:
        if name == call:
            raise StoreUnavailableError("being moved")

    async with start(hinder=before) as server:
        answer = await server.request("GET", "/readyz")

    assert (answer.status, answer.body) == (503, {"ready": False, "reason": "being moved"})


async def test_store_that_hangs_is_not_waited_for(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strandlog.server.app._READY_SECONDS", 0.0)

    async def before(_call: str) -> None:
        await anyio.sleep_forever()

    async with start(hinder=before) as server:
        answer = await server.request("GET", "/readyz")

    assert (answer.status, answer.body["ready"]) == (503, False)
    assert "has not answered" in answer.body["reason"]


async def test_version_names_protocols_and_store(server: Running, stores: Stores) -> None:
    answer = await server.request("GET", "/version")

    assert answer.body == {
        "version": version("strandlog"),
        "protocol": [0, 1],
        "epoch": (await stores[0].info()).epoch,
    }


async def test_version_is_told_without_a_store(start: Start) -> None:
    async def before(_call: str) -> None:
        raise StoreUnavailableError("away")

    async with start(hinder=before) as server:
        answer = await server.request("GET", "/version")

    assert (answer.status, answer.body["epoch"]) == (200, None)


async def test_stores_are_opened_and_closed_with_the_app(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/logs.db"
    async with open_app(url) as app:
        with anyio.fail_after(30):
            epoch = await app._service.epoch()
    async with open_app(url, "memory://") as again:
        same = await again._service.epoch()

    assert same == epoch
