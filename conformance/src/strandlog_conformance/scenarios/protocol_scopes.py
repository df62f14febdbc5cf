"""Section L: what others see of a log, and what they do not."""

from __future__ import annotations

from strandlog import VersionVector
from strandlog.client import Forbidden, Withdrawn
from strandlog_conformance.expect import same
from strandlog_conformance.stage import USER, Pair
from strandlog_conformance.stories import story


@story(
    "proto.scope_private_friend", rule="the protocol page, subscriptions: scopes", kills=("M301",)
)
async def private_and_friend(pair: Pair) -> None:
    """Own devices get everything, a friend what is for friends, a stranger nothing."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    bob, eve = (pair.device(name, follow=[USER]) for name in ("bob/phone", "eve/phone"))
    pair.server.show({"friend"}, to="bob")
    for number in range(1, 7):
        await laptop.add(f"m{number}", scope="private" if number % 3 else "friend")
    for device in (laptop, phone):
        await device.sync()
    hers = await bob.sync()
    same(hers.down, ["laptop 3", "laptop 6"], "what the friend gets")
    same(await bob.texts(USER), ["m3", "m6"], "the friend's copy")
    same(await bob.tops(USER), VersionVector({"laptop": 6}), "how far the friend's copy covers")
    same(await bob.texts(), [], "the friend's own log")
    same((await bob.sync()).down, [], "what the friend gets the second time")
    none = await eve.sync()
    same((none.down, len(none.told(Forbidden))), ([], 1), "what a stranger gets and is told")
    same(await eve.texts(USER), [], "the stranger's copy")
    same(len(await phone.texts()), 6, "entries on the own phone")


@story("proto.grant_with_have", rule="the protocol page, subscriptions: views", kills=("M301",))
async def grant_with_have(pair: Pair) -> None:
    """Who is shown more later gets it from the start, though its copy reached the end."""
    laptop, bob = pair.device("laptop"), pair.device("bob/phone", follow=[USER])
    pair.server.show({"friend"}, to="bob")
    await laptop.add("m1", "m2")
    await laptop.add("f3", scope="friend")
    await laptop.add("m4")
    await laptop.add("f5", scope="friend")
    await laptop.sync()
    await bob.sync()
    same(await bob.texts(USER), ["f3", "f5"], "the copy of a friend")
    pair.server.show({"friend", "private"}, to="bob")
    await bob.sync()
    same(await bob.texts(USER), ["m1", "m2", "f3", "m4", "f5"], "the copy after the grant")
    pair.server.show({"friend"}, to="bob")
    await laptop.add("m6")
    await laptop.add("f7", scope="friend")
    await laptop.sync()
    await bob.sync()
    same((await bob.texts(USER))[5:], ["f7"], "what came after the revocation")
    pair.server.show({"friend", "private"}, to="bob")
    await bob.sync()
    same(await bob.entries(USER), await laptop.entries(), "the copy after the second grant")


@story(
    "proto.private_redaction_of_friend_entry",
    rule="the protocol page, redaction: with its target's scope",
    kills=("M131", "M301"),
)
async def private_redaction(pair: Pair) -> None:
    """A redaction that some readers of its target could not see is refused and masks nothing."""
    laptop, phone = pair.device("laptop"), pair.device("phone")
    bob = pair.device("bob/phone", follow=[USER])
    pair.server.show({"friend"}, to="bob")
    [target] = await phone.add("secret", scope="friend")
    await phone.sync()
    await bob.sync()
    # The laptop does not hold the target yet, or it would refuse this itself.
    await laptop.add("private", redacts=target.identity)
    trip = await laptop.sync()
    refused = [(one.identity.counter, one.code) for one in trip.told(Withdrawn)]
    same(refused, [(1, "rejected")], "entries that are withdrawn")
    await bob.sync()
    await phone.sync()
    same(await bob.texts(USER), ["secret"], "the friend's copy")
    same(await phone.texts(), ["secret", None], "the log on the phone")
    await laptop.add("right", scope="friend", redacts=target.identity)
    for device in (laptop, phone, bob):
        await device.sync()
    same(await bob.texts(USER), [None, "right"], "the friend's copy in the end")
    same(await phone.texts(), [None, None, "right"], "the log on the phone in the end")
    same(await pair.server.texts(), [None, None, "right"], "the server's log in the end")


@story(
    "proto.same_device_name_in_two_users",
    rule="the protocol page, frames: in another's log no device is one's own",
    kills=("M48", "M301"),
)
async def same_device_name(pair: Pair) -> None:
    """Two users call their device phone, and each follows the other."""
    alice, bob = pair.device("alice/phone", follow=["bob"]), pair.device("bob/phone", follow=[USER])
    pair.server.show({"friend"}, to="bob", of=USER)
    pair.server.show({"friend"}, to="alice", of="bob")
    await alice.add("a1", "a2", "a3", scope="friend")
    await bob.add("b1", scope="friend")
    for device in (alice, bob, alice):
        await device.sync()
    await bob.add("b2", "b3", scope="friend")
    await alice.add("a4")
    for device in (bob, alice, bob):
        await device.sync()
    same(await alice.texts(), ["a1", "a2", "a3", "a4"], "alice's own log")
    same(await alice.texts("bob"), ["b1", "b2", "b3"], "bob's log as alice has it")
    same(await bob.texts(), ["b1", "b2", "b3"], "bob's own log")
    same(await bob.texts(USER), ["a1", "a2", "a3"], "alice's log as bob has it")
    same([(await one.status()).unsent for one in (alice, bob)], [0, 0], "unsent entries")
    same(await pair.server.texts("bob"), ["b1", "b2", "b3"], "bob's log on the server")
