"""From rows to values: what SQLite gave is checked before anybody believes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, NamedTuple

from strandlog import Entry, VersionVector
from strandlog.backend import unpack
from strandlog.errors import InvalidArgumentError, StoreCorruptError

__all__ = ["Device", "device_of", "devices_of", "entry_of", "vector_of"]

DEVICES = """
    SELECT id, name, top, floor FROM device INDEXED BY device_by_name
    WHERE user = ? ORDER BY name
"""
DEVICE = """
    SELECT id, name, top, floor FROM device INDEXED BY device_by_name
    WHERE user = ? AND name = ?
"""


class Device(NamedTuple):
    """One device of a log."""

    id: int
    name: str
    top: int
    floor: int


def devices_of(connection: sqlite3.Connection, user: str) -> list[Device]:
    """Return the devices of a log by name."""
    return [Device(*row) for row in connection.execute(DEVICES, (user,))]


def device_of(connection: sqlite3.Connection, user: str, name: str) -> Device | None:
    """Return one device, or ``None`` if it is unknown."""
    for row in connection.execute(DEVICE, (user, name)):
        return Device(*row)
    return None


def entry_of(user: str, device: Device, row: tuple[Any, ...]) -> Entry:
    """Return the entry in a row of counter, timestamp, scope and record.

    Raises:
        StoreCorruptError: The record is damaged, or is not what the columns say.
    """
    counter, timestamp, scope, record = row
    entry = unpack(user, device.name, counter, record)
    if entry.seq.timestamp != timestamp or entry.scope != scope:
        raise StoreCorruptError(
            f"{user}: the record of {device.name} {counter} is filed under {timestamp} {scope!r}"
        )
    return entry


def vector_of(user: str, rows: Iterable[tuple[str, int]]) -> VersionVector:
    """Return the vector that rows of device and counter make.

    Raises:
        StoreCorruptError: They make none.
    """
    counters = dict(rows)
    try:
        return VersionVector(counters)
    except (InvalidArgumentError, TypeError) as error:
        raise StoreCorruptError(f"{user}: a counter is damaged: {error}") from error
