"""One name, two histories: nothing is overwritten, nothing lost, nothing doubled."""

from __future__ import annotations

from collections import Counter

import pytest

from strandlog import Identity
from strandlog.protocol import own
from strandlog.protocol.events import Rehomed
from strandlog.protocol.rehoming import rehome_name
from tests.protocol.wire import Device, World


@pytest.fixture
def laptop(world: World) -> Device:
    return world.device("laptop")


# -- found by base or by the messages themselves -----------------------------------


def test_a_log_that_was_set_back_and_written_on_moves_to_another_name(
    world: World, laptop: Device
) -> None:
    """The server's 3 stays, ours is kept under a name of its own, and both reach everybody."""
    laptop.add("1", "2")
    kept = laptop.storage.backup()
    laptop.add("3")
    laptop.sync()
    laptop.storage.restore(kept)
    laptop.restart()
    [other] = laptop.add("other 3")

    events = laptop.sync()

    name = rehome_name("laptop", other.digest)
    assert [event for event in events if isinstance(event, Rehomed)] == [
        Rehomed("alice", "laptop", 3, name, 1)
    ]
    assert laptop.reader.device == name
    assert world.agree(laptop, world.device("phone")) == ["1", "2", "3", "other 3"]


def test_a_fork_above_a_lost_ack_doubles_nothing(world: World, laptop: Device) -> None:
    """3 and 4 were stored and their ack was lost; set back to these, the log got another 5."""
    laptop.add("1", "2")
    laptop.sync()
    laptop.add("3", "4")
    kept = laptop.storage.backup()
    laptop.add("5")
    wire = laptop.connect()
    laptop.say()
    wire.serve()
    laptop.storage.restore(kept)
    laptop.restart()
    assert laptop.last_synced == 2
    laptop.add("other 5")

    laptop.sync()

    assert [move.from_counter for move in laptop.told(Rehomed)] == [5]
    assert world.agree(laptop) == ["1", "2", "3", "4", "5", "other 5"]


@pytest.mark.parametrize(
    ("fork_at", "bases"),
    [
        (1, [40, 39, 37, 33, 25, 9, None]),
        (9, [40, 39, 37, 33, 25, 9, None]),
        (10, [40, 39, 37, 33, 25, 9]),
        (38, [40, 39, 37]),
        (39, [40, 39, 37]),
        (40, [40, 39]),
    ],
)
def test_a_fork_below_base_is_found_by_stepping_back(
    world: World, laptop: Device, fork_at: int, bases: list[int | None]
) -> None:
    """The cursor says that 40 are synced; the histories part anywhere below.

    Each step back is twice as long, so that a log of any length is soon searched. The
    messages after the first base that is the same then show the counter itself.
    """
    kept = laptop.storage.backup()
    for number in range(1, 41):
        if number == fork_at:
            kept = laptop.storage.backup()
        laptop.add(f"{number}")
    laptop.sync()
    synced = laptop.storage.backup()
    laptop.storage.restore(kept)
    laptop.restart()
    laptop.add(*(f"other {number}" for number in range(fork_at, 43)))
    laptop.storage.restore(synced, logs=False)
    laptop.restart()
    laptop.sent.clear()

    laptop.sync()

    searching = [
        body
        for _, body in laptop.sent
        if any(message["seq"].endswith(":laptop") for message in body.get("messages", ()))
    ]
    assert [body.get("base", [None])[0] for body in searching] == bases
    assert [move.from_counter for move in laptop.told(Rehomed)] == [fork_at]
    assert Counter(world.agree(laptop)) == Counter(
        [*map(str, range(1, 41)), *(f"other {number}" for number in range(fork_at, 43))]
    )


def test_a_fork_many_slices_below_is_found_slice_by_slice(
    world: World, laptop: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last step back the entries that are the same fill more than one upload."""
    monkeypatch.setattr(own, "UPLOAD_MESSAGES", 2)
    laptop.add(*map(str, range(1, 14)))
    kept = laptop.storage.backup()
    laptop.add(*map(str, range(14, 21)))
    laptop.sync()
    synced = laptop.storage.backup()
    laptop.storage.restore(kept)
    laptop.restart()
    laptop.add(*(f"other {number}" for number in range(14, 21)))
    laptop.storage.restore(synced, logs=False)
    laptop.restart()

    laptop.sync()

    assert [move.from_counter for move in laptop.told(Rehomed)] == [14]
    assert len(world.agree(laptop)) == 27


def test_a_wiped_device_that_wrote_before_it_greeted(world: World, laptop: Device) -> None:
    """It begins at 1 again, which is taken: its new entries move, its old ones come back."""
    laptop.add("1", "2", "3")
    laptop.sync()
    laptop.storage.wipe()
    laptop.restart()
    laptop.add("new")

    laptop.sync()

    assert [move.from_counter for move in laptop.told(Rehomed)] == [1]
    assert world.agree(laptop) == ["1", "2", "3", "new"]


def test_a_wiped_device_whose_first_hello_has_no_messages(world: World, laptop: Device) -> None:
    """It gets its own entries back and goes on under its name."""
    laptop.add("1", "2", "3")
    laptop.sync()
    laptop.storage.wipe()
    laptop.restart()

    laptop.sync()
    laptop.add("4")

    assert world.agree(laptop) == ["1", "2", "3", "4"]
    assert (laptop.reader.device, laptop.told(Rehomed)) == ("laptop", [])


def test_clones_that_both_write_keep_all_of_it(world: World, laptop: Device) -> None:
    """A store file was copied to a second machine. Who comes second gets another name."""
    laptop.add("1")
    laptop.sync()
    clone = world.device("laptop")
    clone.storage.restore(laptop.storage.backup())
    clone.restart()
    laptop.add("of the first")
    clone.add("of the second", "and more")

    texts = world.agree(laptop, clone)

    assert Counter(texts) == Counter(["1", "of the first", "of the second", "and more"])
    assert (laptop.reader.device, clone.reader.device != "laptop") == ("laptop", True)


def test_clones_that_are_live_keep_all_of_it(world: World, laptop: Device) -> None:
    """The other's 2 comes as a push while this one's own 2 is still unsent."""
    laptop.add("1")
    laptop.sync()
    clone = world.device("laptop")
    clone.storage.restore(laptop.storage.backup())
    clone.restart()
    wire = laptop.go_live()
    clone.add("of the second")
    clone.sync()
    laptop.add("of the first")

    wire.push()
    laptop.take()

    assert laptop.reader.device.startswith("laptop~")
    assert Counter(world.agree(laptop, clone)) == Counter(["1", "of the first", "of the second"])


# -- the name ----------------------------------------------------------------------


def test_a_crash_in_the_middle_of_re_homing_doubles_nothing(world: World, laptop: Device) -> None:
    """The branch has moved and the new name was not written down: the old name goes on."""
    laptop.add("1")
    kept = laptop.storage.backup()
    laptop.add("2")
    laptop.sync()
    laptop.storage.restore(kept)
    laptop.restart()
    laptop.add("other 2")
    cursors = laptop.storage.backup()
    laptop.sync()
    laptop.storage.restore(cursors, logs=False)
    laptop.restart()

    laptop.sync()

    assert laptop.reader.device == "laptop"
    assert world.agree(laptop, world.device("phone")) == ["1", "2", "other 2"]


def test_a_crash_before_re_homing_repeats_it_to_the_same_name(world: World, laptop: Device) -> None:
    """The other devices may already hold entries of that name from the first time."""
    laptop.add("1")
    kept = laptop.storage.backup()
    laptop.add("2")
    laptop.sync()
    laptop.storage.restore(kept)
    laptop.restart()
    laptop.add("other 2")
    before = laptop.storage.backup()
    laptop.sync()
    first = laptop.reader.device
    laptop.storage.restore(before)
    laptop.restart()

    laptop.sync()

    assert laptop.reader.device == first
    assert world.agree(laptop) == ["1", "2", "other 2"]


def test_a_branch_that_comes_back_with_a_backup_is_not_doubled(
    world: World, laptop: Device
) -> None:
    """The log was set back to before the move, and the name under which it went on was not."""
    laptop.add("1")
    kept = laptop.storage.backup()
    laptop.add("2")
    laptop.sync()
    laptop.storage.restore(kept)
    laptop.restart()
    laptop.add("other 2")
    branched = laptop.storage.backup()
    laptop.sync()
    laptop.storage.restore(branched, cursors=False)
    laptop.restart()
    assert laptop.reader.device == "laptop"

    texts = world.agree(laptop)

    assert texts == ["1", "2", "other 2"]


def test_a_branch_that_shares_its_beginning_with_a_moved_one_moves_in_parts(
    world: World, laptop: Device
) -> None:
    """Set back into the middle of a branch that was moved since, and written on."""
    laptop.add("1")
    kept = laptop.storage.backup()
    laptop.add("2")
    laptop.sync()
    laptop.storage.restore(kept)
    laptop.restart()
    laptop.add("other 2")
    middle = laptop.storage.backup()
    laptop.add("other 3")
    laptop.sync()
    laptop.storage.restore(middle)
    laptop.restart()
    laptop.add("third 3")

    texts = world.agree(laptop)

    assert Counter(texts) == Counter(["1", "2", "other 2", "other 3", "third 3"])


def test_redactions_follow_what_moves(world: World, laptop: Device) -> None:
    """The redaction names an entry of its own branch, which has another identity now."""
    laptop.add("1")
    kept = laptop.storage.backup()
    laptop.add("2")
    laptop.sync()
    laptop.storage.restore(kept)
    laptop.restart()
    laptop.add("a slip")
    laptop.add("redacted", redacts=Identity("laptop", 2))

    laptop.sync()

    name = laptop.reader.device
    assert [entry.redacts for entry in world.server.read()][-1] == Identity(name, 1)
    assert world.agree(laptop) == ["1", "2", None, "redacted"]


def test_one_device_name_in_two_users_is_two_devices(world: World) -> None:
    """Neither forks the other, and a fork of one leaves the other alone."""
    alice, bob = world.device("laptop"), world.device("laptop", user="bob")
    alice.add("of alice")
    bob.add("of bob")

    for device in (alice, bob, alice, bob):
        device.sync()

    assert (alice.texts(), bob.texts("bob")) == (["of alice"], ["of bob"])
    assert (world.server.texts(), world.server.texts("bob")) == (["of alice"], ["of bob"])
