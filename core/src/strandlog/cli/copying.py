"""``copy`` and ``export``: whole logs, to another store or as text."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.options import StoreUrls, json_option
from strandlog.cli.output import entries_text, json_line, write
from strandlog.cli.running import in_event_loop
from strandlog.cli.whole_stores import counting, named_or_all, users_option

if TYPE_CHECKING:
    from strandlog.holdings import Copied

__all__ = ["copy", "export"]


@click.command()
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@users_option
@click.option("--source-cursors", metavar="URL", help="The cursors of the source, if elsewhere.")
@click.option("--target-cursors", metavar="URL", help="The cursors of the target, if elsewhere.")
@json_option
@in_event_loop
async def copy(
    source: str,
    target: str,
    *,
    users: Sequence[str],
    source_cursors: str | None,
    target_cursors: str | None,
    as_json: bool,
) -> None:
    """Copy whole logs from one store to another: entries, cursors, redactions, tombstones.

    Nobody else may write to either meanwhile. A copy that was broken off is completed
    by the same command. What the target has already has to be a part of the source.
    """
    from strandlog.holdings import copy_log

    if source == target:
        raise click.UsageError("source and target are one store")
    hasher = sha256()
    logs = added = 0
    async with (
        StoreUrls(source, source_cursors or source).open_existing() as here,
        StoreUrls(target, target_cursors or target).open() as there,
        counting("entries", here[0], users) as more,
    ):
        async for user in named_or_all(here[0], users):
            copied = await copy_log(
                here,
                there,
                user,
                on_entries=more,
                on_line=lambda line: hasher.update(line + b"\n"),
            )
            logs += 1
            added += copied.added
            _tell(copied, as_json=as_json)
    if as_json:
        json_line({"event": "done", "logs": logs, "added": added, "sha256": hasher.hexdigest()})
    else:
        write(f"{_logs_text(logs)}: {entries_text(added)} copied; both stores hold the same")
        write(f"sha256 of the export: {hasher.hexdigest()}")


def _tell(copied: Copied, *, as_json: bool) -> None:
    if as_json:
        json_line(
            {
                "event": "copied",
                "user": copied.user,
                "entries": copied.entries,
                "added": copied.added,
                "cursors": copied.cursors,
                "erased": copied.erased,
                "sha256": copied.sha256,
            }
        )
    elif copied.erased:
        write(f"{copied.user}: erased")
    else:
        write(
            f"{copied.user}: {entries_text(copied.entries)}, {copied.added} new;"
            f" {copied.cursors} cursor{'' if copied.cursors == 1 else 's'}"
        )


def _logs_text(count: int) -> str:
    return f"{count} log" if count == 1 else f"{count} logs"


@click.command()
@click.argument("url", metavar="URL")
@users_option
@click.option("--cursors", metavar="URL", help="The store of the cursors, if another.")
@in_event_loop
async def export(url: str, *, users: Sequence[str], cursors: str | None) -> None:
    """Print the canonical export of a store: the same lines on every backend."""
    from strandlog.holdings import export_lines

    async with StoreUrls(url, cursors or url).open_existing() as stores:
        async for user in named_or_all(stores[0], users):
            async for line in export_lines(stores, user):
                write(line)
