"""The golden transcripts: the seed's stories, frame by frame, in both versions."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from strandlog import Seq, VersionVector
from strandlog.protocol.codec import decode_entry
from tests.protocol.wire import Raw, World

FOLDER = Path(__file__).parents[2] / "docs" / "reference" / "golden" / "transcripts"
STORIES = ("offline-adds", "server-has-newer", "both-have-news", "ten-and-six")
both_versions = pytest.mark.parametrize("version", [0, 1])


def _transcript(story: str, version: int) -> Any:
    return json.loads((FOLDER / f"{story}-v{version}.json").read_text())


def _server_holds(world: World, transcript: Any) -> None:
    storage = world.server.storage
    for user, messages in transcript["log"].items():
        entries = [decode_entry(json.dumps(message)) for message in messages]
        world.do(storage.log.append(user, entries))
    for user, readers in transcript["cursors"].items():
        for reader, vector in readers.items():
            world.do(storage.cursors.reset(user, reader, VersionVector(vector)))


def _seqs_answered(transcript: Any) -> list[Seq]:
    """Return the seqs of the messages in the server's first answer."""
    [_, body] = next(frame for _, way, frame in transcript["frames"] if way == "<")
    return [Seq.parse(message["seq"]) for message in body["messages"]]


def test_there_is_a_transcript_of_each_story_in_each_version() -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == {
        f"{story}-v{version}.json" for story in STORIES for version in (0, 1)
    }


@pytest.mark.parametrize("story", STORIES)
@both_versions
def test_the_server_says_what_the_transcript_says(world: World, story: str, version: int) -> None:
    transcript = _transcript(story, version)
    _server_holds(world, transcript)
    connections: dict[str, Raw] = {}
    said: list[Any] = []

    for reader, way, frame in transcript["frames"]:
        if way == ">":
            raw = connections.setdefault(reader, world.server.raw(reader))
            said.append([reader, ">", frame])
            said += [[reader, "<", answer] for answer in raw.say(frame)]

    assert said == transcript["frames"]


def test_the_frames_of_version_0_are_the_seeds() -> None:
    """Nothing in them but what the seed's clients send: a seq, and messages if there are any."""
    hellos = [_transcript(story, 0)["frames"][0][2] for story in STORIES[:3]]

    assert [(kind, body["seq"], len(body.get("messages", []))) for kind, body in hellos] == [
        ("hello", 9, 2),
        ("hello", 7, 0),
        ("hello", 5, 3),
    ]
    assert {field for _, body in hellos for field in body} == {"seq", "messages"}


@both_versions
def test_what_was_just_sent_does_not_come_back(version: int) -> None:
    """The laptop sends 3 to 5 and lacks a to e: the answer holds these five alone, in seq order."""
    seqs = _seqs_answered(_transcript("both-have-news", version))

    assert seqs == sorted(seqs)
    assert Counter(seq.device for seq in seqs) == {"phone": 3, "desk": 2}


@both_versions
def test_42_and_46_of_52_leave_10_and_6(version: int) -> None:
    seqs = _seqs_answered(_transcript("ten-and-six", version))

    assert [seq.counter for seq in seqs if seq.device == "device2"] == list(range(43, 53))
    assert [seq.counter for seq in seqs if seq.device == "device3"] == list(range(47, 53))
    assert seqs == sorted(seqs)
