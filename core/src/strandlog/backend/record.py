"""The packed record: one entry as the bytes that every store keeps.

Layout, version 1; numbers are big-endian::

    1   version, 1
    1   flags: 1 content, 2 redacts, 4 meta
    8   timestamp
    8   counter
    16  digest
    1+n device
    1+n scope
    8+1+n redacted counter and device     with flag 2
    4+n meta                              with flag 4
    n   content                           with flag 1: all that is left
    8   checksum

The checksum is BLAKE2b with 8 bytes of output over the user (its length as 2
bytes before it) and everything above. It covers the user without storing it:
a record that turns up in another user's log does not unpack.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from struct import Struct

from strandlog.errors import StoreCorruptError
from strandlog.model import Entry, Identity, trusted_entry

__all__ = ["pack", "unpack"]

_VERSION = 1
_CONTENT, _REDACTS, _META = 1, 2, 4
_CHECKSUM_SIZE = 8
_FIXED = Struct(">BBQQ16s")


def pack(user: str, entry: Entry) -> bytes:
    """Return the record of *entry* in *user*'s log."""
    seq, redacts, meta, content = entry.seq, entry.redacts, entry.meta, entry.content
    flags = (
        (_CONTENT if content is not None else 0)
        | (_REDACTS if redacts is not None else 0)
        | (_META if meta is not None else 0)
    )
    parts = [
        _FIXED.pack(_VERSION, flags, seq.timestamp, seq.counter, bytes.fromhex(entry.digest)),
        _short(seq.device),
        _short(entry.scope),
    ]
    if redacts is not None:
        parts += [redacts.counter.to_bytes(8, "big"), _short(redacts.device)]
    if meta is not None:
        parts += [len(meta).to_bytes(4, "big"), meta]
    if content is not None:
        parts.append(content)
    body = b"".join(parts)
    return body + _checksum(user, body)


def unpack(user: str, device: str, counter: int, record: bytes) -> Entry:
    """Return the entry that *record* holds.

    The store says under which key it found the record, since a damaged key
    is damage too.

    Raises:
        StoreCorruptError: The bytes are not those that :func:`pack` made for
            this user, device and counter.
    """
    # Damage in a database file can also change what type a driver makes of a value.
    body = record[:-_CHECKSUM_SIZE] if isinstance(record, bytes) else b""
    if len(body) < _FIXED.size or record[-_CHECKSUM_SIZE:] != _checksum(user, body):
        raise StoreCorruptError(f"{user}: the record of {device} {counter} is damaged")
    if body[0] != _VERSION:
        raise StoreCorruptError(
            f"{user}: the record of {device} {counter} has the unknown format {body[0]}"
        )
    try:
        entry = _read(body)
    except (IndexError, UnicodeDecodeError) as error:
        raise StoreCorruptError(
            f"{user}: the record of {device} {counter} is damaged: {error}"
        ) from error
    if entry.seq.counter != counter or entry.seq.device != device:
        raise StoreCorruptError(
            f"{user}: the record of {device} {counter} is that of {entry.device} {entry.counter}"
        )
    return entry


def _read(body: bytes) -> Entry:
    _, flags, timestamp, counter, digest = _FIXED.unpack_from(body)
    device, at = _read_short(body, _FIXED.size)
    scope, at = _read_short(body, at)
    redacts = meta = content = None
    if flags & _REDACTS:
        redacted_counter = int.from_bytes(body[at : at + 8], "big")
        redacted_device, at = _read_short(body, at + 8)
        redacts = Identity(redacted_device, redacted_counter)
    if flags & _META:
        size = int.from_bytes(body[at : at + 4], "big")
        meta = body[at + 4 : at + 4 + size]
        at += 4 + size
    if flags & _CONTENT:
        content = body[at:]
    # The checksum says that these are the values of the entry that was packed.
    return trusted_entry(
        timestamp=timestamp,
        counter=counter,
        device=device,
        scope=scope,
        content=content,
        redacts=redacts,
        meta=meta,
        digest=digest.hex(),
    )


def _short(text: str) -> bytes:
    data = text.encode()
    return bytes((len(data),)) + data


def _read_short(body: bytes, at: int) -> tuple[str, int]:
    end = at + 1 + body[at]
    return str(body[at + 1 : end], "ascii"), end


def _checksum(user: str, body: bytes) -> bytes:
    hasher = _begun(user).copy()
    hasher.update(body)
    return hasher.digest()


@lru_cache(maxsize=256)
def _begun(user: str) -> blake2b:
    """Return a hasher that has taken in the user; to copy it is half the work of a new one."""
    name = user.encode()
    return blake2b(len(name).to_bytes(2, "big") + name, digest_size=_CHECKSUM_SIZE)
