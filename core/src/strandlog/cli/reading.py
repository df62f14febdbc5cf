"""``log``, ``head``, ``tops`` and ``cursors``: what a store holds of one log."""

from __future__ import annotations

from collections.abc import Sequence

import rich_click as click

from strandlog.cli.options import StoreUrls, json_option, store_options
from strandlog.cli.output import entry_text, json_line, table, vector_text, write
from strandlog.cli.running import in_event_loop
from strandlog.log import Log
from strandlog.model import Seq, check_device, check_scope, check_user

__all__ = ["cursors", "head", "log", "tops"]


@click.command()
@click.argument("user", type=check_user, metavar="USER")
@click.option("--after", type=Seq.parse, metavar="SEQ", help="Only what sorts after it.")
@click.option("--up-to", type=Seq.parse, metavar="SEQ", help="Only up to it, itself included.")
@click.option("--reverse", is_flag=True, help="The newest first.")
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="No more than N entries.")
@click.option(
    "--scope",
    "scopes",
    type=check_scope,
    metavar="SCOPE",
    multiple=True,
    help="Only of this scope; may be repeated.",
)
@click.option(
    "--device",
    "devices",
    type=check_device,
    metavar="DEVICE",
    multiple=True,
    help="Only of this device; may be repeated.",
)
@json_option
@store_options
@in_event_loop
async def log(
    stores: StoreUrls,
    user: str,
    *,
    after: Seq | None,
    up_to: Seq | None,
    reverse: bool,
    limit: int | None,
    scopes: Sequence[str],
    devices: Sequence[str],
    as_json: bool,
) -> None:
    """Print the entries of a log in their order.

    With --json each entry is one line, as it travels in a frame: replicas that
    hold the same entries print the same bytes.
    """
    from strandlog.protocol.codec import encode_entry

    printed = 0
    async with stores.open_existing() as (log_store, _):
        entries = Log(log_store).entries(
            user, after=after, up_to=up_to, reverse=reverse, scopes=scopes or None
        )
        async for entry in entries:
            if printed == limit:
                break
            if not devices or entry.device in devices:
                write(encode_entry(entry) if as_json else entry_text(entry))
                printed += 1


@click.command()
@click.argument("user", type=check_user, metavar="USER")
@json_option
@store_options
@in_event_loop
async def head(stores: StoreUrls, user: str, *, as_json: bool) -> None:
    """Print the greatest seq of a log; nothing if it is empty."""
    async with stores.open_existing() as (log_store, _):
        found = await log_store.head(user)
    if as_json:
        json_line({"head": found and found.encode()})
    elif found is not None:
        write(found.encode())


@click.command()
@click.argument("user", type=check_user, metavar="USER")
@json_option
@store_options
@in_event_loop
async def tops(stores: StoreUrls, user: str, *, as_json: bool) -> None:
    """Print how far the store covers each device of a log."""
    async with stores.open_existing() as (log_store, _):
        found = dict(await log_store.tops(user))
    if as_json:
        json_line(found)
    else:
        table(("device", "top"), [(device, str(top)) for device, top in found.items()])


@click.command()
@click.argument("user", type=check_user, metavar="USER")
@json_option
@store_options
@in_event_loop
async def cursors(stores: StoreUrls, user: str, *, as_json: bool) -> None:
    """Print what each reader of a log is known to hold.

    On a server, readers are devices, written alice/phone; on a device, ~server is
    how much of its own entries the server is known to hold.
    """
    async with stores.open_existing() as (_, cursor_store):
        readers = await cursor_store.readers(user)
    found = {reader: dict(readers[reader]) for reader in sorted(readers)}
    if as_json:
        json_line(found)
    else:
        table(("reader", "holds"), [(reader, vector_text(held)) for reader, held in found.items()])
