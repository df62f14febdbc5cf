"""Version 0: the seed's clients, who say a seq and leave the bookkeeping to the server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strandlog import VersionVector
from tests.protocol.by_hand import contents, hello, note, notes, refusal, upload
from tests.protocol.wire import START, World

LAPTOP = "alice/laptop"


def _small_pages(world: World, messages: int = 2) -> None:
    world.server.limits = replace(world.server.limits, page_messages=messages)


def test_without_an_ack_the_same_entries_come_again(world: World) -> None:
    """Delivery is at least once: what was sent may never have arrived."""
    upload(world, *notes(1, 2, "phone"))

    first = world.server.raw(LAPTOP).say(["hello", {"seq": 0}])
    second = world.server.raw(LAPTOP).say(["hello", {"seq": 0}])

    assert contents(first) == contents(second) == ["phone 1", "phone 2"]


def test_an_ack_confirms_the_oldest_frame_that_is_open(world: World) -> None:
    """Two frames were sent and one ack came: it is for the first, not for all that was sent."""
    upload(world, *notes(1, 2, "phone"))
    laptop = world.server.raw(LAPTOP)
    laptop.say(["hello", {"seq": 0}])
    upload(world, note(3, "phone"))
    laptop.hear()

    laptop.say(["ack", {}])
    after_one = world.server.cursor(LAPTOP)
    laptop.say(["ack", {}])

    assert after_one == {"phone": 2}
    assert world.server.cursor(LAPTOP) == {"phone": 3}


def test_an_ack_too_many_moves_nothing(world: World) -> None:
    upload(world, note(1, "phone"))
    laptop = world.server.raw(LAPTOP)
    laptop.say(["hello", {"seq": 0}])

    for _ in range(3):
        assert laptop.say(["ack", {}]) == []

    assert world.server.cursor(LAPTOP) == {"phone": 1}


def test_a_frame_without_messages_waits_for_no_ack(world: World) -> None:
    """A client acknowledges what it stores; the answer to its own upload brought nothing."""
    laptop = world.server.raw(LAPTOP)
    laptop.say(["hello", {"seq": 1, "messages": [note(1)]}])
    upload(world, note(1, "phone"))
    laptop.hear()

    laptop.say(["ack", {}])

    assert world.server.cursor(LAPTOP)["phone"] == 1


def test_an_ack_may_say_what_it_has(world: World) -> None:
    upload(world, *notes(1, 3, "phone"))
    laptop = world.server.raw(LAPTOP)
    laptop.say(["hello", {"seq": 0}])

    laptop.say(["ack", {"have": {"phone": 2}}])

    assert world.server.cursor(LAPTOP) == {"phone": 2}


def test_a_seq_below_the_servers_resets_the_cursor(world: World) -> None:
    """The device was wiped: what was recorded of it counts no more, for any device."""
    upload(world, *notes(1, 2), *notes(1, 3, "phone"))
    laptop = world.server.raw(LAPTOP)
    laptop.say(["hello", {"seq": 2}])
    laptop.say(["ack", {}])
    assert world.server.cursor(LAPTOP)["phone"] == 3

    wiped = world.server.raw(LAPTOP)
    answers = wiped.say(["hello", {"seq": 0}])

    assert contents(answers + wiped.hear()) == [
        *("laptop 1", "laptop 2"),
        *("phone 1", "phone 2", "phone 3"),
    ]


def test_the_pages_of_a_greeting_follow_one_another(world: World) -> None:
    """No client of version 0 asks for the next; then the connection is live, by ``add``."""
    _small_pages(world)
    upload(world, *notes(1, 5, "phone"))
    laptop = world.server.raw(LAPTOP)

    frames = [*laptop.say(["hello", {"seq": 0}]), *laptop.hear()]
    upload(world, note(6, "phone"))
    live = laptop.hear()

    assert [(kind, len(body["messages"])) for kind, body in frames] == [
        *(("hello", 2), ("hello", 2), ("hello", 1)),
    ]
    assert live == [["add", {"messages": [note(6, "phone")]}]]
    assert contents(frames) == [f"phone {number}" for number in range(1, 6)]


def test_lost_own_entries_come_before_the_pages_of_others(world: World) -> None:
    """Until it has them the device does not know which counter is next."""
    _small_pages(world)
    upload(world, *notes(1, 3, at=90), note(1, "phone", at=1), note(2, "phone", at=91))
    wiped = world.server.raw(LAPTOP)

    frames = [*wiped.say(["hello", {"seq": 0}]), *wiped.hear()]

    assert contents(frames) == ["laptop 1", "laptop 2", "laptop 3", "phone 1", "phone 2"]


def test_what_it_sends_is_not_pushed_back(world: World) -> None:
    laptop = world.server.raw(LAPTOP)
    laptop.say(["hello", {"seq": 1, "messages": [note(1)]}])

    answers = laptop.say(["add", {"messages": [note(2)]}])

    assert answers == [["ack", {"seq": 2}]]
    assert laptop.hear() == []


def test_a_seq_string_says_the_counter(world: World) -> None:
    """Padded or not: the seed's clients send the seq of their last message."""
    upload(world, *notes(1, 2), note(1, "phone"))

    [[_, body]] = world.server.raw(LAPTOP).say(["hello", {"seq": f"{START}:2:laptop"}])

    assert (body["seq"], contents([["hello", body]])) == (2, ["phone 1"])


def test_a_seq_string_of_another_device_is_refused(world: World) -> None:
    answers = world.server.raw(LAPTOP).say(["hello", {"seq": f"{START}:2:phone"}])

    assert refusal(answers)["code"] == "bad-seq"


def test_a_wrong_version_is_named(world: World) -> None:
    """The first is from the future; no number is so long that it cannot be told back."""
    for version in (2, -1, 10**400):
        told = refusal(world.server.raw(LAPTOP).say(hello(0, v=version)))

        assert (told["code"], told["v"], told["vmin"], told["fatal"]) == ("version", 1, 0, True)


# -- by POST -----------------------------------------------------------------------


def test_a_post_is_answered_by_the_whole_rest(world: World) -> None:
    """Two pages of a connection: who posts cannot be sent the second one."""
    _small_pages(world)
    upload(world, *notes(1, 4, "phone"))

    [_, body] = world.server.post(LAPTOP, ["hello", {"seq": 0}])

    assert contents([["hello", body]]) == [f"phone {number}" for number in range(1, 5)]


def test_a_post_that_cannot_be_answered_whole_says_what_to_send(world: World) -> None:
    world.server.limits = replace(world.server.limits, frame_messages=3)
    upload(world, *notes(1, 4, "phone"))

    [kind, body] = world.server.post(LAPTOP, ["hello", {"seq": 0}])

    assert (kind, body["code"]) == ("error", "too-large")
    assert "have" in body["message"]


def test_a_post_confirms_nothing(world: World) -> None:
    """It has no connection on which an ack could follow: the next says ``have``."""
    upload(world, note(1, "phone"))
    world.server.post(LAPTOP, ["hello", {"seq": 0}])

    [_, again] = world.server.post(LAPTOP, ["hello", {"seq": 0}])
    [_, later] = world.server.post(LAPTOP, ["hello", {"seq": 0, "have": {"phone": 1}}])

    assert contents([["hello", again]]) == ["phone 1"]
    assert contents([["hello", later]]) == []
    assert world.server.cursor(LAPTOP) == VersionVector({"phone": 1})


@pytest.mark.parametrize("seq", [0, 1])
def test_a_wiped_device_that_posts_gets_all(world: World, seq: int) -> None:
    upload(world, *notes(1, 2), note(1, "phone", at=15))

    [_, body] = world.server.post(LAPTOP, ["hello", {"seq": seq}])

    expected = ["laptop 1", "phone 1", "laptop 2"][seq:]
    assert (contents([["hello", body]]), body["seq"]) == (expected, 2)
