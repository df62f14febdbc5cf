"""Floors: what was trimmed on the server stays away, and keeps nobody from going on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from strandlog import VersionVector
from strandlog.protocol.events import Rehomed
from strandlog.protocol.own import SERVER
from tests.protocol.by_hand import contents, digest, hello, note, notes, refusal, upload
from tests.protocol.wire import Device, World


def _trim(world: World, device: str, up_to: int) -> None:
    world.do(world.server.storage.log.trim("alice", device, up_to=up_to))


@pytest.fixture
def laptop(world: World) -> Device:
    """A device with six entries, all on the server, which then trims 1 to 4."""
    laptop = world.device("laptop")
    laptop.add(*"123456")
    laptop.sync()
    _trim(world, "laptop", 4)
    return laptop


# -- what the server says and takes ------------------------------------------------


def test_a_reader_below_the_floor_is_told_and_goes_on(world: World) -> None:
    """It covers by ``upto`` what nobody can give it any more."""
    upload(world, *notes(1, 6), note(1, "desk", at=15))
    _trim(world, "laptop", 4)
    phone = world.server.raw("alice/phone")

    [[_, body]] = phone.say(hello(0, have={"laptop": 2}))

    assert contents([["hello", body]]) == ["desk 1", "laptop 5", "laptop 6"]
    assert body["floor"] == {"laptop": 4}
    assert body["upto"] == {"desk": 1, "laptop": 6}


def test_floors_come_complete_with_every_page(world: World) -> None:
    """Also with one that holds nothing of the device, and before it is covered."""
    upload(world, *notes(1, 6), *notes(1, 3, "desk", at=15))
    _trim(world, "laptop", 4)
    _trim(world, "desk", 1)
    phone = world.server.raw("alice/phone")

    [[_, body]] = phone.say(hello(0, limit={"messages": 1}))

    assert body["floor"] == {"desk": 1, "laptop": 4}


def test_nothing_is_stored_at_or_below_the_floor(world: World) -> None:
    """A batch that reaches above it is verified by what lies above; the rest is dropped."""
    upload(world, *notes(1, 6))
    _trim(world, "laptop", 4)
    laptop = world.server.raw("alice/laptop")

    [[_, body]] = laptop.say(hello(7, notes(3, 7)))

    assert body["seq"] == 7
    assert world.server.texts() == ["laptop 5", "laptop 6", "laptop 7"]


def test_a_batch_that_differs_above_the_floor_is_a_fork_from_its_beginning(world: World) -> None:
    """What it has below proves nothing: it would be dropped here, and kept nowhere else."""
    upload(world, *notes(1, 6))
    _trim(world, "laptop", 4)
    laptop = world.server.raw("alice/laptop")

    told = refusal(laptop.say(hello(6, [*notes(3, 4), note(5, text="other"), note(6)])))

    assert (told["code"], told["counter"]) == ("fork", 3)


def test_a_batch_above_the_floor_is_a_fork_from_where_it_differs(world: World) -> None:
    upload(world, *notes(1, 6))
    _trim(world, "laptop", 4)
    laptop = world.server.raw("alice/laptop")

    told = refusal(laptop.say(hello(6, [note(5), note(6, text="other")])))

    assert (told["code"], told["counter"]) == ("fork", 6)


def test_a_batch_wholly_below_the_floor_is_no_ack(world: World) -> None:
    """Nobody can say whether these are the entries that were trimmed."""
    upload(world, *notes(1, 6))
    _trim(world, "laptop", 4)
    laptop = world.server.raw("alice/laptop")

    told = refusal(laptop.say(hello(4, notes(1, 4))))

    assert (told["code"], told["device"], told["floor"]) == ("trimmed", "laptop", 4)
    assert world.server.texts() == ["laptop 5", "laptop 6"]


def test_nothing_is_filled_in_below_the_floor_by_another(world: World) -> None:
    """A device that still holds them offers what was wanted of it, and they stay away."""
    upload(world, *notes(1, 6))
    _trim(world, "laptop", 4)
    phone = world.server.raw("alice/phone")

    answers = phone.say(["add", {"for": "laptop", "messages": notes(2, 6)}])

    assert answers == [["ack", {"tops": {"laptop": 6}}]]
    assert world.server.texts() == ["laptop 5", "laptop 6"]


def test_base_below_the_floor_is_compared_with_nothing(world: World) -> None:
    """So it is neither a fork nor a proof; the entries above the floor decide."""
    upload(world, *notes(1, 6))
    _trim(world, "laptop", 4)
    laptop = world.server.raw("alice/laptop")

    [[kind, body]] = laptop.say(hello(5, [note(5)], base=[4, digest(note(4, text="other"))]))

    assert (kind, body["seq"]) == ("hello", 6)


def test_a_reader_at_the_floor_has_no_tip_to_give(world: World) -> None:
    """It was told of the floor and holds nothing at it, and so has no digest of that entry."""
    upload(world, *notes(1, 6))
    _trim(world, "laptop", 4)
    phone = world.server.raw("alice/phone")

    answers = phone.say(hello(0, have={"laptop": 4}, tips={}))

    assert contents(answers) == ["laptop 5", "laptop 6"]


# -- what a client makes of it -----------------------------------------------------


def test_a_new_device_gets_what_is_left(world: World, laptop: Device) -> None:
    phone = world.device("phone")

    phone.sync()

    assert phone.texts() == ["5", "6"]
    assert phone.tops() == laptop.tops() == {"laptop": 6}


def test_a_new_device_gets_what_is_left_page_by_page(world: World) -> None:
    """The floor comes with the first page, and takes it ahead of what the page holds."""
    world.server.limits = replace(world.server.limits, page_messages=2)
    upload(world, *notes(1, 6, at=90), *notes(1, 3, "desk"))
    _trim(world, "laptop", 4)
    phone = world.device("phone")

    phone.sync()

    assert phone.texts() == ["desk 1", "desk 2", "desk 3", "laptop 5", "laptop 6"]


def test_a_client_that_lost_its_cursor_goes_on_above_the_floor(
    world: World, laptop: Device
) -> None:
    """It sends all of its own again; what reaches above the floor proves the rest."""
    world.do(laptop.storage.cursors.erase("alice"))
    laptop.restart()

    laptop.sync()

    assert (laptop.reader.device, laptop.last_synced) == ("laptop", 6)
    assert laptop.texts() == ["1", "2", "3", "4", "5", "6"]


def test_a_slice_below_the_floor_is_skipped_and_what_follows_proves_it(
    world: World, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slice alone proves nothing, so the client goes on above the floor and looks there."""
    monkeypatch.setattr("strandlog.protocol.own.UPLOAD_MESSAGES", 2)
    world.do(laptop.storage.cursors.erase("alice"))
    laptop.restart()

    laptop.sync()

    assert (laptop.reader.device, laptop.last_synced) == ("laptop", 6)
    assert laptop.told(Rehomed) == []
    assert world.server.texts() == ["5", "6"]


def test_a_skipped_slice_that_turns_out_to_be_another_is_re_homed_whole(
    world: World, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was skipped forked as well: it is on no server, so it must not stay behind."""
    laptop.storage.wipe()
    laptop.restart()
    laptop.add(*(f"other {number}" for number in range(1, 7)))
    monkeypatch.setattr("strandlog.protocol.own.UPLOAD_MESSAGES", 2)

    laptop.sync()

    assert [(move.from_counter, move.moved) for move in laptop.told(Rehomed)] == [(1, 6)]
    assert sorted(world.server.texts()) == [
        *("5", "6"),
        *(f"other {number}" for number in range(1, 7)),
    ]


def test_a_slice_that_reaches_above_the_floor_is_re_homed_whole(
    world: World, laptop: Device
) -> None:
    laptop.storage.wipe()
    laptop.restart()
    laptop.add(*(f"other {number}" for number in range(1, 7)))

    laptop.sync()

    assert [(move.from_counter, move.moved) for move in laptop.told(Rehomed)] == [(1, 6)]
    assert sorted(world.server.texts()) == [
        *("5", "6"),
        *(f"other {number}" for number in range(1, 7)),
    ]


def test_what_cannot_be_verified_is_re_homed(world: World, laptop: Device) -> None:
    """All that the device has lies below the floor, and another history may have been there."""
    laptop.storage.wipe()
    laptop.restart()
    laptop.add("other 1", "other 2")

    laptop.sync()

    assert [(move.from_counter, move.moved) for move in laptop.told(Rehomed)] == [(1, 2)]
    assert sorted(world.server.texts()) == ["5", "6", "other 1", "other 2"]


def test_what_lies_behind_a_verified_base_is_not_moved(world: World) -> None:
    """Of five entries the server has acknowledged three; the two others alone are in doubt."""
    laptop = world.device("laptop")
    laptop.add("1", "2", "3", "4", "5")
    laptop.sync()
    kept = laptop.storage.backup()
    laptop.add("6", "7")
    laptop.sync()
    _trim(world, "laptop", 6)
    laptop.storage.restore(kept)
    laptop.restart()
    world.do(laptop.storage.cursors.reset("alice", SERVER, VersionVector({"laptop": 3})))

    laptop.sync()

    assert [(move.from_counter, move.moved) for move in laptop.told(Rehomed)] == [(4, 2)]
    assert laptop.texts("alice")[:3] == ["1", "2", "3"]


def test_a_server_set_back_behind_a_floor_takes_what_lies_above_it(world: World) -> None:
    """1 to 4 were trimmed everywhere and are nowhere any more; 5 and 6 come back."""
    laptop = world.device("laptop")
    laptop.add(*"123456")
    laptop.sync()
    world.do(laptop.storage.log.trim("alice", "laptop", up_to=4))
    world.server.storage.wipe()

    laptop.sync()
    phone = world.device("phone")
    phone.sync()

    assert phone.texts() == world.server.texts() == laptop.texts() == ["5", "6"]
    assert laptop.last_synced == 6


def test_a_floor_of_a_client_trims_nothing_that_the_server_holds(world: World) -> None:
    """It says what the client lacks, and not what others may have."""
    laptop = world.server.raw("alice/laptop")
    laptop.say(hello(3, notes(1, 3)))

    gap = laptop.say(hello(7, notes(6, 7), floor={"laptop": 4}))
    [[_, body]] = laptop.say(hello(5, notes(4, 5), floor={"laptop": 2}))

    assert refusal(gap)["code"] == "gap"
    assert (body["seq"], body.get("floor")) == (5, None)
    assert len(world.server.texts()) == 5


def test_a_floor_is_imported_and_passed_on(world: World, laptop: Device) -> None:
    """The phone knows it from the server; a server that was wiped hears of it from the phone."""
    phone = world.device("phone")
    phone.sync()
    world.server.storage.wipe()

    phone.sync()

    assert world.server.texts() == ["5", "6"]
    assert laptop.texts() == ["1", "2", "3", "4", "5", "6"]
    upto = world.do(world.server.storage.log.tops("alice"))
    assert upto == {"laptop": 6}
