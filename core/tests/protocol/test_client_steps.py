"""What a client session asks of its stores, and in which order: each step by hand."""

from __future__ import annotations

from typing import Any

import pytest

from core.tests.protocol.by_hand import Exchange, play
from strandlog import Appended, Entry, Page, Reader, Seq, VersionVector
from strandlog.errors import (
    AuthError,
    ErasedError,
    ForbiddenError,
    RemoteProtocolError,
    StoreUnavailableError,
    StrandlogError,
    SupersededError,
    VersionError,
)
from strandlog.model import check_device
from strandlog.protocol import calls
from strandlog.protocol.client import ClientSession
from strandlog.protocol.frames import Ack, Add, ErrorFrame, Hello, Push, Reply
from strandlog.protocol.own import SERVER
from strandlog.protocol.rehoming import rehome_name

NOTHING = VersionVector()


def _entry(device: str, counter: int) -> Entry:
    return Entry(Seq(10 * counter, counter, device), "private", b'"note"')


L1, L2, P1 = _entry("laptop", 1), _entry("laptop", 2), _entry("phone", 1)


def _page(*entries: Entry, **tops: int) -> Page:
    return Page(entries, VersionVector(tops), False, VersionVector(tops), NOTHING)


def _session(*, live: bool = False, follow: tuple[str, ...] = ()) -> ClientSession:
    return ClientSession(Reader("alice", "laptop"), session=1, live=live, follow=follow)


def _greeted(*, synced: int = 0, unsent: tuple[Entry, ...] = (), **tops: int) -> list[Exchange]:
    """Return what a first hello asks for: the cursor, tops and floors, what to send, digests."""
    digests = {"laptop": L1.digest, "phone": P1.digest}
    return [
        (calls.LoadCursor("alice", SERVER), VersionVector({"laptop": synced})),
        (calls.Read, _page(**tops)),
        (calls.Read, _page(*unsent, **tops)),
        (calls.Digests, digests),
    ]


def _reply(**fields: Any) -> Reply:
    return Reply(**{"messages": (), "seq": 0, "upto": NOTHING, "v": 1, **fields})


def test_a_page_is_stored_before_it_is_counted() -> None:
    """A crash between the two then costs a repetition, and not an entry."""
    session = _session()
    [hello] = play(session.next_frames(), _greeted(unsent=(L1,), laptop=1))
    covered = VersionVector({"laptop": 1, "phone": 1})

    play(
        session.receive(_reply(messages=(P1,), seq=1, upto=covered)),
        [
            (calls.Tops("alice"), VersionVector({"laptop": 1})),
            (calls.Append("alice", [P1]), Appended(VersionVector({"phone": 1}), 1, 0)),
            (calls.Tops("alice"), covered),
            (calls.ResetCursor("alice", SERVER, VersionVector({"laptop": 1})), None),
        ],
    )

    assert isinstance(hello, Hello)
    assert list(hello.messages) == [L1]


def test_a_page_that_cannot_be_stored_counts_for_nothing() -> None:
    """The error ends the connection; what was not stored is asked for again by the next."""
    session = _session()
    play(session.next_frames(), _greeted(unsent=(L1,), laptop=1))

    with pytest.raises(StoreUnavailableError):
        play(
            session.receive(_reply(messages=(P1,), seq=1)),
            [(calls.Tops, NOTHING), (calls.Append, StoreUnavailableError("full"))],
        )


def test_anothers_page_is_stored_before_it_is_counted() -> None:
    session = _session(follow=("bob",))
    _catch_up(session)
    play(session.next_frames(), [(calls.Read, _page()), *_asked_for_bob()])
    page = _reply(messages=(P1,), seq=None, upto=VersionVector({"phone": 3}), view="friend")

    play(
        session.receive(page),
        [
            (calls.Tops("bob"), NOTHING),
            (
                calls.Append("bob", [P1], upto=VersionVector({"phone": 3})),
                Appended(VersionVector({"phone": 3}), 1, 0),
            ),
            (
                calls.ResetCursor("bob", "alice/laptop#friend", VersionVector({"phone": 1})),
                None,
            ),
        ],
    )


def test_one_frame_is_under_way_at_a_time() -> None:
    """So answers need no numbers."""
    session = _session()
    play(session.next_frames(), _greeted(laptop=0))

    assert play(session.next_frames()) == []
    assert not session.settled


def test_pushes_come_between_a_frame_and_its_answer() -> None:
    session = _session(live=True)
    play(session.next_frames(), _greeted(unsent=(L1,), laptop=1))

    play(
        session.receive(Push(messages=(P1,), upto=VersionVector({"phone": 1}))),
        [
            (calls.Tops, VersionVector({"laptop": 1})),
            (calls.Append, Appended(VersionVector({"phone": 1}), 1, 0)),
            (calls.Tops, VersionVector({"laptop": 1, "phone": 1})),
        ],
    )

    assert play(session.next_frames()) == []


@pytest.mark.parametrize(
    "frame",
    [
        Ack(seq=1),
        _reply(),
        _reply(view="friend", user="bob"),
        ErrorFrame(code="gap", message="", detail={"expected": 1}),
    ],
)
def test_an_answer_to_nothing_ends_the_connection(frame: Ack | Reply | ErrorFrame) -> None:
    """Whatever it says is about something else than what this side believes."""
    session = _session()
    _catch_up(session)

    with pytest.raises(RemoteProtocolError):
        play(session.receive(frame))


def test_an_ack_for_less_than_was_sent_ends_the_connection() -> None:
    """It would be told that an entry is safe which the server does not count."""
    session = _session(live=True)
    _catch_up(session)
    added: list[Exchange] = [(calls.Read, _page(L1, L2, laptop=2))]
    [add] = play(session.next_frames(), added)

    with pytest.raises(RemoteProtocolError):
        play(session.receive(Ack(seq=1)))

    assert isinstance(add, Add)


@pytest.mark.parametrize("fields", [{"seq": None}, {"upto": None}])
def test_an_answer_that_lacks_its_numbers_ends_the_connection(fields: dict[str, Any]) -> None:
    session = _session()
    play(session.next_frames(), _greeted())

    with pytest.raises(RemoteProtocolError):
        play(session.receive(_reply(**fields)))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("store-unavailable", StoreUnavailableError),
        ("superseded", SupersededError),
        ("auth", AuthError),
        ("version", VersionError),
        ("erased", ErasedError),
        ("forbidden", ForbiddenError),
    ],
)
def test_what_ends_a_connection_has_its_own_error(code: str, error: type[StrandlogError]) -> None:
    """Each calls for something else of who runs the client."""
    session = _session()
    play(session.next_frames(), _greeted())

    with pytest.raises(error):
        play(session.receive(ErrorFrame(code=code, message="")))


@pytest.mark.parametrize("value", [None, "soon", True, -1])
def test_the_fields_of_an_error_may_be_anything(value: object) -> None:
    """They come from the other side, so no kind of value may surprise."""
    session = _session()
    play(session.next_frames(), _greeted())
    detail = dict.fromkeys(("retry_after", "v", "vmin", "counter", "expected"), value)

    with pytest.raises(StrandlogError):
        play(session.receive(ErrorFrame(code="rate", message="", fatal=True, detail=detail)))


# -- the name of a branch ----------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("laptop", "laptop~0123456789abcdef"),
        ("laptop~aaaaaaaaaaaaaaaa", "laptop~0123456789abcdef"),
        ("a~b~c", "a~0123456789abcdef"),
        ("~", "~0123456789abcdef"),
        ("x" * 64, "x" * 47 + "~0123456789abcdef"),
        ("x" * 47 + "~" + "a" * 16, "x" * 47 + "~0123456789abcdef"),
    ],
)
def test_a_branch_is_named_after_its_device_and_first_digest(device: str, name: str) -> None:
    """So that a repetition lands in the same place, and a name never grows beyond 64."""
    digest = "0123456789abcdef" + "f" * 16

    assert rehome_name(device, digest) == name
    assert check_device(name) == name


def _catch_up(session: ClientSession) -> None:
    """Take the session to where the own log has nothing left to say."""
    play(session.next_frames(), _greeted())
    play(session.receive(_reply()), [(calls.Tops, NOTHING), (calls.Tops, NOTHING)])


def _asked_for_bob() -> list[Exchange]:
    return [(calls.Readers("bob"), {}), (calls.Digests("bob", {}), {})]
