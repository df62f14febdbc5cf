r"""Where things lie in LevelDB: keys, and the small values beside the records.

Keys begin with the letter of their kind. Names in them are preceded by their
length, so no name can be taken for the beginning of another one; numbers have 8
bytes, greatest first. So keys sort by user, device and counter, and a range of
them is a range of entries::

    \x00                             schema version, epoch
    c user reader                    cursor
    d user device                    (a device of the log)
    e user device counter            record of an entry
    l user                           log: generation, tombstone; sorts by name
    m user device counter device counter    (a redaction: target, by whom)
    r user reader                    (a reader of the log)
    s user device scope counter      (an entry, found by its scope)
    t user device                    top and floor
    \xff                             (the end)

Keys whose value is in brackets say by themselves what there is to say. Cursors
and tops are rewritten all the time, and a search steps over every old version
that LevelDB still has of a key; so what is searched are the lists ``d`` and
``r``, which are written once, and the rest is looked up by its key.

Inside one device the order by counter is the order by seq. So ``e`` serves
every read that sees all scopes and ``s`` the others: both begin exactly where a
reader stopped, whatever is hidden from it.

Values other than records end with a checksum over key and value; those of ``s``
are empty, for the record that is found by them is held against them. The first
and the last key are always there: see ``View.scan``.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from functools import lru_cache
from hashlib import blake2b

from strandlog import VersionVector
from strandlog.errors import StoreCorruptError

__all__ = [
    "COUNTER_SIZE",
    "LAST",
    "META",
    "SCHEMA_VERSION",
    "Changes",
    "body_of",
    "checked",
    "cursor_key",
    "device_key",
    "entry_key",
    "log_key",
    "meta_of",
    "migrate",
    "name_at",
    "number",
    "number_of",
    "prefix",
    "prefix_end",
    "reader_key",
    "scope_key",
    "top_key",
    "vector_body",
    "vector_of",
]

Changes = MutableMapping[bytes, bytes | None]
"""What one write changes: the new value of each key, ``None`` for one that goes."""

META = b"\x00"
LAST = b"\xff"
COUNTER_SIZE = 8
_LENGTH_SIZE = 2
_CHECKSUM_SIZE = 8


def _name(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(_LENGTH_SIZE, "big") + data


def number(value: int) -> bytes:
    """Return a number as it stands in keys and values."""
    return value.to_bytes(COUNTER_SIZE, "big")


def number_of(data: bytes, at: int = 0) -> int:
    """Return the number at a place; a negative one counts from the end."""
    at = at if at >= 0 else len(data) + at
    return int.from_bytes(data[at : at + COUNTER_SIZE], "big")


# A batch makes two keys for each entry, nearly all of which begin alike.
@lru_cache(maxsize=256)
def prefix(kind: bytes, *names: str) -> bytes:
    """Return how the keys of a kind begin that have these names."""
    return kind + b"".join(map(_name, names))


def prefix_end(beginning: bytes) -> bytes:
    """Return what sorts behind all keys that begin so: neither lengths nor counters begin high."""
    return beginning + b"\xff"


def name_at(data: bytes, at: int) -> str:
    """Return the name whose length stands at a place."""
    begin = at + _LENGTH_SIZE
    return data[begin : begin + int.from_bytes(data[at:begin], "big")].decode()


def log_key(user: str) -> bytes:
    """Return the key of a log; without a length, for logs are listed by name."""
    return b"l" + user.encode()


def device_key(user: str, device: str) -> bytes:
    """Return the key by which a device is listed."""
    return prefix(b"d", user, device)


def top_key(user: str, device: str) -> bytes:
    """Return the key of a device's top and floor."""
    return prefix(b"t", user, device)


def entry_key(user: str, device: str, counter: int) -> bytes:
    """Return the key of an entry's record."""
    return prefix(b"e", user, device) + number(counter)


def scope_key(user: str, device: str, scope: str, counter: int) -> bytes:
    """Return the key by which an entry is found by its scope."""
    return prefix(b"s", user, device, scope) + number(counter)


def cursor_key(user: str, reader: str) -> bytes:
    """Return the key of a cursor."""
    return prefix(b"c", user, reader)


def reader_key(user: str, reader: str) -> bytes:
    """Return the key by which a reader is listed."""
    return prefix(b"r", user, reader)


def checked(key: bytes, body: bytes = b"") -> bytes:
    """Return a value with its checksum."""
    return body + _checksum(key, body)


def body_of(key: bytes, value: bytes) -> bytes:
    """Return a value without its checksum.

    Raises:
        StoreCorruptError: It is not what was written under this key.
    """
    body = value[:-_CHECKSUM_SIZE]
    if value[-_CHECKSUM_SIZE:] != _checksum(key, body):
        raise StoreCorruptError(f"the value of the key {key!r} is damaged")
    return body


def _checksum(key: bytes, body: bytes) -> bytes:
    return blake2b(
        len(key).to_bytes(_LENGTH_SIZE, "big") + key + body, digest_size=_CHECKSUM_SIZE
    ).digest()


def vector_body(vector: Mapping[str, int]) -> bytes:
    """Return a version vector as bytes."""
    return b"".join(_name(device) + number(counter) for device, counter in vector.items())


def vector_of(body: bytes) -> VersionVector:
    """Return the version vector that bytes hold."""
    counters: dict[str, int] = {}
    at = 0
    while at < len(body):
        device = name_at(body, at)
        at += _LENGTH_SIZE + len(device.encode())
        counters[device] = number_of(body, at)
        at += COUNTER_SIZE
    return VersionVector(counters)


def meta_of(value: bytes) -> tuple[int, str]:
    """Return schema version and epoch.

    Raises:
        StoreCorruptError: They are damaged.
    """
    body = body_of(META, value)
    return number_of(body), body[COUNTER_SIZE:].hex()


def _create(changes: Changes) -> None:
    changes[LAST] = checked(LAST)


# Step n makes version n + 1 of version n; a new store runs through all of them.
# A released step is never changed: stores in the field have run it.
_STEPS: Sequence[Callable[[Changes], None]] = (_create,)

SCHEMA_VERSION = len(_STEPS)


def migrate(version: int, epoch: str, changes: Changes) -> str:
    """Add what brings a store to the present version; return its epoch, drawn for a new one."""
    for step in _STEPS[version:]:
        step(changes)
    epoch = epoch or secrets.token_hex(8)
    changes[META] = checked(META, number(SCHEMA_VERSION) + bytes.fromhex(epoch))
    return epoch
