"""Changes of a log, each one write.

Every function reads from a view of what is there and puts what is to become of
it into changes; nothing of it is written before all of it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from strandlog import Appended, Entry, Identity, VersionVector
from strandlog.backend import (
    DeviceState,
    Held,
    Plan,
    Redaction,
    followers,
    plan,
    plan_following,
    plan_rehome,
    runs,
)
from strandlog.errors import ErasedError
from strandlog_leveldb import _read
from strandlog_leveldb._driver import View
from strandlog_leveldb._rows import (
    Device,
    Log,
    device_of,
    devices_of,
    entries_of,
    entry_at,
    keys_of,
    log_of,
    put_device,
    put_entry,
    put_log,
    remove_entry,
    scopes_of,
)
from strandlog_leveldb._schema import (
    COUNTER_SIZE,
    Changes,
    body_of,
    checked,
    entry_key,
    log_key,
    name_at,
    number,
    number_of,
    prefix,
    prefix_end,
    scope_key,
)

__all__ = ["append", "erase", "rehome", "restore", "trim"]

Runs = Sequence[tuple[int, int]]


def append(
    view: View,
    changes: Changes,
    user: str,
    entries: Sequence[Entry],
    *,
    upto: VersionVector | None,
    floor: VersionVector | None,
) -> Appended:
    """Do what ``LogStore.append`` asks for."""
    log = _log(view, user)
    if log.erased:
        raise ErasedError(user, log.generation)
    devices, decided = _decide(view, user, entries, upto, floor)
    _carry_out(view, changes, user, devices, decided)
    if decided.tops and not log.live:
        put_log(changes, user, log._replace(live=True))
    return decided.appended


def rehome(
    view: View,
    changes: Changes,
    user: str,
    device: str,
    *,
    from_counter: int,
    to_device: str,
    unsent_after: Mapping[str, int],
) -> int:
    """Do what ``LogStore.rehome`` asks for."""
    source = device_of(view, user, device)
    branch = list(entries_of(view, user, device, after=from_counter - 1))
    held = list(entries_of(view, user, to_device, up_to=len(branch)))
    entries = plan_rehome(branch, to_device, held=held)
    if source is None or not entries:
        return 0
    if held and held[0].counter == 1 and held[0].digest != entries[0].digest:
        return 0
    place = device_of(view, user, to_device)
    trimmed = [entry for entry in entries if place and entry.counter <= place.floor]
    devices, moved = _decide(view, user, entries[len(trimmed) :], None, None)
    redactions = _redactions(view, user, device, (from_counter, branch[-1].counter))
    outside = [
        entry
        for by in followers(redactions, branch, unsent_after)
        if (entry := entry_at(view, user, by.device, by.counter))
    ]
    followed = plan_following(outside, branch, to_device)
    for entry in branch:
        remove_entry(changes, user, entry)
    for entry in (*branch, *outside):
        if entry.redacts is not None:
            changes[_redaction_key(user, Redaction(entry.redacts, entry.identity))] = None
    put_device(changes, user, source._replace(top=from_counter - 1), new=False)
    # Before what was decided: one of these may be redacted by what moves.
    for entry in followed:
        put_entry(changes, user, entry)
    _carry_out(view, changes, user, devices, moved)
    _redact(
        view,
        changes,
        user,
        [
            Redaction(entry.redacts, entry.identity)
            for entry in (*trimmed, *followed)
            if entry.redacts
        ],
    )
    return len(branch)


def trim(view: View, changes: Changes, user: str, device: str, *, up_to: int) -> VersionVector:
    """Do what ``LogStore.trim`` asks for."""
    floors = _read.floors(devices_of(view, user))
    found = device_of(view, user, device)
    if found is None:
        return floors
    newest = next(entries_of(view, user, device, up_to=found.top, reverse=True), None)
    floor = min(up_to, newest.counter - 1) if newest else 0
    # By their keys: what is damaged can be trimmed away too. Also below a floor
    # that is known: an imported one leaves what is held there.
    ranges = [(entry_key(user, device, 0), entry_key(user, device, floor))]
    ranges += (
        (scope_key(user, device, scope, 0), scope_key(user, device, scope, floor))
        for scope in scopes_of(view, user, device)
    )
    for first, last in ranges:
        changes.update((key, None) for key, _ in view.scan(first, last))
    if floor <= found.floor:
        return floors
    put_device(changes, user, found._replace(floor=floor), new=False)
    return floors.replace({device: floor})


def erase(view: View, changes: Changes, user: str) -> None:
    """Do what ``LogStore.erase`` asks for."""
    log = _log(view, user)
    if log.erased:
        return
    for kind in (b"d", b"e", b"m", b"s", b"t"):
        changes.update((key, None) for key in keys_of(view, prefix(kind, user)))
    put_log(changes, user, Log(log.generation + 1, erased=True))


def restore(view: View, changes: Changes, user: str) -> int:
    """Do what ``LogStore.restore`` asks for."""
    log = _log(view, user)
    if log.erased:
        put_log(changes, user, log._replace(erased=False))
    return log.generation


def _log(view: View, user: str) -> Log:
    key = log_key(user)
    return log_of(key, view.value(key))


def _decide(
    view: View,
    user: str,
    entries: Sequence[Entry],
    upto: VersionVector | None,
    floor: VersionVector | None,
) -> tuple[dict[str, Device], Plan]:
    """Read what a batch touches, and decide what becomes of it."""
    touched = runs(entries)
    devices: dict[str, Device] = {}
    state: dict[str, DeviceState] = {}
    for name in {*touched, *(upto or ()), *(floor or ())}:
        device = device_of(view, user, name)
        ranges = touched.get(name, ())
        redacted = _redacted(view, user, name, ranges)
        if device is None:
            state[name] = DeviceState(redacted=redacted)
        else:
            devices[name] = device
            held = _held(view, user, device, ranges)
            state[name] = DeviceState(device.top, device.floor, held, redacted)
    return devices, plan(entries, state, upto=upto, floor=floor)


def _held(view: View, user: str, device: Device, ranges: Runs) -> list[Held]:
    near: dict[int, Held] = {}
    for first, last in ranges:
        for entry in _around(view, user, device, first, last):
            near[entry.counter] = Held(entry.counter, entry.seq.timestamp, entry.digest)
    return [near[counter] for counter in sorted(near)]


def _around(view: View, user: str, device: Device, first: int, last: int) -> Iterable[Entry]:
    """Yield the entries of a run, and the nearest one on either side."""
    yield from islice(entries_of(view, user, device.name, up_to=first - 1, reverse=True), 1)
    if first > device.top:
        return
    for entry in entries_of(view, user, device.name, after=first - 1):
        yield entry
        if entry.counter > last:
            return


def _redacted(view: View, user: str, name: str, ranges: Runs) -> set[int]:
    return {
        redaction.target.counter
        for run in ranges
        for redaction in _redactions(view, user, name, run)
    }


def _redactions(view: View, user: str, name: str, run: tuple[int, int]) -> Iterator[Redaction]:
    """Yield what redacts entries of a device in a run of counters."""
    beginning = prefix(b"m", user, name)
    first, last = beginning + number(run[0]), prefix_end(beginning + number(run[1]))
    for key, value in view.scan(first, last):
        body_of(key, value)
        by = name_at(key, len(beginning) + COUNTER_SIZE)
        yield Redaction(
            Identity(name, number_of(key, len(beginning))),
            Identity(by, number_of(key, -COUNTER_SIZE)),
        )


def _carry_out(
    view: View, changes: Changes, user: str, devices: dict[str, Device], decided: Plan
) -> None:
    """Put what was decided into changes."""
    for entry in decided.add:
        put_entry(changes, user, entry)
    for name, top in decided.tops.items():
        known = devices.get(name)
        floor = max(known.floor if known else 0, decided.floor[name])
        device = Device(name, top, floor)
        if device != known:
            put_device(changes, user, device, new=known is None)
    _redact(view, changes, user, decided.redactions)


def _redact(view: View, changes: Changes, user: str, redactions: Collection[Redaction]) -> None:
    """Remember redactions, and take away the content of what is held of their targets."""
    for redaction in redactions:
        key = _redaction_key(user, redaction)
        changes[key] = checked(key)
    for target in {redaction.target for redaction in redactions}:
        entry = entry_at(view, user, target.device, target.counter)
        if entry is not None and not entry.redacted:
            put_entry(changes, user, entry.without_content())


def _redaction_key(user: str, redaction: Redaction) -> bytes:
    target, by = redaction
    return (
        prefix(b"m", user, target.device)
        + number(target.counter)
        + prefix(b"", by.device)
        + number(by.counter)
    )
