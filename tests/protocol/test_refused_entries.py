"""Uploads that the server refuses: what is mended, what is given up, and that reading goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from strandlog import Entry, Identity, Reader
from strandlog.access import FriendsPolicy
from strandlog.errors import BadFrameError, RejectedError, RemoteProtocolError, StrandlogError
from strandlog.protocol.events import Arrived, UploadBlocked, Withdrawn
from tests.protocol.by_hand import contents, hello, note, refusal, upload
from tests.protocol.wire import START, Device, World


class Censor(FriendsPolicy):
    """Refuses every entry that says a forbidden word, for good."""

    async def admit(self, reader: Reader, entries: Sequence[Entry]) -> None:
        for entry in entries:
            if b"forbidden" in (entry.content or b""):
                raise RejectedError(entry.counter, "that is not to be said here")


class Closed(FriendsPolicy):
    """Takes nothing of anybody, and gives no reason that an entry could be blamed for."""

    async def admit(self, reader: Reader, entries: Sequence[Entry]) -> None:
        raise BadFrameError("nothing is taken today")


@pytest.fixture
def laptop(world: World) -> Device:
    return world.device("laptop")


def test_a_middle_entry_is_withdrawn_and_later_ones_arrive(world: World, laptop: Device) -> None:
    """Counters stay dense: others see that there was something, and all that came after."""
    world.server.access = Censor()
    laptop.add("1", "forbidden", "3")
    phone = world.device("phone")

    laptop.sync()
    phone.sync()

    assert world.server.texts() == phone.texts() == ["1", None, "3"]
    assert laptop.last_synced == 3


def test_what_was_withdrawn_stays_here(world: World, laptop: Device) -> None:
    """The application is told which entry, and the content is not lost to it."""
    world.server.access = Censor()
    laptop.add("1", "forbidden")

    laptop.sync()

    assert laptop.texts() == ["1", "forbidden"]
    [told] = laptop.told(Withdrawn)
    assert (told.identity, told.code) == (Identity("laptop", 2), "rejected")


def test_a_withdrawn_entry_keeps_its_digest(world: World, laptop: Device) -> None:
    """So it is no fork if the content is brought later, by whoever has it, and stays withdrawn."""
    world.server.access = Censor()
    [entry] = laptop.add("forbidden")
    laptop.sync()

    [held] = world.server.read()

    assert held == entry.withdrawn()


def test_a_withdrawn_redaction_masks_nothing(world: World, laptop: Device) -> None:
    """It never happened, as far as others see: the target keeps its content."""
    world.server.access = Censor()
    laptop.add("1")
    laptop.sync()
    laptop.add("forbidden", redacts=Identity("laptop", 1))

    laptop.sync()

    [first, second] = world.server.read()
    assert (first.content, second.redacts) == (b'"1"', None)


def test_hundreds_are_withdrawn_one_by_one(world: World, laptop: Device) -> None:
    """Each refusal is a step ahead, so there is no number at which it stops."""
    world.server.access = Censor()
    laptop.add(*("forbidden" for _ in range(150)), "last")

    laptop.sync()

    assert world.server.texts() == [*(None for _ in range(150)), "last"]


def test_an_entry_too_large_for_the_server_is_withdrawn(world: World, laptop: Device) -> None:
    world.server.limits = replace(world.server.limits, message_bytes=1_000)
    laptop.add("1", "x" * 2_000, "3")

    laptop.sync()

    assert world.server.texts() == ["1", None, "3"]
    assert [told.code for told in laptop.told(Withdrawn)] == ["too-large"]


def test_a_frame_too_large_for_the_server_is_sent_in_parts(world: World, laptop: Device) -> None:
    """No entry is to blame, so none is withdrawn."""
    world.server.limits = replace(world.server.limits, frame_messages=3)
    laptop.add(*(str(number) for number in range(10)))

    laptop.sync()

    assert len(world.server.texts()) == 10
    assert laptop.told(Withdrawn) == []


def test_what_a_live_connection_adds_is_withdrawn_too(world: World, laptop: Device) -> None:
    world.server.access = Censor()
    laptop.go_live()
    laptop.add("1", "forbidden", "3")

    laptop.settle()

    assert world.server.texts() == ["1", None, "3"]
    assert laptop.last_synced == 3


# -- refused without an entry to blame ---------------------------------------------


def test_reading_goes_on_while_uploads_are_refused(world: World, laptop: Device) -> None:
    """The hello is repeated without messages: a full log of mine is no reason to hear nothing."""
    upload(world, *(note(number, "phone") for number in range(1, 4)))
    world.server.access = Closed()
    laptop.add("mine")

    events = laptop.sync()

    blocked = UploadBlocked("bad-frame", "nothing is taken today")
    assert [blocked] == [event for event in events if isinstance(event, UploadBlocked)]
    assert laptop.texts() == ["mine", "phone 1", "phone 2", "phone 3"]
    assert laptop.last_synced == 0


def test_the_next_connection_tries_again(world: World, laptop: Device) -> None:
    world.server.access = Closed()
    laptop.add("mine")
    laptop.sync()
    world.server.access = FriendsPolicy()

    laptop.sync()

    assert (laptop.last_synced, world.server.texts()) == (1, ["mine"])


def test_a_live_connection_hears_of_others_while_its_uploads_are_refused(
    world: World, laptop: Device
) -> None:
    world.server.access = Closed()
    laptop.add("mine")
    laptop.go_live()
    world.server.access = FriendsPolicy()

    upload(world, note(1, "phone"))
    laptop.settle()

    assert laptop.told(Arrived) != []
    assert laptop.texts() == ["mine", "phone 1"]


def test_a_server_that_never_stops_refusing_is_read_all_the_same(laptop: Device) -> None:
    """It asks for one counter and then for another; the client stops sending, not reading."""
    laptop.add("1", "2", "3")
    laptop.connect()
    asked = 1
    while "messages" in laptop.say()[0][1]:
        asked = 3 - asked
        gap = {"code": "gap", "message": "", "device": "laptop", "expected": asked, "got": 9}
        laptop.answer(["error", gap])

    assert len(laptop.told(UploadBlocked)) == 1


def test_a_gap_that_cannot_be_filled_blocks_the_upload(world: World, laptop: Device) -> None:
    """A server that knows no floors of clients asks for 1, which was trimmed here."""
    laptop.add("1", "2", "3", "4")
    world.do(laptop.storage.log.trim("alice", "laptop", up_to=2))
    laptop.connect()
    laptop.say()

    gap = {"code": "gap", "message": "", "device": "laptop", "expected": 1, "got": 3}
    laptop.answer(["error", gap])
    [[_, body]] = laptop.say()

    assert "messages" not in body
    assert len(laptop.told(UploadBlocked)) == 1


def test_a_server_that_refuses_to_be_read_is_given_up(laptop: Device) -> None:
    laptop.connect()
    laptop.say()

    with pytest.raises(RemoteProtocolError):
        laptop.answer(["error", {"code": "bad-frame", "message": "no"}])


# -- timestamps that fall ----------------------------------------------------------


def test_a_timestamp_that_falls_names_the_least_allowed(world: World) -> None:
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(1, [note(1, at=90)]))

    told = refusal(laptop.say(hello(2, [note(2, at=80)])))

    assert (told["code"], told["counter"], told["least"]) == ("bad-seq", 2, START + 90)
    assert laptop.say(hello(2, [note(2, at=90)]))[0][0] == "hello"


def test_entries_that_fall_behind_the_servers_are_re_homed(world: World, laptop: Device) -> None:
    """The server holds another 1 of this name, later than all of ours; ours keep their time.

    The entry before them is unknown to the client, which lost it with its cursor.
    """
    laptop.add("1", "2")
    stamps = [entry.seq.timestamp for entry in laptop.read()]
    laptop.connect()
    laptop.say()

    fall = {"code": "bad-seq", "message": "", "device": "laptop", "counter": 2, "least": START}
    laptop.answer(["error", fall])
    laptop.cut()
    laptop.sync()

    assert laptop.reader.device.startswith("laptop~")
    assert [entry.seq.timestamp for entry in laptop.read()] == stamps
    assert laptop.texts() == world.server.texts() == ["1", "2"]


def test_a_first_entry_that_falls_is_withdrawn(laptop: Device) -> None:
    """There is nothing before it, so another name would not help."""
    laptop.add("1", "2")
    laptop.connect()
    laptop.say()

    fall = {"code": "bad-seq", "message": "", "device": "laptop", "counter": 1, "least": START}
    laptop.answer(["error", fall])
    [[_, body]] = laptop.say()

    assert contents([["hello", body]]) == [None, "2"]
    assert body["messages"][0]["digest"] == laptop.read()[0].digest


@pytest.mark.parametrize("code", ["store-unavailable", "rate", "shutting-down"])
def test_what_passes_by_itself_ends_the_connection(laptop: Device, code: str) -> None:
    """Nothing was stored and nothing is given up: it is tried again later."""
    laptop.add("1")
    laptop.connect()
    laptop.say()

    told: dict[str, Any] = {"code": code, "message": "", "retry_after": 2.5}
    with pytest.raises(StrandlogError) as ended:
        laptop.answer(["error", told])

    assert getattr(ended.value, "retry_after_seconds", None) == 2.5
    assert laptop.last_synced == 0
