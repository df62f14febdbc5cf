"""Lines of a pipe as the contents of entries."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import anyio
import pytest

from strandlog.cli.lines import (
    BATCH_MAX,
    LINE_BYTES_MAX,
    content_of_json,
    content_of_text,
    read_contents,
)
from strandlog.errors import InvalidContentError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def contents(
    data: bytes,
    content_of: Callable[[bytes], bytes] = content_of_text,
    *,
    skip_empty: bool = False,
) -> list[bytes]:
    batches = read_contents(io.BytesIO(data), content_of, skip_empty=skip_empty)
    return [content async for batch in batches for content in batch]


async def test_each_line_is_a_json_string() -> None:
    held = await contents('plain\n"quoted"\ttab\nköln 😀\n'.encode())

    assert held == [b'"plain"', b'"\\"quoted\\"\\ttab"', '"köln 😀"'.encode()]


async def test_empty_lines_are_kept() -> None:
    """A commit message has some; without them it could not be put together again."""
    assert await contents(b"\na\n\n") == [b'""', b'"a"', b'""']


async def test_empty_lines_are_passed_over_if_asked() -> None:
    assert await contents(b"\na\n \t\nb", skip_empty=True) == [b'"a"', b'"b"']


async def test_last_line_needs_no_line_feed() -> None:
    assert await contents(b"a\nb") == [b'"a"', b'"b"']


async def test_carriage_return_and_blanks_belong_to_a_line_of_text() -> None:
    assert await contents(b" a \r\n") == [b'" a \\r"']


async def test_json_is_kept_byte_for_byte_without_blanks_around() -> None:
    held = await contents(b'  {"b" : 1.0,"a":[ ]}\r\n\t"\\u00e9"\n', content_of_json)

    assert held == [b'{"b" : 1.0,"a":[ ]}', b'"\\u00e9"']


async def test_nothing_in_nothing_out() -> None:
    assert await contents(b"") == []


@pytest.mark.parametrize(
    ("data", "content_of", "told"),
    [
        (b"a\nb\n\xff\nc\n", content_of_text, "line 3: not UTF-8 at byte 1"),
        (b"1\n2\n[\n4\n", content_of_json, "line 3: content is not one JSON value"),
        (b"1\n2\n\n4\n", content_of_json, "line 3: content is not one JSON value"),
        (b"1\n2\n3 4\n", content_of_json, "line 3: content is not one JSON value"),
    ],
)
async def test_line_that_cannot_be_content_is_named_after_those_before_it(
    data: bytes, content_of: Callable[[bytes], bytes], told: str
) -> None:
    """Then it is clear from where to go on."""
    held: list[bytes] = []

    async def read() -> None:
        async for batch in read_contents(io.BytesIO(data), content_of, skip_empty=False):
            held.extend(batch)

    with pytest.raises(InvalidContentError, match=told):
        await read()

    assert len(held) == 2


async def test_batches_are_of_bounded_size() -> None:
    stream = io.BytesIO(b"\n" * (3 * BATCH_MAX + 1))
    sizes = [len(one) async for one in read_contents(stream, content_of_text, skip_empty=False)]

    assert sizes == [BATCH_MAX, BATCH_MAX, BATCH_MAX, 1]


async def test_line_across_many_reads_stays_whole() -> None:
    line = b"x" * 300_000

    assert await contents(line + b"\nshort") == [b'"' + line + b'"', b'"short"']


async def test_line_without_end_is_refused_before_it_fills_the_memory() -> None:
    class Endless(io.BytesIO):
        def read1(self, size: int | None = -1, /) -> bytes:
            return b"x" * (size or 0)

    batches = read_contents(Endless(), content_of_text, skip_empty=False)

    with pytest.raises(InvalidContentError, match=f"longer than {LINE_BYTES_MAX} bytes"):
        await anext(batches)


async def test_slow_lines_are_not_held_back() -> None:
    """As in "tail -f notes | strandlog add": what was written is there, more may come."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb", buffering=0) as pen:
        batches = read_contents(stream, content_of_text, skip_empty=False)
        with anyio.fail_after(10):
            pen.write(b"one\ntw")
            first = await anext(batches)
            pen.write(b"o\n")
            second = await anext(batches)

    assert (first, second) == ([b'"one"'], [b'"two"'])


async def test_waiting_for_a_line_can_be_cancelled() -> None:
    """Ctrl-C while nothing comes: a read that blocks the event loop would not hear it."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stream, os.fdopen(writing, "wb"):
        batches = read_contents(stream, content_of_text, skip_empty=False)
        with anyio.move_on_after(0.05) as waiting:
            await anext(batches)

    assert waiting.cancelled_caught
