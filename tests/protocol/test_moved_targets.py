"""Redactions of entries that move to another name: they mean the entry, and not its place."""

from __future__ import annotations

import pytest

from strandlog import Identity
from strandlog.protocol.events import Rehomed
from tests.protocol.wire import Device, World


@pytest.fixture
def laptop(world: World) -> Device:
    return world.device("laptop")


@pytest.fixture
def phone(world: World, laptop: Device) -> Device:
    """A phone that began anew, on a server that was set back; the laptop holds what was before."""
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


def test_an_unsent_redaction_follows_its_target(
    world: World, laptop: Device, phone: Device
) -> None:
    """The laptop redacted what it held as phone 2. The phone has another 2 now, which stays."""
    laptop.add("sorry", redacts=Identity("phone", 2))

    texts = world.agree(laptop, phone)

    [move] = laptop.told(Rehomed)
    [redaction] = [entry for entry in laptop.read() if entry.device == "laptop"]
    assert redaction.redacts == Identity(move.to_device, 2)
    assert sorted(text for text in texts if text) == [
        *(f"new {n}" for n in range(1, 5)),
        *("old 1", "old 3", "sorry"),
    ]
    assert texts.count(None) == 1


def test_a_redaction_waits_until_its_target_is_known_to_be_the_same(
    laptop: Device, phone: Device
) -> None:
    """In the first hello the server would take it for one of the phone's new entries."""
    laptop.add("before")
    laptop.add("sorry", redacts=Identity("phone", 2))
    laptop.connect()

    [[_, body]] = laptop.say()

    assert [message["content"] for message in body["messages"]] == ["before"]
    assert phone.texts() == ["new 1", "new 2", "new 3", "new 4"]


def test_a_redaction_of_an_own_entry_waits_for_nothing(laptop: Device) -> None:
    """Its own history is compared by its base, and refused as a whole if it differs."""
    laptop.add("a slip")
    laptop.add("sorry", redacts=Identity("laptop", 1))
    laptop.connect()

    [[_, body]] = laptop.say()

    assert [message.get("content") for message in body["messages"]] == [None, "sorry"]


def test_a_server_that_was_wiped_gets_the_target_before_its_redaction(world: World) -> None:
    """It wants the phone's entries from the laptop, and can compare them then."""
    laptop, phone = world.device("laptop"), world.device("phone")
    phone.add("a slip", "another")
    phone.sync()
    laptop.sync()
    world.server.storage.wipe()
    laptop.add("sorry", redacts=Identity("phone", 1))

    laptop.sync()

    assert world.agree(laptop, phone) == [None, "another", "sorry"]


def test_the_redaction_of_another_device_stays_as_it_is(world: World, laptop: Device) -> None:
    """Others hold its bytes. What it took away stays away, also where it moves to."""
    desk, phone = world.device("desk"), world.device("phone")
    empty = world.server.storage.backup()
    phone.add("old 1", "old 2")
    phone.sync()
    desk.sync()
    desk.add("sorry", redacts=Identity("phone", 2))
    desk.sync()
    laptop.sync()
    world.server.storage.restore(empty)
    phone.storage.wipe()
    phone.restart()
    phone.add("new 1")
    phone.sync()

    texts = world.agree(laptop, phone)

    [redaction] = [entry for entry in laptop.read() if entry.device == "desk"]
    assert redaction.redacts == Identity("phone", 2)
    assert sorted(text for text in texts if text) == ["new 1", "old 1", "sorry"]
    assert texts.count(None) == 1


def test_a_branch_whose_new_place_was_trimmed_keeps_nobody_from_syncing(
    world: World, laptop: Device, phone: Device
) -> None:
    """It was moved once, trimmed there, and comes back with a backup of the laptop."""
    kept = laptop.storage.backup()
    laptop.sync()
    [move] = laptop.told(Rehomed)
    world.do(world.server.storage.log.trim("alice", move.to_device, up_to=2))
    laptop.storage.restore(kept)
    laptop.restart()

    laptop.sync()
    laptop.sync()

    assert sorted(laptop.texts()) == ["new 1", "new 2", "new 3", "new 4", "old 3"]
    assert phone.tops() == {"phone": 4}
