"""The canonical export: a log as lines of JSON, the same lines on every backend.

For each user, in bytewise order::

    {"export":1,"user":"alice","tops":{…},"floor":{…}}    or "erased":true for both
    {"seq":"…","scope":"private","content":…}             its entries, by device and counter
    {"reader":"alice/phone","holds":{…}}                  its cursors, by reader

Entries are written as they travel in a frame. Tops say what is covered, which in a
copy with holes is more than the entries say. The epoch is not in it: it tells
stores apart, and not what they hold.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256

import msgspec

from strandlog.backend.store import CursorStore, LogStore
from strandlog.errors import InvalidContentError
from strandlog.holdings.walk import Outline, Stores, entries, outline, users
from strandlog.model import Entry, check_content
from strandlog.protocol.codec import encode_entry

__all__ = ["cursor_lines", "entry_line", "export_hash", "export_lines", "header_line", "user_lines"]

_FORMAT = 1


async def export_lines(stores: Stores, user: str | None = None) -> AsyncIterator[bytes]:
    """Yield the canonical export of everything, or of one user, without line feeds.

    Two stores hold the same exactly if their exports are equal. A log that nobody
    has and nobody has read gives no line. Cursors are found by their log: those
    of a user without one come only if that user is asked for.

    Entries that come meanwhile are left out, as long as nobody trims, erases or
    re-homes; then ``LogsDifferError`` is raised, and the same call may be repeated.
    """
    log_store, _ = stores
    if user is not None:
        async for line in user_lines(stores, await outline(log_store, user)):
            yield line
        return
    async for name in users(log_store):
        async for line in user_lines(stores, await outline(log_store, name, listed=True)):
            yield line


async def export_hash(stores: Stores, user: str | None = None) -> str:
    """Return the SHA-256, in hex, of the export as a file with a line feed after each line."""
    hasher = sha256()
    async for line in export_lines(stores, user):
        hasher.update(line + b"\n")
    return hasher.hexdigest()


async def user_lines(stores: Stores, log: Outline) -> AsyncIterator[bytes]:
    """Yield the part of the export that is about one log."""
    log_store, cursor_store = stores
    if log.known:
        yield header_line(log)
    for device in log.tops:
        async for line in _device_lines(log_store, log, device):
            yield line
    for line in await cursor_lines(cursor_store, log.user):
        yield line


async def _device_lines(store: LogStore, log: Outline, device: str) -> AsyncIterator[bytes]:
    async for entry in entries(store, log, device):
        yield entry_line(entry)


def header_line(log: Outline) -> bytes:
    """Return the line with which a user's part begins."""
    if log.erased:
        return msgspec.json.encode({"export": _FORMAT, "user": log.user, "erased": True})
    return msgspec.json.encode(
        {"export": _FORMAT, "user": log.user, "tops": dict(log.tops), "floor": dict(log.floor)}
    )


def entry_line(entry: Entry) -> bytes:
    """Return the line of one entry.

    A store takes any bytes as content, and JSON may hold line feeds between its
    tokens. What would not be one line of JSON stands there in base64 instead,
    under ``content_base64`` and ``meta_base64``.
    """
    if _is_one_line(entry.content) and _is_one_line(entry.meta):
        return encode_entry(entry)
    values: dict[str, object] = {"seq": entry.seq.encode(), "scope": entry.scope}
    if entry.content is None:
        values |= {"digest": entry.digest, "redacted": True}
    else:
        values["content_base64"] = b64encode(entry.content).decode()
    if entry.redacts is not None:
        values["redacts"] = entry.redacts
    if entry.meta is not None:
        values["meta_base64"] = b64encode(entry.meta).decode()
    return msgspec.json.encode(values)


def _is_one_line(text: bytes | None) -> bool:
    if text is None:
        return True
    if b"\n" in text or b"\r" in text:
        return False
    try:
        check_content(text)
    except InvalidContentError:
        return False
    return True


async def cursor_lines(store: CursorStore, user: str) -> list[bytes]:
    """Return the lines of all cursors of one log."""
    readers = await store.readers(user)
    return [
        msgspec.json.encode({"reader": reader, "holds": dict(readers[reader])})
        for reader in sorted(readers)
    ]
