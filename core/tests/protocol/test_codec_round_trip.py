"""Every frame comes back from its bytes as it was; content to the byte."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from core.tests.protocol import strategies
from strandlog import Entry, Seq, VersionVector
from strandlog.protocol.codec import (
    decode_client_frame,
    decode_entry,
    decode_server_frame,
    encode_entry,
    encode_frame,
)
from strandlog.protocol.frames import (
    Ack,
    Add,
    ErrorFrame,
    Hello,
    Push,
    Reply,
    Saw,
    ServerFrame,
)

NOTE = Entry(Seq(10, 1, "laptop"), "private", b'"note"')


@given(strategies.hellos | strategies.adds | strategies.saws | strategies.errors)
def test_frames_of_clients_come_back(frame: Hello | Add | Saw | ErrorFrame) -> None:
    assert decode_client_frame(encode_frame(frame)) == frame


@given(strategies.replies | strategies.pushes | strategies.acks | strategies.errors)
def test_frames_of_servers_come_back(frame: Reply | Push | Ack | ErrorFrame) -> None:
    assert decode_server_frame(encode_frame(frame)) == frame


@given(strategies.replies | strategies.pushes | strategies.acks | strategies.errors)
def test_a_text_is_taken_as_its_bytes_are(frame: Reply | Push | Ack | ErrorFrame) -> None:
    """WebSocket libraries hand over either."""
    assert decode_server_frame(encode_frame(frame).decode()) == frame


@given(strategies.hellos | strategies.adds | strategies.replies | strategies.pushes)
def test_a_frame_is_one_json_text_of_a_type_and_a_body(
    frame: Hello | Add | Reply | Push,
) -> None:
    """What any other reader of JSON makes of it."""
    kind, body = json.loads(encode_frame(frame))

    assert kind == ("add" if isinstance(frame, Add | Push) else "hello")
    assert len(body.get("messages", [])) == len(frame.messages)


@given(strategies.replies)
def test_version_0_is_told_messages_and_seq_only(frame: Reply) -> None:
    """The seed's clients know no other field; ``ref`` comes only to who sent an ``id``."""
    frame = replace(frame, v=None)

    _, body = json.loads(encode_frame(frame))

    assert set(body) - {"ref"} <= {"messages", "seq"}


@given(strategies.entries())
def test_content_and_meta_are_kept_byte_for_byte(entry: Entry) -> None:
    """Digests are over these bytes, and what is encrypted must not be touched."""
    frame = encode_frame(Push(messages=[entry]))

    [kept] = _messages(decode_server_frame(frame))

    assert (kept.content, kept.meta, kept.digest) == (entry.content, entry.meta, entry.digest)
    assert (entry.content or b"") in frame


@given(strategies.contents, st.sampled_from([b" ", b"\n", b"\t \r\n"]))
def test_white_space_around_a_content_is_not_part_of_it(content: bytes, space: bytes) -> None:
    """A client that writes ``"content": 1 }`` means 1."""
    message = b'{"seq":"1:1:a","content":%b%b%b}' % (space, content, space)

    assert decode_entry(message).content == content


def test_the_envelope_is_written_anew() -> None:
    """Doubled keys mean different things to different readers; so none is relayed."""
    forged = (
        b'{"seq":"5:1:phone","content":"good","scope":"friend",'
        b'"seq":"10:1:laptop","scope":"private","content":"note"}'
    )

    assert encode_entry(decode_entry(forged)) == encode_entry(NOTE)
    assert encode_entry(NOTE).count(b'"seq"') == 1


def test_unpadded_and_padded_seqs_are_one() -> None:
    padded = decode_entry(b'{"seq":"000000000000010:000000000001:laptop","content":"note"}')

    assert decode_entry(b'{"seq":"10:1:laptop","content":"note"}') == padded == NOTE


def test_the_scope_is_private_by_default() -> None:
    """And so equal, to the digest, to one that says it."""
    said = decode_entry(b'{"seq":"10:1:laptop","scope":"private","content":"note"}')

    assert decode_entry(b'{"seq":"10:1:laptop","content":"note"}').digest == said.digest


def test_unknown_fields_of_a_body_are_passed_over() -> None:
    """A newer client says more than this server knows."""
    said = decode_client_frame(
        b'["hello",{"seq":1,"compression":{"kind":"zstd"},"tipz":{"phone":7},"more":false}]'
    )

    assert said == Hello(seq=1, messages=[])


def test_a_null_field_is_an_absent_one() -> None:
    said = decode_client_frame(b'["hello",{"seq":1,"v":null,"have":null,"base":null,"id":null}]')

    assert said == Hello(seq=1, messages=[])


def test_zeros_of_a_vector_mean_nothing() -> None:
    said = decode_client_frame(b'["hello",{"seq":0,"v":1,"have":{"phone":0,"desk":2}}]')

    assert said == Hello(seq=0, messages=[], v=1, have=VersionVector({"desk": 2}))


def _messages(frame: ServerFrame) -> list[Entry]:
    assert isinstance(frame, Push | Reply)
    return list(frame.messages)
