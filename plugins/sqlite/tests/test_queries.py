"""What a call costs: searches and never scans, one hop, and the page instead of the log."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from strandlog import Entry, Seq, VersionVector
from strandlog.backend.registry import open_stores
from strandlog_sqlite import _cursors, _read, _rows, _schema, _write
from strandlog_sqlite._connection import commit

Notes = Callable[..., list[Entry]]

STATEMENTS = {
    f"{module.__name__}.{name}": value
    for module in (_read, _write, _rows, _cursors)
    for name, value in vars(module).items()
    if isinstance(value, str) and value.strip().startswith(("SELECT", "UPDATE", "DELETE"))
}


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """A bare connection to an empty store, to look inside."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        commit(connection, lambda c: _schema.migrate(c, "memory"))
        yield connection


def _plan(connection: sqlite3.Connection, statement: str) -> list[str]:
    names = {"after": "", "limit": 1, "device": 1, "first": 1}
    parameters = names if ":" in statement else [1] * statement.count("?")
    rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return [detail for *_, detail in rows]


def test_every_statement_is_looked_at() -> None:
    """The test below would also pass over nothing."""
    assert len(STATEMENTS) > 20


@pytest.mark.parametrize("statement", STATEMENTS.values(), ids=STATEMENTS.keys())
def test_every_statement_searches(connection: sqlite3.Connection, statement: str) -> None:
    """No table is walked through and nothing is sorted: that would grow with the file."""
    plan = _plan(connection, statement)

    assert [step for step in plan if "SCAN" in step or "TEMP B-TREE" in step] == []
    assert any("SEARCH" in step for step in plan)


def test_statistics_do_not_change_the_plans(connection: sqlite3.Connection) -> None:
    """Somebody runs ANALYZE on a small file, which then grows."""
    before = {name: _plan(connection, one) for name, one in STATEMENTS.items()}
    _append(connection, "alice", 1, 3)
    connection.execute("ANALYZE")
    connection.execute("UPDATE sqlite_stat1 SET stat = '3 3 3 1 1' WHERE stat LIKE '% % %'")
    connection.execute("ANALYZE sqlite_master")

    assert {name: _plan(connection, one) for name, one in STATEMENTS.items()} == before


def _append(
    connection: sqlite3.Connection,
    user: str,
    first: int,
    last: int,
    *,
    device: str = "laptop",
    scope: str = "private",
) -> None:
    entries = [Entry(Seq(n, n, device), scope, b'"note"') for n in range(first, last + 1)]
    _write.append(connection, user, entries, upto=None, floor=None)


def _steps(connection: sqlite3.Connection, job: Callable[[sqlite3.Connection], object]) -> int:
    """Count the steps of SQLite's virtual machine, which no other load on this machine changes."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection.set_progress_handler(count, 1)
    job(connection)
    connection.set_progress_handler(None, 1)
    return steps


def _read_friend(connection: sqlite3.Connection) -> object:
    return _read.page(
        connection,
        "alice",
        after=VersionVector({"laptop": 2}),
        devices=None,
        scopes={"friend"},
        limit=10,
        max_bytes=1 << 20,
    )


def _read_newest(connection: sqlite3.Connection, *, scopes: set[str] | None = None) -> object:
    tops = _read.tops("alice", _rows.devices_of(connection, "alice"))
    after = tops.replace({"laptop": tops["laptop"] - 3})
    return _read.page(
        connection, "alice", after=after, devices=None, scopes=scopes, limit=10, max_bytes=1 << 20
    )


def _read_last_of_range(connection: sqlite3.Connection) -> object:
    return _read.page_of_range(
        connection, "alice", after=None, up_to=None, reverse=True, scopes=None, limit=10
    )


@pytest.mark.parametrize(
    "job",
    [
        _read_friend,
        _read_newest,
        lambda c: _read_newest(c, scopes={"private"}),
        _read_last_of_range,
        lambda c: _read.head(c, "alice"),
        lambda c: _read.tops("alice", _rows.devices_of(c, "alice")),
        lambda c: _read.logs(c, after=None, limit=5),
        lambda c: _append(c, "alice", 1, 2, device="tablet"),
    ],
    ids=["hidden", "newest", "newest in scope", "reversed", "head", "tops", "logs", "append"],
)
def test_a_call_costs_the_same_on_a_long_log(
    connection: sqlite3.Connection, job: Callable[[sqlite3.Connection], object]
) -> None:
    """A hundred times the entries, nearly all of them hidden from the friend: not a step more."""
    for device in ("desk", "laptop", "phone"):
        _append(connection, "alice", 1, 20, device=device)
    _append(connection, "alice", 1, 5, device="open", scope="friend")
    connection.execute("BEGIN")
    short = _steps(connection, job)
    connection.execute("ROLLBACK")
    for device in ("desk", "laptop", "phone"):
        _append(connection, "alice", 21, 2000, device=device)

    assert _steps(connection, job) == short


@pytest.mark.anyio
async def test_more_devices_than_one_statement_could_name(url: str) -> None:
    """SQLite joins at most 500 selects into one; a log may have more devices and scopes."""
    entries = [Entry(Seq(1000 + n % 7, 1, f"device{n}"), f"scope{n % 3}", b"1") for n in range(700)]
    async with open_stores(url) as (log, _):
        await log.append("alice", entries)
        page = await log.read(
            "alice",
            after=VersionVector(),
            scopes=["scope0", "scope1", "scope2"],
            limit=1000,
            max_bytes=1 << 20,
        )
        everything = await log.read_range("alice", limit=1000)

    assert list(page.entries) == sorted(entries, key=lambda entry: entry.seq)
    assert list(everything.entries) == list(page.entries)


@pytest.mark.anyio
async def test_a_call_is_one_hop(url: str, notes: Notes, caplog: pytest.LogCaptureFixture) -> None:
    """Each hop to the thread costs as much as reading fifty entries; the driver logs each."""
    async with open_stores(url) as (log, cursors):
        caplog.set_level(logging.DEBUG, logger="aiosqlite")
        calls = (
            log.append("alice", notes(1, 50)),
            log.read("alice", after=VersionVector(), limit=9, max_bytes=1 << 20),
            log.read_range("alice", limit=9),
            log.digests("alice", {"laptop": 3}),
            log.tops("alice"),
            log.head("alice"),
            cursors.advance("alice", "alice/phone", VersionVector({"laptop": 3})),
            cursors.load("alice", "alice/phone"),
        )
        hops = []
        for call in calls:
            caplog.clear()
            await call
            hops.append(sum(one.message.startswith("executing") for one in caplog.records))

    assert hops == [1] * 8
