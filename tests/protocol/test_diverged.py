"""Another device's entries that are not the server's: compared, kept apart, offered."""

from __future__ import annotations

import pytest

from strandlog.protocol import own
from strandlog.protocol.events import Diverged, Rehomed
from tests.protocol.by_hand import note, upload
from tests.protocol.wire import Device, World


@pytest.fixture
def laptop(world: World) -> Device:
    return world.device("laptop")


@pytest.fixture
def old_branch(world: World, laptop: Device) -> Device:
    """The laptop holds three entries of a phone that was wiped and began anew.

    The server was set back before these, so it has only ever seen the new ones.
    """
    phone = world.device("phone")
    empty = world.server.storage.backup()
    phone.add("old 1", "old 2", "old 3")
    phone.sync()
    laptop.sync()
    world.server.storage.restore(empty)
    phone.storage.wipe()
    phone.restart()
    phone.add("new 1", "new 2", "new 3", "new 4")
    phone.sync()
    return phone


def _covered(seq: int = 0, **upto: int) -> list[object]:
    """Return a server's answer: these are covered, and there is more."""
    return ["hello", {"messages": [], "seq": seq, "upto": upto, "more": True, "v": 1}]


def test_every_device_is_tipped_in_the_first_hello_of_a_connection(
    world: World, laptop: Device
) -> None:
    upload(world, note(1, "phone"), note(1, "desk"))
    laptop.sync()

    laptop.connect()
    [[_, body]] = laptop.say()

    assert set(body["tips"]) == {"phone", "desk"}


def test_a_device_is_tipped_again_while_the_server_has_less_of_it(
    world: World, laptop: Device
) -> None:
    """The server could not compare it before, and may have got that entry meanwhile."""
    upload(world, note(1, "phone"), note(1, "desk"))
    laptop.sync()
    laptop.connect()
    laptop.say()

    laptop.answer(_covered(desk=1))
    [[_, body]] = laptop.say()

    assert set(body["tips"]) == {"phone"}


def test_a_device_that_was_wanted_is_tipped_again(world: World, laptop: Device) -> None:
    """What the server has of it now came from here, and from others."""
    upload(world, note(1, "phone"), note(1, "desk"))
    laptop.sync()
    laptop.connect()
    laptop.say()
    answer = {"messages": [], "seq": 0, "upto": {"phone": 1, "desk": 1}, "more": True, "v": 1}

    laptop.answer(["hello", {**answer, "want": {"phone": [1, 1]}}])
    [[_, body]] = laptop.say()

    assert set(body["tips"]) == {"phone"}


def test_two_histories_of_another_device_are_both_kept(
    world: World, laptop: Device, old_branch: Device
) -> None:
    """The laptop alone has the old one: it moves it to another name and offers it."""
    events = laptop.sync()

    assert Diverged("alice", "phone") in events
    assert [(move.from_device, move.from_counter, move.moved) for move in laptop.told(Rehomed)] == [
        ("phone", 1, 3)
    ]
    assert sorted(world.agree(laptop, old_branch)) == sorted(
        [*(f"old {n}" for n in range(1, 4)), *(f"new {n}" for n in range(1, 5))]
    )


def test_a_longer_old_history_shows_as_a_fork_when_it_is_supplied(
    world: World, laptop: Device
) -> None:
    """The server holds less of the phone than the laptop, and other bytes: its tip says nothing."""
    phone = world.device("phone")
    empty = world.server.storage.backup()
    phone.add("old 1", "old 2", "old 3")
    phone.sync()
    laptop.sync()
    world.server.storage.restore(empty)
    phone.storage.wipe()
    phone.restart()
    phone.add("new 1", "new 2")
    phone.sync()

    laptop.sync()

    assert sorted(world.agree(laptop, phone)) == [
        *("new 1", "new 2", "old 1", "old 2", "old 3"),
    ]


def test_nothing_of_a_diverged_device_is_stored_before_the_branch_has_moved(
    laptop: Device, old_branch: Device
) -> None:
    """To compare, it is asked for from the start, and its tip is left out."""
    wire = laptop.connect()
    laptop.say()
    wire.serve()
    laptop.take()
    held = laptop.texts()

    [[_, body]] = laptop.say()

    assert held == ["old 1", "old 2", "old 3"]
    assert body["have"].get("phone", 0) == 0
    assert "phone" not in body["tips"]
    assert old_branch.texts() == ["new 1", "new 2", "new 3", "new 4"]


def test_histories_that_part_late_are_compared_page_by_page(
    world: World, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first pages are the same on both sides; only what differs moves."""
    monkeypatch.setattr(own, "UPLOAD_MESSAGES", 2)
    phone = world.device("phone")
    phone.add(*(f"{n}" for n in range(1, 8)))
    phone.sync()
    early = world.server.storage.backup()
    kept = phone.storage.backup()
    phone.add("old 8", "old 9")
    phone.sync()
    laptop.sync()
    world.server.storage.restore(early)
    phone.storage.restore(kept)
    phone.restart()
    phone.add("new 8", "new 9", "new 10")
    phone.sync()

    laptop.sync()

    assert [(move.from_counter, move.moved) for move in laptop.told(Rehomed)] == [(8, 2)]
    assert len(world.agree(laptop, phone)) == 12


def test_a_push_of_another_history_moves_what_is_held(world: World, laptop: Device) -> None:
    """A server of the simplest kind compares no tips: the page itself shows the difference."""
    upload(world, note(1, "phone", text="the server's"))
    laptop.go_live()
    page = {"messages": [note(1, "phone", text="another")], "upto": {"phone": 1}}

    laptop.answer(["add", page])

    assert [(move.from_device, move.from_counter) for move in laptop.told(Rehomed)] == [
        ("phone", 1)
    ]
    assert sorted(laptop.texts()) == ["another", "the server's"]
