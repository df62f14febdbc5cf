"""Live push: who hears of what, in which order, and what a slow reader costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest

from strandlog.access import FriendsPolicy
from strandlog.log import Log
from strandlog.model import Entry, Reader, Seq
from strandlog.server import Limits

if TYPE_CHECKING:
    from strandlog.backend.store import CursorStore, LogStore
    from tests.server.conftest import Frame, Running, Start

    Stores = tuple[LogStore, CursorStore]

pytestmark = pytest.mark.anyio

Message = Callable[..., "Frame"]
Greeting = ["hello", {"v": 1, "seq": 0, "have": {}, "live": True}]


class Friends:
    """A policy that a test may change while the server runs: who sees what of alice."""

    def __init__(self, **shown: set[str]) -> None:
        self.shown = shown

    async def visible(self, reader: Reader, user: str) -> frozenset[str] | None:
        return frozenset(self.shown.get(reader.user, ())) if user == "alice" else frozenset()

    async def admit(self, reader: Reader, entries: Any) -> None:
        return None


def _follow(have: dict[str, int] | None = None, view: str | None = None) -> Frame:
    told = {"view": view} if view else {}
    return ["hello", {"v": 1, "user": "alice", "have": have or {}, "live": True, **told}]


@pytest.mark.usefixtures("store_url")
async def test_pushes_come_in_the_order_of_the_counters(server: Running, message: Message) -> None:
    """Two hundred adds, sent without waiting for a single ack."""
    seen: list[Any] = []
    async with server.connect("alice/phone") as phone, server.connect("alice/laptop") as laptop:
        await phone.ask(Greeting)
        await laptop.ask(["hello", {"seq": 0}])
        for counter in range(1, 201):
            await laptop.send(["add", {"messages": [message(counter)]}])
        acks = [await laptop.receive() for _ in range(200)]
        while len(seen) < 200:
            kind, push = await phone.receive()
            assert kind == "add"
            seen += push["messages"]

    assert seen == [message(counter) for counter in range(1, 201)]
    assert acks == [["ack", {"seq": counter}] for counter in range(1, 201)]


async def test_push_says_how_far_it_takes_the_reader(server: Running, message: Message) -> None:
    async with server.connect("alice/phone") as phone:
        await phone.ask(Greeting)
        await server.post("alice/laptop", ["add", {"messages": [message(1)]}])
        push = await phone.receive()

    assert push == ["add", {"messages": [message(1)], "upto": {"laptop": 1}}]


async def test_writer_is_not_told_of_its_own_entries(server: Running, message: Message) -> None:
    """What it hears of first is what another device wrote after it."""
    async with server.connect("alice/laptop") as laptop:
        await laptop.ask(Greeting)
        await laptop.ask(["add", {"messages": [message(1)]}])
        await server.post("alice/phone", ["add", {"messages": [message(1, "phone")]}])
        push = await laptop.receive()

    assert push == ["add", {"messages": [message(1, "phone")], "upto": {"phone": 1}}]


async def test_reader_that_did_not_ask_for_it_is_told_nothing(
    server: Running, message: Message
) -> None:
    async with server.connect("alice/phone") as phone:
        await phone.ask(["hello", {"v": 1, "seq": 0, "have": {}}])
        await server.post("alice/laptop", ["add", {"messages": [message(1)]}])
        answer = await phone.ask(["hello", {"v": 1, "seq": 0, "have": {}}])

    assert answer[1]["messages"] == [message(1)]


async def test_entry_that_falls_between_page_and_feed_is_not_missed(
    start: Start, message: Message
) -> None:
    """The page was read, the connection is not followed yet: so nobody tells it of the entry."""
    running: list[Running] = []

    async def between(call: str) -> None:
        if call == "reset":  # the reader's cursor is set after the page was read
            await running[0].post("alice/laptop", ["add", {"messages": [message(1)]}])

    async with start(hinder=between) as server, server.connect("alice/phone") as phone:
        running.append(server)
        page = await phone.ask(Greeting)
        push = await phone.receive()

    assert page[1]["messages"] == []
    assert push[1]["messages"] == [message(1)]


# -- friends -----------------------------------------------------------------------


@pytest.mark.usefixtures("store_url")
async def test_friend_gets_only_what_friends_may_see(start: Start, message: Message) -> None:
    """Of the page and of what is pushed later; *upto* covers what it was not shown."""
    policy = FriendsPolicy({"alice": {"bob": frozenset({"friend"})}})
    entries = [message(1), message(2, scope="friend"), message(3)]
    async with start(access=policy) as server, server.connect("bob/phone") as bob:
        await server.post("alice/laptop", ["hello", {"seq": 3, "messages": entries}])
        page = await bob.ask(_follow())
        await server.post("alice/laptop", ["add", {"messages": [message(4)]}])
        await server.post("alice/laptop", ["add", {"messages": [message(5, scope="friend")]}])
        push = await bob.receive()

    assert page[1]["messages"] == [entries[1]]
    assert (page[1]["upto"], page[1]["view"]) == ({"laptop": 3}, "friend")
    assert push == [
        "add",
        {
            "messages": [message(5, scope="friend")],
            "upto": {"laptop": 5},
            "user": "alice",
            "view": "friend",
        },
    ]


async def test_stranger_sees_nothing(server: Running, message: Message) -> None:
    await server.post("alice/laptop", ["add", {"messages": [message(1, scope="friend")]}])
    async with server.connect("mallory/phone") as mallory:
        refused = await mallory.ask(_follow())
        own = await mallory.ask(["hello", {"seq": 0}])

    assert refused[1]["code"] == "forbidden"
    assert refused[1]["user"] == "alice"
    assert own == ["hello", {"messages": [], "seq": 0}]


async def test_grant_shows_what_was_passed_over_before(start: Start, message: Message) -> None:
    """*upto* covered the family entry before bob was family; the new view starts anew."""
    policy = Friends(bob={"friend"})
    entries = [message(1, scope="family"), message(2, scope="friend")]
    async with start(access=policy) as server, server.connect("bob/phone") as bob:
        await server.post("alice/laptop", ["hello", {"seq": 2, "messages": entries}])
        _, before = await bob.ask(_follow())
        policy.shown["bob"] = {"family", "friend"}
        _, after = await bob.ask(_follow(before["upto"], before["view"]))
        await server.post("alice/laptop", ["add", {"messages": [message(3, scope="family")]}])
        _, push = await bob.receive()

    assert before["messages"] == entries[1:]
    assert (after["messages"], after["view"]) == (entries, "family,friend")
    assert push["messages"] == [message(3, scope="family")]


async def test_revoking_ends_the_push(start: Start, message: Message) -> None:
    """The next change is not shown but refused, and so is the next hello; bob stays connected."""
    policy = Friends(bob={"friend"})
    async with start(access=policy) as server, server.connect("bob/phone") as bob:
        await bob.ask(_follow())
        policy.shown.clear()
        await server.post("alice/laptop", ["add", {"messages": [message(1, scope="friend")]}])
        told = await bob.receive()
        again = await bob.ask(_follow())
        own = await bob.ask(["hello", {"seq": 0}])

    assert (told[0], told[1]["code"], told[1]["user"]) == ("error", "forbidden", "alice")
    assert again[1]["code"] == "forbidden"
    assert own[0] == "hello"


# -- what connections leave behind and cost ----------------------------------------


async def test_connections_leave_nothing_behind(server: Running) -> None:
    """One has its place taken, one is closed, one is cut in the middle of a frame."""
    async with server.connect("alice/laptop") as older, server.connect("alice/laptop") as newer:
        await older.ask(Greeting)
        await newer.ask(Greeting)
        await older.closed_after_error()
        followers = len(server.app._service.hub)
    async with server.bare_socket("alice/phone") as torn:
        await torn.send(b"\x81\xfe\xff\xff")  # the head of a long frame, and no more
    await server.empty()

    assert followers == 1
    assert len(server.app._service.hub) == 0
    assert server.app._service.connections._greeted == {}
    assert server.app._service.connections._turnover == {}


async def test_frame_in_progress_outlives_its_connection(
    start: Start, message: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up while the store is at it: its entry is told to those who follow all the same."""
    monkeypatch.setattr("strandlog.server.connection._FAREWELL_SECONDS", 0)
    reached, opened = anyio.Event(), anyio.Event()

    async def before(call: str) -> None:
        if call == "append":
            reached.set()
            await opened.wait()

    async with (
        start(hinder=before) as server,
        server.connect("alice/phone") as phone,
        server.connect("alice/laptop") as older,
        server.connect("alice/laptop") as newer,
    ):
        await phone.ask(Greeting)
        await older.ask(["hello", {"seq": 0}])
        await older.send(["add", {"messages": [message(1)]}])
        with anyio.fail_after(30):
            await reached.wait()
        await newer.ask(["hello", {"seq": 0}])
        with anyio.fail_after(30):
            while not any(one._tasks.cancel_scope.cancel_called for one in _open(server)):
                await anyio.lowlevel.checkpoint()
        opened.set()
        push = await phone.receive()

    assert push[1]["messages"] == [message(1)]


async def test_reader_that_does_not_read_is_not_read_for(
    start: Start, stores: Stores, text_frame: Callable[[bytes], bytes]
) -> None:
    """Thirty megabytes are due to one who takes nothing: it holds up nobody and is not buffered."""
    reads: Counter[str] = Counter()

    async def count(call: str) -> None:
        reads[call] += 1

    await Log(stores[0]).append("alice", _thirty_megabytes())
    async with start(hinder=count) as server, server.bare_socket("alice/slow") as slow:
        await slow.send(text_frame(b'["hello",{"seq":0}]'))
        async with server.connect("alice/phone") as phone:
            taken = len((await phone.ask(["hello", {"seq": 0}]))[1]["messages"])
            while taken < 500:
                taken += len((await phone.receive())[1]["messages"])
        pages_of_the_slow_one = reads["read"] - 500

    # A page holds one entry. What the kernel takes for a socket is its own affair:
    # a few megabytes.
    assert pages_of_the_slow_one < 200


async def test_peer_that_stops_reading_is_given_up(
    start: Start, stores: Stores, text_frame: Callable[[bytes], bytes]
) -> None:
    """Its connection would count against its user's for ever."""
    await Log(stores[0]).append("alice", _thirty_megabytes())
    async with (
        start(limits=Limits(send_seconds=0.1)) as server,
        server.bare_socket("alice/slow") as slow,
    ):
        await slow.send(text_frame(b'["hello",{"seq":0}]'))
        await server.empty()
        followers = len(server.app._service.hub)

    assert followers == 0


def _open(server: Running) -> Any:
    return list(server.app._service.connections._open["alice"])


def _thirty_megabytes() -> list[Entry]:
    content = b'"%b"' % (b"x" * 60_000)
    return [Entry(Seq(n, n, "laptop"), "private", content) for n in range(1, 501)]
