"""Databases that another version, another program or half an opening has left."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from strandlog.backend.registry import open_log_store
from strandlog.errors import StoreCorruptError, StoreUnavailableError, StoreVersionError

from .conftest import Notes
from .standin.faults import Fault
from .standin.http import StandIn

pytestmark = pytest.mark.anyio


def _ask(server: StandIn, query: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/",
        json.dumps(query).encode(),
        {"Authorization": "Bearer s3cret", "X-FaunaDB-API-Version": "4"},
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)["resource"]


@pytest.mark.parametrize("requests", range(5))
async def test_a_half_made_schema_is_completed(
    server: StandIn, url: str, notes: Notes, requests: int
) -> None:
    """The first opening dies after some requests; the second one makes the rest."""
    server.faults.push([None] * requests)
    server.faults.choose(lambda _: Fault.DROP_BEFORE)
    try:
        async with open_log_store(f"{url}?timeout=0.2"):
            pass
    except StoreUnavailableError:
        pass
    server.faults.choose(lambda _: None)

    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2))

        assert await store.tops("alice") == {"laptop": 2}


async def test_a_newer_schema_is_refused_and_left_alone(server: StandIn, url: str) -> None:
    async with open_log_store(url):
        pass
    meta = {"ref": {"collection": "strandlog_meta"}, "id": "1"}
    newer = {"object": {"data": {"object": {"version": 2}}}}
    _ask(server, {"update": meta, "params": newer})
    before = server.engine.store.last

    with pytest.raises(StoreVersionError, match="version 2"):
        async with open_log_store(url):
            pass

    assert server.engine.store.last == before


async def test_an_index_of_somebody_else_is_not_taken_for_ours(server: StandIn, url: str) -> None:
    _ask(server, {"create_collection": {"object": {"name": "strandlog_entry"}}})
    source = {"collection": "strandlog_entry"}
    _ask(server, {"create_index": {"object": {"name": "strandlog_entry_by_key", "source": source}}})

    with pytest.raises(StoreCorruptError, match="strandlog_entry_by_key"):
        async with open_log_store(url):
            pass


async def test_a_record_that_was_changed_is_told(server: StandIn, url: str, notes: Notes) -> None:
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 1))
        found = {"match": {"index": "strandlog_entry_by_key"}, "terms": ["alice", "laptop", 1]}
        damage = {"object": {"data": {"object": {"b": {"@bytes": "AAAA"}}}}}
        _ask(server, {"update": {"select": "ref", "from": {"get": found}}, "params": damage})

        with pytest.raises(StoreCorruptError, match="laptop 1"):
            await store.read_range("alice", limit=9)
