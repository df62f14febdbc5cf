"""Pages are cut by lengths that are reckoned, not encoded: they have to be right."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given

from core.tests.protocol import strategies
from strandlog import Entry
from strandlog.protocol.codec import encode_entry, encode_frame, frame_length
from strandlog.protocol.frames import Push, Reply


@given(strategies.entries())
def test_an_entry_takes_its_wire_length(entry: Entry) -> None:
    assert len(encode_entry(entry)) == entry.wire_length


@given(strategies.replies | strategies.pushes)
def test_a_frame_takes_its_length_and_that_of_its_messages(frame: Reply | Push) -> None:
    """With a comma between two messages."""
    between = max(len(frame.messages) - 1, 0)
    reckoned = frame_length(frame) + sum(one.wire_length for one in frame.messages) + between

    assert len(encode_frame(frame)) == reckoned


@given(strategies.replies)
def test_the_length_of_a_version_0_frame_is_reckoned_too(frame: Reply) -> None:
    frame = replace(frame, v=None, messages=[])

    assert len(encode_frame(frame)) == frame_length(frame)
