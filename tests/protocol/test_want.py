"""A server that lost data asks for it: of whom, for what, and how often."""

from __future__ import annotations

from typing import Any

from tests.protocol.by_hand import contents, digest, hello, note, notes, refusal, upload
from tests.protocol.wire import Raw, World


def _tips(**counters: int) -> dict[str, Any]:
    """Return the fields of a hello that has these, all in the history of :func:`note`."""
    return {
        "have": counters,
        "tips": {device: digest(note(counter, device)) for device, counter in counters.items()},
    }


def _wanted(laptop: Raw, **fields: Any) -> Any:
    [[kind, body]] = laptop.say(hello(0, **fields))
    assert kind == "hello", body
    return body.get("want")


def test_what_is_lost_is_wanted_from_the_top_on(world: World) -> None:
    """One entry overlaps: if the two differ already there, the upload is refused as a fork."""
    upload(world, *notes(1, 4, "phone"))

    assert _wanted(world.server.raw("alice/laptop"), **_tips(phone=9)) == {"phone": [4, 9]}


def test_the_overlap_shows_a_fork(world: World) -> None:
    """The server's 4 is another one. Without the overlap 5 to 9 would be appended to it."""
    upload(world, *notes(1, 3, "phone"), note(4, "phone", text="another"))
    laptop = world.server.raw("alice/laptop")
    first, last = _wanted(laptop, **_tips(phone=9))["phone"]

    answers = laptop.say(["add", {"for": "phone", "messages": notes(first, last, "phone")}])

    assert (refusal(answers)["code"], refusal(answers)["counter"]) == ("fork", 4)
    assert world.server.texts() == ["phone 1", "phone 2", "phone 3", "another"]


def test_a_device_that_is_lost_whole_is_wanted_from_1_on(world: World) -> None:
    assert _wanted(world.server.raw("alice/laptop"), **_tips(phone=9)) == {"phone": [1, 9]}


def test_nothing_is_wanted_of_who_has_no_more(world: World) -> None:
    """Neither of a device that is held, nor of the reader's own, which it sends by itself."""
    upload(world, *notes(1, 4, "phone"))
    laptop = world.server.raw("alice/laptop")

    [[_, body]] = laptop.say(hello(7, **_tips(phone=4)))

    assert "want" not in body


def test_a_device_is_wanted_once_a_connection(world: World) -> None:
    """A client that lacks the first entry stays silent, and must not be asked in circles."""
    laptop = world.server.raw("alice/laptop")

    asked = [_wanted(laptop, **_tips(phone=9)) for _ in range(2)]
    anew = _wanted(world.server.raw("alice/laptop"), **_tips(phone=9))

    assert (asked, anew) == ([{"phone": [1, 9]}, None], {"phone": [1, 9]})


def test_nothing_is_wanted_while_there_is_more_to_page(world: World) -> None:
    """What somebody else brings back meanwhile need not be sent twice."""
    upload(world, *notes(1, 3, "desk"))
    laptop = world.server.raw("alice/laptop")
    lost = _tips(phone=9)

    early = _wanted(laptop, **lost, limit={"messages": 1})
    lost["have"]["desk"] = 3
    late = _wanted(laptop, **lost)

    assert (early, late) == (None, {"phone": [1, 9]})


def test_a_diverged_device_is_not_wanted(world: World) -> None:
    """The two histories are compared first; the branch that differs gets another name."""
    upload(world, *notes(1, 3, "phone"))
    laptop = world.server.raw("alice/laptop")
    asked = hello(0, have={"phone": 3}, tips={"phone": digest(note(3, "phone", text="another"))})
    laptop.say(asked)
    world.server.storage.wipe()

    [[_, body]] = laptop.say(hello(0, have={"phone": 3}, tips={}))

    assert (body["diverged"], body.get("want")) == (["phone"], None)


# -- what the client has trimmed it cannot give ------------------------------------


def test_what_lies_below_the_clients_floor_is_not_wanted(world: World) -> None:
    """The server trimmed up to 6 before it was set back, and so did the client."""
    upload(world, *notes(1, 4, "phone"))
    laptop = world.server.raw("alice/laptop")

    assert _wanted(laptop, **_tips(phone=9), floor={"phone": 6}) == {"phone": [7, 9]}


def test_what_is_given_above_a_floor_brings_the_floor(world: World) -> None:
    """The entries join what the server holds without a gap: 5 and 6 are known to be trimmed."""
    upload(world, *notes(1, 4, "phone"))
    laptop = world.server.raw("alice/laptop")
    _wanted(laptop, **_tips(phone=9), floor={"phone": 6})

    [[kind, body]] = laptop.say(["add", {"for": "phone", "messages": notes(7, 9, "phone")}])

    assert (kind, body) == ("ack", {"tops": {"phone": 9}})
    assert world.do(world.server.storage.log.tops("alice")) == {"phone": 9}


def test_a_floor_that_is_the_servers_top_leaves_no_overlap(world: World) -> None:
    """The client trimmed 4, the newest that the server kept: it can give 5 to 9 all the same."""
    upload(world, *notes(1, 4, "phone"))
    laptop = world.server.raw("alice/laptop")

    assert _wanted(laptop, **_tips(phone=9), floor={"phone": 4}) == {"phone": [5, 9]}
    assert laptop.say(["add", {"for": "phone", "messages": notes(5, 9, "phone")}]) == [
        ["ack", {"tops": {"phone": 9}}]
    ]


def test_a_floor_below_the_servers_top_changes_nothing(world: World) -> None:
    upload(world, *notes(1, 4, "phone"))
    laptop = world.server.raw("alice/laptop")

    assert _wanted(laptop, **_tips(phone=9), floor={"phone": 3}) == {"phone": [4, 9]}


def test_nothing_is_wanted_of_who_has_trimmed_it_all(world: World) -> None:
    assert _wanted(world.server.raw("alice/laptop"), have={"phone": 9}, floor={"phone": 9}) is None


# -- engines on both ends ----------------------------------------------------------


def test_a_server_that_was_wiped_heals_from_two_devices(world: World) -> None:
    """Each brings its own; what is missing of a third comes from whoever has it."""
    laptop, phone, desk = (world.device(name) for name in ("laptop", "phone", "desk"))
    desk.add("d1", "d2")
    laptop.add("l1")
    desk.sync()
    laptop.sync()
    phone.add("p1")
    phone.sync()
    world.server.storage.wipe()

    laptop.sync()
    phone.sync()
    laptop.sync()

    assert world.server.read() == laptop.read() == phone.read()
    assert world.server.texts() == ["d1", "d2", "l1", "p1"]


def test_a_client_that_lacks_the_first_wanted_entry_stays_silent(world: World) -> None:
    """It holds 3 and 4 alone, above a floor; these would be a gap. Another may have them all."""
    laptop, phone = world.device("laptop"), world.device("phone")
    phone.add("p1", "p2", "p3", "p4")
    phone.sync()
    world.do(world.server.storage.log.trim("alice", "phone", up_to=2))
    laptop.sync()
    assert laptop.texts() == ["p3", "p4"]

    laptop.connect()
    laptop.say()
    covered = {"messages": [], "seq": 0, "upto": {}, "more": False, "v": 1}
    laptop.answer(["hello", {**covered, "want": {"phone": [1, 4]}}])

    assert laptop.say() == []


def test_wanted_entries_come_in_slices(world: World) -> None:
    """More than fits one frame; each slice goes on where the one before ended."""
    laptop, phone = world.device("laptop"), world.device("phone")
    phone.add(*(f"p{number}" for number in range(450)))
    phone.sync()
    laptop.sync()
    world.server.storage.wipe()

    laptop.sync()

    supplies = [body["messages"] for kind, body in laptop.sent if kind == "add"]
    assert [len(slice_) for slice_ in supplies] == [200, 200, 50]
    assert len(world.server.texts()) == 450


def test_adding_for_another_device_passes_the_same_checks(world: World) -> None:
    laptop = world.server.raw("alice/laptop")

    hole = laptop.say(["add", {"for": "phone", "messages": notes(2, 3, "phone")}])
    stranger = laptop.say(["add", {"for": "phone", "messages": [note(1, "desk")]}])
    empty = laptop.say(["add", {"for": "phone", "messages": []}])

    codes = [refusal(answers)["code"] for answers in (hole, stranger, empty)]
    assert codes == ["gap", "bad-seq", "bad-frame"]
    assert world.server.texts() == []
    assert contents(hole) == []
