"""``sync``: exchange with a server once, or stay connected."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import rich_click as click

from strandlog.cli.options import SERVER_PORT, StoreUrls, json_option, store_options
from strandlog.cli.output import entries_text, json_line, progress, write
from strandlog.cli.running import in_event_loop
from strandlog.model import Reader, check_user

if TYPE_CHECKING:
    from stamina.instrumentation import RetryDetails

    from strandlog.cli.news import Tally
    from strandlog.client import Connect, Event, Replica, Status

__all__ = ["sync"]

_LOOK_SECONDS = 1.0  # how late what another process adds is sent; a look costs one read


@click.command()
@click.argument("reader", type=Reader.parse, metavar="USER/DEVICE")
@click.argument(
    "server",
    metavar="[SERVER_URL]",
    envvar="STRANDLOG_SERVER",
    default=f"ws://127.0.0.1:{SERVER_PORT}",
)
@click.option("--live", is_flag=True, help="Stay connected, and print what arrives.")
@click.option(
    "--follow",
    "followed",
    type=check_user,
    metavar="USER",
    multiple=True,
    help="Copy this user's log too, as far as it may be seen; may be repeated.",
)
@json_option
@store_options
@in_event_loop
async def sync(
    stores: StoreUrls,
    reader: Reader,
    server: str,
    *,
    live: bool,
    followed: Sequence[str],
    as_json: bool,
) -> None:
    """Exchange entries with a server, as a device of a user.

    The server is ws://127.0.0.1:8420 unless SERVER_URL or the environment variable
    STRANDLOG_SERVER names another. Whatever was lost or differs on one of the two
    sides is mended, and said.
    """
    from strandlog.client import open_replica, websocket_transport

    connect = websocket_transport(server)
    async with open_replica(
        *reader, stores.log, cursors=stores.cursors, follow=followed
    ) as replica:
        if live:
            await _stay(replica, connect, as_json=as_json)
        else:
            await _exchange(replica, connect, as_json=as_json)


async def _exchange(replica: Replica, connect: Connect, *, as_json: bool) -> None:
    from strandlog.cli.news import Tally, tell

    tally = Tally()
    unsent = (await replica.status()).unsent
    try:
        with progress() as show:

            def take(event: Event) -> None:
                tally.count(event)
                show("sending", tally.sent, unsent)
                show("receiving", tally.received, None)

            await _listening(replica, take, partial(replica.sync, connect))
    finally:
        # Here, so that the lines do not run into the progress bar.
        for event in tally.repairs:
            tell(event, as_json=as_json)
    _tell_result(await replica.status(), tally, as_json=as_json)
    if tally.refused:
        raise click.ClickException(f"{replica.reader}: a part was refused, as said above")


def _tell_result(status: Status, tally: Tally, *, as_json: bool) -> None:
    if as_json:
        json_line(
            {
                "event": "synced",
                "reader": str(status.reader),
                "sent": tally.sent,
                "received": tally.received,
                "recovered": tally.recovered,
                "last_synced": status.last_synced,
                "unsent": status.unsent,
            }
        )
        return
    received = entries_text(tally.received)
    if tally.recovered:
        received += f", {tally.recovered} of them its own, which it had lost"
    write(
        f"{status.reader}: sent {entries_text(tally.sent)}, received {received};"
        f" the server has {status.last_synced} of {status.last_added}"
    )


async def _stay(replica: Replica, connect: Connect, *, as_json: bool) -> None:
    from stamina.instrumentation import set_on_retry_hooks

    from strandlog.cli.news import tell

    def take(event: Event) -> None:
        tell(event, as_json=as_json)
        sys.stdout.flush()

    set_on_retry_hooks([_tell_retry])
    await _listening(replica, take, partial(replica.run, connect), partial(_send_news, replica))


async def _send_news(replica: Replica) -> None:
    """Have sent what other processes add to this store, of which nobody tells the replica."""
    import anyio

    sent = 0
    while True:
        await anyio.sleep(_LOOK_SECONDS)
        user, device = replica.reader
        top = (await replica.log.tops(user))[device]
        if top != sent:
            sent = top
            await replica.add_many([])  # adds nothing, and wakes the connection


def _tell_retry(details: RetryDetails) -> None:
    click.echo(
        f"strandlog: {details.caused_by}; trying again in {details.wait_for:.1f} s", err=True
    )


async def _listening(
    replica: Replica,
    take: Callable[[Event], None],
    syncing: Callable[[], Coroutine[Any, Any, None]],
    *beside: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """Run *syncing* to its end, and *beside* it what has none; hand over every event."""
    import anyio

    async with replica.events() as events:

        async def listen() -> None:
            async for event in events:
                take(event)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            for one in beside:
                tasks.start_soon(one)
            try:
                await syncing()
            finally:
                tasks.cancel_scope.cancel()
                with suppress(anyio.WouldBlock):
                    while True:
                        take(events.receive_nowait())
