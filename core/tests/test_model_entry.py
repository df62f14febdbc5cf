"""Entries: what makes two the same, what stays of a redacted one, how long one is."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandlog import Entry, Identity, Seq
from strandlog.errors import InvalidArgumentError, InvalidNameError, InvalidSeqError
from strandlog.model import far_ahead, trusted_entry

SEQ = Seq(1710763200000, 3, "laptop")
HELLO = Entry(SEQ, "private", b'"hello"')
DAY = 24 * 60 * 60 * 1000

# Few and short, so that parts of one may be read as parts of another.
names = st.text("ab", min_size=1, max_size=3)
identities = st.builds(Identity, names, st.integers(1, 3))
buffers = st.sampled_from([b"", b"{}", b"{}{}", b"\xff\xff\xff\xff", b"\0\0\0\0"])
fields: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "seq": st.builds(Seq, st.integers(0, 2), st.integers(1, 2), names),
        "scope": names,
        "content": buffers,
        "redacts": st.none() | identities,
        "meta": st.none() | buffers,
    }
)
entries = fields.map(lambda parts: Entry(**parts))


@given(fields, fields)
def test_digests_are_equal_only_of_equal_entries(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Without the lengths between the parts ("ab", "c") would hash as ("a", "bc") does."""
    assert (Entry(**one).digest == Entry(**other).digest) == (one == other)


@given(entries, st.booleans())
def test_an_entry_may_be_rebuilt_of_its_parts(entry: Entry, redacted: bool) -> None:
    """What is stored was checked when it came, and is not checked again when it is read."""
    entry = entry.without_content() if redacted else entry

    rebuilt = trusted_entry(
        timestamp=entry.seq.timestamp,
        counter=entry.counter,
        device=entry.device,
        scope=entry.scope,
        content=entry.content,
        redacts=entry.redacts,
        meta=entry.meta,
        digest=entry.digest,
    )

    assert (rebuilt, hash(rebuilt), repr(rebuilt)) == (entry, hash(entry), repr(entry))
    assert rebuilt.seq < Seq(3, 1, "a")


def test_absent_meta_is_not_empty_meta() -> None:
    assert HELLO.digest != replace(HELLO, meta=b"", digest="").digest


def test_user_is_no_part_of_the_digest_and_the_clock_is() -> None:
    later = Entry(Seq(SEQ.timestamp + 1, 3, "laptop"), "private", b'"hello"')

    assert later.identity == HELLO.identity
    assert later.digest != HELLO.digest


def test_a_digest_that_was_carried_over_is_refused() -> None:
    """replace() carries it over; an entry that says the digest of another would hide a fork."""
    with pytest.raises(InvalidArgumentError, match="digest"):
        replace(HELLO, content=b'"bye"')


def test_the_right_digest_may_be_given() -> None:
    assert Entry(SEQ, "private", b'"hello"', digest=HELLO.digest) == HELLO


def test_redacting_keeps_envelope_and_digest() -> None:
    entry = Entry(SEQ, "friend", b"1", redacts=Identity("phone", 2), meta=b"{}")

    redacted = entry.without_content()

    assert redacted == Entry(SEQ, "friend", None, redacts=Identity("phone", 2), digest=entry.digest)
    assert (redacted.redacted, entry.redacted) == (True, False)
    assert redacted.without_content() == redacted


def test_a_withdrawn_entry_masks_nothing() -> None:
    entry = Entry(SEQ, "friend", b"1", redacts=Identity("phone", 2), meta=b"{}")

    assert entry.withdrawn() == Entry(SEQ, "friend", None, digest=entry.digest)


@pytest.mark.parametrize(
    "digest",
    ["", "0" * 31, "0" * 33, "0" * 64, "A" * 32, "g" * 32, " " + "0" * 31, "0" * 31 + "\n"],
)
def test_an_entry_without_content_needs_a_digest_of_32_hex_digits(digest: str) -> None:
    with pytest.raises(InvalidArgumentError):
        Entry(SEQ, "private", None, digest=digest)


def test_an_entry_keeps_bytes_of_its_own() -> None:
    """A caller that reads into one buffer again and again changes no entry by that."""
    content, meta = bytearray(b'"hello"'), bytearray(b"{}")
    entry = Entry(SEQ, "private", memoryview(content), meta=meta)  # type: ignore[arg-type]

    content[:], meta[:] = b'"HELLO"', b"[]"

    assert (entry.content, entry.meta) == (b'"hello"', b"{}")
    assert type(entry.content) is type(entry.meta) is bytes


@pytest.mark.parametrize("content", ["hello", 7, ["hello"], 1.5])
def test_content_that_is_no_buffer_is_refused(content: Any) -> None:
    """bytes(7), by itself, would be seven zeros."""
    with pytest.raises(TypeError):
        Entry(SEQ, "private", content)


@pytest.mark.parametrize(
    ("redacts", "error"),
    [
        (Identity("", 1), InvalidNameError),
        (Identity("a/b", 1), InvalidNameError),
        (Identity("a", 0), InvalidSeqError),
        (Identity("a", 10**12), InvalidSeqError),
    ],
)
def test_what_is_redacted_must_be_an_identity(redacts: Identity, error: type[Exception]) -> None:
    with pytest.raises(error):
        Entry(SEQ, "private", b"1", redacts=redacts)


def test_a_hostile_scope_is_refused() -> None:
    with pytest.raises(InvalidNameError):
        Entry(SEQ, "private,friend", b"1")


def test_an_entry_is_immutable() -> None:
    with pytest.raises(FrozenInstanceError):
        HELLO.content = b'"bye"'  # type: ignore[misc]


def _message(entry: Entry) -> str:
    """Write the message of a frame for *entry*, as the protocol page shows it."""
    message: dict[str, Any] = {"seq": str(entry.seq), "scope": entry.scope}
    if entry.content is None:
        message |= {"digest": entry.digest, "redacted": True}
    else:
        message["content"] = json.loads(entry.content)
    if entry.redacts is not None:
        message["redacts"] = list(entry.redacts)
    if entry.meta is not None:
        message["meta"] = json.loads(entry.meta)
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False)


texts = st.sampled_from(['"hello"', "0", '{"t":"grüß dich"}', "[[[[]]]]"]).map(str.encode)
wide_names = st.sampled_from(["a", "z" * 64])
wide_counters = st.integers(1, 10**12 - 1)


@given(
    st.builds(
        Entry,
        st.builds(Seq, st.just(1710763200000), wide_counters, wide_names),
        st.sampled_from(["friend", "s" * 32]),
        texts,
        redacts=st.none() | st.builds(Identity, wide_names, wide_counters),
        meta=st.none() | st.sampled_from([b'{"id":"a1"}', b"{}"]),
    )
)
def test_wire_length_is_that_of_the_message(entry: Entry) -> None:
    """Stores cut pages by it, without writing a frame."""
    forms = [entry, entry.without_content(), entry.withdrawn()]

    assert [form.wire_length for form in forms] == [len(_message(form).encode()) for form in forms]


@pytest.mark.parametrize(("ahead", "expected"), [(DAY, False), (DAY + 1, True), (-DAY, False)])
def test_only_what_lies_beyond_the_skew_is_far_ahead(ahead: int, expected: bool) -> None:
    now = SEQ.timestamp - ahead

    assert far_ahead(HELLO, now_millis=now, max_skew_millis=DAY) is expected
