"""Cursors in a Fauna database."""

from __future__ import annotations

from typing import Any

from strandlog import VersionVector
from strandlog.backend import CursorStore
from strandlog_fauna._database import Handle, Link
from strandlog_fauna._fql import q
from strandlog_fauna._schema import Schema

__all__ = ["FaunaCursorStore"]


class FaunaCursorStore(CursorStore):
    """Keeps a cursor as one document for each device; each call is one transaction."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    async def load(self, user: str, reader: str) -> VersionVector:
        rows = await self._handle.run(
            lambda link: link.ask(link.schema.rows("cursor_by_reader", user, reader))
        )
        return VersionVector({device: counter for device, counter, _ in rows})

    async def readers(self, user: str) -> dict[str, VersionVector]:
        rows = await self._handle.run(
            lambda link: link.ask(link.schema.rows("cursor_by_user", user))
        )
        found: dict[str, dict[str, int]] = {}
        for reader, device, counter, _ in rows:
            found.setdefault(reader, {})[device] = counter
        return {reader: VersionVector(counters) for reader, counters in found.items()}

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        def job(link: Link) -> VersionVector:
            rows = link.ask(
                q.do(
                    q.foreach(
                        q.lambda_(["d", "n"], _raised(link.schema, user, reader)), _pairs(vector)
                    ),
                    link.schema.rows("cursor_by_reader", user, reader),
                )
            )
            return VersionVector({device: counter for device, counter, _ in rows})

        return await self._handle.run(job)

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        def job(link: Link) -> None:
            link.ask(
                q.do(
                    _forgotten(link.schema, user, reader),
                    q.foreach(
                        q.lambda_(["d", "n"], _new(link.schema, user, reader)), _pairs(vector)
                    ),
                    None,
                )
            )

        await self._handle.run(job)

    async def forget(self, user: str, reader: str) -> None:
        await self._handle.run(
            lambda link: link.ask(q.do(_forgotten(link.schema, user, reader), None))
        )

    async def erase(self, user: str) -> None:
        def job(link: Link) -> None:
            rows = link.schema.rows("cursor_by_user", user)
            delete = q.lambda_(["_", "_", "_", "ref"], q.delete(q.var("ref")))
            link.ask(q.do(q.foreach(delete, rows), None))

        await self._handle.run(job)

    async def close(self) -> None:
        await self._handle.close()


def _pairs(vector: VersionVector) -> list[list[Any]]:
    return [[device, counter] for device, counter in vector.items()]


def _raised(schema: Schema, user: str, reader: str) -> Any:
    """Return what moves the counter of the device ``d`` up to ``n``, or leaves it."""
    row = schema.match("cursor_by_key", user, reader, q.var("d"))
    return q.if_(
        q.exists(row),
        q.let(
            {"cursor": q.get(row)},
            q.if_(
                q.lt(q.select(["data", "n"], q.var("cursor")), q.var("n")),
                q.update(q.select("ref", q.var("cursor")), {"data": {"n": q.var("n")}}),
                None,
            ),
        ),
        _new(schema, user, reader),
    )


def _new(schema: Schema, user: str, reader: str) -> Any:
    fields = {"u": user, "r": reader, "d": q.var("d"), "n": q.var("n")}
    return q.create(schema.collection("cursor"), {"data": fields})


def _forgotten(schema: Schema, user: str, reader: str) -> Any:
    delete = q.lambda_(["_", "_", "ref"], q.delete(q.var("ref")))
    return q.foreach(delete, schema.rows("cursor_by_reader", user, reader))
