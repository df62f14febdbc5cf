"""Changes of a log, each a part of one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import takewhile

from strandlog import Appended, Entry, Identity, VersionVector
from strandlog.backend import (
    DeviceState,
    Held,
    Plan,
    Redaction,
    followers,
    pack,
    plan,
    plan_following,
    plan_rehome,
    runs,
)
from strandlog.errors import ErasedError
from strandlog_sqlite import _read
from strandlog_sqlite._rows import Device, device_of, devices_of, entry_of

__all__ = ["append", "erase", "rehome", "restore", "trim"]

Runs = Sequence[tuple[int, int]]

TOMBSTONE = "SELECT generation, erased FROM tombstone WHERE user = ?"
AROUND = """
    SELECT counter, timestamp, scope, record FROM entry NOT INDEXED
    WHERE device = :device AND counter >= coalesce(
        (SELECT max(counter) FROM entry NOT INDEXED WHERE device = :device AND counter < :first), 0
    )
    ORDER BY counter
"""
REDACTED = """
    SELECT target_counter FROM redaction
    WHERE user = ? AND target_device = ? AND target_counter BETWEEN ? AND ?
"""
REDACTIONS = """
    SELECT target_counter, by_device, by_counter FROM redaction
    WHERE user = ? AND target_device = ? AND target_counter BETWEEN ? AND ?
"""
ADD_DEVICE = "INSERT INTO device (user, name, top, floor) VALUES (?, ?, ?, ?) RETURNING id"
SET_DEVICE = "UPDATE device SET top = ?, floor = ? WHERE id = ?"
ADD_ENTRY = "INSERT INTO entry (device, counter, timestamp, scope, record) VALUES (?, ?, ?, ?, ?)"
SET_RECORD = "UPDATE entry SET record = ? WHERE device = ? AND counter = ?"
REMOVE_ENTRIES = "DELETE FROM entry WHERE device = ? AND counter BETWEEN ? AND ?"
ADD_REDACTION = "INSERT INTO redaction VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
REMOVE_REDACTION = """
    DELETE FROM redaction
    WHERE user = ? AND target_device = ? AND target_counter = ? AND by_device = ? AND by_counter = ?
"""
ERASE_ENTRIES = """
    DELETE FROM entry
    WHERE device IN (SELECT id FROM device INDEXED BY device_by_name WHERE user = ?)
"""
ERASE_DEVICES = "DELETE FROM device INDEXED BY device_by_name WHERE user = ?"
ERASE_REDACTIONS = "DELETE FROM redaction WHERE user = ?"
ADD_TOMBSTONE = """
    INSERT INTO tombstone (user, generation, erased) VALUES (?, 1, TRUE)
    ON CONFLICT DO UPDATE SET generation = generation + 1, erased = TRUE WHERE NOT erased
"""
LIFT_TOMBSTONE = "UPDATE tombstone SET erased = FALSE WHERE user = ? AND erased"


def append(
    connection: sqlite3.Connection,
    user: str,
    entries: Sequence[Entry],
    *,
    upto: VersionVector | None,
    floor: VersionVector | None,
) -> Appended:
    """Do what ``LogStore.append`` asks for."""
    for generation, erased in connection.execute(TOMBSTONE, (user,)):
        if erased:
            raise ErasedError(user, generation)
    devices, decided = _decide(connection, user, entries, upto, floor)
    _carry_out(connection, user, devices, decided)
    return decided.appended


def rehome(
    connection: sqlite3.Connection,
    user: str,
    device: str,
    *,
    from_counter: int,
    to_device: str,
    unsent_after: Mapping[str, int],
) -> int:
    """Do what ``LogStore.rehome`` asks for."""
    source = device_of(connection, user, device)
    if source is None:
        return 0
    rows = connection.execute(_read.ABOVE, (source.id, from_counter - 1))
    branch = [entry_of(user, source, row) for row in rows]
    place = device_of(connection, user, to_device)
    held = [] if place is None else _first(connection, user, place, len(branch))
    entries = plan_rehome(branch, to_device, held=held)
    if not entries or (held and held[0].counter == 1 and held[0].digest != entries[0].digest):
        return 0
    trimmed = [entry for entry in entries if place and entry.counter <= place.floor]
    devices, moved = _decide(connection, user, entries[len(trimmed) :], None, None)
    last = branch[-1].counter
    redactions = [
        Redaction(Identity(device, counter), Identity(by_device, by_counter))
        for counter, by_device, by_counter in connection.execute(
            REDACTIONS, (user, device, from_counter, last)
        )
    ]
    redacting = followers(redactions, branch, unsent_after)
    outside = [entry for by in redacting if (entry := _entry(connection, user, by))]
    followed = plan_following(outside, branch, to_device)
    connection.execute(REMOVE_ENTRIES, (source.id, from_counter, last))
    connection.execute(SET_DEVICE, (from_counter - 1, source.floor, source.id))
    connection.executemany(
        REMOVE_REDACTION,
        ((user, *entry.redacts, *entry.identity) for entry in (*branch, *outside) if entry.redacts),
    )
    _carry_out(connection, user, devices, moved)
    for entry in followed:
        _rewrite(connection, user, entry)
    _keep(connection, user, [*trimmed, *followed])
    return len(branch)


def trim(connection: sqlite3.Connection, user: str, device: str, *, up_to: int) -> VersionVector:
    """Do what ``LogStore.trim`` asks for."""
    found = device_of(connection, user, device)
    if found is not None:
        for newest, *_ in connection.execute(_read.NEWEST, (found.id,)):
            floor = min(up_to, newest - 1)
            # An imported floor leaves what is held below it.
            connection.execute(REMOVE_ENTRIES, (found.id, 1, floor))
            if floor > found.floor:
                connection.execute(SET_DEVICE, (found.top, floor, found.id))
    return _read.floors(user, devices_of(connection, user))


def erase(connection: sqlite3.Connection, user: str) -> None:
    """Do what ``LogStore.erase`` asks for."""
    connection.execute(ADD_TOMBSTONE, (user,))
    for statement in (ERASE_ENTRIES, ERASE_DEVICES, ERASE_REDACTIONS):
        connection.execute(statement, (user,))


def restore(connection: sqlite3.Connection, user: str) -> int:
    """Do what ``LogStore.restore`` asks for."""
    connection.execute(LIFT_TOMBSTONE, (user,))
    for generation, _ in connection.execute(TOMBSTONE, (user,)):
        return int(generation)
    return 0


def _decide(
    connection: sqlite3.Connection,
    user: str,
    entries: Sequence[Entry],
    upto: VersionVector | None,
    floor: VersionVector | None,
) -> tuple[dict[str, Device], Plan]:
    """Read what a batch touches, and decide what becomes of it. Nothing is written yet."""
    touched = runs(entries)
    devices: dict[str, Device] = {}
    state: dict[str, DeviceState] = {}
    for name in {*touched, *(upto or ()), *(floor or ())}:
        device = device_of(connection, user, name)
        ranges = touched.get(name, ())
        redacted = _redacted(connection, user, name, ranges)
        if device is None:
            state[name] = DeviceState(redacted=redacted)
        else:
            devices[name] = device
            held = _held(connection, user, device, ranges)
            state[name] = DeviceState(device.top, device.floor, held, redacted)
    return devices, plan(entries, state, upto=upto, floor=floor)


def _first(connection: sqlite3.Connection, user: str, device: Device, up_to: int) -> list[Entry]:
    """Return the entries of a device up to a counter."""
    rows = connection.execute(_read.ABOVE, (device.id, 0))
    entries = (entry_of(user, device, row) for row in rows)
    return list(takewhile(lambda entry: entry.counter <= up_to, entries))


def _held(connection: sqlite3.Connection, user: str, device: Device, ranges: Runs) -> list[Held]:
    near: dict[int, Held] = {}
    for first, last in ranges:
        for row in connection.execute(AROUND, {"device": device.id, "first": first}):
            entry = entry_of(user, device, row)
            near[entry.counter] = Held(entry.counter, entry.seq.timestamp, entry.digest)
            if entry.counter > last:
                break
    return [near[counter] for counter in sorted(near)]


def _redacted(connection: sqlite3.Connection, user: str, name: str, ranges: Runs) -> set[int]:
    return {
        counter
        for first, last in ranges
        for (counter,) in connection.execute(REDACTED, (user, name, first, last))
    }


def _carry_out(
    connection: sqlite3.Connection, user: str, devices: dict[str, Device], decided: Plan
) -> None:
    """Write what was decided."""
    ids: dict[str, int] = {}
    for name, top in decided.tops.items():
        known = devices.get(name)
        if known is None:
            added = connection.execute(ADD_DEVICE, (user, name, top, decided.floor[name]))
            [(ids[name],)] = added.fetchall()
            continue
        ids[name] = known.id
        floor = max(known.floor, decided.floor[name])
        if (top, floor) != (known.top, known.floor):
            connection.execute(SET_DEVICE, (top, floor, known.id))
    connection.executemany(
        ADD_ENTRY,
        (
            (ids[entry.device], entry.counter, entry.seq.timestamp, entry.scope, pack(user, entry))
            for entry in decided.add
        ),
    )
    _redact(connection, user, decided.redactions)


def _keep(connection: sqlite3.Connection, user: str, redacting: Iterable[Entry]) -> None:
    """Remember what these entries redact."""
    _redact(
        connection,
        user,
        [Redaction(entry.redacts, entry.identity) for entry in redacting if entry.redacts],
    )


def _redact(connection: sqlite3.Connection, user: str, redactions: Collection[Redaction]) -> None:
    """Remember redactions, and take away the content of what is held of their targets."""
    connection.executemany(ADD_REDACTION, ((user, *target, *by) for target, by in redactions))
    for target in {target for target, _ in redactions}:
        entry = _entry(connection, user, target)
        if entry is not None and not entry.redacted:
            _rewrite(connection, user, entry.without_content())


def _entry(connection: sqlite3.Connection, user: str, identity: Identity) -> Entry | None:
    """Return one entry, or ``None`` if it is not held."""
    device = device_of(connection, user, identity.device)
    if device is not None:
        for row in connection.execute(_read.ONE, (device.id, identity.counter)):
            return entry_of(user, device, row)
    return None


def _rewrite(connection: sqlite3.Connection, user: str, entry: Entry) -> None:
    """Keep another record of an entry that is held."""
    device = device_of(connection, user, entry.device)
    if device is not None:
        connection.execute(SET_RECORD, (pack(user, entry), device.id, entry.counter))
