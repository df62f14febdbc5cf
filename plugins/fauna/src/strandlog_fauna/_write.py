"""Changes of a log, each decided and written in one transaction.

A batch that goes on where the log ends is one request: the server looks whether
that is so, and writes it. Where it is not so, the same request brings what core
needs to decide; and what then is to be written goes in a second one, under the
condition that the devices are as they were. Nothing is written in between, and
nothing stays if the second one finds others were quicker: it is decided anew.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from strandlog import Appended, Entry, VersionVector
from strandlog.backend import DeviceState, Plan, pack, plan
from strandlog.errors import AppendError, StoreUnavailableError, TooLargeError
from strandlog_fauna._database import Link
from strandlog_fauna._fql import q
from strandlog_fauna._schema import Schema
from strandlog_fauna._state import Device, Question, State, device_data

__all__ = [
    "DONE",
    "TOKEN_BYTES",
    "WRITERS_KEPT",
    "append",
    "check_sizes",
    "write_if_unchanged",
]

DONE = "done"
"""What a conditional query answers that has written."""

TOKEN_BYTES = 8

WRITERS_KEPT = 64
"""How many of those who wrote a device it remembers, so that they can be told that they did."""


def append(
    link: Link,
    user: str,
    entries: Sequence[Entry],
    *,
    upto: VersionVector | None,
    floor: VersionVector | None,
) -> Appended:
    """Do what ``LogStore.append`` asks for."""
    # By it an append that is asked again, for its answer was lost, knows its own entries.
    token = secrets.token_hex(TOKEN_BYTES)
    question = Question(user, entries, token, {*(upto or ()), *(floor or ())})
    guess = _continuing(entries) if upto is None and floor is None else None
    decided: Plan | None = None
    if guess is None:
        answer = link.ask(question.expression(link.schema))
    else:
        devices, decided = guess
        goes_on = [_follows(link.schema, user, devices)]
        writes = _writes(link.schema, user, token, devices, decided, changed={})
        answer = link.ask(_conditional(link.schema, question, goes_on, writes))
        if answer == DONE:
            return decided.appended
    while True:
        state = question.read(answer)
        if state.committed and decided is not None:
            # What was asked last was carried out, and its answer lost. Since then
            # others may have written, and trimmed what it has brought.
            return decided.appended
        decided = plan(entries, state.touched, upto=upto, floor=floor)
        if not _changes(decided, state):
            mine = len(state.brought)
            return Appended(decided.tops, mine, decided.duplicates - mine)
        answer = write_if_unchanged(link, question, state, decided)
        if answer == DONE:
            return decided.appended


def _continuing(entries: Sequence[Entry]) -> tuple[dict[str, Device], Plan] | None:
    """Return the devices as they have to be for the batch to go on from there, and its plan.

    ``None`` if the batch is no such one, or redacts something.
    """
    ordered = sorted(entries, key=lambda entry: (entry.device, entry.counter))
    if not ordered or any(entry.redacts for entry in ordered):
        return None
    devices: dict[str, Device] = {}
    for entry in ordered:
        if entry.device not in devices:
            top = entry.counter - 1
            devices[entry.device] = Device(top, newest=top, timestamp=entry.seq.timestamp)
    state = {name: DeviceState(device.top) for name, device in devices.items()}
    try:
        decided = plan(entries, state)
    except AppendError:
        return None
    return devices, decided


def _follows(schema: Schema, user: str, devices: Mapping[str, Device]) -> Any:
    """Return whether all devices end just where they have to for a batch to go on."""
    found = q.var("device")
    fits = q.and_(
        q.equals(q.select("top", found, 0), q.var("top")),
        q.lte(q.select("t", found, 0), q.var("t")),
        q.lte(q.select("p", found, 0), q.var("top")),
    )
    misfit = q.let({"device": device_data(schema, user, q.var("d"))}, q.not_(fits))
    rows = [[name, device.top, device.timestamp] for name, device in devices.items()]
    return q.is_empty(q.filter_(q.lambda_(["d", "top", "t"], misfit), rows))


def _changes(decided: Plan, state: State) -> bool:
    return bool(decided.add or decided.redactions or decided.floor) or any(
        top > state.devices[name].top for name, top in decided.tops.items()
    )


def write_if_unchanged(
    link: Link,
    question: Question,
    state: State,
    decided: Plan,
    *,
    first: Sequence[Any] = (),
    changed: Mapping[str, dict[str, Any]] | None = None,
) -> Any:
    """Write what was decided if all devices are as they were; else return how they are.

    Raises:
        StoreUnavailableError: Others were quicker again and again.
    """
    if link.expired:
        raise StoreUnavailableError(f"{question.user}: others keep writing to the same devices")
    schema = link.schema
    writers = q.map_(
        q.lambda_("d", q.select("v", device_data(schema, question.user, q.var("d")), "")),
        list(state.devices),
    )
    unchanged = [q.equals(writers, [device.writer for device in state.devices.values()])]
    writes = [
        *first,
        *_writes(
            schema, question.user, question.token, state.devices, decided, changed=changed or {}
        ),
        *(_masked(schema, question.user, state, target) for target, _ in decided.redactions),
    ]
    return link.ask(_conditional(schema, question, unchanged, writes))


def _conditional(
    schema: Schema, question: Question, conditions: Sequence[Any], writes: Sequence[Any]
) -> Any:
    log = schema.match("log_by_user", question.user)
    alive = q.not_(q.and_(q.exists(log), q.select(["data", "e"], _got(log), False)))
    return q.if_(q.and_(alive, *conditions), q.do(*writes, DONE), question.expression(schema))


def _got(match: Any) -> Any:
    """Return the document of a match that may be empty."""
    return q.if_(q.exists(match), q.get(match), {})


def _writes(
    schema: Schema,
    user: str,
    token: str,
    devices: Mapping[str, Device],
    decided: Plan,
    *,
    changed: Mapping[str, dict[str, Any]],
) -> list[Any]:
    """Return what writes a plan, with *changed* fields of devices beside those that it changes."""
    fields: dict[str, dict[str, Any]] = {name: dict(more) for name, more in changed.items()}
    for name, top in decided.tops.items():
        fields.setdefault(name, {})["top"] = top
    for name, floor in decided.floor.items():
        fields.setdefault(name, {})["floor"] = floor
    for entry in decided.add:
        mine = fields[entry.device]
        if entry.counter > mine.get("n", devices[entry.device].newest):
            mine |= {"n": entry.counter, "t": entry.seq.timestamp}
    for (device, counter), _ in decided.redactions:
        mine = fields.setdefault(device, {})
        mine["p"] = max(counter, mine.get("p", devices[device].named))
    return [
        _listed(schema, user),
        _upserted(schema, user, fields, token),
        *_created(schema, "entry", (_row(user, token, entry) for entry in decided.add)),
        *_created(
            schema,
            "redaction",
            (
                {"u": user, "td": of.device, "tc": of.counter, "d": by.device, "n": by.counter}
                for of, by in decided.redactions
            ),
        ),
    ]


def _row(user: str, token: str, entry: Entry) -> dict[str, Any]:
    return {
        "u": user,
        "d": entry.device,
        "n": entry.counter,
        "t": entry.seq.timestamp,
        "c": entry.scope,
        "k": entry.seq.encode().encode(),
        "w": entry.wire_length,
        "h": entry.digest,
        "q": token,
        "b": pack(user, entry),
    }


def check_sizes(user: str, entries: Iterable[Entry], limit: int | None) -> None:
    """Raise if a record is longer than *limit*, before anything is sent.

    Raises:
        TooLargeError: One is.
    """
    for entry in entries:
        # Nearly as long as the record, and much cheaper to ask for.
        if limit is not None and entry.wire_length > limit // 2 and len(pack(user, entry)) > limit:
            raise TooLargeError(
                f"{entry.device}: the record of counter {entry.counter} exceeds {limit} bytes",
                limit=limit,
                counter=entry.counter,
            )


def _created(schema: Schema, name: str, rows: Iterable[dict[str, Any]]) -> list[Any]:
    found = list(rows)
    if not found:
        return []
    create = q.create(schema.collection(name), {"data": q.var("row")})
    return [q.foreach(q.lambda_("row", create), found)]


def _listed(schema: Schema, user: str) -> Any:
    """Return what makes the log known, if it is not."""
    log = schema.match("log_by_user", user)
    name = user.encode()
    new = {"u": user, "l": name, "e": False, "g": 0}
    return q.if_(
        q.exists(log),
        q.let(
            {"log": q.get(log)},
            q.if_(
                q.equals(q.select(["data", "l"], q.var("log"), False), name),
                None,
                q.update(q.select("ref", q.var("log")), {"data": {"l": name}}),
            ),
        ),
        q.create(schema.collection("log"), {"data": new}),
    )


def _upserted(schema: Schema, user: str, devices: Mapping[str, dict[str, Any]], token: str) -> Any:
    row = schema.match("device_by_name", user, q.var("d"))
    new = {"u": user, "top": 0, "floor": 0, "n": 0, "t": 0, "p": 0, "v": token, "o": [token]}
    known = q.select(["data", "o"], q.var("device"), [])
    writers = {"v": token, "o": q.take(WRITERS_KEPT, q.prepend(token, known))}
    upsert = q.if_(
        q.exists(row),
        q.let(
            {"device": q.get(row), "ref": q.select("ref", q.var("device"))},
            q.do(
                q.update(q.var("ref"), {"data": writers}),
                q.update(q.var("ref"), {"data": q.var("fields")}),
            ),
        ),
        q.create(schema.collection("device"), {"data": q.var("new")}),
    )
    rows = [[name, fields, {**new, "d": name, **fields}] for name, fields in devices.items()]
    return q.foreach(q.lambda_(["d", "fields", "new"], upsert), rows)


def _masked(schema: Schema, user: str, state: State, target: Any) -> Any:
    """Return what takes the content of a held entry away."""
    entry = state.targets.get(target)
    if entry is None or entry.redacted:
        return None
    bare = entry.without_content()
    found = schema.match("entry_by_key", user, *target)
    fields = {"b": pack(user, bare), "w": bare.wire_length}
    return q.update(q.select("ref", q.get(found)), {"data": fields})
