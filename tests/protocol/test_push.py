"""Live: what is pushed, in which order, and what a push says is covered."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.protocol.by_hand import contents, hello, note, notes, upload
from tests.protocol.wire import World


def test_a_push_comes_only_after_the_one_before_it(world: World) -> None:
    """A batch is pushed in pages; the counters of a device never come out of turn."""
    world.server.limits = replace(world.server.limits, page_messages=2)
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, live=True))
    world.server.raw("alice/laptop").say(hello(5, notes(1, 5)))

    pushes = phone.hear()

    assert contents(pushes) == [f"laptop {number}" for number in range(1, 6)]
    assert [body["upto"] for _, body in pushes] == [{"laptop": n} for n in (2, 4, 5)]


def test_an_upload_behind_what_was_pushed_is_pushed_too(world: World) -> None:
    """An offline device brings entries that are older than all the reader has."""
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, live=True))
    upload(world, note(1, at=90))
    phone.hear()

    upload(world, note(1, "desk", at=5))

    assert contents(phone.hear()) == ["desk 1"]


def test_upto_of_a_push_names_nothing_that_is_unsent(world: World) -> None:
    """The desk's entry waits for the next push. Were it covered now, a cut would lose it."""
    world.server.limits = replace(world.server.limits, page_messages=1)
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, live=True))
    upload(world, note(1, at=10), note(1, "desk", at=20), note(2, at=30))

    pushes = phone.hear()

    assert [body["upto"] for _, body in pushes] == [{"laptop": 1}, {"desk": 1}, {"laptop": 2}]


def test_a_cut_between_two_pushes_loses_nothing(world: World) -> None:
    """The reader comes back with what it covers, and is given the rest."""
    world.server.limits = replace(world.server.limits, page_messages=1)
    phone = world.device("phone")
    wire = phone.go_live()
    upload(world, note(1, at=10), note(1, "desk", at=20), note(2, at=30))
    wire.push()

    phone.take()
    wire.down.clear()
    phone.sync()

    assert phone.texts() == ["laptop 1", "desk 1", "laptop 2"]


def test_who_writes_is_not_told_of_it(world: World) -> None:
    """Others are, on every one of their connections."""
    laptop, phone, desk = (world.server.raw(f"alice/{d}") for d in ("laptop", "phone", "desk"))
    for connection in (laptop, phone, desk):
        connection.say(hello(0, live=True))

    [answer] = laptop.say(["add", {"messages": notes(1, 2)}])

    assert answer == ["ack", {"seq": 2}]
    assert [contents(one.hear()) for one in (laptop, phone, desk)] == [
        *([], ["laptop 1", "laptop 2"], ["laptop 1", "laptop 2"]),
    ]


def test_who_adds_for_another_is_not_told_of_it(world: World) -> None:
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(0, live=True))

    laptop.say(["add", {"for": "phone", "messages": notes(1, 2, "phone")}])

    assert laptop.hear() == []


def test_who_adds_above_what_it_lacks_is_still_told_what_it_lacks(world: World) -> None:
    """The phone's 1 is not on its way to the laptop yet when that one brings the phone's 2."""
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(0, live=True))
    upload(world, note(1, "phone"))

    laptop.say(["add", {"for": "phone", "messages": [note(2, "phone")]}])

    assert contents(laptop.hear()) == ["phone 1", "phone 2"]


def test_nothing_is_pushed_before_all_pages_were_taken(world: World) -> None:
    """The reader pages at its own pace; a push would come ahead of what is still missing."""
    upload(world, *notes(1, 3))
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, live=True, limit={"messages": 2}))

    upload(world, note(4))

    assert phone.hear() == []


def test_without_live_nothing_is_pushed(world: World) -> None:
    phone = world.server.raw("alice/phone")
    phone.say(hello(0))

    upload(world, note(1))

    assert phone.hear() == []


def test_a_push_is_no_longer_than_a_page_may_be(world: World) -> None:
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, live=True, limit={"bytes": 1_000}))
    world.server.raw("alice/laptop").say(hello(30, notes(1, 30)))

    pushes = phone.hear()

    assert contents(pushes) == [f"laptop {number}" for number in range(1, 31)]
    assert [len(json.dumps(frame, separators=(",", ":"))) <= 1_000 for frame in pushes] == [
        *(True for _ in pushes),
    ]


def test_a_page_of_version_0_is_no_longer_either(world: World) -> None:
    world.server.limits = replace(world.server.limits, page_bytes=1_000)
    world.server.raw("alice/laptop").say(hello(30, notes(1, 30)))
    phone = world.server.raw("alice/phone")

    frames = [*phone.say(["hello", {"seq": 0}]), *phone.hear()]

    assert contents(frames) == [f"laptop {number}" for number in range(1, 31)]
    assert max(len(json.dumps(frame, separators=(",", ":"))) for frame in frames) <= 1_000


def test_an_ack_before_any_hello_is_passed_over(world: World) -> None:
    """An ack has no answer, so an error would be taken for that to another frame."""
    phone = world.server.raw("alice/phone")

    assert phone.say(["ack", {"have": {"laptop": 1}}]) == []
    assert phone.say(["ack", {"user": "bob", "view": "friend", "have": {"laptop": 1}}]) == []


def test_an_ack_raises_the_cursor_no_higher_than_what_was_sent(world: World) -> None:
    """It is partial: a device that it does not name stays where it was."""
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, live=True))
    upload(world, *notes(1, 2), note(1, "desk"))
    phone.hear()
    upload(world, note(3))

    phone.say(["ack", {"have": {"laptop": 3}}])

    assert world.server.cursor("alice/phone") == {"laptop": 2}


def test_an_ack_never_lowers_the_cursor(world: World) -> None:
    upload(world, *notes(1, 3))
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, live=True))
    phone.say(["ack", {"have": {"laptop": 3}}])

    phone.say(["ack", {"have": {"laptop": 1}}])

    assert world.server.cursor("alice/phone") == {"laptop": 3}


def test_a_hello_may_lower_the_cursor(world: World) -> None:
    """The device was restored from a backup."""
    upload(world, *notes(1, 3))
    phone = world.server.raw("alice/phone")
    phone.say(hello(0, have={"laptop": 3}))

    phone.say(hello(0, have={"laptop": 1}))

    assert world.server.cursor("alice/phone") == {"laptop": 1}


def test_a_frame_that_is_doubled_changes_nothing(world: World) -> None:
    """An upload that a client sends again, or that a network delivers twice."""
    laptop = world.server.raw("alice/laptop")
    first = laptop.say(hello(2, notes(1, 2), live=True))

    again = laptop.say(hello(2, notes(1, 2), live=True))
    added = [laptop.say(["add", {"messages": [note(3)]}]) for _ in range(2)]

    assert again == first
    assert added == [[["ack", {"seq": 3}]]] * 2
    assert world.server.texts() == ["laptop 1", "laptop 2", "laptop 3"]


def test_an_id_comes_back_with_the_answer(world: World) -> None:
    """With an ack, a page and an error; not with anything that no frame asked for."""
    laptop = world.server.raw("alice/laptop")

    answers = [
        *laptop.say(hello(1, notes(1, 1), id="a")),
        *laptop.say(["add", {"id": 7, "messages": [note(2)]}]),
        *laptop.say(["add", {"id": 8, "messages": [note(9)]}]),
        *laptop.say(["add", {"id": 9, "messages": [{"seq": "x"}]}]),
    ]

    assert [(kind, body["ref"]) for kind, body in answers] == [
        *(("hello", "a"), ("ack", 7), ("error", 8), ("error", 9)),
    ]
