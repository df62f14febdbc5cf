"""Redactions: checked where they enter, obeyed wherever they arrive."""

from __future__ import annotations

import pytest

from strandlog import Entry, Identity, Seq
from strandlog.errors import InvalidArgumentError
from tests.protocol.by_hand import hello, note, refusal, upload, withdrawn
from tests.protocol.wire import START, Device, World

FIRST = Identity("laptop", 1)


@pytest.fixture
def laptop(world: World) -> Device:
    """A device with one entry for friends, on the server too."""
    laptop = world.device("laptop")
    laptop.add("a slip", scope="friend")
    laptop.sync()
    return laptop


def test_a_redaction_takes_the_content_away_everywhere(world: World, laptop: Device) -> None:
    """Also from a device that got the entry before; envelope and digest stay."""
    phone = world.device("phone")
    phone.sync()
    digest = laptop.read()[0].digest
    phone.add("sorry", scope="friend", redacts=FIRST)

    texts = world.agree(phone, laptop)

    assert texts == [None, "sorry"]
    assert laptop.read()[0].digest == digest


def test_a_redaction_before_its_target_waits_for_it(world: World) -> None:
    """A device that was offline brings the entry after it was redacted."""
    redaction = note(1, "phone", at=90, redacts=["laptop", 1])
    upload(world, redaction)
    desk = world.device("desk")
    desk.sync()

    upload(world, note(1))
    desk.sync()

    assert desk.texts() == world.server.texts() == [None, "phone 1"]


def test_a_redacted_entry_that_is_sent_again_is_a_duplicate(world: World, laptop: Device) -> None:
    """The cursor was lost; the content that comes again stays away."""
    original = laptop.storage.backup()
    world.device("phone").sync()
    upload(world, note(1, "phone", at=90, scope="friend", redacts=list(FIRST)))
    laptop.storage.restore(original, cursors=False)
    world.do(laptop.storage.cursors.erase("alice"))
    laptop.restart()

    laptop.sync()

    assert world.server.texts() == [None, "phone 1"]
    assert (laptop.reader.device, laptop.texts()) == ("laptop", [None, "phone 1"])


# -- the scope of the target -------------------------------------------------------


def test_the_server_refuses_a_redaction_of_another_scope(world: World, laptop: Device) -> None:
    """Friends would never see it, and keep the content."""
    raw = world.server.raw("alice/phone")

    told = refusal(raw.say(hello(1, [note(1, "phone", at=90, redacts=list(FIRST))])))

    assert (told["code"], told["counter"]) == ("rejected", 1)
    assert world.server.texts() == laptop.texts() == ["a slip"]


def test_the_server_checks_targets_that_come_with_it(world: World) -> None:
    raw = world.server.raw("alice/phone")
    batch = [note(1, "phone", scope="friend"), note(2, "phone", redacts=["phone", 1])]

    assert refusal(raw.say(hello(2, batch)))["counter"] == 2


def test_the_server_checks_what_is_brought_for_another(world: World, laptop: Device) -> None:
    raw = world.server.raw("alice/desk")
    redaction = note(1, "phone", at=90, redacts=list(FIRST))

    told = refusal(raw.say(["add", {"for": "phone", "messages": [redaction]}]))

    assert (told["code"], laptop.texts()) == ("rejected", ["a slip"])


def test_the_writer_refuses_a_redaction_of_another_scope(laptop: Device) -> None:
    """Here it would take the content away at once, before any server could refuse it."""
    with pytest.raises(InvalidArgumentError):
        laptop.add("sorry", redacts=FIRST)

    assert laptop.texts() == ["a slip"]


def test_a_refused_redaction_is_withdrawn_and_masks_nothing(world: World, laptop: Device) -> None:
    """The writer did not know the target then, so it could not check."""
    phone = world.device("phone")
    [redaction] = phone.add("sorry", redacts=FIRST)

    phone.sync()
    laptop.sync()

    assert world.server.texts() == laptop.texts() == ["a slip", None]
    assert world.server.read()[-1] == redaction.withdrawn()


def test_no_page_is_refused_for_the_scope_of_a_target(world: World) -> None:
    """The target came after the redaction, in another scope: nobody could tell at ingest.

    A device that refused to store such a page would never get any further.
    """
    upload(world, note(1, "phone", at=90, redacts=list(FIRST)), note(1, scope="friend"))
    desk = world.device("desk")

    desk.sync()

    assert desk.texts() == world.server.texts() == [None, "phone 1"]


def test_a_redaction_that_is_there_already_is_not_checked_again(world: World) -> None:
    """Its ack was lost, and meanwhile its target arrived, in another scope."""
    redaction = note(1, "phone", at=90, redacts=list(FIRST))
    upload(world, redaction, note(1, scope="friend"))

    [[kind, body]] = world.server.raw("alice/phone").say(hello(1, [redaction]))

    assert (kind, body["seq"]) == ("hello", 1)


def test_a_redacted_redaction_keeps_what_it_redacts(world: World) -> None:
    """Its content is gone; that it took away another's stays true for who comes later."""
    upload(
        world,
        note(1),
        note(1, "phone", at=20, redacts=["laptop", 1]),
        note(1, "desk", at=30, redacts=["phone", 1]),
    )
    watch = world.device("watch")

    watch.sync()

    assert watch.texts() == [None, None, "desk 1"]
    assert watch.read()[1].redacts == FIRST


def test_a_redacted_entry_may_be_uploaded(world: World) -> None:
    """By a device that never had the content. Who brings it later brings nothing."""
    original = note(1)
    upload(world, withdrawn(original))

    [[kind, body]] = world.server.raw("alice/laptop").say(hello(1, [original]))

    assert (kind, body["seq"]) == ("hello", 1)
    assert world.server.read() == [
        Entry(Seq(START + 10, 1, "laptop"), "private", b'"laptop 1"').without_content()
    ]
