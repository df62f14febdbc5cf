"""``verify``: whether a store is sound, and whether two hold the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.options import StoreUrls, json_option
from strandlog.cli.output import entries_text, json_line, printable, write
from strandlog.cli.running import in_event_loop
from strandlog.cli.whole_stores import counting, named_or_all, users_option

if TYPE_CHECKING:
    from strandlog.holdings import Stores

__all__ = ["verify"]


@click.command()
@click.argument("url", metavar="URL")
@click.argument("other", metavar="[URL2]", required=False)
@users_option
@click.option("--dense", is_flag=True, help="No log may have holes, as in a server's store.")
@json_option
@in_event_loop
async def verify(
    url: str,
    *,
    other: str | None,
    users: Sequence[str],
    dense: bool,
    as_json: bool,
) -> int:
    """Check that a store is sound; with URL2, also that both stores hold the same.

    Every log is read by device, by scope, in order and backwards: all have to give the
    same entries, in order, with the right checksums and digests.
    """
    if url == other:
        raise click.UsageError("both URLs name one store")
    verifying = _Verifying(as_json)
    async with AsyncExitStack() as opened:
        stores = [
            (one, await opened.enter_async_context(StoreUrls(one, one).open_existing()))
            for one in (url, other)
            if one is not None
        ]
        for name, both in stores:
            await verifying.verify(_masked(name), both, users, dense=dense)
        if len(stores) > 1:
            await verifying.compare([(_masked(name), both) for name, both in stores], users)
    return verifying.end()


def _masked(url: str) -> str:
    from strandlog.backend.url import StoreUrl

    return str(StoreUrl.parse(url))


class _Verifying:
    """One run, and what it came to."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self._logs = 0
        self._entries = 0
        self._problems = 0

    async def verify(self, name: str, stores: Stores, users: Sequence[str], *, dense: bool) -> None:
        """Verify one store."""
        from strandlog.holdings import verify_log

        async with counting(name, stores[0], users) as more:
            async for user in named_or_all(stores[0], users):
                found = await verify_log(stores, user, dense=dense, on_entries=more)
                self._logs += 1
                self._entries += found.entries
                self._problems += len(found.problems)
                if self._as_json:
                    json_line(
                        {
                            "event": "verified",
                            "store": name,
                            "user": user,
                            "entries": found.entries,
                            "holes": found.holes,
                            "problems": found.problems,
                        }
                    )
                    continue
                for problem in found.problems:
                    # An error of the store names the user already.
                    said = problem if problem.startswith(f"{user}: ") else f"{user}: {problem}"
                    write(f"{name}: {printable(said)}")

    async def compare(self, stores: Sequence[tuple[str, Stores]], users: Sequence[str]) -> None:
        """Compare two stores."""
        from strandlog.holdings import compare

        (left_name, left), (right_name, right) = stores
        async for user in _of_either(left, right, users):
            found = (await compare(left, right, user, names=(left_name, right_name))).difference
            if found is None:
                continue
            self._problems += 1
            if self._as_json:
                json_line(
                    {
                        "event": "differs",
                        "user": user,
                        "device": found.device or None,
                        "counter": found.counter or None,
                        "problem": found.text,
                    }
                )
            else:
                write(f"{user}: {printable(found.text)}")

    def end(self) -> int:
        """Say what it came to; return the exit code."""
        if self._as_json:
            json_line(
                {
                    "event": "done",
                    "logs": self._logs,
                    "entries": self._entries,
                    "problems": self._problems,
                }
            )
        else:
            problems = "1 problem" if self._problems == 1 else f"{self._problems or 'no'} problems"
            write(f"{entries_text(self._entries)} in {self._logs} logs: {problems}")
        return 1 if self._problems else 0


async def _of_either(left: Stores, right: Stores, users: Sequence[str]) -> AsyncIterator[str]:
    """Yield whom to compare, in bytewise order: whoever has a log in one of the two."""
    from strandlog.holdings import users as everyone

    if users:
        for user in sorted(set(users)):
            yield user
        return
    mine, theirs = everyone(left[0]), everyone(right[0])
    one, other = await anext(mine, None), await anext(theirs, None)
    while one is not None or other is not None:
        user = min(name for name in (one, other) if name is not None)
        yield user
        one = await anext(mine, None) if one == user else one
        other = await anext(theirs, None) if other == user else other
