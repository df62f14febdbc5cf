"""How a server notices that a reader's history is not its own: a version vector cannot tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strandlog import VersionVector
from tests.protocol.by_hand import contents, digest, hello, note, notes, refusal, upload
from tests.protocol.wire import Raw, World

OTHER = note(2, "phone", text="another history of the phone")


def _server_holds(world: World, *messages: Any) -> Raw:
    """Let others upload these, one by one; return a new connection of the laptop."""
    upload(world, *messages)
    return world.server.raw("alice/laptop")


# -- base --------------------------------------------------------------------------


def test_base_of_another_history_is_a_fork_and_nothing_is_stored(world: World) -> None:
    """The log was rolled back and rewritten up to the counter that the server has got as well.

    What comes after joins the counts without a gap, so only the entry before it shows it.
    """
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(2, notes(1, 2)))

    answers = laptop.say(hello(3, [note(3)], base=[2, digest(note(2, text="rewritten"))]))

    told = refusal(answers)

    assert (told["code"], told["device"], told["counter"]) == ("fork", "laptop", 2)
    assert not told["fatal"]
    assert world.server.texts() == ["laptop 1", "laptop 2"]


def test_base_at_the_own_top_shows_a_fork_without_any_message(world: World) -> None:
    """The server has all that was counted; a hello that sends nothing would look like peace."""
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(2, notes(1, 2)))

    answers = laptop.say(hello(2, base=[2, digest(note(2, text="rewritten"))]))

    assert refusal(answers)["code"] == "fork"


def test_base_that_is_the_servers_lets_the_messages_in(world: World) -> None:
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(2, notes(1, 2)))

    [[kind, body]] = laptop.say(hello(3, [note(3)], base=[2, digest(note(2))]))

    assert (kind, body["seq"]) == ("hello", 3)


def test_base_that_the_server_does_not_hold_is_left_to_the_counts(world: World) -> None:
    """It lost data: the gap says so, and where to begin."""
    laptop = world.server.raw("alice/laptop")

    answers = laptop.say(hello(3, [note(3)], base=[2, digest(note(2))]))

    assert (refusal(answers)["code"], refusal(answers)["expected"]) == ("gap", 1)


# -- tips --------------------------------------------------------------------------


def test_of_a_device_without_a_tip_a_reply_carries_nothing(world: World) -> None:
    """Who compares histories compares every device: entries after an unknown one prove nothing."""
    laptop = _server_holds(world, *notes(1, 3, "phone"), note(1, "desk"))

    [[_, body]] = laptop.say(hello(0, have={"phone": 2}, tips={}))

    assert contents([["hello", body]]) == ["desk 1"]
    assert body["upto"] == {"phone": 2, "desk": 1}
    assert "diverged" not in body


def test_of_a_device_without_a_tip_a_push_carries_nothing(world: World) -> None:
    laptop = _server_holds(world, *notes(1, 2, "phone"))
    laptop.say(hello(0, have={"phone": 2}, tips={}, live=True))

    _server_holds(world, note(3, "phone"), note(1, "desk", at=50))

    assert contents(laptop.hear()) == ["desk 1"]


def test_a_tip_that_is_the_servers_lets_its_device_through(world: World) -> None:
    laptop = _server_holds(world, *notes(1, 3, "phone"))
    asked = hello(0, have={"phone": 2}, tips={"phone": digest(note(2, "phone"))}, live=True)

    answers = laptop.say(asked)
    _server_holds(world, note(4, "phone"))

    assert contents(answers + laptop.hear()) == ["phone 3", "phone 4"]


def test_a_device_with_another_digest_is_diverged(world: World) -> None:
    """It is named, is covered up to nothing, and neither a page nor a push carries any of it."""
    laptop = _server_holds(world, *notes(1, 3, "phone"))
    asked = hello(0, have={"phone": 2}, tips={"phone": digest(OTHER)}, live=True)

    [[_, body]] = laptop.say(asked)
    _server_holds(world, note(4, "phone"), note(1, "desk", at=50))

    assert body["diverged"] == ["phone"]
    assert body["upto"].get("phone", 0) == 0
    assert contents([["hello", body], *laptop.hear()]) == ["desk 1"]


def test_a_diverged_device_stays_so_until_it_is_begun_anew(world: World) -> None:
    """A hello that only leaves the tip out must not get around the check."""
    laptop = _server_holds(world, *notes(1, 3, "phone"))
    laptop.say(hello(0, have={"phone": 2}, tips={"phone": digest(OTHER)}))

    [[_, again]] = laptop.say(hello(0, have={"phone": 2}, tips={}))
    [[_, anew]] = laptop.say(hello(0, have={"phone": 0}, tips={}))

    assert (contents([["hello", again]]), again["diverged"]) == ([], ["phone"])
    assert contents([["hello", anew]]) == ["phone 1", "phone 2", "phone 3"]
    assert "diverged" not in anew


def test_who_never_sends_tips_opts_out(world: World) -> None:
    """A simple client is served by its counts alone."""
    laptop = _server_holds(world, *notes(1, 3, "phone"))

    answers = laptop.say(hello(0, have={"phone": 2}))

    assert contents(answers) == ["phone 3"]


def test_what_the_server_has_sent_needs_no_tip_again(world: World) -> None:
    """What a reader has from this connection alone has the server's history."""
    laptop = _server_holds(world, *notes(1, 2, "phone"))
    laptop.say(hello(0, tips={}))
    _server_holds(world, note(3, "phone"))

    answers = laptop.say(hello(0, have={"phone": 2}, tips={}))

    assert contents(answers) == ["phone 3"]


def test_what_came_to_the_reader_by_another_way_needs_a_tip(world: World) -> None:
    """Its ``have`` is above what this connection has sent, so somebody else told it."""
    laptop = _server_holds(world, *notes(1, 2, "phone"))
    laptop.say(hello(0, tips={}))
    _server_holds(world, *notes(3, 4, "phone"))

    answers = laptop.say(hello(0, have={"phone": 3}, tips={}))

    assert contents(answers) == []


def test_a_tip_that_was_trimmed_away_is_believed(world: World) -> None:
    """Nobody can compare it any more, and a reader at the floor must not wait for ever."""
    laptop = _server_holds(world, *notes(1, 4, "phone"))
    world.do(world.server.storage.log.trim("alice", "phone", up_to=2))

    answers = laptop.say(hello(0, have={"phone": 2}, tips={"phone": digest(note(2, "phone"))}))

    assert contents(answers) == ["phone 3", "phone 4"]


# A tip of an entry that the server does not hold cannot be compared: the server
# lost data, and somebody will bring it back.


@pytest.fixture
def ahead(world: World) -> Raw:
    """The laptop, live, holds the phone up to 3; the server lost 3 and wants it."""
    laptop = _server_holds(world, *notes(1, 2, "phone"))
    [[_, body]] = laptop.say(
        hello(0, have={"phone": 3}, tips={"phone": digest(note(3, "phone"))}, live=True)
    )
    assert body["want"] == {"phone": [2, 3]}
    return laptop


def test_a_tip_is_compared_once_the_server_has_that_entry_again(world: World, ahead: Raw) -> None:
    """The phone brings back 3 and writes 4: the laptop hears of it on this connection."""
    _server_holds(world, note(3, "phone"), note(4, "phone"))

    [[_, body]] = ahead.hear()

    assert contents([["add", body]]) == ["phone 4"]
    assert body["upto"] == {"phone": 4}


def test_a_tip_is_compared_too_if_the_reader_itself_brought_the_entry(
    world: World, ahead: Raw
) -> None:
    ahead.say(["add", {"for": "phone", "messages": notes(2, 3, "phone")}])
    _server_holds(world, note(4, "phone"))

    assert contents(ahead.hear()) == ["phone 4"]


def test_a_tip_of_another_history_keeps_its_device_out_of_the_pushes(
    world: World, ahead: Raw
) -> None:
    """Another 3 came. The laptop would store 4 on top of its own 3."""
    _server_holds(world, note(3, "phone", text="another"), note(4, "phone"))

    assert ahead.hear() == []


def test_a_tip_is_remembered_from_one_page_to_the_next(world: World, ahead: Raw) -> None:
    """The client sends it once: the page said that it covered what it has."""
    _server_holds(world, note(3, "phone"), note(4, "phone"))

    answers = ahead.say(hello(0, have={"phone": 3}, tips={}))

    assert contents(answers) == ["phone 4"]


def test_sent_begins_where_reader_and_server_agree(world: World) -> None:
    """A reader that opts out claims more than the server has: what comes later is news to it."""
    laptop = _server_holds(world, *notes(1, 2, "phone"))
    laptop.say(hello(0, have={"phone": 9}, live=True))

    _server_holds(world, note(3, "phone"))

    assert contents(laptop.hear()) == ["phone 3"]


def test_sent_begins_where_a_cursor_and_the_server_agree(world: World) -> None:
    """The log was set back and the cursors were not. Version 0 has more pages on their way."""
    world.server.limits = replace(world.server.limits, page_messages=1)
    laptop = _server_holds(world, *notes(1, 2, "phone"), *notes(1, 2, "desk"))
    world.do(
        world.server.storage.cursors.reset("alice", "alice/laptop", VersionVector({"phone": 9}))
    )
    laptop.say(["hello", {"seq": 0}])
    laptop.hear()

    _server_holds(world, note(3, "phone"))

    assert contents(laptop.hear()) == ["phone 3"]


def test_an_ack_before_the_last_page_is_bounded_too(world: World) -> None:
    laptop = _server_holds(world, *notes(1, 2, "phone"), *notes(1, 2, "desk"))
    laptop.say(hello(0, have={"phone": 9}, limit={"messages": 1}))

    laptop.say(["ack", {"have": {"phone": 9}}])

    assert world.server.cursor("alice/laptop") == VersionVector({"phone": 2})


def test_the_cursor_is_never_above_the_tops(world: World) -> None:
    """Whatever a reader claims to have."""
    laptop = _server_holds(world, *notes(1, 2, "phone"))

    laptop.say(hello(0, have={"phone": 9}, live=True))
    laptop.say(["ack", {"have": {"phone": 9, "nobody": 3}}])

    assert world.server.cursor("alice/laptop") == VersionVector({"phone": 2})
