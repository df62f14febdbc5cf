"""``serve``: the sync server."""

from __future__ import annotations

import errno
import logging
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.options import SERVER_PORT, StoreUrls, store_options
from strandlog.cli.running import in_event_loop
from strandlog.errors import InvalidArgumentError

if TYPE_CHECKING:
    from strandlog.protocol.limits import Limits

__all__ = ["serve"]


def _limit(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidArgumentError(f"{text!r} is not NAME=NUMBER, such as message_bytes=65536")
    return name, value


@click.command()
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    metavar="N",
    default=SERVER_PORT,
    show_default=True,
    help="0 takes a free one.",
)
@click.option(
    "--friends",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="JSON that says who is whose friend, and so sees the scope friend of whose log.",
)
@click.option(
    "--insecure",
    is_flag=True,
    help="Let other machines connect, although nobody has to authenticate.",
)
@click.option(
    "--limit",
    "limits",
    type=_limit,
    metavar="NAME=NUMBER",
    multiple=True,
    help="What is taken and given at most, such as message_bytes=65536; may be repeated.",
)
@click.option("--verbose", "-v", is_flag=True, help="Say on stderr who comes and goes.")
@store_options
@in_event_loop
async def serve(
    stores: StoreUrls,
    *,
    host: str,
    port: int,
    friends: Path | None,
    insecure: bool,
    limits: Sequence[tuple[str, str]],
    verbose: bool,
) -> None:
    """Serve the logs of a store to their devices, until Ctrl-C or SIGTERM.

    What was taken is answered before the end. Nobody has to authenticate yet, so other
    machines are let in only with --insecure.
    """
    from strandlog import server
    from strandlog.access import load_friends

    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s",
        level=logging.INFO if verbose else logging.WARNING,
    )
    access = load_friends(friends) if friends else None
    given = _checked_limits(dict(limits))
    async with server.open_app(stores.log, stores.cursors, access=access, limits=given) as app:
        try:
            await server.serve(app, host=host, port=port, insecure=insecure, announce=_announce)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise click.ClickException(
                f"port {port} of {host} is taken: give another --port, or end what listens there"
            ) from error


def _checked_limits(given: dict[str, str]) -> Limits:
    import msgspec

    from strandlog.protocol.limits import Limits

    known = [one.name for one in fields(Limits)]
    if unknown := sorted(set(given) - set(known)):
        raise click.UsageError(f"there is no limit {unknown[0]!r}, but: {', '.join(known)}")
    try:
        return msgspec.convert(given, Limits, strict=False)
    except msgspec.ValidationError as error:
        raise click.UsageError(f"--limit: {error}") from error


def _announce(url: str) -> None:
    click.echo(f"strandlog: serving on {url.replace('http', 'ws', 1)}; Ctrl-C ends", err=True)
