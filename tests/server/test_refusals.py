"""What is refused: each by its own error, after which the connection goes on."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed

from strandlog.errors import RejectedError, StoreCorruptError, StoreUnavailableError
from strandlog.model import Reader
from strandlog.server import Limits

if TYPE_CHECKING:
    from strandlog.backend.store import CursorStore, LogStore
    from tests.server.conftest import Frame, Running, Start

pytestmark = pytest.mark.anyio

Message = Callable[..., "Frame"]

LONG = "x" * 10_000_000
DEEP = "[" * 100_000 + "]" * 100_000


def _hello(*messages: Frame, seq: int = 1, **fields: Any) -> Frame:
    return ["hello", {"seq": seq, "messages": list(messages), **fields}]


def _message(counter: int = 1, **fields: Any) -> Frame:
    return {"seq": f"{counter}:{counter}:laptop", "content": 1, **fields}


def _text(content: str) -> str:
    return f'["hello",{{"seq":1,"messages":[{{"seq":"1:1:laptop","content":{content}}}]}}]'


REFUSED: dict[str, tuple[Frame | str | bytes, str]] = {
    "text that is no JSON": ("{", "bad-json"),
    "nothing at all": ("", "bad-json"),
    "bytes that are no UTF-8": (b'["hello",{"seq":1,"x":"\xff"}]', "bad-json"),
    "an array that nests 100,000 levels": (DEEP, "bad-json"),
    "content that nests 100,000 levels": (_text(DEEP), "bad-json"),
    "content that nests 129 levels": (_text("[" * 129 + "]" * 129), "bad-json"),
    "a string of 10 MB": (_text(f'"{LONG}"'), "too-large"),
    "a message of more than 256 KiB": (_text(f'"{LONG[:262_144]}"'), "too-large"),
    "600,000 letters of two bytes each": (["hello", {"seq": 1, "x": "é" * 600_000}], "too-large"),
    "more than a thousand messages": (
        _hello(*(_message(n) for n in range(1, 1_002)), seq=1_001),
        "too-large",
    ),
    "more than a thousand messages, of which none is one": (
        ["add", {"messages": [1] * 1_001}],
        "too-large",
    ),
    "an object": ({"hello": 1}, "bad-frame"),
    "a type without a body": (["hello"], "bad-frame"),
    "a field of another type": (["hello", {"seq": 1, "messages": {}}], "bad-frame"),
    "an unknown field in a message": (_hello(_message(owner="me")), "bad-frame"),
    "version 1 without have": (["hello", {"seq": 0, "v": 1}], "bad-frame"),
    "an add of nothing": (["add", {"messages": []}], "bad-frame"),
    "a type that there is not": (["greetings", {}], "unknown-type"),
    "a type as long as a frame": ([LONG[:1_000_000], {}], "unknown-type"),
    "a seq that is none": (_hello(_message(seq="yesterday")), "bad-seq"),
    "a seq of another device": (_hello(_message(seq="1:1:phone")), "bad-seq"),
    "a message above the own top": (_hello(_message(2), seq=1), "bad-seq"),
    "a timestamp that falls": (
        _hello(_message(), {"seq": "0:2:laptop", "content": 1}, seq=2),
        "bad-seq",
    ),
    "a scope that is a path": (_hello(_message(scope="../friend")), "bad-name"),
    "a user that is a path": (["hello", {"v": 1, "user": "../alice"}], "bad-name"),
    "a hole between the messages": (_hello(_message(1), _message(3), seq=3), "gap"),
    "a hole before the first message": (_hello(_message(9), seq=9), "gap"),
    "a version to come": (["hello", {"v": 9, "seq": 0, "have": {}}], "version"),
    "another's log": (["hello", {"v": 1, "user": "bob", "have": {}}], "forbidden"),
    "a base that differs": (
        ["hello", {"v": 1, "seq": 1, "have": {}, "base": [1, "0" * 32]}],
        "fork",
    ),
}
FATAL = {"a version to come"}


def _user(request: pytest.FixtureRequest) -> str:
    return re.sub("[^a-z0-9]", "-", request.node.name)


@pytest.mark.parametrize(("frame", "code"), REFUSED.values(), ids=REFUSED.keys())
async def test_refused_frame_has_its_own_error(
    shared: Running, request: pytest.FixtureRequest, frame: Frame | str | bytes, code: str
) -> None:
    """And what comes next is answered as if nothing had been."""
    reader = f"{_user(request)}/laptop"
    if code == "fork":
        await shared.post(reader, _hello(_message()))
    async with shared.connect(reader) as laptop:
        kind, error = await laptop.ask(frame)
        fatal = request.node.callspec.id in FATAL
        if fatal:
            after: Any = await laptop.closed()
        else:
            _, after = await laptop.ask(["hello", {"seq": 5}])

    assert (kind, error["code"], error["fatal"]) == ("error", code, fatal)
    assert len(error["message"]) < 1_000
    assert after == 1008 if fatal else after["seq"] == (code == "fork")


@pytest.mark.parametrize(
    ("frame", "code"),
    [(frame, code) for frame, code in REFUSED.values() if not isinstance(frame, str)],
    ids=[name for name, (frame, _) in REFUSED.items() if not isinstance(frame, str)],
)
async def test_post_is_refused_by_the_same_error(
    shared: Running, request: pytest.FixtureRequest, frame: Frame | bytes, code: str
) -> None:
    reader = f"{_user(request)}/laptop"
    if code == "fork":
        await shared.post(reader, _hello(_message()))
    answer = await shared.post(reader, frame)

    assert answer.body[1]["code"] == code
    assert answer.status == (403 if code == "forbidden" else 200)


async def test_post_of_invalid_utf8_stores_nothing(server: Running) -> None:
    """One such entry would break the page of every reader for ever."""
    answer = await server.post(
        "alice/laptop", b'["add",{"messages":[{"seq":"1:1:laptop","content":"\xc3\x28"}]}]'
    )
    page = await server.post("alice/phone", ["hello", {"seq": 0}])

    assert answer.body[1]["code"] == "bad-json"
    assert page.body == ["hello", {"messages": [], "seq": 0}]


async def test_error_names_what_the_client_needs(server: Running) -> None:
    async with server.connect("alice/laptop") as laptop:
        _, gap = await laptop.ask(_hello(_message(9), seq=9, id="g"))
        _, long = await laptop.ask(_text(f'"{LONG}"'))
        await laptop.ask(_hello(_message()))
        _, fork = await laptop.ask(_hello(_message(content=2), id=7))

    assert (gap["device"], gap["expected"], gap["got"], gap["ref"]) == ("laptop", 1, 9, "g")
    assert long["limit"] == Limits().frame_bytes
    assert (fork["device"], fork["counter"], fork["ref"]) == ("laptop", 1, 7)


async def test_fork_keeps_the_first_entry(server: Running, message: Message) -> None:
    async with server.connect("alice/laptop") as laptop:
        await laptop.ask(_hello(message(1)))
        refused = await laptop.refused(_hello(message(1, content="another")))
    page = await server.post("alice/phone", ["hello", {"seq": 0}])

    assert refused == "fork"
    assert page.body[1]["messages"] == [message(1)]


async def test_frame_of_bytes_is_a_frame_too(server: Running) -> None:
    """A client that knows only binary frames need not learn another kind."""
    async with server.connect("alice/laptop") as laptop:
        answer = await laptop.ask('["hello",{"seq":1,"x":"ü"}]'.encode())

    assert answer == ["hello", {"messages": [], "seq": 0}]


async def test_frame_beyond_what_is_read_ends_only_its_connection(server: Running) -> None:
    """17 MB: neither kept nor answered."""
    async with server.connect("alice/phone") as phone:
        async with server.connect("alice/laptop") as laptop:
            with suppress(ConnectionClosed):
                await laptop.send("x" * 17_000_000)
            # Reset, or closed by 1009: which comes first is up to the network.
            closed = await laptop.closed()
        other = await phone.ask(["hello", {"seq": 0}])

    assert closed in (1009, None)
    assert other[0] == "hello"


async def test_policy_may_refuse_an_entry(start: Start) -> None:
    class NoPhotos:
        async def visible(self, reader: Reader, user: str) -> frozenset[str]:
            return frozenset()

        async def admit(self, reader: Reader, entries: Any) -> None:
            for entry in entries:
                if entry.scope == "photo":
                    raise RejectedError(entry.counter, "no photos here")

    async with start(access=NoPhotos()) as server:
        answer = await server.post(
            "alice/laptop", _hello(_message(), _message(2, scope="photo"), seq=2)
        )

    assert answer.body == [
        "error",
        {
            "code": "rejected",
            "message": "counter 2: no photos here",
            "fatal": False,
            "counter": 2,
            "reason": "no photos here",
        },
    ]


async def test_trimmed_entries_are_told_as_such(
    server: Running, stores: tuple[LogStore, CursorStore], message: Message
) -> None:
    entries = [message(n) for n in (1, 2, 3)]
    await server.post("alice/laptop", _hello(*entries, seq=3))
    await stores[0].trim("alice", "laptop", up_to=2)
    answer = await server.post("alice/laptop", _hello(entries[0], seq=3))

    assert answer.body[1]["code"] == "trimmed"
    assert (answer.body[1]["device"], answer.body[1]["floor"]) == ("laptop", 2)


async def test_erased_log_is_told_as_such(
    server: Running, stores: tuple[LogStore, CursorStore]
) -> None:
    await server.post("alice/laptop", _hello(_message()))
    await stores[0].erase("alice")
    async with server.connect("alice/laptop") as laptop:
        refused = await laptop.ask(_hello(_message(2), seq=2))

    assert (refused[1]["code"], refused[1]["fatal"]) == ("erased", False)


# -- hostile names -----------------------------------------------------------------


NAMES = {
    "..": "../laptop",
    "an encoded ..": "%2e%2e/laptop",
    "an encoded slash": "ali%2Fce/laptop",
    "an encoded #": "ali%23ce/laptop",
    "a line break": "alice/lap%0Atop",
    "a line break at the end": "alice/laptop%0A",
    "a zero": "alice%00/laptop",
    "another script": "al%C3%AFce/laptop",
    "bytes that are no UTF-8": "al%ffce/laptop",
    "nobody": "/laptop",
    "no device": "alice/",
    "three parts": "alice/laptop/phone",
    "one part": "alice",
    "a broken escape": "ali%zzce/laptop",
    "a device with a colon": "alice/lap:top",
    "a user of 257 characters": f"{'a' * 257}/laptop",
    "a device of 65 characters": f"alice/{'a' * 65}",
    "a name of 7,000 characters": f"alice/{'a' * 7_000}",
}


@pytest.mark.parametrize("reader", NAMES.values(), ids=NAMES.keys())
async def test_hostile_name_in_the_url_is_answered(shared: Running, reader: str) -> None:
    answer = await shared.post(reader, ["hello", {"seq": 0}])
    async with shared.connect(reader) as wire:
        kind, error = await wire.ask(["hello", {"seq": 0}])
        closed = await wire.closed()

    assert answer.body[1]["code"] == "bad-name"
    assert (kind, error["code"], error["fatal"], closed) == ("error", "bad-name", True, 1008)
    assert len(error["message"]) < 1_000


@pytest.mark.parametrize(
    ("written", "user"),
    [
        ("did:key:z6Mk", "did:key:z6Mk"),
        ("did%3Akey%3Az6Mk", "did:key:z6Mk"),
        ("100%25", "100%"),
        ("100%2525", "100%25"),
        ("who%3F", "who?"),
        ("a@b.example", "a@b.example"),
        ("~", "~"),
    ],
)
async def test_user_is_percent_encoded_once(shared: Running, written: str, user: str) -> None:
    answer = await shared.post(f"{written}/laptop", _hello(_message()))
    async with shared.connect(f"{written}/phone") as phone:
        page = await phone.ask(["hello", {"seq": 0}])
    tops = await shared.app._service.driver.log.tops(user)

    assert answer.body[1]["seq"] == 1
    assert len(page[1]["messages"]) == 1
    assert tops == {"laptop": 1}


# -- a store that fails, and what nobody foresaw -------------------------------------


async def test_store_that_is_away_costs_one_answer(start: Start, message: Message) -> None:
    """The connection lives, and the same hello is taken once the store is back."""
    away = False

    async def before(_call: str) -> None:
        if away:
            raise StoreUnavailableError("the store is being moved", retry_after_seconds=3)

    async with start(hinder=before) as server, server.connect("alice/laptop") as laptop:
        await laptop.ask(_hello(message(1)))
        away = True
        refused = await laptop.ask(_hello(message(2), seq=2))
        away = False
        again = await laptop.ask(_hello(message(2), seq=2))

    assert refused == [
        "error",
        {
            "code": "store-unavailable",
            "message": "the store cannot answer now",
            "fatal": False,
            "retry_after": 3,
        },
    ]
    assert again == ["hello", {"messages": [], "seq": 2}]


async def test_store_that_is_away_when_a_connection_begins(start: Start) -> None:
    away = True

    async def before(_call: str) -> None:
        if away:
            raise StoreUnavailableError("not there yet")

    async with start(hinder=before) as server, server.connect("alice/laptop") as laptop:
        refused = await laptop.refused(["hello", {"seq": 0}])
        post = await server.post("alice/laptop", ["hello", {"seq": 0}])
        away = False
        again = await laptop.ask(["hello", {"seq": 0}])

    assert refused == "store-unavailable"
    assert (post.status, post.headers["retry-after"]) == (503, "1")
    assert again[0] == "hello"


async def test_what_was_stored_is_acknowledged_although_nothing_can_be_read(
    start: Start, message: Message
) -> None:
    """Else the client would send again what is durable already."""

    async def before(call: str) -> None:
        if call == "read":
            raise StoreUnavailableError("not now")

    async with start(hinder=before) as server, server.connect("alice/laptop") as laptop:
        by_websocket = await laptop.ask(_hello(message(1)))
        by_post = await server.post("alice/phone", _hello(message(1, "phone")))

    assert by_websocket == ["hello", {"messages": [], "seq": 1}]
    assert by_post.body == ["hello", {"messages": [], "seq": 1}]


async def test_push_waits_for_a_store_that_is_away(start: Start, message: Message) -> None:
    """Nobody asked, so nobody is told of it: what is due comes once it can be read."""
    failures = 3

    async def before(call: str) -> None:
        nonlocal failures
        if call == "read" and greeted and failures:
            failures -= 1
            raise StoreUnavailableError("not now", retry_after_seconds=0.001)

    greeted = False
    async with start(hinder=before) as server, server.connect("alice/phone") as phone:
        await phone.ask(["hello", {"seq": 0}])
        greeted = True
        await server.post("alice/laptop", ["add", {"messages": [message(1)]}])
        push = await phone.receive()

    assert failures == 0
    assert push == ["add", {"messages": [message(1)]}]


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), StoreCorruptError("bad checksum")])
async def test_fault_of_a_store_is_told_and_logged(
    start: Start, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """A line that names whom it befell; the client may come back, and others notice nothing."""

    async def before(call: str) -> None:
        if call == "append":
            raise error

    caplog.set_level(logging.WARNING)
    async with start(hinder=before) as server, server.connect("alice/laptop") as laptop:
        _, refused = await laptop.ask(_hello(_message(content="secret")))
        after = await laptop.ask(["hello", {"seq": 0}])

    assert refused["code"] == "store-unavailable"
    assert str(error) not in refused["message"]
    assert after == ["hello", {"messages": [], "seq": 0}]
    assert "alice/laptop" in caplog.text
    assert str(error) in caplog.text
    assert "secret" not in caplog.text
    assert {record.name for record in caplog.records} == {"strandlog.server"}


async def test_what_a_peer_sends_leaves_no_traceback(
    server: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with server.bare_socket("alice/phone") as torn:
        # Text that is no UTF-8: the connection has to be closed, says RFC 6455.
        await torn.send(b"\x81\x82\0\0\0\0\xff\xff")
        await torn.receive()
    await server.empty()
    async with server.connect("alice/laptop") as laptop:
        for name, (frame, _) in REFUSED.items():
            if name not in FATAL:
                await laptop.ask(frame)

    assert [record for record in caplog.records if record.exc_info] == []
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
