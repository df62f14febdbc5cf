"""From keys to values and back: what a log holds, read from a view and put into changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from strandlog import Entry
from strandlog.backend import pack, unpack
from strandlog.errors import StoreCorruptError, TooLargeError
from strandlog_leveldb._driver import View
from strandlog_leveldb._schema import (
    COUNTER_SIZE,
    Changes,
    body_of,
    checked,
    device_key,
    entry_key,
    log_key,
    name_at,
    number,
    number_of,
    prefix,
    prefix_end,
    scope_key,
    top_key,
)

__all__ = [
    "Device",
    "Log",
    "device_of",
    "devices_of",
    "entries_of",
    "entry_at",
    "keys_of",
    "log_of",
    "put_device",
    "put_entry",
    "put_log",
    "remove_entry",
    "scopes_of",
]

# LevelDB keeps a length in 32 bits and does not look whether it fits.
_RECORD_MAX = 1 << 30

_GREATEST = (1 << 64) - 1


class Log(NamedTuple):
    """One user's log.

    Attributes:
        generation: How often it was erased.
        erased: Whether the tombstone stands.
        live: Whether it has devices.
    """

    generation: int = 0
    erased: bool = False
    live: bool = False


class Device(NamedTuple):
    """One device of a log."""

    name: str
    top: int = 0
    floor: int = 0


def log_of(key: bytes, value: bytes | None) -> Log:
    """Return what is kept under the key of a log; one that is unknown is empty."""
    if value is None:
        return Log()
    body = body_of(key, value)
    return Log(number_of(body), bool(body[-1] & 1), bool(body[-1] & 2))


def put_log(changes: Changes, user: str, log: Log) -> None:
    """Keep a log."""
    key = log_key(user)
    flags = bytes((log.erased | log.live << 1,))
    changes[key] = checked(key, number(log.generation) + flags)


def devices_of(view: View, user: str) -> list[Device]:
    """Return the devices of a log."""
    beginning = prefix(b"d", user)
    names = []
    for key, value in view.scan(beginning, prefix_end(beginning)):
        body_of(key, value)
        names.append(name_at(key, len(beginning)))
    found = [device_of(view, user, name) for name in names]
    if None in found:
        raise StoreCorruptError(f"{user}: a device is listed and has no top")
    return [device for device in found if device is not None]


def device_of(view: View, user: str, name: str) -> Device | None:
    """Return one device, or ``None`` if it is unknown."""
    key = top_key(user, name)
    value = view.value(key)
    if value is None:
        return None
    body = body_of(key, value)
    return Device(name, number_of(body), number_of(body, COUNTER_SIZE))


def put_device(changes: Changes, user: str, device: Device, *, new: bool) -> None:
    """Keep top and floor of a device, and list it if it is new."""
    if new:
        key = device_key(user, device.name)
        changes[key] = checked(key)
    key = top_key(user, device.name)
    changes[key] = checked(key, number(device.top) + number(device.floor))


def put_entry(changes: Changes, user: str, entry: Entry) -> None:
    """Keep an entry.

    Raises:
        TooLargeError: Its record is longer than LevelDB can keep.
    """
    record = pack(user, entry)
    seq = entry.seq
    if len(record) > _RECORD_MAX:
        raise TooLargeError(
            f"{user}: {seq.device} {seq.counter} takes {len(record)} bytes,"
            f" {_RECORD_MAX} is the most that fits",
            limit=_RECORD_MAX,
            counter=seq.counter,
        )
    changes[entry_key(user, seq.device, seq.counter)] = record
    changes[scope_key(user, seq.device, entry.scope, seq.counter)] = b""


def remove_entry(changes: Changes, user: str, entry: Entry) -> None:
    """Keep an entry no longer."""
    changes[entry_key(user, entry.device, entry.counter)] = None
    changes[scope_key(user, entry.device, entry.scope, entry.counter)] = None


def entry_at(view: View, user: str, device: str, counter: int) -> Entry | None:
    """Return one entry, or ``None`` if it is not held."""
    record = view.value(entry_key(user, device, counter))
    return None if record is None else unpack(user, device, counter, record)


def entries_of(
    view: View,
    user: str,
    device: str,
    *,
    scope: str | None = None,
    after: int = 0,
    up_to: int | None = None,
    reverse: bool = False,
) -> Iterator[Entry]:
    """Yield the entries of a device in a range of counters, in all scopes or in one."""
    last = _GREATEST if up_to is None else up_to
    if scope is not None:
        yield from _entries_in(
            view, user, device, scope=scope, first=after + 1, last=last, reverse=reverse
        )
        return
    rows = view.scan(
        entry_key(user, device, after + 1), entry_key(user, device, last), reverse=reverse
    )
    for key, record in rows:
        yield unpack(user, device, number_of(key, -COUNTER_SIZE), record)


def _entries_in(
    view: View, user: str, device: str, *, scope: str, first: int, last: int, reverse: bool
) -> Iterator[Entry]:
    begin, end = scope_key(user, device, scope, first), scope_key(user, device, scope, last)
    for key, _ in view.scan(begin, end, reverse=reverse):
        counter = number_of(key, -COUNTER_SIZE)
        entry = entry_at(view, user, device, counter)
        if entry is None or entry.scope != scope:
            raise StoreCorruptError(f"{user}: {device} {counter} is not the entry of {scope!r}")
        yield entry


def scopes_of(view: View, user: str, device: str) -> Iterator[str]:
    """Yield the scopes in which a device has entries: one search for each."""
    beginning = prefix(b"s", user, device)
    first, last = beginning, prefix_end(beginning)
    while found := next(view.scan(first, last), None):
        scope = name_at(found[0], len(beginning))
        yield scope
        first = prefix_end(prefix(b"s", user, device, scope))


def keys_of(view: View, beginning: bytes) -> Iterator[bytes]:
    """Yield the keys that begin so."""
    return (key for key, _ in view.scan(beginning, prefix_end(beginning)))
