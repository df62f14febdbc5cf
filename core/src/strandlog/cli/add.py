"""``add``: new entries, from words on the command line or lines of a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING, cast

import rich_click as click

from strandlog.cli.lines import content_of_json, content_of_text, read_contents
from strandlog.cli.options import StoreUrls, json_option, store_options
from strandlog.cli.output import entries_text, json_line, progress, write
from strandlog.cli.running import in_event_loop
from strandlog.errors import InvalidArgumentError, InvalidContentError, StrandlogError
from strandlog.model import Identity, Reader, Seq, check_scope

if TYPE_CHECKING:
    import io

    from strandlog.client import Replica

__all__ = ["add"]

DEFAULT_SCOPE = "private"
FROM_PIPE = ("-",)


def _identity(text: str) -> Identity:
    device, colon, counter = text.rpartition(":")
    if not colon or not (counter.isascii() and counter.isdigit()):
        raise InvalidArgumentError(f"{text!r} is not DEVICE:COUNTER, such as phone:3")
    return Seq(0, int(counter), device).identity


@click.command()
@click.argument("reader", type=Reader.parse, metavar="USER/DEVICE")
@click.argument("contents", nargs=-1, metavar="[CONTENT...|-]")
@click.option(
    "--scope",
    type=check_scope,
    metavar="SCOPE",
    help="Who may see the entries: private unless given, or that of what is redacted.",
)
@click.option("--json-lines", is_flag=True, help="Each line, or CONTENT, is a JSON value.")
@click.option("--skip-empty", is_flag=True, help="Pass over lines of white space alone.")
@click.option(
    "--redacts",
    type=_identity,
    metavar="DEVICE:COUNTER",
    help="The entry whose content the new one takes away.",
)
@json_option
@store_options
@in_event_loop
async def add(
    stores: StoreUrls,
    reader: Reader,
    contents: Sequence[str],
    *,
    scope: str | None,
    json_lines: bool,
    skip_empty: bool,
    redacts: Identity | None,
    as_json: bool,
) -> None:
    """Add entries to a log, as one of its devices.

    Each CONTENT becomes one entry; - takes the lines of standard input, also empty
    ones. Text is kept as a JSON string, and a JSON value byte for byte. What is
    reported as added is durable, online or not.
    """
    if redacts is not None and (contents == FROM_PIPE or len(contents) > 1):
        raise click.UsageError("--redacts takes one CONTENT, or none")
    if "-" in contents and contents != FROM_PIPE:
        raise click.UsageError("- takes lines of a pipe, and no CONTENT beside it")
    if not contents and redacts is None:
        raise click.UsageError("nothing to add: give CONTENT, or - to take lines of a pipe")
    from strandlog.client import Draft, open_replica

    content_of = content_of_json if json_lines else content_of_text
    from_pipe = contents == FROM_PIPE
    given = [] if from_pipe else [_content(word, content_of) for word in contents] or [b"null"]
    async with open_replica(*reader, stores.log, cursors=stores.cursors) as replica:
        if from_pipe:
            stream = cast("io.BufferedIOBase", sys.stdin.buffer)
            lines = read_contents(stream, content_of, skip_empty=skip_empty)
            added = await _add_batches(replica, lines, scope or DEFAULT_SCOPE)
        else:
            scope = await _agreed_scope(replica, scope, redacts)
            added = len(await replica.add_many([Draft(one, scope, redacts) for one in given]))
        await _tell_added(replica, added, as_json=as_json)


def _content(word: str, content_of: Callable[[bytes], bytes]) -> bytes:
    try:
        return content_of(os.fsencode(word))
    except InvalidContentError as error:
        raise click.UsageError(f"{word!r}: {error}") from error


async def _agreed_scope(replica: Replica, scope: str | None, redacts: Identity | None) -> str:
    """Return the scope to write in: an entry that redacts has that of its target."""
    if redacts is None:
        return scope or DEFAULT_SCOPE
    device, counter = redacts
    page = await replica.log.read(
        replica.reader.user, after={device: counter - 1}, devices=[device], limit=1
    )
    held = {entry.identity: entry.scope for entry in page.entries}.get(redacts)
    if scope and held and scope != held:
        raise click.UsageError(f"{device}:{counter} has the scope {held}: redact it in that")
    return scope or held or DEFAULT_SCOPE


async def _add_batches(replica: Replica, batches: AsyncIterator[list[bytes]], scope: str) -> int:
    """Add batch after batch; say how many were added, also if it ends before the last."""
    import anyio

    from strandlog.client import Draft

    before = (await replica.status()).last_added
    added = 0
    try:
        with progress() as show:
            async for batch in batches:
                await replica.add_many([Draft(content, scope) for content in batch])
                added += len(batch)
                show("adding", added, None)
    except StrandlogError as error:
        raise click.ClickException(f"{error}; {entries_text(added)} added before that") from error
    except anyio.get_cancelled_exc_class():
        # The store knows best what became of the batch under way.
        after = (await replica.status()).last_added
        click.echo(f"strandlog: interrupted; {entries_text(after - before)} added", err=True)
        raise
    return added


async def _tell_added(replica: Replica, added: int, *, as_json: bool) -> None:
    status = await replica.status()
    head = str(status.head) if status.head else None
    if as_json:
        json_line(
            {
                "reader": str(status.reader),
                "added": added,
                "last_added": status.last_added,
                "head": head,
            }
        )
    else:
        write(
            f"{status.reader}: {entries_text(added)} added; own top {status.last_added},"
            f" head {head or 'nothing'}"
        )
