"""Verifying: a sound store has no problems, and each kind of fault is one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strandlog import Entry, Page, Seq, VersionVector
from strandlog.backend import Capabilities
from strandlog.backend.registry import open_stores
from strandlog.holdings import Stores, verify_log
from strandlog_memory._handle import Handle
from strandlog_memory._log import MemoryLogStore
from strandlog_memory._schema import Data

from .conftest import fill, note

pytestmark = pytest.mark.anyio


class Sound(MemoryLogStore):
    """A store of our own kind; those below answer wrongly in one way."""

    def __init__(self) -> None:
        super().__init__(Handle(Data()), Capabilities(sparse=True))


class ForgetsScope(Sound):
    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        friends = query.get("scopes") == {"friend"}
        return replace(page, entries=page.entries[1:]) if friends else page


class ShowsTooMuch(Sound):
    async def read(self, user: str, **query: Any) -> Page:
        return await super().read(user, **{**query, "scopes": None})


class Unordered(Sound):
    async def read_range(self, user: str, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        return page if query["reverse"] else replace(page, entries=page.entries[::-1])


class BackwardsShort(Sound):
    async def read_range(self, user: str, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        return replace(page, entries=page.entries[1:]) if query["reverse"] else page


class LowTops(Sound):
    async def tops(self, user: str) -> VersionVector:
        return VersionVector({**await super().tops(user), "laptop": 39})


class OldHead(Sound):
    async def head(self, user: str) -> Seq | None:
        return note("laptop", 12).seq


class OtherDigests(Sound):
    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        return dict.fromkeys(at, "0" * 32)


class WrongContent(Sound):
    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        return replace(page, entries=[_changed(one) for one in page.entries])


def _changed(entry: Entry) -> Entry:
    if entry.identity == ("laptop", 12):
        object.__setattr__(entry, "content", b'"changed"')
    return entry


@pytest.mark.parametrize("scheme", ["sqlite", "leveldb", "memory"])
async def test_a_sound_store_has_no_problems(url: Callable[[str], str], scheme: str) -> None:
    async with open_stores(url(scheme)) as stores:
        await fill(stores)
        found = [await verify_log(stores, user) for user in ("alice", "bob", "carol")]

    assert [(one.entries, one.holes, one.problems) for one in found] == [
        (37, 0, []),
        (2, 23, []),
        (0, 0, []),
    ]


async def test_holes_are_a_problem_where_there_must_be_none(source: Stores) -> None:
    found = await verify_log(source, "bob", dense=True)

    assert found.problems == ["23 counters above the floors are not held"]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (ForgetsScope, "reading friend of laptop gives 9 entries, and reading everything"),
        (ShowsTooMuch, "laptop 11 came where friend was asked for"),
        (Unordered, "read in order, .*laptop came after"),
        (BackwardsShort, "reading the log backwards gives 36 entries"),
        (LowTops, "tops says {'laptop': 39, 'phone': 7}, a page {'laptop': 40, 'phone': 7}"),
        (OldHead, "head says .*:000000000012:laptop, the greatest seq read is .*40:laptop"),
        (OtherDigests, "digests says 0{32} of laptop 41, reading None"),
        (WrongContent, "the digest given is that of another entry"),
    ],
)
async def test_each_fault_is_a_problem(kind: type[Sound], says: str) -> None:
    """Whichever way the store answers wrongly, another way shows it."""
    async with open_stores("memory://") as (_, cursors):
        stores = (kind(), cursors)
        await fill(stores)
        found = await verify_log(stores, "alice")

    assert any(_fits(says, problem) for problem in found.problems), found.problems


def _fits(pattern: str, text: str) -> bool:
    return pytest.raises(Exception, match=pattern).matches(Exception(text)) or pattern in text


async def test_damaged_records_are_named_and_the_rest_is_read(
    url: Callable[[str], str], tmp_path: Path
) -> None:
    """Two records of one page are damaged in the file; both are found, and only they."""
    async with open_stores(url("sqlite")) as stores:
        await fill(stores)
    with closing(sqlite3.connect(tmp_path / "sqlite")) as connection, connection:
        connection.execute(
            "UPDATE entry SET record = zeroblob(60) WHERE counter IN (15, 22)"
            " AND device = (SELECT id FROM device WHERE user = 'alice' AND name = 'laptop')"
        )

    async with open_stores(url("sqlite")) as stores:
        found = await verify_log(stores, "alice")

    assert found.problems == [
        "alice: the record of laptop 15 is damaged",
        "alice: the record of laptop 22 is damaged",
    ]
    assert (found.entries >= 30, found.holes) == (True, 0)
