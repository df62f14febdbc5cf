"""Pages: any cut is a prefix, of the log and so of every device; both ways."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strandlog.protocol import own
from strandlog.protocol.codec import decode_entry
from tests.protocol.by_hand import contents, digest, hello, note, notes, upload
from tests.protocol.wire import START, World

NO_LIMIT = 10**9


@st.composite
def logs(draw: st.DrawFn) -> list[Any]:
    """Draw what three devices wrote: their clocks apart, one of them far behind."""
    written: list[Any] = []
    for device in ("phone", "desk", "old-tablet"):
        at = draw(st.integers(1, 50))
        for counter in range(1, draw(st.integers(0, 6)) + 1):
            at += draw(st.integers(0, 20))
            size = draw(st.sampled_from([1, 10, 400]))
            written.append(note(counter, device, at=at, text=device[0] * size))
    return written


@settings(deadline=None)
@given(
    log=logs(),
    messages=st.integers(1, 8),
    size=st.sampled_from([1, 200, 500, 1_000, NO_LIMIT]),
    tips=st.booleans(),
)
def test_pages_are_prefixes_and_come_to_the_whole_log(
    log: list[Any], messages: int, size: int, tips: bool
) -> None:
    """However it is cut: in seq order, nothing twice, nothing left out, within the limits."""
    with World() as world:
        for device in ("phone", "desk", "old-tablet"):
            upload(world, *(one for one in log if one["seq"].endswith(device)))
        laptop = world.server.raw("alice/laptop")
        have: dict[str, int] = {}
        got: list[Any] = []
        more = True
        while more:
            asked: dict[str, Any] = {"limit": {"messages": messages, "bytes": size}}
            asked |= {"tips": {}} if tips else {}
            laptop.up.append(json.dumps(hello(0, have=have, **asked)).encode())
            laptop.serve()
            data = laptop.down.popleft()
            [kind, body] = json.loads(data)
            assert kind == "hello", body
            page, more, have = body["messages"], body["more"], body["upto"]
            got += page

            assert len(data) <= size or len(page) == 1 or not page
            assert len(page) <= messages
            assert page or not more
            assert have == _greatest(got)
        assert got == sorted(log, key=lambda one: one["seq"])


def _greatest(messages: list[Any]) -> dict[str, int]:
    """Return the counters of a prefix of every device; fail if one has a hole."""
    covered: dict[str, int] = {}
    for message in messages:
        _, counter, device = message["seq"].split(":")
        assert int(counter) == covered.get(device, 0) + 1
        covered[device] = int(counter)
    return covered


def test_an_entry_larger_than_the_page_is_a_page(world: World) -> None:
    """It would never arrive otherwise, nor anything after it."""
    upload(world, note(1, "phone"), note(2, "phone", text="x" * 5_000), note(3, "phone"))
    laptop = world.server.raw("alice/laptop")
    have: dict[str, int] = {}
    pages = []

    for _ in range(3):
        [[_, body]] = laptop.say(hello(0, have=have, limit={"bytes": 1_000}))
        pages.append(len(body["messages"]))
        have = body["upto"]

    assert pages == [1, 1, 1]


def test_the_servers_limit_holds_whatever_a_client_asks_for(world: World) -> None:
    world.server.limits = replace(world.server.limits, page_messages=2)
    upload(world, *notes(1, 5, "phone"))

    [[_, body]] = world.server.raw("alice/laptop").say(hello(0, limit={"messages": 1_000}))

    assert len(body["messages"]) == 2


def test_upto_of_a_device_that_is_not_in_a_cut_page_stays(world: World) -> None:
    """The desk's entries lie behind the cut: the reader keeps what it had, 1, and not the top."""
    upload(world, *notes(1, 3, "desk", at=90), *notes(1, 3, "phone"))
    laptop = world.server.raw("alice/laptop")

    [[_, body]] = laptop.say(hello(0, have={"desk": 1}, limit={"messages": 2}))

    assert (body["upto"], body["more"]) == ({"desk": 1, "phone": 2}, True)


def test_the_last_page_covers_the_tops(world: World) -> None:
    """Also where that is less than was claimed: so a reader hears that the server lost data."""
    upload(world, *notes(1, 3, "desk"))

    [[_, body]] = world.server.raw("alice/laptop").say(hello(0, have={"desk": 2, "phone": 7}))

    assert (body["upto"], body["more"]) == ({"desk": 3}, False)


@pytest.mark.parametrize("limit", [1_700, 2_500])
def test_want_and_vectors_count_for_the_length_of_a_frame(world: World, limit: int) -> None:
    """Forty devices that the server lost: a cut page says that they stay as they were.

    The frame that brings the last entries asks for theirs.
    """
    upload(world, *notes(1, 20, "phone"))
    lost = {f"device-{number}": 999_999_999_999 for number in range(40)}
    laptop = world.server.raw("alice/laptop")
    have, more = lost, True

    while more:
        asked = hello(0, have=have, tips={}, limit={"bytes": limit})
        laptop.up.append(json.dumps(asked).encode())
        laptop.serve()
        data = laptop.down.popleft()
        [_, body] = json.loads(data)
        have, more = lost | body["upto"], body["more"]

        assert len(data) <= limit or len(body["messages"]) <= 1


def test_what_stays_lost_counts_for_the_length_of_a_frame(world: World) -> None:
    """It was asked for before. A page with all the rest would leave it out; a cut one may not."""
    lost = {f"device-{number}": 999_999_999_999 for number in range(40)}
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(0, have=lost, tips={}))
    upload(world, *notes(1, 20, "phone"))

    asked = hello(0, have=lost, tips={}, limit={"bytes": 1_700})
    laptop.up.append(json.dumps(asked).encode())
    laptop.serve()

    assert len(laptop.down[0]) <= 1_700
    assert len(json.loads(laptop.down[0])[1]["messages"]) > 1


# -- the reader's own lost entries -------------------------------------------------


def test_lost_own_entries_come_first_and_alone(world: World) -> None:
    """A page of them has always more after it, and covers nothing new of any other device."""
    upload(world, *notes(1, 3, at=90), *notes(1, 2, "phone"))
    wiped = world.server.raw("alice/laptop")

    [[_, body]] = wiped.say(hello(0, have={"phone": 1}))
    [[_, rest]] = wiped.say(hello(3, have={"phone": 1}))

    assert contents([["hello", body]]) == ["laptop 1", "laptop 2", "laptop 3"]
    assert (body["seq"], body["more"]) == (3, True)
    assert body["upto"] == {"laptop": 3, "phone": 1}
    assert (contents([["hello", rest]]), rest["more"]) == (["phone 2"], False)


def test_lost_own_entries_make_no_device_wanted(world: World) -> None:
    """There is more to page, so nothing is asked for yet."""
    upload(world, *notes(1, 3))

    [[_, body]] = world.server.raw("alice/laptop").say(hello(0, have={"phone": 7}))

    assert ("want" in body, body["upto"]["phone"]) == (False, 7)


def test_no_counter_is_assigned_while_own_entries_are_missing(world: World) -> None:
    """The device cannot know which is next. What it adds waits until all has come back."""
    world.server.limits = replace(world.server.limits, page_messages=2)
    laptop = world.device("laptop")
    laptop.add(*"abcde")
    laptop.sync()
    laptop.storage.wipe()
    laptop.restart()

    laptop.connect()
    laptop.say()
    laptop.wire.serve()  # type: ignore[union-attr]
    laptop.take()
    assert laptop.session is not None
    recovering = laptop.session.recovering
    laptop.settle()

    assert (recovering, laptop.session.recovering) == (True, False)
    assert [entry.counter for entry in laptop.add("f")] == [6]


# -- uploads -----------------------------------------------------------------------


def test_uploads_come_in_slices_with_their_base(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each hello says the same seq and brings what comes next; base is the entry before it."""
    monkeypatch.setattr(own, "UPLOAD_MESSAGES", 2)
    laptop = world.device("laptop")
    entries = laptop.add(*"abcde")

    laptop.sync()

    bodies = [body for kind, body in laptop.sent if kind == "hello"]
    assert [body["seq"] for body in bodies] == [5, 5, 5]
    assert [[one["content"] for one in body["messages"]] for body in bodies] == [
        *(["a", "b"], ["c", "d"], ["e"]),
    ]
    assert [body.get("base") for body in bodies] == [
        *(None, [2, entries[1].digest], [4, entries[3].digest]),
    ]


@settings(deadline=None)
@given(
    sizes=st.lists(st.sampled_from([1, 50, 400]), max_size=12),
    messages=st.integers(1, 5),
    size=st.sampled_from([1, 200, 600, NO_LIMIT]),
)
def test_uploads_are_prefixes_and_come_to_all_that_is_unsent(
    sizes: list[int], messages: int, size: int
) -> None:
    """However they are cut: in order, nothing twice, nothing left out, within the limits."""
    with World() as world, pytest.MonkeyPatch.context() as patch:
        patch.setattr(own, "UPLOAD_MESSAGES", messages)
        patch.setattr(own, "UPLOAD_BYTES", size)
        laptop = world.device("laptop")
        entries = laptop.add(*("x" * length for length in sizes))
        laptop.sync()

        slices = [body["messages"] for _, body in laptop.sent if "messages" in body]
        for one in slices:
            length = sum(decode_entry(json.dumps(message)).wire_length for message in one)
            assert len(one) <= messages
            assert length <= size or len(one) == 1
        sent = [message["seq"] for one in slices for message in one]
        assert sent == [str(entry.seq) for entry in entries]
        assert world.server.read() == entries


def test_an_upload_is_cut_by_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own, "UPLOAD_BYTES", 1_000)
    laptop = world.device("laptop")
    laptop.add("x" * 300, "x" * 300, "x" * 300, "x" * 3_000, "x")

    laptop.sync()

    uploads = [len(body.get("messages", ())) for _, body in laptop.sent]
    assert uploads == [2, 1, 1, 1]


def test_a_hello_may_not_bring_what_lies_above_its_seq(world: World) -> None:
    [[_, body]] = world.server.raw("alice/laptop").say(hello(1, notes(1, 2)))

    assert body["code"] == "bad-seq"
    assert world.server.texts() == []


def test_entries_of_one_moment_keep_their_order(world: World) -> None:
    """Ten of each device within one millisecond, read in pages of three, counters past 9."""
    same = [note(n, d, at=START % 1000 + 1) for d in ("phone", "desk") for n in range(1, 11)]
    upload(world, *same)
    laptop = world.server.raw("alice/laptop")
    have: dict[str, int] = {}
    got: list[Any] = []

    for _ in range(7):
        [[_, body]] = laptop.say(hello(0, have=have, limit={"messages": 3}))
        got += body["messages"]
        have = body["upto"]

    assert got == sorted(same, key=lambda one: one["seq"])
    assert {digest(one) for one in got} == {digest(one) for one in same}
