"""``last_synced``: what moves it up, and down; and that a seq proves nothing about my bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from strandlog import VersionVector
from strandlog.protocol import own
from strandlog.protocol.events import ServerLostData, Uploaded
from strandlog.protocol.own import SERVER
from tests.protocol.by_hand import hello, note, notes
from tests.protocol.wire import Device, World


def _page(seq: int, **more: Any) -> Any:
    """Return an answer without messages."""
    return ["hello", {"messages": [], "seq": seq, "upto": {}, "more": False, "v": 1, **more}]


@pytest.fixture
def laptop(world: World) -> Device:
    """A device that the server has three entries of; it has added two more."""
    laptop = world.device("laptop")
    laptop.add("1", "2", "3")
    laptop.sync()
    laptop.add("4", "5")
    return laptop


def test_sending_moves_nothing(laptop: Device) -> None:
    """The frame may never arrive."""
    laptop.connect()

    [[_, body]] = laptop.say()

    assert [one["content"] for one in body["messages"]] == ["4", "5"]
    assert laptop.last_synced == 3


def test_the_answer_moves_it_to_what_was_sent(laptop: Device) -> None:
    events = laptop.sync()

    assert laptop.last_synced == 5
    assert events == [Uploaded(2, 5)]


def test_a_lost_answer_costs_a_repetition(world: World, laptop: Device) -> None:
    """The server has stored it; the client cannot know, and sends it again."""
    wire = laptop.connect()
    laptop.say()
    wire.serve()
    laptop.cut()
    between = laptop.last_synced

    laptop.sync()

    assert (between, laptop.last_synced) == (3, 5)
    assert [len(body.get("messages", ())) for _, body in laptop.sent[-2:]] == [2, 2]
    assert world.server.texts() == ["1", "2", "3", "4", "5"]


def test_an_ack_moves_it_to_what_was_sent(world: World) -> None:
    laptop = world.device("laptop")
    wire = laptop.go_live()
    laptop.add("1", "2")

    [[kind, _]] = laptop.say()
    wire.serve()
    before = laptop.last_synced
    laptop.take()

    assert (kind, before, laptop.last_synced) == ("add", 0, 2)


def test_a_higher_seq_alone_proves_nothing(laptop: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server counts 9 of this device. Of the two that are unsent it was sent one."""
    monkeypatch.setattr(own, "UPLOAD_MESSAGES", 1)
    laptop.connect()
    laptop.say()

    laptop.answer(_page(9))

    assert laptop.last_synced == 4


def test_a_seq_without_base_or_messages_proves_nothing(world: World) -> None:
    """Two entries were added since the frame was sent that the answer speaks of."""
    laptop = world.device("laptop")
    laptop.connect()
    laptop.say()
    laptop.add("1", "2")

    laptop.answer(_page(2))

    assert laptop.last_synced == 0


def test_base_at_the_own_top_moves_it_there(world: World, laptop: Device) -> None:
    """The cursor was lost, the log was not. The server vouches for all of it by one digest."""
    laptop.sync()
    world.do(laptop.storage.cursors.erase("alice"))
    laptop.restart()
    laptop.connect()
    laptop.session.own._blocked = True  # type: ignore[union-attr]  # as after a refusal

    [[_, body]] = laptop.say()
    laptop.wire.serve()  # type: ignore[union-attr]
    laptop.take()

    assert ("messages" in body, body["base"][0]) == (False, 5)
    assert laptop.last_synced == 5


def test_base_below_the_floor_proves_nothing(laptop: Device) -> None:
    """The server has trimmed that entry: it had nothing to compare it with."""
    laptop.connect()
    laptop.session.own._blocked = True  # type: ignore[union-attr]
    laptop.say()

    laptop.answer(_page(9, floor={"laptop": 5}))

    assert laptop.last_synced == 3


def test_base_above_the_servers_seq_proves_nothing(laptop: Device) -> None:
    laptop.connect()
    laptop.session.own._blocked = True  # type: ignore[union-attr]
    laptop.say()

    laptop.answer(_page(4))

    assert laptop.last_synced == 3


def test_a_lower_seq_moves_it_down(laptop: Device) -> None:
    """The server lost data. What it had is sent again, and the application is told."""
    laptop.sync()
    laptop.connect()
    laptop.say()

    laptop.answer(_page(2))
    [[_, body]] = laptop.say()

    assert laptop.last_synced == 2
    assert laptop.told(ServerLostData) == [ServerLostData(5, 2)]
    assert [one["content"] for one in body["messages"]] == ["3", "4", "5"]


def test_a_gap_moves_it_below_what_is_expected(world: World, laptop: Device) -> None:
    """The server was wiped, so 4 comes too early; all is sent from 1 on."""
    world.server.storage.wipe()

    events = laptop.sync()

    assert events[:1] == [ServerLostData(3, 0)]
    assert (laptop.last_synced, world.server.texts()) == (5, ["1", "2", "3", "4", "5"])


def test_a_gap_moves_it_up_too(world: World, laptop: Device) -> None:
    """The cursor was set back further than the server: what that one has need not be sent."""
    world.do(laptop.storage.cursors.reset("alice", SERVER, VersionVector({"laptop": 1})))
    laptop.restart()
    laptop.connect()
    laptop.say()

    gap = {"code": "gap", "message": "", "device": "laptop", "expected": 4, "got": 9}
    laptop.answer(["error", gap])

    assert laptop.last_synced == 3


def test_it_is_never_above_the_own_top(world: World) -> None:
    """The log was set back and the cursor was not: what is added now was never sent.

    A cursor of 5 would take the new 4 for what the server has.
    """
    laptop = world.device("laptop")
    laptop.add("1", "2", "3")
    kept = laptop.storage.backup()
    laptop.add("4", "5")
    laptop.sync()
    laptop.storage.restore(kept, cursors=False)
    laptop.restart()

    laptop.add("new 4")

    assert laptop.last_synced == 3
    assert laptop.status().unsent == 1


def test_what_is_added_after_the_hello_is_not_covered_by_its_answer(laptop: Device) -> None:
    wire = laptop.connect()
    laptop.say()
    laptop.add("6")

    wire.serve()
    laptop.take()

    assert (laptop.last_synced, laptop.status().unsent) == (5, 1)


def test_slices_move_it_one_by_one(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut anywhere, the rest is sent with the next connection and not a slice twice."""
    monkeypatch.setattr(own, "UPLOAD_MESSAGES", 2)
    laptop = world.device("laptop")
    laptop.add(*"abcde")
    wire = laptop.connect()

    laptop.say()
    wire.serve()
    laptop.take()
    laptop.cut()
    first = laptop.last_synced
    laptop.sync()

    assert (first, laptop.last_synced) == (2, 5)
    assert [len(body.get("messages", ())) for _, body in laptop.sent] == [2, 2, 1]


def test_a_server_that_is_ahead_is_not_a_fork(world: World, laptop: Device) -> None:
    """An ack was lost and the log is older than what it was for: nothing of it is doubled.

    The slices that are still unsent turn out to be the server's, and then its 6 comes back.
    """
    kept = laptop.storage.backup()
    laptop.add("6")
    laptop.sync()
    laptop.storage.restore(kept)
    laptop.restart()

    laptop.sync()

    assert (laptop.reader.device, laptop.last_synced) == ("laptop", 6)
    assert laptop.texts() == world.server.texts() == ["1", "2", "3", "4", "5", "6"]


def test_own_entries_of_the_server_wait_until_ours_are_proven(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device lost 1 to 6, got 1 to 3 back, and wrote another 4 without a network.

    It says 4 as its seq while its slices come; the server's 5 and 6 would fit on top of
    that, and would move to another name along with the 4 once the fork is found.
    """
    monkeypatch.setattr(own, "UPLOAD_MESSAGES", 3)
    world.server.limits = replace(world.server.limits, page_messages=3)
    world.server.raw("alice/laptop").say(hello(6, [note(n, at=n) for n in range(1, 7)]))
    laptop = world.device("laptop")
    wire = laptop.connect()
    laptop.say()
    wire.serve()
    laptop.take()
    laptop.cut()
    world.clock.advance(100)
    laptop.add("another 4")

    laptop.sync()

    assert laptop.reader.device.startswith("laptop~")
    assert laptop.texts() == world.server.texts()
    assert laptop.texts() == [*(one["content"] for one in notes(1, 6)), "another 4"]
