"""Another user's log, seen through scopes: sparse copies, and views that change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from strandlog.protocol.events import Arrived, Forbidden
from tests.protocol.by_hand import contents, note, refusal, upload
from tests.protocol.wire import Device, Raw, World


@pytest.fixture
def alice(world: World) -> Device:
    """Alice's phone has written of each scope; bob may see what is for friends."""
    alice = world.device("phone")
    alice.add("diary 1")
    alice.add("to friends 2", scope="friend")
    alice.add("to family 3", scope="family")
    alice.add("to friends 4", scope="friend")
    alice.add("diary 5")
    alice.sync()
    _show(world, "friend")
    return alice


def _show(world: World, *scopes: str) -> None:
    world.server.befriend({"alice": {"bob": scopes}})


@pytest.fixture
def bob(alice: Device) -> Raw:
    return alice.world.server.raw("bob/tablet")


def _ask(
    have: dict[str, int] | None = None, view: str | None = None, *, live: bool = False
) -> object:
    return ["hello", {"v": 1, "user": "alice", "have": have or {}, "view": view, "live": live}]


# -- what the server shows ---------------------------------------------------------


def test_a_friend_gets_what_is_for_friends(bob: Raw) -> None:
    """And is told that the rest was examined: ``upto`` covers it."""
    [[_, body]] = bob.say(_ask())

    assert contents([["hello", body]]) == ["to friends 2", "to friends 4"]
    assert (body["user"], body["view"], body["upto"]) == ("alice", "friend", {"phone": 5})
    assert "seq" not in body


def test_a_stranger_gets_nothing(world: World, alice: Device) -> None:
    told = refusal(world.server.raw("carol/laptop").say(_ask()))

    assert (told["code"], told["fatal"], told["user"]) == ("forbidden", False, "alice")
    assert alice.texts() != []


@pytest.mark.parametrize("fields", [{"seq": 1}, {"base": [1, "a"]}, {"messages": [note(1)]}])
def test_nobody_writes_into_anothers_log(world: World, bob: Raw, fields: dict[str, object]) -> None:
    """Not even as a device of the same name."""
    before = world.server.read()

    told = refusal(bob.say(["hello", {"v": 1, "user": "alice", "have": {}, **fields}]))

    assert (told["code"], world.server.read()) == ("forbidden", before)


def test_version_0_sees_its_own_log_only(bob: Raw) -> None:
    assert refusal(bob.say(["hello", {"user": "alice"}]))["code"] == "bad-frame"


def test_have_of_another_view_counts_as_nothing(world: World, bob: Raw) -> None:
    """Bob covers all that friends may see. Family was granted: its entries lie below that."""
    bob.say(_ask())
    _show(world, "friend", "family")

    [[_, body]] = bob.say(_ask({"phone": 5}, "friend"))

    assert body["view"] == "family,friend"
    assert contents([["hello", body]]) == ["to friends 2", "to family 3", "to friends 4"]


def test_have_without_a_view_counts_as_nothing(bob: Raw) -> None:
    [[_, body]] = bob.say(_ask({"phone": 5}))

    assert contents([["hello", body]]) == ["to friends 2", "to friends 4"]


def test_each_view_has_its_own_cursor(world: World, bob: Raw) -> None:
    """What was read through one says nothing about another."""
    bob.say(_ask({"phone": 5}, "friend"))
    _show(world, "family")
    bob.say(_ask({"phone": 5}, "family"))

    assert world.server.cursor("bob/tablet#friend") == {"phone": 5}
    assert world.server.cursor("bob/tablet#family") == {"phone": 5}


def test_a_live_view_goes_on_as_it_began(world: World, bob: Raw, alice: Device) -> None:
    """A grant shows with the next hello; until then pushes keep the view's name and its scopes."""
    bob.say(_ask(live=True))
    _show(world, "friend", "family")
    alice.add("to family 6", scope="family")
    alice.add("to friends 7", scope="friend")
    alice.sync()

    [[kind, body]] = bob.hear()

    assert (kind, contents([["add", body]])) == ("add", ["to friends 7"])
    assert (body["user"], body["view"], body["upto"]) == ("alice", "friend", {"phone": 7})


def test_a_revocation_ends_the_pushes_at_once(world: World, bob: Raw, alice: Device) -> None:
    bob.say(_ask(live=True))
    world.server.befriend({})
    alice.add("to friends 6", scope="friend")
    alice.sync()

    told = refusal(bob.hear())

    assert (told["code"], told["user"]) == ("forbidden", "alice")
    assert bob.hear() == []


def test_a_revocation_shows_in_the_next_page(world: World, bob: Raw) -> None:
    bob.say(_ask(live=False))
    _show(world, "family")

    [[_, body]] = bob.say(_ask({"phone": 2}, "friend"))

    assert (body["view"], contents([["hello", body]])) == ("family", ["to family 3"])


# -- what a client makes of it -----------------------------------------------------


@pytest.fixture
def friend(alice: Device) -> Device:
    """Bob's tablet has copied what it may see of alice's log."""
    friend = alice.world.device("tablet", user="bob")
    friend.sync(follow=["alice"])
    return friend


def test_a_copy_through_a_view_has_holes(world: World, friend: Device, alice: Device) -> None:
    """Its entries are those of the log, with their counters; the rest is not there."""
    visible = [entry for entry in alice.read() if entry.scope == "friend"]

    assert friend.read("alice") == visible == [one for one in world.server.read() if one in visible]
    assert [entry.counter for entry in friend.read("alice")] == [2, 4]


def test_a_copy_goes_on_where_it_was(friend: Device, alice: Device) -> None:
    alice.add("diary 6")
    alice.add("to friends 7", scope="friend")
    alice.sync()

    events = friend.sync(follow=["alice"])

    [arrived] = [event for event in events if isinstance(event, Arrived)]
    assert [entry.counter for entry in arrived.entries] == [7]


def test_a_grant_fills_the_holes(world: World, friend: Device) -> None:
    """The copy covered all of the old view, and misses nothing of the new one."""
    _show(world, "friend", "family")

    friend.sync(follow=["alice"])

    assert friend.texts("alice") == ["to friends 2", "to family 3", "to friends 4"]


def test_a_grant_fills_the_holes_page_by_page(world: World, friend: Device) -> None:
    """What the first page of the new view holds lies below what the old one had brought."""
    world.server.limits = replace(world.server.limits, page_messages=1)
    _show(world, "friend", "family")

    friend.sync(follow=["alice"])

    assert friend.texts("alice") == ["to friends 2", "to family 3", "to friends 4"]


def test_a_grant_fills_the_holes_of_a_live_connection(world: World, friend: Device) -> None:
    friend.go_live(follow=["alice"])
    _show(world, "friend", "family")
    friend.cut()

    friend.go_live(follow=["alice"])

    assert friend.texts("alice") == ["to friends 2", "to family 3", "to friends 4"]


def test_a_scope_that_came_back_is_filled_in(world: World, friend: Device, alice: Device) -> None:
    """What was written while it was revoked, and covered through the lesser view, comes too."""
    _show(world, "friend", "family")
    friend.sync(follow=["alice"])
    _show(world, "friend")
    alice.add("to family 6", scope="family")
    alice.add("to friends 7", scope="friend")
    alice.sync()
    friend.sync(follow=["alice"])
    _show(world, "friend", "family")

    friend.sync(follow=["alice"])

    assert friend.texts("alice")[-2:] == ["to family 6", "to friends 7"]


def test_a_push_under_another_view_covers_nothing(friend: Device) -> None:
    """It was on its way when the view changed; its ``upto`` belongs to what the old one shows."""
    friend.go_live(follow=["alice"])
    before = _covered(friend)

    family = note(99, "phone", at=99_999, scope="family")
    late = {"messages": [family], "upto": {"phone": 99}, "user": "alice", "view": "family"}
    friend.answer(["add", late])

    assert _covered(friend) == before


def test_a_revoked_view_begins_anew_with_what_is_left(
    world: World, friend: Device, alice: Device
) -> None:
    """One scope of two was revoked while live: the client greets again, and hears of the rest."""
    _show(world, "friend", "family")
    wire = friend.go_live(follow=["alice"])
    _show(world, "friend")
    alice.add("to family 6", scope="family")
    alice.add("to friends 7", scope="friend")
    alice.sync()

    wire.push()
    friend.settle()

    assert friend.texts("alice")[-1:] == ["to friends 7"]
    assert "to family 6" not in friend.texts("alice")
    assert friend.told(Forbidden) == []


def test_who_may_see_nothing_any_more_is_told_once(
    world: World, friend: Device, alice: Device
) -> None:
    """The copy stays; the connection goes on with the own log."""
    wire = friend.go_live(follow=["alice"])
    world.server.befriend({})
    alice.add("to friends 6", scope="friend")
    alice.sync()

    wire.push()
    friend.settle()
    friend.add("my own")
    friend.settle()

    assert [told.user for told in friend.told(Forbidden)] == ["alice"]
    assert friend.texts("alice") == ["to friends 2", "to friends 4"]
    assert world.server.texts("bob") == ["my own"]


def test_pushes_reach_a_friend(friend: Device, alice: Device) -> None:
    wire = friend.go_live(follow=["alice"])
    alice.add("diary 6")
    alice.add("to friends 7", scope="friend")
    alice.sync()

    wire.push()
    friend.settle()

    assert friend.texts("alice") == ["to friends 2", "to friends 4", "to friends 7"]


def test_a_late_upload_reaches_a_friend(world: World, friend: Device) -> None:
    """It lies in the middle of what the copy covers of other devices."""
    upload(world, note(1, "desk", at=2, scope="friend"))

    friend.sync(follow=["alice"])

    assert friend.texts("alice") == ["desk 1", "to friends 2", "to friends 4"]


def test_a_copy_that_was_lost_comes_back(friend: Device) -> None:
    """The log was set back, the record of what was covered was not, or the other way round."""
    kept = friend.storage.backup()
    friend.storage.wipe()
    friend.storage.restore(kept, logs=False)
    friend.restart()

    friend.sync(follow=["alice"])

    assert friend.texts("alice") == ["to friends 2", "to friends 4"]


def test_a_friend_of_the_same_device_name_is_another_reader(world: World, alice: Device) -> None:
    """Bob's phone gets what alice's phone wrote."""
    phone = world.device("phone", user="bob")

    phone.sync(follow=["alice"])

    assert phone.texts("alice") == ["to friends 2", "to friends 4"]
    assert alice.texts()[1::2] == phone.texts("alice")


def test_a_server_that_was_set_back_gives_a_friend_what_comes_after(
    world: World, friend: Device, alice: Device
) -> None:
    """The phone brings its entries back, and the friend misses none of the later ones."""
    world.server.storage.wipe()
    alice.add("to friends 6", scope="friend")
    friend.sync(follow=["alice"])
    alice.sync()

    friend.sync(follow=["alice"])

    assert friend.texts("alice") == ["to friends 2", "to friends 4", "to friends 6"]


def _covered(friend: Device) -> Iterable[object]:
    readers = friend.world.do(friend.storage.cursors.readers("alice"))
    return sorted((name, dict(vector)) for name, vector in readers.items())
