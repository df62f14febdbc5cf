"""``trim``, ``erase`` and ``restore``: what leaves a store for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.options import StoreUrls, json_option, store_options
from strandlog.cli.output import json_line, vector_text, write
from strandlog.cli.running import in_event_loop
from strandlog.model import COUNTER_MAX, Reader, check_user

if TYPE_CHECKING:
    from strandlog.log import Log

__all__ = ["erase", "restore", "trim"]

_DAY_MILLIS = 86_400_000


@click.command()
@click.argument("reader", type=Reader.parse, metavar="USER/DEVICE")
@click.option(
    "--up-to",
    type=click.IntRange(0, COUNTER_MAX),
    metavar="COUNTER",
    help="Remove the entries up to this counter.",
)
@click.option(
    "--keep-days",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Remove the entries that are older.",
)
@json_option
@store_options
@in_event_loop
async def trim(
    stores: StoreUrls,
    reader: Reader,
    *,
    up_to: int | None,
    keep_days: float | None,
    as_json: bool,
) -> None:
    """Remove the oldest entries of a device, but never its newest.

    Readers that lack them are told, and go on with what is left. Copies on devices stay.
    """
    from strandlog.client.local import wall_clock
    from strandlog.log import Log

    if (up_to is None) == (keep_days is None):
        raise click.UsageError("give either --up-to or --keep-days")
    user, device = reader
    async with stores.open_existing() as (log_store, _):
        log = Log(log_store)
        if keep_days is not None:
            up_to = await _older(log, reader, wall_clock() - int(keep_days * _DAY_MILLIS))
        floors = await log.trim(user, device, up_to=up_to or 0)
    if as_json:
        json_line({"user": user, "floors": dict(floors)})
    else:
        write(f"{user}: {vector_text(floors)} trimmed")


async def _older(log: Log, reader: Reader, before_millis: int) -> int:
    """Return the last counter of a device that was stamped before a moment, or 0."""
    from strandlog.vector import VersionVector

    user, device = reader
    counter = 0
    while True:
        page = await log.read(user, after=VersionVector({device: counter}), devices=[device])
        for entry in page.entries:
            if entry.seq.timestamp >= before_millis:
                return counter
            counter = entry.counter
        if not page.more:
            return counter


@click.command()
@click.argument("user", type=check_user)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@store_options
@in_event_loop
async def erase(stores: StoreUrls, user: str, *, yes: bool, as_json: bool) -> None:
    """Remove a whole log, and what is known of its readers.

    Devices are told: the user's own keep what they have, others delete their copy.
    """
    from strandlog.log import Log

    async with stores.open_existing() as (log_store, cursor_store):
        if not yes:
            click.confirm(f"Erase the log of {user} from {stores.log}?", abort=True, err=True)
        await Log(log_store).erase(user, cursors=cursor_store)
    if as_json:
        json_line({"user": user, "erased": True})
    else:
        write(f"{user}: erased")


@click.command()
@click.argument("user", type=check_user)
@json_option
@store_options
@in_event_loop
async def restore(stores: StoreUrls, user: str, *, as_json: bool) -> None:
    """Let an erased log begin anew. What was erased does not come back from here."""
    from strandlog.log import Log

    async with stores.open_existing() as (log_store, _):
        generation = await Log(log_store).restore(user)
    if as_json:
        json_line({"user": user, "generation": generation})
    else:
        write(f"{user}: restored; erased {generation} times so far")
