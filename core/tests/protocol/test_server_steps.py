"""What a server session asks of its stores, and in which order: each step by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core.tests.protocol.by_hand import Exchange, play
from strandlog import Appended, Entry, Page, Reader, Seq, VersionVector
from strandlog.errors import StoreCorruptError, StoreUnavailableError
from strandlog.protocol import calls
from strandlog.protocol.frames import Ack, Add, Base, ErrorFrame, Hello, Push, Reply, Saw
from strandlog.protocol.limits import Limits
from strandlog.protocol.server import ServerSession

LAPTOP = Reader("alice", "laptop")
NOTHING = VersionVector()
DOWN = StoreUnavailableError("the store is away", retry_after_seconds=3.0)


def _entry(device: str, counter: int, at: int = 0) -> Entry:
    return Entry(Seq(at or 10 * counter, counter, device), "private", b'"note"')


L1, L2, P1, P2 = (_entry(device, n) for device in ("laptop", "phone") for n in (1, 2))


def _session(*, reader: Reader = LAPTOP, stream: bool = True) -> ServerSession:
    return ServerSession(reader, limits=Limits(), epoch="epoch", stream=stream)


def _page(*entries: Entry, floor: VersionVector = NOTHING, **tops: int) -> Page:
    return Page(entries, VersionVector(tops), False, VersionVector(tops), floor)


def _hello(*messages: Entry, seq: int = 0, **fields: Any) -> Hello:
    return Hello(**{"seq": seq, "messages": messages, "v": 1, "have": NOTHING, **fields})


# That a log is empty, and not erased, shows in an append.
GREETED: list[Exchange] = [
    (calls.Read, _page()),
    (calls.Append("alice", ()), Appended(NOTHING, 0, 0)),
    (calls.ResetCursor, None),
]


def test_a_hello_is_checked_then_stored_then_read_and_remembered() -> None:
    """Append before read: the page reflects it. Read before cursor: that is bounded by the tops."""
    hello = _hello(L2, seq=2, base=Base(1, L1.digest), have=VersionVector({"phone": 9}))
    covered = VersionVector({"laptop": 2, "phone": 4})

    [reply] = play(
        _session().receive(hello),
        [
            (calls.Digests("alice", {"laptop": 1}), {"laptop": L1.digest}),
            (calls.Admit(LAPTOP, [L2]), None),
            (calls.Append("alice", (L2,)), Appended(VersionVector({"laptop": 2}), 1, 0)),
            (calls.Read, _page(laptop=2, phone=4)),
            (calls.ResetCursor("alice", "alice/laptop", covered), None),
        ],
    )

    assert isinstance(reply, Reply)
    assert (reply.seq, reply.upto) == (2, covered)


def test_a_page_and_what_it_covers_come_from_one_snapshot() -> None:
    """One read, and no question for tops or floors: those of another moment may be higher.

    A reader that covers an entry which is not in its page never gets it.
    """
    page = _page(P1, floor=VersionVector({"old": 7}), phone=1, old=9)

    [reply] = play(_session().receive(_hello()), [(calls.Read, page), (calls.ResetCursor, None)])

    assert isinstance(reply, Reply)
    assert (reply.messages, reply.upto, reply.floor) == ((P1,), page.tops, page.floor)
    assert (reply.seq, reply.more) == (0, False)


def test_a_push_and_what_it_covers_come_from_one_snapshot() -> None:
    session = _session()
    play(session.receive(_hello(live=True)), GREETED)

    [push] = play(session.push("alice"), [(calls.Read, _page(P1, P2, phone=2))])

    assert push == Push(messages=(P1, P2), upto=VersionVector({"phone": 2}))


# -- stores that fail --------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("stream", [True, False])
def test_what_was_stored_is_acknowledged_although_nothing_can_be_read(
    version: int, *, stream: bool
) -> None:
    """The client would send it again and again, for as long as the store reads nothing."""
    hello = _hello(L1, seq=1) if version else Hello(seq=1, messages=(L1,))
    appended = Appended(VersionVector({"laptop": 1}), 1, 0)
    broken: list[Exchange] = [(calls.Read, DOWN)] if version else [(calls.LoadCursor, DOWN)]

    [reply] = play(
        _session(stream=stream).receive(hello),
        [(calls.Admit, None), (calls.Append, appended), *broken],
    )

    assert isinstance(reply, Reply)
    assert (reply.seq, list(reply.messages)) == (1, [])
    assert reply.more or not version


def test_what_was_stored_is_acknowledged_although_the_cursor_cannot_be_written() -> None:
    [reply] = play(
        _session().receive(_hello(L1, seq=1)),
        [
            (calls.Admit, None),
            (calls.Append, Appended(VersionVector({"laptop": 1}), 1, 0)),
            (calls.Read, _page(P1, laptop=1, phone=1)),
            (calls.ResetCursor, DOWN),
        ],
    )

    assert isinstance(reply, Reply)
    assert (reply.seq, reply.more) == (1, True)


def test_a_reader_that_could_not_be_read_to_goes_on_with_the_next_hello() -> None:
    """Its histories were compared in the first; the second, with the same ``have``, has no tips."""
    session = _session()
    have = VersionVector({"phone": 1})
    compared: list[Exchange] = [(calls.Digests("alice", {"phone": 1}), {"phone": P1.digest})]
    play(
        session.receive(_hello(L1, seq=1, have=have, tips={"phone": P1.digest})),
        [
            *compared,
            (calls.Admit, None),
            (calls.Append, Appended(VersionVector({"laptop": 1}), 1, 0)),
            (calls.Read, DOWN),
        ],
    )

    [reply] = play(
        session.receive(_hello(seq=1, have=have, tips={})),
        [
            (calls.Digests("alice", {}), {}),
            (
                # Nothing is withheld: the phone is read from where the reader is.
                calls.Read(
                    user="alice",
                    after=VersionVector({"laptop": 1, "phone": 1}),
                    limit=Limits().page_messages,
                    max_bytes=Limits().page_bytes,
                ),
                _page(P2, laptop=1, phone=2),
            ),
            (calls.ResetCursor, None),
        ],
    )

    assert isinstance(reply, Reply)
    assert list(reply.messages) == [P2]


def test_an_append_that_fails_is_the_answer() -> None:
    """Nothing is read: no page may look like an ack."""
    [error] = play(
        _session().receive(_hello(L1, seq=1, id="x")),
        [(calls.Admit, None), (calls.Append, DOWN)],
    )

    assert isinstance(error, ErrorFrame)
    assert (error.code, error.detail, error.ref) == (
        *("store-unavailable", {"retry_after": 3.0}, "x"),
    )


def test_a_read_that_fails_is_the_answer_if_nothing_was_stored() -> None:
    [error] = play(_session().receive(_hello()), [(calls.Read, DOWN)])

    assert isinstance(error, ErrorFrame)
    assert (error.code, error.fatal) == ("store-unavailable", False)


def test_what_ails_a_store_has_one_code_for_clients() -> None:
    """It may come back later; which file is damaged is for the operator."""
    [error] = play(_session().receive(_hello()), [(calls.Read, StoreCorruptError("page 7"))])

    assert isinstance(error, ErrorFrame)
    assert error.code == "store-unavailable"


def test_a_push_that_fails_is_nobodys_answer() -> None:
    """The driver tries again later; a frame would be taken for the answer to another one."""
    session = _session()
    play(session.receive(_hello(live=True)), GREETED)

    with pytest.raises(StoreUnavailableError):
        play(session.push("alice"), [(calls.Read, DOWN)])

    assert session.live_logs == {"alice"}


def test_after_an_error_the_session_goes_on() -> None:
    session = _session()
    play(session.receive(_hello()), [(calls.Read, DOWN)])

    [reply] = play(session.receive(_hello()), GREETED)

    assert isinstance(reply, Reply)


# -- add and ack -------------------------------------------------------------------


def test_an_add_is_answered_after_it_is_durable() -> None:
    [ack] = play(
        _session().receive(Add(messages=(L1,))),
        [
            (calls.Admit(LAPTOP, [L1]), None),
            (calls.Append, Appended(VersionVector({"laptop": 1}), 1, 0)),
        ],
    )

    assert ack == Ack(seq=1)


def test_an_ack_that_moves_nothing_writes_nothing() -> None:
    """Clients repeat them, and each write costs a sync to the disk."""
    session = _session()
    sent = _page(P1, phone=1)
    play(session.receive(_hello(live=True)), [(calls.Read, sent), (calls.ResetCursor, None)])
    seen = Saw(have=VersionVector({"phone": 1}))
    play(session.receive(seen), [(calls.AdvanceCursor, VersionVector({"phone": 1}))])

    assert play(session.receive(seen)) == []


def test_a_hello_that_repeats_its_have_writes_no_cursor() -> None:
    session = _session()
    hello = _hello(have=VersionVector({"phone": 1}))
    play(session.receive(hello), [(calls.Read, _page(phone=1)), (calls.ResetCursor, None)])

    play(session.receive(hello), [(calls.Read, _page(phone=1))])


def test_an_error_of_a_client_is_not_answered() -> None:
    """Two sides that refuse each other's refusals would never end."""
    assert play(_session().receive(ErrorFrame(code="bad-frame", message="what?"))) == []


# -- another's log -----------------------------------------------------------------


def test_what_may_be_seen_is_asked_anew_for_every_page_and_push() -> None:
    """A revocation takes effect with the next frame."""
    session = _session(reader=Reader("bob", "tablet"))
    hello = Hello(v=1, user="alice", have=NOTHING, live=True)
    friend = frozenset({"friend"})
    visible = calls.Visible(Reader("bob", "tablet"), "alice")

    play(session.receive(hello), [(visible, friend), *GREETED])
    pushed = play(session.push("alice"), [(visible, friend), (calls.Read, _page())])
    [refused] = play(session.push("alice"), [(visible, frozenset())])

    assert pushed == []
    assert isinstance(refused, ErrorFrame)
    assert (refused.code, refused.user) == ("forbidden", "alice")
