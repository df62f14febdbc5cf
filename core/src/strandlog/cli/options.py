"""Options that several commands share, and what they stand for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from click.core import ParameterSource

if TYPE_CHECKING:
    from strandlog.backend.store import CursorStore, LogStore

__all__ = ["SERVER_PORT", "StoreUrls", "json_option", "store_options"]

SERVER_PORT = 8420
"""Where a server listens, and a client looks for it, unless told otherwise."""

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class StoreUrls:
    """Where a command finds its log and its cursors."""

    log: str
    cursors: str

    def open(self) -> AbstractAsyncContextManager[tuple[LogStore, CursorStore]]:
        """Open both stores, creating what is not there."""
        from strandlog.backend.registry import open_stores

        return open_stores(self.log, self.cursors)

    @asynccontextmanager
    async def open_existing(self) -> AsyncIterator[tuple[LogStore, CursorStore]]:
        """Open both stores for a command that only reads.

        Raises:
            click.ClickException: A store of files does not exist: a misspelt
                URL must not leave an empty store behind.
        """
        for url in (self.log, self.cursors):
            _check_exists(url)
        async with self.open() as stores:
            yield stores


def _check_exists(url: str) -> None:
    from strandlog.backend.registry import plugin
    from strandlog.backend.url import Location, StoreUrl

    parsed = StoreUrl.parse(url)
    found = plugin(parsed.scheme)
    backend = found.log or found.cursors
    if backend is None or backend.location is not Location.FILE:
        return
    parsed.check_location(backend.location)
    if not Path(parsed.file_path).exists():
        raise click.ClickException(
            f"{parsed}: there is no such store; strandlog add, sync and serve make one"
        )


def store_options(command: CommandT) -> CommandT:
    """Give *command* the options that name its stores, as one argument ``stores``."""

    @click.option(
        "--store",
        metavar="URL",
        envvar="STRANDLOG_STORE",
        show_envvar=True,
        help="The store of the log and of the cursors.",
    )
    @click.option("--log", "log_url", metavar="URL", help="The store of the log, if not --store.")
    @click.option(
        "--cursors", "cursors_url", metavar="URL", help="The store of the cursors, if another."
    )
    @click.pass_context
    @wraps(command)
    def with_stores(
        ctx: click.Context,
        /,
        *args: Any,
        store: str | None,
        log_url: str | None,
        cursors_url: str | None,
        **kwargs: Any,
    ) -> Any:
        from_words = ctx.get_parameter_source("store") is ParameterSource.COMMANDLINE
        if store and log_url and from_words:
            raise click.UsageError("--store already names the store of the log: leave out --log")
        log_url = log_url or store
        if not log_url:
            raise click.UsageError(
                "no store is named: give --store sqlite:///notes.db, or set STRANDLOG_STORE"
            )
        return command(*args, stores=StoreUrls(log_url, cursors_url or log_url), **kwargs)

    return with_stores  # type: ignore[return-value]  # the same command, seen from the callback


def json_option(command: CommandT) -> CommandT:
    """Give *command* the switch ``--json``, as the argument ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(
        command
    )
