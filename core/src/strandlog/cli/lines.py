"""Lines of a pipe, turned into the contents of entries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from io import BufferedIOBase

import msgspec

from strandlog.errors import InvalidContentError
from strandlog.model import check_content

__all__ = ["BATCH_MAX", "LINE_BYTES_MAX", "content_of_json", "content_of_text", "read_contents"]

BATCH_MAX = 500  # entries made durable at once: more gains little (bench/README.md)
LINE_BYTES_MAX = 16_777_216  # far more than a frame takes, far less than memory holds

_CHUNK_BYTES = 65_536  # as much as a pipe holds


def content_of_text(line: bytes) -> bytes:
    """Return a line of text as content: the JSON string of exactly these characters.

    Raises:
        InvalidContentError: It is not UTF-8.
    """
    try:
        return msgspec.json.encode(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidContentError(f"not UTF-8 at byte {error.start + 1}") from error


def content_of_json(line: bytes) -> bytes:
    """Return a JSON value as content: byte for byte, without white space around it.

    Raises:
        InvalidContentError: It is not one JSON value.
    """
    return check_content(line.strip(b" \t\r"))


async def read_contents(
    stream: BufferedIOBase, content_of: Callable[[bytes], bytes], *, skip_empty: bool
) -> AsyncIterator[list[bytes]]:
    """Yield the contents of the lines of *stream*, in batches, as they come.

    Lines end with a line feed, which is no part of them; the last may lack it.
    A batch holds what was there to read, so slow lines are not held back and
    fast ones come many at a time.

    Raises:
        InvalidContentError: A line cannot be content; the message says which.
            All lines before it have been yielded.
    """
    number = 0
    async for lines in _lines(stream):
        batch: list[bytes] = []
        refusal = None
        for line in lines:
            number += 1
            if skip_empty and not line.strip():
                continue
            try:
                batch.append(content_of(line))
            except InvalidContentError as error:
                refusal = error
                break
        for some in _cut(batch):
            yield some
        if refusal is not None:
            raise InvalidContentError(f"line {number}: {refusal}") from refusal


def _cut(batch: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(batch), BATCH_MAX):
        yield batch[start : start + BATCH_MAX]


async def _lines(stream: BufferedIOBase) -> AsyncIterator[list[bytes]]:
    rest = b""
    while chunk := await _next_chunk(stream):
        *lines, rest = (rest + chunk).split(b"\n")
        yield lines
        if len(rest) > LINE_BYTES_MAX:
            raise InvalidContentError(f"a line is longer than {LINE_BYTES_MAX} bytes")
    if rest:
        yield [rest]


async def _next_chunk(stream: BufferedIOBase) -> bytes:
    """Read what is there, and wait for it so that Ctrl-C is heard meanwhile."""
    import anyio

    # A file and /dev/null cannot be waited for: they are always ready.
    with suppress(OSError):
        await anyio.wait_readable(stream.fileno())
    return stream.read1(_CHUNK_BYTES)
