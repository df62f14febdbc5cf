"""An erased log: nobody gets it, nobody fills it again, and copies of it go."""

from __future__ import annotations

import pytest

from strandlog.errors import ErasedError
from strandlog.protocol.events import Erased
from tests.protocol.by_hand import hello, refusal
from tests.protocol.wire import Device, World


@pytest.fixture
def laptop(world: World) -> Device:
    """A device of alice, all of whose entries the server has had."""
    laptop = world.device("laptop")
    laptop.add("1", "2", scope="friend")
    laptop.sync()
    world.server.befriend({"alice": {"bob": ["friend"]}})
    return laptop


def _erase(world: World) -> None:
    world.do(world.server.storage.log.erase("alice"))
    world.do(world.server.storage.cursors.erase("alice"))


def test_a_hello_without_messages_hears_that_the_log_was_erased(
    world: World, laptop: Device
) -> None:
    """It does not hear that the server lost everything, and sends nothing again."""
    _erase(world)

    with pytest.raises(ErasedError):
        laptop.sync()

    assert laptop.texts() == ["1", "2"]
    assert world.server.texts() == []


def test_a_log_that_never_was_is_not_erased(world: World) -> None:
    raw = world.server.raw("alice/laptop")

    [[kind, body]] = raw.say(hello(0))

    assert (kind, body["upto"]) == ("hello", {})


@pytest.mark.usefixtures("laptop")
def test_a_friend_is_told_and_deletes_the_copy(world: World) -> None:
    bob = world.device("tablet", user="bob")
    bob.add("of bob")
    bob.sync(follow=["alice"])
    held = bob.texts("alice")
    _erase(world)

    events = bob.sync(follow=["alice"])

    assert held == ["1", "2"]
    assert Erased("alice") in events
    assert (bob.texts("alice"), bob.texts("bob")) == ([], ["of bob"])
    assert world.do(bob.storage.cursors.readers("alice")) == {}


@pytest.mark.usefixtures("laptop")
def test_a_friend_gets_what_is_written_after_the_log_was_restored(world: World) -> None:
    """The copy begins anew: what it held before the erasure counts no more."""
    bob = world.device("tablet", user="bob")
    bob.sync(follow=["alice"])
    _erase(world)
    bob.sync(follow=["alice"])
    world.do(world.server.storage.log.restore("alice"))
    phone = world.device("phone")
    phone.add("after", scope="friend")
    phone.sync()

    bob.sync(follow=["alice"])

    assert bob.texts("alice") == ["after"]


def test_the_log_of_one_who_writes_in_the_same_store_is_no_copy(
    world: World, laptop: Device
) -> None:
    """A store may hold the own log of one user and what another one follows."""
    bob = world.device("tablet", user="bob")
    bob.storage.restore(laptop.storage.backup())
    _erase(world)

    bob.sync(follow=["alice"])

    assert bob.texts("alice") == ["1", "2"]


@pytest.mark.usefixtures("laptop")
def test_a_friend_of_an_erased_log_gets_an_error_and_no_empty_page(world: World) -> None:
    _erase(world)
    raw = world.server.raw("bob/tablet")

    told = refusal(raw.say(["hello", {"user": "alice", "v": 1, "have": {}}]))

    assert (told["code"], told["generation"]) == ("erased", 1)
