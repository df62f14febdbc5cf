"""The canonical export: what it says, and that it is one line for each thing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256

import pytest

from strandlog import Entry, VersionVector
from strandlog.errors import LogsDifferError
from strandlog.holdings import Stores, compare, export_hash, export_lines
from strandlog.protocol.codec import encode_entry

from .conftest import note

pytestmark = pytest.mark.anyio


async def test_a_log_is_a_header_its_entries_and_its_cursors(target: Stores) -> None:
    log, cursors = target
    entries = [note("desk", 1), note("desk", 2)]
    await log.append("alice", entries, upto=VersionVector({"desk": 5}))
    await cursors.advance("alice", "b", VersionVector({"desk": 1}))
    await cursors.advance("alice", "B", VersionVector({"desk": 2}))
    await log.erase("bob")

    assert [line async for line in export_lines(target)] == [
        b'{"export":1,"user":"alice","tops":{"desk":5},"floor":{}}',
        *map(encode_entry, entries),
        b'{"reader":"B","holds":{"desk":2}}',
        b'{"reader":"b","holds":{"desk":1}}',
        b'{"export":1,"user":"bob","erased":true}',
    ]


async def test_the_hash_is_that_of_the_file(source: Stores) -> None:
    text = b"".join([line + b"\n" async for line in export_lines(source)])

    assert await export_hash(source) == sha256(text).hexdigest()


@pytest.mark.parametrize("content", [b'{"a":\n1}', b"no JSON", b"\xff\n", b"", b" 1", b"1\r"])
async def test_any_content_is_one_line_of_json(target: Stores, content: bytes) -> None:
    """Stores take any bytes, and JSON may hold line feeds between its tokens."""
    entry = replace(note("desk", 1), content=content, meta=b'{"a":\n1}', digest="")
    await target[0].append("alice", [entry])

    _, line = [line async for line in export_lines(target)]

    assert (line.count(b"\n"), {"content_base64", "meta_base64"} <= json.loads(line).keys()) == (
        0,
        True,
    )


async def test_nobody_has_no_lines(target: Stores) -> None:
    """A log that never was and one whose tombstone was lifted are alike."""
    await target[0].erase("alice")
    await target[0].restore("alice")

    assert [line async for line in export_lines(target)] == []
    assert [line async for line in export_lines(target, "alice")] == []


async def test_what_is_added_meanwhile_is_left_out(source: Stores) -> None:
    lines = export_lines(source, "alice")
    header = await anext(lines)
    await source[0].append("alice", [note("laptop", 41)])

    assert b'"laptop":40' in header
    assert not [line async for line in lines if b":000000000041:laptop" in line]


async def test_what_goes_meanwhile_is_an_error(source: Stores) -> None:
    lines = export_lines(source, "alice")
    await anext(lines)
    await source[0].trim("alice", "laptop", up_to=25)

    with pytest.raises(LogsDifferError, match="was trimmed, erased or re-homed"):
        _ = [line async for line in lines]


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("carol", "here has erased this log and there has nothing of this log"),
        ("dave", "here has nothing of this log and there has this log"),
        ("bob", "here covers desk up to 20, there up to 3"),
        ("alice", "here has laptop 12 with digest .* and there with digest .* without its content"),
    ],
)
async def test_the_first_difference_is_named(
    source: Stores, target: Stores, user: str, says: str
) -> None:
    here = await source[0].read("alice", after=VersionVector(), limit=99, max_bytes=99_999)
    masked = [_masked(one) for one in here.entries]
    await target[0].append("alice", masked, upto=here.upto, floor=here.floor)
    await target[0].append("bob", [note("desk", 3)], upto=VersionVector({"desk": 3}))
    await target[0].append("dave", [note("desk", 1)])

    found = await compare(source, target, user, names=("here", "there"))

    assert found.difference is not None
    assert re.search(says, found.difference.text), found.difference.text


def _masked(entry: Entry) -> Entry:
    return entry.without_content() if entry.identity == ("laptop", 12) else entry
