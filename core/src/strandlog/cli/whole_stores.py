"""What commands on whole stores share: whose logs, and how far they have come."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from strandlog.cli.output import progress
from strandlog.model import check_user

if TYPE_CHECKING:
    from strandlog.backend.store import LogStore

__all__ = ["counting", "named_or_all", "users_option"]

CommandT = TypeVar("CommandT", bound=Callable[..., Any])


def users_option(command: CommandT) -> CommandT:
    """Give *command* the option ``--user``, as the argument ``users``."""
    return click.option(
        "--user",
        "users",
        type=check_user,
        metavar="USER",
        multiple=True,
        help="Only this user's log; may be repeated.",
    )(command)


async def named_or_all(store: LogStore, users: Sequence[str]) -> AsyncIterator[str]:
    """Yield *users*, or everyone who has a log if none is named.

    Raises:
        click.ClickException: A named user has none.
    """
    from strandlog.holdings import outline
    from strandlog.holdings import users as everyone

    if not users:
        async for user in everyone(store):
            yield user
    for user in sorted(set(users)):
        if not (await outline(store, user)).known:
            raise click.ClickException(f"{user}: there is no such log in the store")
        yield user


@asynccontextmanager
async def counting(
    what: str, store: LogStore, users: Sequence[str]
) -> AsyncIterator[Callable[[int], None]]:
    """Give what is told how many more entries are done, and shows it on a terminal."""
    total = done = 0
    # Only who looks wants to know how far it is, and to count takes a while.
    if sys.stderr.isatty():
        from strandlog.holdings import count_entries

        async for user in named_or_all(store, users):
            total += await count_entries(store, user)
    with progress() as show:

        def more(count: int) -> None:
            nonlocal done
            done += count
            show(what, done, total)

        yield more
