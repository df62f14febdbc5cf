"""What takes entries away: trims, erasures, and the lifting of these."""

from __future__ import annotations

import secrets
from typing import Any

from strandlog import VersionVector
from strandlog_fauna._database import Link
from strandlog_fauna._fql import q
from strandlog_fauna._schema import ALL, Schema, data
from strandlog_fauna._state import device_data
from strandlog_fauna._write import TOKEN_BYTES

__all__ = ["TRIMS_KEPT", "deleted_entries", "erase", "restore", "trim"]

TRIMS_KEPT = 4
"""Of how many trims a device remembers what they came to."""


def deleted_entries(schema: Schema, user: Any, device: Any, first: Any, last: Any) -> Any:
    held = schema.match("entry_by_counter", user, device)
    key = schema.match("entry_by_key", user, device, q.var("n"))
    delete = q.delete(q.select("ref", q.get(key)))
    rows = data(q.paginate(q.range(held, first, last), size=ALL))
    return q.foreach(q.lambda_(["n", "_", "_", "_", "_"], delete), rows)


def trim(link: Link, user: str, device: str, *, up_to: int) -> VersionVector:
    """Do what ``LogStore.trim`` asks for."""
    schema = link.schema
    token = secrets.token_hex(TOKEN_BYTES)
    row = schema.match("device_by_name", user, device)
    ref = q.select("ref", q.get(row))
    held = schema.match("entry_by_counter", user, device)
    floors = q.map_(
        q.lambda_(["d", "_", "floor", "_", "_"], [q.var("d"), q.var("floor")]),
        schema.rows("device_by_user", user),
    )
    below = q.add(q.select("n", q.var("device")), -1)
    rises = q.gt(q.var("cut"), q.var("floor"))
    fields = {"floor": q.if_(rises, q.var("cut"), q.var("floor")), "v": token}
    told = {"r": q.take(TRIMS_KEPT, q.prepend([[token, floors]], q.var("before")))}
    cut = q.let(
        {
            "cut": q.if_(q.lt(below, up_to), below, up_to),
            "floor": q.select("floor", q.var("device")),
        },
        q.if_(
            # An imported floor leaves what is held below it.
            q.or_(rises, q.exists(q.range(held, [1], [q.var("cut")]))),
            q.do(
                deleted_entries(schema, user, device, [1], [q.var("cut")]),
                q.update(ref, {"data": fields}),
                # Repeated since its answer was lost, it does not trim what has come since.
                q.update(ref, {"data": told}),
            ),
            None,
        ),
    )
    rows = link.ask(
        q.let(
            {
                "device": device_data(schema, user, device),
                "before": q.select("r", q.var("device"), []),
                "mine": q.filter_(
                    q.lambda_(["by", "_"], q.equals(q.var("by"), token)), q.var("before")
                ),
            },
            q.if_(
                q.is_nonempty(q.var("mine")),
                q.select([0, 1], q.var("mine")),
                q.do(q.if_(q.exists(row), cut, None), floors),
            ),
        )
    )
    return VersionVector(dict(rows))


def erase(link: Link, user: str) -> None:
    """Do what ``LogStore.erase`` asks for."""
    schema = link.schema
    log = schema.match("log_by_user", user)
    token = secrets.token_hex(TOKEN_BYTES)
    mark = {"e": True, "l": user.encode(), "x": token}
    device = schema.match("device_by_name", user, q.var("d"))
    wiped = q.do(
        q.foreach(
            q.lambda_(
                ["d", "_", "_", "_", "_"],
                q.do(
                    deleted_entries(schema, user, q.var("d"), [], []),
                    q.delete(q.select("ref", q.get(device))),
                ),
            ),
            schema.rows("device_by_user", user),
        ),
        q.foreach(q.lambda_("r", q.delete(q.var("r"))), schema.rows("redaction_by_user", user)),
    )
    again = q.let(
        {"log": q.get(log)},
        q.if_(
            # Or this very call has erased it, and somebody has restored it since.
            q.or_(q.select(["data", "e"], q.var("log")), _is_by("x", token)),
            None,
            q.do(
                wiped,
                q.update(
                    q.select("ref", q.var("log")),
                    {"data": {**mark, "g": q.add(q.select(["data", "g"], q.var("log")), 1)}},
                ),
            ),
        ),
    )
    new = q.create(schema.collection("log"), {"data": {**mark, "u": user, "g": 1}})
    link.ask(q.do(q.if_(q.exists(log), again, new), None))


def restore(link: Link, user: str) -> int:
    """Do what ``LogStore.restore`` asks for."""
    token = secrets.token_hex(TOKEN_BYTES)
    log = link.schema.match("log_by_user", user)
    fields = {"e": False, "l": None, "y": token}
    lift = q.update(q.select("ref", q.var("log")), {"data": fields})
    due = q.and_(q.select(["data", "e"], q.var("log")), q.not_(_is_by("y", token)))
    return int(
        link.ask(
            q.if_(
                q.exists(log),
                q.let(
                    {"log": q.get(log)},
                    q.do(
                        q.if_(due, lift, None),
                        q.select(["data", "g"], q.var("log")),
                    ),
                ),
                0,
            )
        )
    )


def _is_by(field: str, token: str) -> Any:
    return q.equals(q.select(["data", field], q.var("log"), ""), token)
