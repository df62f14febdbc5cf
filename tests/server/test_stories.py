"""The stories of the protocol, played with raw frames over real sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.server.conftest import Frame, Running, Start

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("store_url")]

Message = Callable[..., "Frame"]


# -- version 0: the seed's own -----------------------------------------------------


async def test_device_hands_over_what_the_server_lacks(server: Running, message: Message) -> None:
    """Seven of nine are there, the last two come along with the hello."""
    async with server.connect("alice/laptop") as laptop:
        await laptop.ask(["hello", {"seq": 7, "messages": [message(n) for n in range(1, 8)]}])
    async with server.connect("alice/laptop") as laptop:
        answer = await laptop.ask(["hello", {"seq": 9, "messages": [message(8), message(9)]}])

    assert answer == ["hello", {"messages": [], "seq": 9}]


async def test_device_that_has_nothing_new_says_only_where_it_stands(
    server: Running, message: Message
) -> None:
    async with server.connect("alice/laptop") as laptop:
        await laptop.ask(["hello", {"seq": 7, "messages": [message(n) for n in range(1, 8)]}])
    async with server.connect("alice/laptop") as laptop:
        answer = await laptop.ask(["hello", {"seq": 7}])

    assert answer == ["hello", {"messages": [], "seq": 7}]


async def test_both_sides_have_something_and_nobody_gets_its_own_back(
    server: Running, message: Message
) -> None:
    """Laptop brings 3 to 5 and takes a to e: in seq order, and without 3 to 5."""
    letters = [message(n, "phone", content=letter) for n, letter in enumerate("abcde", 1)]
    async with server.connect("alice/phone") as phone:
        await phone.ask(["hello", {"seq": 5, "messages": letters}])
    async with server.connect("alice/laptop") as laptop:
        await laptop.ask(["hello", {"seq": 2, "messages": [message(1), message(2)]}])
    async with server.connect("alice/laptop") as laptop:
        answer = await laptop.ask(
            ["hello", {"seq": 5, "messages": [message(3), message(4), message(5)]}]
        )

    assert answer == ["hello", {"messages": letters, "seq": 5}]


async def test_same_stories_by_post(server: Running, message: Message) -> None:
    letters = [message(n, "phone", content=letter) for n, letter in enumerate("abcde", 1)]
    await server.post("alice/phone", ["hello", {"seq": 5, "messages": letters}])
    answers = [
        (await server.post("alice/laptop", ["hello", hello])).body
        for hello in (
            {"seq": 2, "messages": [message(1), message(2)]},
            {"seq": 5, "messages": [message(3), message(4), message(5)]},
            {"seq": 5},
        )
    ]

    assert answers == [
        ["hello", {"messages": letters, "seq": 2}],
        ["hello", {"messages": letters, "seq": 5}],
        ["hello", {"messages": letters, "seq": 5}],
    ]


async def test_unpadded_seqs_are_taken_and_come_back_padded(server: Running) -> None:
    """The seed writes them as they are; so does the own top, if a client prefers that."""
    entries = [{"seq": f"171076320000{n}:{n}:laptop", "content": n} for n in (1, 2)]
    async with server.connect("alice/laptop") as laptop, server.connect("alice/phone") as phone:
        top = await laptop.ask(["hello", {"seq": "1710763200002:2:laptop", "messages": entries}])
        page = await phone.ask(["hello", {"seq": 0}])

    assert top == ["hello", {"messages": [], "seq": 2}]
    assert page[1]["messages"] == [
        {"seq": "001710763200001:000000000001:laptop", "scope": "private", "content": 1},
        {"seq": "001710763200002:000000000002:laptop", "scope": "private", "content": 2},
    ]


async def test_content_comes_back_byte_for_byte(server: Running) -> None:
    """Spaces, escapes, doubled keys and numbers beyond any type: nobody looks inside."""
    content = '{"a" :1.0e+2,"a":"\\u0041\\/", "n":123456789012345678901234567890}'
    async with server.connect("alice/laptop") as laptop, server.connect("alice/phone") as phone:
        await laptop.ask(
            f'["hello",{{"seq":1,"messages":[{{"seq":"1:1:laptop","content":{content}}}]}}]'
        )
        await phone.send(["hello", {"seq": 0}])
        text = await phone.socket.recv()

    assert f'"content":{content}}}' in str(text)


async def test_backlog_of_two_pages_follows_by_websocket(start: Start, message: Message) -> None:
    """Version 0 asks once: the pages come one after another, and then what is new."""
    entries = [message(n) for n in range(1, 6)]
    async with (
        start(limits=_pages_of(3)) as server,
        server.connect("alice/laptop") as laptop,
        server.connect("alice/phone") as phone,
    ):
        await laptop.ask(["hello", {"seq": 5, "messages": entries}])
        pages = [await phone.ask(["hello", {"seq": 0}]), await phone.receive()]
        await laptop.ask(["add", {"messages": [message(6)]}])
        live = await phone.receive()

    assert pages == [
        ["hello", {"messages": entries[:3], "seq": 0}],
        ["hello", {"messages": entries[3:], "seq": 0}],
    ]
    assert live == ["add", {"messages": [message(6)]}]


async def test_backlog_of_two_pages_comes_in_one_post(start: Start, message: Message) -> None:
    entries = [message(n) for n in range(1, 6)]
    async with start(limits=_pages_of(3)) as server:
        await server.post("alice/laptop", ["hello", {"seq": 5, "messages": entries}])
        answer = await server.post("alice/phone", ["hello", {"seq": 0}])

    assert answer.body == ["hello", {"messages": entries, "seq": 0}]


async def test_backlog_beyond_one_frame_says_how_to_page(start: Start, message: Message) -> None:
    long = [message(n, content="x" * 300) for n in range(1, 6)]
    async with start(limits=_pages_of(3, frame_bytes=1_500)) as server:
        await server.post("alice/laptop", ["hello", {"seq": 3, "messages": long[:3]}])
        await server.post("alice/laptop", ["hello", {"seq": 5, "messages": long[3:]}])
        refused = await server.post("alice/phone", ["hello", {"seq": 0}])
        paged = await server.post("alice/phone", ["hello", {"seq": 0, "v": 1, "have": {}}])

    assert refused.body[1]["code"] == "too-large"
    assert "'have'" in refused.body[1]["message"]
    assert paged.body[1]["messages"] == long[:3]
    assert paged.body[1]["more"]


async def test_each_ack_confirms_one_frame(start: Start, message: Message) -> None:
    """Of two pages only the first was confirmed: the second one comes again, and it alone."""
    entries = [message(n) for n in range(1, 6)]
    async with start(limits=_pages_of(3)) as server:
        await server.post("alice/laptop", ["hello", {"seq": 5, "messages": entries}])
        async with server.connect("alice/phone") as phone:
            await phone.ask(["hello", {"seq": 0}])
            await phone.receive()
            await phone.send(["ack", {}])
            # An ack is never answered; the answer to what follows shows that it was taken.
            await phone.refused("no JSON")
        async with server.connect("alice/phone") as phone:
            again = await phone.ask(["hello", {"seq": 0}])

    assert again == ["hello", {"messages": entries[3:], "seq": 0}]


async def test_device_that_lost_everything_gets_its_own_entries_first(
    start: Start, message: Message
) -> None:
    """It must not count on before it has them; what others wrote comes after."""
    async with start(limits=_pages_of(2)) as server:
        await server.post("alice/phone", ["hello", {"seq": 1, "messages": [message(1, "phone")]}])
        own = [message(n, at=n + 10) for n in range(1, 4)]
        await server.post("alice/laptop", ["hello", {"seq": 3, "messages": own}])
        async with server.connect("alice/laptop") as laptop:
            pages = [await laptop.ask(["hello", {"seq": 0}])]
            pages += [await laptop.receive(), await laptop.receive()]

    assert [page[1]["messages"] for page in pages] == [own[:2], own[2:], [message(1, "phone")]]


# -- version 1 ---------------------------------------------------------------------


async def test_ten_and_six_are_due(server: Running, message: Message) -> None:
    """Device 1 has 42 of one and 46 of the other; both stand at 52."""
    for device in ("desk", "phone"):
        entries = [message(n, device) for n in range(1, 53)]
        await server.post(f"alice/{device}", ["hello", {"seq": 52, "messages": entries}])
    async with server.connect("alice/laptop") as laptop:
        _, page = await laptop.ask(
            ["hello", {"v": 1, "seq": 0, "have": {"phone": 42, "desk": 46}, "live": True}]
        )

    due = [entry["seq"].rpartition(":")[2] for entry in page["messages"]]
    assert (due.count("phone"), due.count("desk")) == (10, 6)
    assert page["upto"] == {"desk": 52, "phone": 52}
    assert not page["more"]


async def test_paging_is_the_hello_loop(start: Start, message: Message) -> None:
    entries = [message(n) for n in range(1, 6)]
    taken: list[Any] = []
    async with start(limits=_pages_of(2)) as server:
        await server.post("alice/laptop", ["hello", {"seq": 5, "messages": entries}])
        async with server.connect("alice/phone") as phone:
            page: Any = {"upto": {}, "more": True}
            while page["more"]:
                have = page["upto"]
                _, page = await phone.ask(["hello", {"v": 1, "seq": 0, "have": have}])
                taken += page["messages"]

    assert taken == entries


async def test_lost_ack_costs_a_repetition_and_doubles_nothing(
    server: Running, message: Message
) -> None:
    upload = ["hello", {"seq": 2, "messages": [message(1), message(2)]}]
    async with server.connect("alice/laptop") as laptop:
        await laptop.send(upload)
    async with server.connect("alice/laptop") as laptop:
        again = await laptop.ask(upload)
    page = await server.post("alice/phone", ["hello", {"seq": 0}])

    assert again == ["hello", {"messages": [], "seq": 2}]
    assert page.body[1]["messages"] == [message(1), message(2)]


def _pages_of(messages: int, **limits: int) -> Any:
    from strandlog.server import Limits

    return Limits(page_messages=messages, **limits)
