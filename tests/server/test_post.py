"""``POST``: one frame in, one frame out, by whatever speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import pytest

from strandlog.server import Limits

if TYPE_CHECKING:
    from tests.server.conftest import Frame, Running, Start

pytestmark = pytest.mark.anyio

Message = Callable[..., "Frame"]


async def test_hello_is_answered_by_a_hello(server: Running, message: Message) -> None:
    answer = await server.post(
        "alice/laptop", ["hello", {"seq": 1, "messages": [message(1)], "id": "first"}]
    )

    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.body == ["hello", {"messages": [], "seq": 1}]


async def test_add_is_answered_by_an_ack(server: Running, message: Message) -> None:
    answer = await server.post("alice/laptop", ["add", {"messages": [message(1)], "id": 7}])

    assert answer.body == ["ack", {"seq": 1, "ref": 7}]


@pytest.mark.parametrize("frame", [["ack", {}], ["error", {"code": "gap"}]])
async def test_frame_that_has_no_answer_is_not_for_post(server: Running, frame: Frame) -> None:
    answer = await server.post("alice/laptop", frame)

    assert answer.body[1]["code"] == "bad-frame"


async def test_other_methods_are_told_what_to_do(server: Running) -> None:
    answer = await server.request("GET", "/sync/alice/laptop")

    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert "WebSocket" in answer.body


async def test_body_beyond_the_limit_is_refused_before_it_is_whole(server: Running) -> None:
    """A gigabyte is announced, and two megabytes of it are sent."""
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(
            b"POST /sync/alice/laptop HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n"
            + b" " * 2_000_000
        )
        with anyio.fail_after(30):
            answer = await stream.receive()

    assert b'"code":"too-large"' in answer
    assert f'"limit":{Limits().frame_bytes}'.encode() in answer


async def test_body_that_does_not_come_is_not_waited_for(start: Start) -> None:
    async with start(limits=Limits(hello_seconds=0.05)) as server:
        host, _, port = server.url.removeprefix("http://").rpartition(":")
        async with await anyio.connect_tcp(host, int(port)) as stream:
            await stream.send(
                b"POST /sync/alice/laptop HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[1"
            )
            with anyio.fail_after(30):
                answer = await stream.receive()

    assert answer.startswith(b"HTTP/1.1 429 ")
    assert b'"code":"rate"' in answer


async def test_client_that_goes_away_in_the_middle_leaves_no_traceback(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    async with await anyio.connect_tcp(host, int(port)) as stream:
        await stream.send(b"POST /sync/a/b HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n[1")
    answer = await server.post("alice/laptop", ["hello", {"seq": 0}])

    assert answer.status == 200
    assert [record for record in caplog.records if record.exc_info] == []


async def test_others_are_told_of_what_came_by_post(server: Running, message: Message) -> None:
    async with server.connect("alice/phone") as phone:
        await phone.ask(["hello", {"seq": 0}])
        await server.post("alice/laptop", ["hello", {"seq": 1, "messages": [message(1)]}])
        push = await phone.receive()

    assert push == ["add", {"messages": [message(1)]}]
