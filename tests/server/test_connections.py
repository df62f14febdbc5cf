"""Who may connect: authentication, one connection for each device, and the limits."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import pytest
from starlette.requests import HTTPConnection
from websockets.exceptions import ConnectionClosed

from strandlog.errors import AuthError, ForbiddenError
from strandlog.model import Reader
from strandlog.server import Limits, speaks_for

if TYPE_CHECKING:
    from tests.server.conftest import Frame, Running, Start

pytestmark = pytest.mark.anyio

Message = Callable[..., "Frame"]

HELLO = ["hello", {"seq": 0}]


class Clock:
    """Seconds that stand still until they are set."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


# -- authentication ----------------------------------------------------------------


async def by_token(request: HTTPConnection, reader: Reader) -> None:
    """Take ``Bearer user/device``, or the same as ``?token=`` (a browser sends no headers)."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    token = token or request.query_params.get("token", "")
    if not token:
        raise AuthError("no token")
    user, _, device = token.partition("/")
    if user != reader.user or not speaks_for(device, reader.device):
        raise ForbiddenError(f"this token does not speak for {reader}")


async def test_websocket_without_proof_is_told_and_closed(start: Start) -> None:
    """Told by a frame: a browser could not see why the handshake failed.

    And closed only after its hello: one that greets before it listens would
    otherwise fail to send, and never read why.
    """
    async with (
        start(authenticate=by_token) as server,
        server.connect("alice/laptop") as wire,
    ):
        told = await wire.ask(HELLO)
        closed = await wire.closed()
        left = server.app.connections

    assert told == ["error", {"code": "auth", "message": "no token", "fatal": True}]
    assert (closed, left) == (1008, 0)


async def test_websocket_of_another_user_is_told_and_closed(start: Start) -> None:
    async with (
        start(authenticate=by_token) as server,
        server.connect("alice/laptop?token=bob/laptop") as wire,
    ):
        told = await wire.ask(HELLO)
        closed = await wire.closed()

    assert (told[1]["code"], told[1]["fatal"], closed) == ("forbidden", True, 1008)


async def test_proof_in_header_or_query_lets_in(start: Start) -> None:
    async with (
        start(authenticate=by_token) as server,
        server.connect(
            "alice/laptop", additional_headers={"Authorization": "Bearer alice/laptop"}
        ) as laptop,
        server.connect("alice/phone?token=alice/phone") as phone,
    ):
        answers = [await laptop.ask(HELLO), await phone.ask(HELLO)]

    assert [kind for kind, _ in answers] == ["hello", "hello"]


async def test_post_without_proof_has_the_status_of_it(start: Start) -> None:
    async with start(authenticate=by_token) as server:
        nobody = await server.post("alice/laptop", HELLO)
        bob = await server.post("alice/laptop", HELLO, Authorization="Bearer bob/laptop")
        alice = await server.post("alice/laptop", HELLO, Authorization="Bearer alice/laptop")

    assert (nobody.status, nobody.headers["www-authenticate"]) == (401, "Bearer")
    assert nobody.body[1]["code"] == "auth"
    assert (bob.status, bob.body[1]["code"]) == (403, "forbidden")
    assert (alice.status, alice.body[0]) == (200, "hello")


async def test_device_that_was_rehomed_keeps_its_proof(start: Start) -> None:
    async with start(authenticate=by_token) as server:
        branch = await server.post("alice/laptop~0123456789abcdef?token=alice/laptop", HELLO)
        other = await server.post("alice/laptop2?token=alice/laptop", HELLO)

    assert (branch.status, other.status) == (200, 403)


async def test_proof_that_takes_too_long_is_none(start: Start) -> None:
    async def hangs(*_: object) -> None:
        await anyio.sleep_forever()

    async with start(authenticate=hangs, limits=Limits(hello_seconds=0.01)) as server:
        answer = await server.post("alice/laptop", HELLO)

    assert (answer.status, answer.body[1]["code"]) == (401, "auth")


@pytest.mark.parametrize(
    ("origin", "code"),
    [
        ("http://localhost:3000", None),
        ("http://127.0.0.1:8000", None),
        ("http://[::1]", None),
        ("https://evil.example", "forbidden"),
        ("http://localhost.evil.example", "forbidden"),
        ("null", "forbidden"),
    ],
)
async def test_page_of_another_site_is_kept_out(
    server: Running, origin: str, code: str | None
) -> None:
    """Any page that the user looks at may connect to 127.0.0.1, and nobody has to authenticate."""
    post = await server.post("alice/laptop", HELLO, Origin=origin)
    async with server.connect("alice/laptop", origin=origin) as wire:
        _, answer = await wire.ask(HELLO)

    assert (post.body[1].get("code"), answer.get("code")) == (code, code)


# -- one connection for each device --------------------------------------------------


@pytest.mark.usefixtures("store_url")
async def test_newer_connection_of_a_device_ends_the_older(
    server: Running, message: Message
) -> None:
    async with server.connect("alice/laptop") as older, server.connect("alice/laptop") as newer:
        await older.ask(HELLO)
        answer = await newer.ask(["hello", {"seq": 1, "messages": [message(1)]}])
        kind, told = await older.receive()
        closed = await older.closed()
        again = await newer.ask(["hello", {"seq": 1}])

    assert answer == ["hello", {"messages": [], "seq": 1}]
    assert (kind, told["code"], told["fatal"], closed) == ("error", "superseded", True, 1008)
    assert again == ["hello", {"messages": [], "seq": 1}]


async def test_connection_that_says_nothing_ends_no_other(server: Running) -> None:
    """Only a hello does; and neither does another device, or another user's of that name."""
    async with (
        server.connect("alice/laptop") as laptop,
        server.connect("alice/laptop"),
        server.connect("alice/phone") as phone,
        server.connect("bob/laptop") as bob,
    ):
        await laptop.ask(HELLO)
        await phone.ask(HELLO)
        await bob.ask(HELLO)
        answer = await laptop.ask(HELLO)

    assert answer[0] == "hello"


async def test_later_hello_of_the_older_connection_ends_nothing(server: Running) -> None:
    """Else the two would take each other's place for ever."""
    async with server.connect("alice/laptop") as older:
        await older.ask(HELLO)
        async with server.connect("alice/laptop") as newer:
            await newer.ask(HELLO)
            await older.receive()
            with pytest.raises(ConnectionClosed):
                await older.ask(HELLO)
            answer = await newer.ask(HELLO)

    assert answer[0] == "hello"


async def test_post_ends_no_connection(server: Running, message: Message) -> None:
    async with server.connect("alice/laptop") as laptop:
        await laptop.ask(HELLO)
        await server.post("alice/laptop", ["hello", {"seq": 1, "messages": [message(1)]}])
        # It was written by the same device, but not on this connection.
        push = await laptop.receive()
        answer = await laptop.ask(["hello", {"seq": 1}])

    assert push == ["add", {"messages": [message(1)]}]
    assert answer == ["hello", {"messages": [], "seq": 1}]


async def test_clones_that_end_each_other_are_slowed_down(start: Start) -> None:
    """After five turns the newcomer has to wait, and the one that is connected stays."""
    clock = Clock()
    async with start(clock=clock) as server:
        current = server.connect("alice/laptop")
        wire = await current.__aenter__()
        await wire.ask(HELLO)
        for _ in range(5):
            newer = server.connect("alice/laptop")
            newer_wire = await newer.__aenter__()
            await newer_wire.ask(HELLO)
            assert (await wire.receive())[1]["code"] == "superseded"
            await current.__aexit__(None, None, None)
            current, wire = newer, newer_wire
        async with server.connect("alice/laptop") as clone:
            _, refused = await clone.ask(HELLO)
            still = await wire.ask(HELLO)
            clock.seconds += refused["retry_after"]
            later = await clone.ask(HELLO)
        await current.__aexit__(None, None, None)

    assert (refused["code"], refused["fatal"], refused["retry_after"]) == ("rate", False, 10.0)
    assert (still[0], later[0]) == ("hello", "hello")


async def test_older_connection_that_does_not_read_holds_up_nobody(
    server: Running, text_frame: Callable[[bytes], bytes], message: Message
) -> None:
    """A phone that moved to another network has left such a one behind."""
    async with server.bare_socket("alice/phone") as dead:
        await dead.send(text_frame(b'["hello",{"seq":0}]'))
        for counter in range(1, 200):
            entry = message(counter, content="x" * 60_000)
            await server.post("alice/laptop", ["add", {"messages": [entry]}])
        async with server.connect("alice/phone") as phone:
            answer = await phone.ask(HELLO)

    assert len(answer[1]["messages"]) == 1


# -- limits ------------------------------------------------------------------------


async def test_user_has_so_many_connections_and_no_more(start: Start) -> None:
    async with (
        start(limits=Limits(user_connections=2)) as server,
        server.connect("alice/laptop") as laptop,
        server.connect("bob/laptop") as bob,
    ):
        async with server.connect("alice/phone"), server.connect("alice/desk") as third:
            _, refused = await third.ask(HELLO)
            closed = await third.closed()
        others = [await laptop.ask(HELLO), await bob.ask(HELLO)]
        async with server.connect("alice/desk") as third:
            after = await third.ask(HELLO)

    assert (refused["code"], refused["fatal"], closed) == ("rate", True, 1008)
    assert "2 connections" in refused["message"]
    assert refused["retry_after"] > 0
    assert [kind for kind, _ in (*others, after)] == ["hello", "hello", "hello"]


async def test_frames_that_come_too_fast_are_refused(start: Start, message: Message) -> None:
    """Nothing of them is stored; and who waits as long as told goes on."""
    clock = Clock()
    limits = Limits(frames_per_second=2, frames_burst=3)
    async with (
        start(limits=limits, clock=clock) as server,
        server.connect("alice/laptop") as laptop,
    ):
        taken = [await laptop.ask(HELLO) for _ in range(3)]
        _, refused = await laptop.ask(["hello", {"seq": 1, "messages": [message(1)]}])
        clock.seconds += refused["retry_after"]
        after = await laptop.ask(["hello", {"seq": 1}])
        _, again = await laptop.ask(HELLO)

    assert [kind for kind, _ in taken] == ["hello", "hello", "hello"]
    assert (refused["code"], refused["retry_after"], refused["fatal"]) == ("rate", 0.5, False)
    assert after == ["hello", {"messages": [], "seq": 0}]
    assert again["code"] == "rate"


async def test_connection_without_a_hello_is_ended(start: Start) -> None:
    """However much else it says."""
    codes: list[str] = []
    limits = Limits(hello_seconds=0.2, abuse=1_000_000, frames_burst=1_000_000)
    async with (
        start(limits=limits) as server,
        server.connect("alice/laptop") as laptop,
    ):
        with suppress(ConnectionClosed), anyio.fail_after(30):
            while True:
                await laptop.send(["ack", {}])
                codes.append(await laptop.error())
        # The last send may have met the close, with the error still unread.
        with suppress(ConnectionClosed):
            codes.append(await laptop.error())
        closed = await laptop.closed()

    assert set(codes) <= {"bad-frame", "rate"}
    assert codes[-1] == "rate"
    assert closed == 1008


async def test_connection_with_a_hello_may_be_silent(start: Start, message: Message) -> None:
    """The time is over once another connection has been ended for it, and this one is there."""
    async with (
        start(limits=Limits(hello_seconds=0.2)) as server,
        server.connect("alice/phone") as phone,
        server.connect("alice/laptop") as silent,
    ):
        await phone.ask(HELLO)
        await silent.closed_after_error()
        await server.post("alice/desk", ["add", {"messages": [message(1, "desk")]}])
        push = await phone.receive()

    assert push == ["add", {"messages": [message(1, "desk")]}]


async def test_too_many_refused_frames_in_a_row_end_the_connection(start: Start) -> None:
    async with (
        start(limits=Limits(abuse=3)) as server,
        server.connect("alice/laptop") as laptop,
    ):
        errors = [await laptop.ask(frame) for frame in ("{", "{")]
        errors += [await laptop.ask(HELLO)]
        errors += [await laptop.ask(frame) for frame in ("{", "{", "[]")]
        closed = await laptop.closed()

    assert [body.get("fatal") for _, body in errors] == [False, False, None, False, False, True]
    assert "3 frames in a row" in errors[-1][1]["message"]
    assert closed == 1008


async def test_connection_follows_so_many_logs_and_no_more(start: Start) -> None:
    class Everything:
        async def visible(self, reader: Reader, user: str) -> None:
            return None

        async def admit(self, reader: Reader, entries: object) -> None:
            return None

    async with (
        start(access=Everything(), limits=Limits(connection_logs=2)) as server,
        server.connect("alice/laptop") as laptop,
    ):
        answers = [
            await laptop.ask(["hello", {"v": 1, "user": user, "have": {}}])
            for user in ("bob", "carol", "dave", "bob")
        ]

    assert [kind for kind, _ in answers] == ["hello", "hello", "error", "hello"]
    assert (answers[2][1]["code"], answers[2][1]["limit"]) == ("too-large", 2)
