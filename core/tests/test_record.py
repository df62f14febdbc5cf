"""Packed records: what was packed comes back, or an error."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strandlog import Entry, Identity, Seq
from strandlog.backend import pack, unpack
from strandlog.errors import StoreCorruptError

ENTRY = Entry(
    Seq(1710763200000, 3, "laptop"),
    "private",
    b'"hello"',
    redacts=Identity("phone", 42),
    meta=b'{"id":"a1"}',
)
PLAIN = Entry(Seq(1710763200000, 3, "laptop"), "private", b'"hello"')
FORMS = [PLAIN, PLAIN.withdrawn(), ENTRY, ENTRY.without_content()]

names = st.from_regex(r"[a-z~][A-Za-z0-9._~-]{0,63}", fullmatch=True)
entries = st.builds(
    Entry,
    st.builds(Seq, st.integers(0, 10**15 - 1), st.integers(1, 10**12 - 1), names),
    st.from_regex(r"[a-z0-9._-]{1,32}", fullmatch=True),
    st.binary(),
    redacts=st.none() | st.builds(Identity, names, st.integers(1, 10**12 - 1)),
    meta=st.none() | st.binary(),
)


def _sealed(user: str, body: bytes) -> bytes:
    """Add the checksum that the layout asks for."""
    named = len(user).to_bytes(2, "big") + user.encode() + body
    return body + hashlib.blake2b(named, digest_size=8).digest()


@given(entries, st.booleans())
def test_what_was_packed_comes_back(entry: Entry, redacted: bool) -> None:
    entry = entry.without_content() if redacted else entry

    unpacked = unpack("alice", entry.device, entry.counter, pack("alice", entry))

    assert unpacked == entry
    assert type(unpacked.seq) is Seq


@pytest.mark.parametrize("entry", FORMS)
def test_every_single_bit_flip_is_detected(entry: Entry) -> None:
    record = pack("alice", entry)
    undetected = []
    for bit in range(8 * len(record)):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            unpack("alice", "laptop", 3, bytes(flipped))
        except StoreCorruptError:
            continue
        undetected.append(bit)

    assert undetected == []


@pytest.mark.parametrize("entry", FORMS)
def test_every_truncation_is_detected(entry: Entry) -> None:
    record = pack("alice", entry)
    for length in range(len(record)):
        with pytest.raises(StoreCorruptError):
            unpack("alice", "laptop", 3, record[:length])


def test_bytes_behind_the_record_are_detected() -> None:
    with pytest.raises(StoreCorruptError):
        unpack("alice", "laptop", 3, pack("alice", ENTRY) + b"\0")


@pytest.mark.parametrize(
    ("user", "device", "counter"),
    [("bob", "laptop", 3), ("alic", "laptop", 3), ("alice", "phone", 3), ("alice", "laptop", 4)],
)
def test_a_record_under_another_key_is_not_taken(user: str, device: str, counter: int) -> None:
    """The key columns of a row can be damaged too, or the row copied elsewhere."""
    with pytest.raises(StoreCorruptError) as refused:
        unpack(user, device, counter, pack("alice", ENTRY))

    assert f"{user}: the record of {device} {counter}" in str(refused.value)


def test_a_user_is_not_confused_with_the_bytes_behind_its_name() -> None:
    """The length before the user keeps ("a", "b…") apart from ("ab", "…")."""
    record = pack("alice", ENTRY)
    for cut in range(1, 5):
        with pytest.raises(StoreCorruptError):
            unpack("alice"[:cut], "laptop", 3, b"alice"[cut:] + record)


def test_a_record_of_an_unknown_version_is_named_so() -> None:
    body = b"\2" + pack("alice", ENTRY)[1:-8]

    with pytest.raises(StoreCorruptError, match="unknown format 2"):
        unpack("alice", "laptop", 3, _sealed("alice", body))


@pytest.mark.parametrize("tail", [b"", b"\xff", b"\1a\xff", b"\1\xff"])
def test_a_sealed_record_that_ends_inside_a_name_is_refused(tail: bytes) -> None:
    body = pack("alice", PLAIN)[:34] + tail

    with pytest.raises(StoreCorruptError):
        unpack("alice", "laptop", 3, _sealed("alice", body))


@pytest.mark.parametrize("record", [None, "", "text", 7, 1.5])
def test_a_value_of_another_type_is_damage(record: Any) -> None:
    """SQLite keeps the type beside the value, and one flipped bit makes it another."""
    with pytest.raises(StoreCorruptError):
        unpack("alice", "laptop", 3, record)
