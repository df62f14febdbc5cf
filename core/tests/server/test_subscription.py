"""The hub: who is told that a log has changed."""

from __future__ import annotations

from strandlog.subscription import Hub


class Listener:
    def __init__(self) -> None:
        self.heard: list[str] = []

    def wake(self, user: str) -> None:
        self.heard.append(user)


def test_only_who_follows_a_log_is_told_of_it() -> None:
    """Names are whole: alice is not ali."""
    hub, one, other = Hub(), Listener(), Listener()
    hub.follow(one, {"alice"})
    hub.follow(other, {"ali", "bob"})
    hub.notify("alice")
    hub.notify("bob")
    hub.notify("nobody")

    assert (one.heard, other.heard) == (["alice"], ["bob"])


def test_who_brought_the_news_is_not_told() -> None:
    hub, writer, reader = Hub(), Listener(), Listener()
    hub.follow(writer, {"alice"})
    hub.follow(reader, {"alice"})
    hub.notify("alice", but=writer)

    assert (writer.heard, reader.heard) == ([], ["alice"])


def test_following_other_logs_ends_following_those_before() -> None:
    hub, listener = Hub(), Listener()
    hub.follow(listener, {"alice", "bob"})
    hub.follow(listener, {"bob", "carol"})
    for user in ("alice", "bob", "carol"):
        hub.notify(user)

    assert listener.heard == ["bob", "carol"]


def test_who_follows_nothing_is_forgotten() -> None:
    hub, listener = Hub(), Listener()
    hub.follow(listener, {"alice"})
    hub.follow(listener, ())
    hub.follow(listener, ())
    hub.notify("alice")

    assert listener.heard == []
    assert len(hub) == 0
    assert hub._followers == {}


def test_one_who_leaves_while_others_are_told_does_no_harm() -> None:
    hub, second = Hub(), Listener()

    class Leaving(Listener):
        def wake(self, user: str) -> None:
            super().wake(user)
            hub.follow(second, ())

    first = Leaving()
    hub.follow(first, {"alice"})
    hub.follow(second, {"alice"})
    hub.notify("alice")

    assert first.heard == ["alice"]
