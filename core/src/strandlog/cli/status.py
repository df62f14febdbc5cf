"""``status``: where a log stands, and what of a device the server does not have yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.options import StoreUrls, json_option, store_options
from strandlog.cli.output import json_line, moment, vector_text, write
from strandlog.cli.running import in_event_loop
from strandlog.model import Reader, check_user

if TYPE_CHECKING:
    from strandlog.backend.store import CursorStore, LogStore

__all__ = ["status"]


def _user_or_reader(text: str) -> tuple[str, str | None]:
    if "/" in text:
        return Reader.parse(text)
    return check_user(text), None


@click.command()
@click.argument("who", type=_user_or_reader, metavar="USER[/DEVICE]")
@json_option
@store_options
@in_event_loop
async def status(stores: StoreUrls, who: tuple[str, str | None], *, as_json: bool) -> None:
    """Show where a log stands.

    With DEVICE, on that device's own store: also what it has added, how much of that
    the server is known to hold, and since when the rest has been waiting.
    """
    user, device = who
    async with stores.open_existing() as (log_store, cursor_store):
        found = await _log_status(log_store, user)
        if device is not None:
            found |= await _device_status(log_store, cursor_store, Reader(user, device))
    if as_json:
        json_line(found)
        return
    for name, value in found.items():
        write(f"{name.replace('_', ' '):<13}{_shown(name, value)}")


async def _log_status(log_store: LogStore, user: str) -> dict[str, object]:
    from strandlog.vector import VersionVector

    # Nothing is read: tops and floors of one snapshot are what is wanted.
    page = await log_store.read(user, after=VersionVector(), limit=0, max_bytes=0)
    head = await log_store.head(user)
    return {
        "user": user,
        "head": head and head.encode(),
        "tops": dict(page.tops),
        "floors": dict(page.floor),
    }


async def _device_status(
    log_store: LogStore, cursor_store: CursorStore, reader: Reader
) -> dict[str, object]:
    from strandlog.client import Replica

    replica = Replica(*reader, log=log_store, cursors=cursor_store)
    found = await replica.status()
    return {
        "device": found.reader.device,
        "last_added": found.last_added,
        "last_synced": found.last_synced,
        "unsent": found.unsent,
        "unsent_since": found.unsent_since,
    }


def _shown(name: str, value: object) -> str:
    if isinstance(value, dict):
        return vector_text(value)
    if value is None:
        return "nothing"
    if name == "unsent_since" and isinstance(value, int):
        return moment(value)
    return str(value)
