"""A branch of a device becomes a device of its own."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from strandlog import Entry, Identity
from strandlog.backend import Redaction, followers, pack, plan, plan_following, plan_rehome
from strandlog_fauna._database import Link
from strandlog_fauna._fql import q
from strandlog_fauna._remove import deleted_entries
from strandlog_fauna._schema import ALL, Schema, data
from strandlog_fauna._state import Question, State, device_data, entry_of
from strandlog_fauna._write import DONE, TOKEN_BYTES, write_if_unchanged

__all__ = ["rehome"]


@dataclass(frozen=True, slots=True)
class _Branch:
    """What there is to move, as it was found.

    Attributes:
        moved_by: Which call moved a branch of the device last, and how much.
        entries: The branch.
        last: Counter and timestamp of what lies below it.
        held: What the new device has in its place.
        redactions: What redacts entries of the branch.
        redacting: Their entries, as far as they are held.
        writers: Who wrote last to the devices of all these.
    """

    moved_by: tuple[str, int]
    entries: list[Entry]
    last: tuple[int, int]
    held: list[Entry]
    redactions: list[Redaction]
    redacting: Mapping[Identity, Entry]
    writers: Mapping[str, str]


def rehome(
    link: Link,
    user: str,
    device: str,
    *,
    from_counter: int,
    to_device: str,
    unsent_after: Mapping[str, int],
) -> int:
    """Do what ``LogStore.rehome`` asks for."""
    token = secrets.token_hex(TOKEN_BYTES)
    while True:
        found = _read(link, user, device, from_counter, to_device)
        if found.moved_by[0] == token:
            return found.moved_by[1]
        branch = found.entries
        entries = plan_rehome(branch, to_device, held=found.held)
        if not entries or _is_other(found.held, entries[0]):
            return 0
        redacting = followers(found.redactions, branch, unsent_after)
        outside = [found.redacting[by] for by in redacting if by in found.redacting]
        followed = plan_following(outside, branch, to_device)
        question = Question(
            user,
            entries,
            token,
            found.writers,
            also=[entry.redacts for entry in followed if entry.redacts],
        )
        state = question.read(link.ask(question.expression(link.schema)))
        if any(state.devices[name].writer != known for name, known in found.writers.items()):
            continue
        floor = state.devices[to_device].floor
        trimmed = [entry for entry in entries if entry.counter <= floor]
        decided = plan(entries[len(trimmed) :], state.touched)
        kept = [
            Redaction(entry.redacts, entry.identity)
            for entry in (*trimmed, *followed)
            if entry.redacts
        ]
        last, timestamp = found.last
        fields = {"top": from_counter - 1, "n": last, "t": timestamp}
        answer = write_if_unchanged(
            link,
            question,
            _with_followed(state, followed),
            replace(decided, redactions=[*decided.redactions, *kept]),
            first=[
                deleted_entries(link.schema, user, device, [from_counter], [branch[-1].counter]),
                _lifted(link.schema, user, [*branch, *outside]),
                *_rewritten(link.schema, user, followed),
            ],
            changed={
                **{entry.device: {} for entry in followed},
                device: {**fields, "m": token, "mn": len(branch)},
            },
        )
        if answer == DONE:
            return len(branch)


def _is_other(held: Sequence[Entry], first: Entry) -> bool:
    return bool(held) and held[0].counter == 1 and held[0].digest != first.digest


def _with_followed(state: State, followed: Iterable[Entry]) -> State:
    """Return *state* with entries as they are written before anything is redacted."""
    new = {entry.identity: entry for entry in followed if entry.identity in state.targets}
    return replace(state, targets={**state.targets, **new})


def _read(link: Link, user: str, device: str, from_counter: int, to_device: str) -> _Branch:
    answer = link.ask(_branch(link.schema, user, device, from_counter, to_device))
    moved_by, writers, before, records, held, named = answer
    redactions = []
    redacting: dict[Identity, Entry] = {}
    known = {device: writers[0], to_device: writers[1]}
    for target, by_device, by_counter, record, writer in named:
        by = Identity(by_device, by_counter)
        redactions.append(Redaction(Identity(device, target), by))
        known[by_device] = writer
        if record is not None:
            redacting[by] = entry_of(user, by_device, by_counter, record)
    return _Branch(
        (moved_by[0], moved_by[1]),
        [entry_of(user, device, counter, record) for counter, record in records],
        (before[0][0], before[0][2]) if before else (0, 0),
        [entry_of(user, to_device, counter, record) for counter, record in held],
        redactions,
        redacting,
        known,
    )


def _branch(schema: Schema, user: str, device: str, from_counter: int, to_device: str) -> Any:
    held = schema.match("entry_by_counter", user, device)
    place = schema.match("entry_by_counter", user, to_device)
    named = schema.match("redaction_by_target", user, device)
    above = data(q.paginate(q.range(held, [from_counter], []), size=ALL))
    below = q.reverse(q.range(held, [], [from_counter - 1]))
    first = q.range(place, [1], [q.count(q.var("above"))])
    writers = [
        q.select("v", q.var("device"), ""),
        q.select("v", device_data(schema, user, to_device), ""),
    ]
    return q.let(
        {"device": device_data(schema, user, device), "above": above},
        [
            [q.select("m", q.var("device"), ""), q.select("mn", q.var("device"), 0)],
            writers,
            data(q.paginate(below, size=1)),
            _records(schema, user, device, q.var("above")),
            _records(schema, user, to_device, data(q.paginate(first, size=ALL))),
            q.map_(
                q.lambda_(["n", "ref"], _redacting(schema, user)),
                data(q.paginate(q.range(named, [from_counter], []), size=ALL)),
            ),
        ],
    )


def _records(schema: Schema, user: str, device: str, rows: Any) -> Any:
    key = schema.match("entry_by_key", user, device, q.var("n"))
    record = [q.var("n"), q.select(["data", "b"], q.get(key))]
    return q.map_(q.lambda_(["n", "_", "_", "_", "_"], record), rows)


def _redacting(schema: Schema, user: str) -> Any:
    """Return of the redaction ``ref`` of counter ``n`` who does it, and that entry's record."""
    by = [q.select(["data", field], q.var("redaction")) for field in ("d", "n")]
    key = schema.match("entry_by_key", user, q.var("by"), q.var("at"))
    return q.let(
        {"redaction": q.get(q.var("ref")), "by": by[0], "at": by[1]},
        [
            q.var("n"),
            q.var("by"),
            q.var("at"),
            q.if_(q.exists(key), q.select(["data", "b"], q.get(key)), None),
            q.select("v", device_data(schema, user, q.var("by")), ""),
        ],
    )


def _lifted(schema: Schema, user: str, entries: Iterable[Entry]) -> Any:
    """Return what forgets that these entries redact something."""
    sources = [list(entry.identity) for entry in entries if entry.redacts]
    redaction = schema.match("redaction_by_source", user, q.var("d"), q.var("n"))
    delete = q.if_(q.exists(redaction), q.delete(q.select("ref", q.get(redaction))), None)
    return q.foreach(q.lambda_(["d", "n"], delete), sources)


def _rewritten(schema: Schema, user: str, entries: Sequence[Entry]) -> list[Any]:
    key = schema.match("entry_by_key", user, q.var("d"), q.var("n"))
    update = q.update(q.select("ref", q.get(key)), {"data": q.var("fields")})
    rows = [
        [
            *entry.identity,
            {"b": pack(user, entry), "w": entry.wire_length, "h": entry.digest},
        ]
        for entry in entries
    ]
    return [q.foreach(q.lambda_(["d", "n", "fields"], update), rows)] if rows else []
