"""What a sync tells of each event."""

from __future__ import annotations

import json
import sys
from typing import get_args

import pytest

from strandlog import Entry, Identity, Seq
from strandlog.cli.news import Tally, tell
from strandlog.protocol.events import (
    Arrived,
    Diverged,
    Erased,
    Event,
    Forbidden,
    Recovered,
    Rehomed,
    ServerLostData,
    Supplied,
    UploadBlocked,
    Uploaded,
    Withdrawn,
)

ENTRY = Entry(Seq(1_710_763_200_000, 3, "phone"), "private", b'{"b":1.0}')

# An event, the line that people read, and the first line that programs read.
TOLD: list[tuple[Event, str, dict[str, object]]] = [
    (
        Arrived("alice", [ENTRY]),
        'alice  2024-03-18T12:00:00.000Z  phone:3  private  {"b":1.0}',
        {
            "event": "arrived",
            "user": "alice",
            "entry": {
                "seq": "001710763200000:000000000003:phone",
                "scope": "private",
                "content": {"b": 1.0},
            },
        },
    ),
    (
        Uploaded(2, 9),
        "sent 2 entries: the server has up to 9",
        {"event": "uploaded", "count": 2, "last_synced": 9},
    ),
    (
        Recovered([ENTRY]),
        "got back 1 entry of this device, which had lost them",
        {
            "event": "recovered",
            "entry": {
                "seq": "001710763200000:000000000003:phone",
                "scope": "private",
                "content": {"b": 1.0},
            },
        },
    ),
    (
        ServerLostData(9, 4),
        "the server had up to 9 and has up to 4: sending again",
        {"event": "server-lost-data", "last_synced": 9, "seq": 4},
    ),
    (
        Supplied("desk", 3, 8),
        "gave the server desk:3 to desk:8, which it lacked",
        {"event": "supplied", "device": "desk", "first": 3, "last": 8},
    ),
    (
        Rehomed("alice", "phone", 5, "phone~0123456789abcdef", 3),
        (
            "alice: the server holds other entries from phone:5 on;"
            " 3 entries of here moved to phone~0123456789abcdef"
        ),
        {
            "event": "rehomed",
            "user": "alice",
            "from_device": "phone",
            "from_counter": 5,
            "to_device": "phone~0123456789abcdef",
            "moved": 3,
        },
    ),
    (
        Diverged("alice", "desk"),
        "alice: the server holds another history of desk: comparing",
        {"event": "diverged", "user": "alice", "device": "desk"},
    ),
    (
        Withdrawn(Identity("phone", 4), "too-large", "4 takes 300000 bytes"),
        (
            "the server refused phone:4 for good (too-large: 4 takes 300000 bytes):"
            " its content stays here alone"
        ),
        {
            "event": "withdrawn",
            "identity": ["phone", 4],
            "code": "too-large",
            "reason": "4 takes 300000 bytes",
        },
    ),
    (
        UploadBlocked("rejected", "closed"),
        "the server refuses what this device adds (rejected: closed)",
        {"event": "upload-blocked", "code": "rejected", "reason": "closed"},
    ),
    (
        Forbidden("bob", "no friend"),
        "bob: the server does not show this log (no friend)",
        {"event": "forbidden", "user": "bob", "reason": "no friend"},
    ),
    (
        Erased("bob"),
        "bob: this log was erased on the server, and so is the copy",
        {"event": "erased", "user": "bob"},
    ),
]

NAMES = [type(event).__name__ for event, _, _ in TOLD]


def test_every_event_is_above() -> None:
    assert {type(event) for event, _, _ in TOLD} == set(get_args(Event))


@pytest.mark.parametrize(("event", "text"), [(e, text) for e, text, _ in TOLD], ids=NAMES)
def test_event_is_a_line_for_people(
    event: Event, text: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    tell(event, as_json=False)

    assert _printed(capfdbinary) == [text]


@pytest.mark.parametrize(("event", "value"), [(e, value) for e, _, value in TOLD], ids=NAMES)
def test_event_is_a_json_line_for_programs(
    event: Event, value: dict[str, object], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    tell(event, as_json=True)

    assert [json.loads(line) for line in _printed(capfdbinary)] == [value]


def test_entries_in_json_keep_their_bytes(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    tell(Arrived("alice", [ENTRY]), as_json=True)

    assert '"content":{"b":1.0}}' in _printed(capfdbinary)[0]


def test_tally_adds_up_what_went_to_and_fro() -> None:
    tally = Tally()
    for event in (Uploaded(2, 2), Uploaded(3, 5), Recovered([ENTRY]), Arrived("a", [ENTRY] * 4)):
        tally.count(event)

    assert tally == Tally(sent=5, received=5, recovered=1)


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        (ServerLostData(9, 4), False),
        (Diverged("alice", "desk"), False),
        (Withdrawn(Identity("phone", 4), "too-large", ""), True),
        (UploadBlocked("rejected", "closed"), True),
        (Forbidden("bob", "no friend"), True),
        (Erased("bob"), True),
    ],
)
def test_tally_knows_a_repair_from_a_refusal(event: Event, refused: bool) -> None:
    """What was mended is a success; what stays undone must show in the exit code."""
    tally = Tally()
    tally.count(event)

    assert tally == Tally(repairs=[event], refused=refused)


def _printed(capture: pytest.CaptureFixture[bytes]) -> list[str]:
    sys.stdout.flush()
    return capture.readouterr().out.decode().splitlines()
