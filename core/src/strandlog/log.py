"""The portable log that applications use, above whichever store holds it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from strandlog.errors import (
    InvalidArgumentError,
    InvalidContentError,
    TooLargeError,
    UnsupportedError,
)
from strandlog.model import (
    COUNTER_MAX,
    Entry,
    Seq,
    check_content,
    check_device,
    check_scope,
    check_user,
)
from strandlog.page import Appended, Page
from strandlog.vector import VersionVector

# Types only: importing the room of the backends brings pluggy and URL parsing
# along, which "import strandlog" does without until a store is opened.
if TYPE_CHECKING:
    from strandlog.backend.store import CursorStore, LogStore, StoreInfo

__all__ = ["PAGE_BYTES", "PAGE_LIMIT", "Log", "open_log"]

PAGE_LIMIT = 200  # as many entries as a frame holds best: docs/reference/limits.md
PAGE_BYTES = 65_536


class Log:
    """Checks arguments and cuts pages once for all backends, then calls the store.

    Safe for any number of tasks of one event loop. Does not own the store:
    whoever opened it closes it.
    """

    def __init__(self, store: LogStore) -> None:
        self.store = store

    async def append(
        self,
        user: str,
        entries: Iterable[Entry],
        *,
        upto: Mapping[str, int] | None = None,
        floor: Mapping[str, int] | None = None,
    ) -> Appended:
        """Add *entries* to *user*'s log: all or none, durable on return.

        Takes any iterable and runs it to its end before anything is stored, so
        an error inside it leaves the log as it was. See ``LogStore.append``
        for what repetition, cancellation and each error mean.

        Raises:
            InvalidNameError, InvalidContentError: An argument is outside its
                grammar; content has to be one JSON value.
            AppendError: The batch was refused.
            TooLargeError: More entries than the store takes in one batch.
        """
        check_user(user)
        batch = list(entries)
        capabilities = self.store.capabilities
        if upto is not None and not capabilities.sparse:
            raise UnsupportedError("this store cannot keep a copy with holes")
        if capabilities.max_batch is not None and len(batch) > capabilities.max_batch:
            raise TooLargeError(
                f"{len(batch)} entries are more than the {capabilities.max_batch} that this"
                " store takes at once",
                limit=capabilities.max_batch,
            )
        for entry in batch:
            if entry.content is not None:
                check_content(entry.content)
            if entry.meta is not None:
                check_content(entry.meta, what="meta")
                if not entry.meta.startswith(b"{"):
                    raise InvalidContentError(f"{entry.seq}: meta is not a JSON object")
        return await self.store.append(
            user,
            batch,
            upto=None if upto is None else _checked_vector(upto),
            floor=None if floor is None else _checked_vector(floor),
        )

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        """Return, for each device of *at*, the digest of that entry, or ``None``."""
        found = await self.store.digests(check_user(user), _checked_vector(at))
        return {device: found.get(device) for device in at}

    async def read(
        self,
        user: str,
        *,
        after: Mapping[str, int] | None = None,
        devices: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        limit: int = PAGE_LIMIT,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        """Return the next page of what a reader with *after* lacks; see ``LogStore.read``.

        Raises:
            InvalidArgumentError: *limit* or *max_bytes* is negative, or a name
                is outside its grammar.
        """
        _check_count("limit", limit)
        _check_count("max_bytes", max_bytes)
        return await self.store.read(
            check_user(user),
            after=_checked_vector(after or {}),
            devices=None if devices is None else {check_device(name) for name in devices},
            scopes=_checked_scopes(scopes),
            limit=limit,
            max_bytes=max_bytes,
        )

    async def read_range(
        self,
        user: str,
        *,
        after: Seq | None = None,
        up_to: Seq | None = None,
        reverse: bool = False,
        scopes: Collection[str] | None = None,
        limit: int = PAGE_LIMIT,
    ) -> Page:
        """Return entries in seq order, either way; see ``LogStore.read_range``.

        Raises:
            InvalidArgumentError: *limit* is negative, or a name is outside its grammar.
        """
        _check_count("limit", limit)
        return await self.store.read_range(
            check_user(user),
            after=after,
            up_to=up_to,
            reverse=reverse,
            scopes=_checked_scopes(scopes),
            limit=limit,
        )

    async def entries(
        self,
        user: str,
        *,
        after: Seq | None = None,
        up_to: Seq | None = None,
        reverse: bool = False,
        scopes: Collection[str] | None = None,
    ) -> AsyncIterator[Entry]:
        """Yield a whole range page by page; holds nothing open between pages.

        An entry that arrives meanwhile is seen if its seq still lies ahead.
        """
        at = up_to if reverse else after
        last: Seq | None = None
        while True:
            page = await self.read_range(
                user,
                after=after if reverse else at,
                up_to=at if reverse else up_to,
                reverse=reverse,
                scopes=scopes,
                limit=PAGE_LIMIT,
            )
            for entry in page.entries:
                # Backwards the bound is included, so a page begins with what was
                # seen, unless it was trimmed meanwhile.
                if entry.seq != last:
                    yield entry
            if not page.more:
                return
            at = last = page.entries[-1].seq

    async def tops(self, user: str) -> VersionVector:
        """Return how far the store covers each device."""
        return await self.store.tops(check_user(user))

    async def head(self, user: str) -> Seq | None:
        """Return the greatest seq, or ``None`` for an empty log."""
        return await self.store.head(check_user(user))

    async def logs(self, *, after: str | None = None, limit: int = PAGE_LIMIT) -> list[str]:
        """Return the users that have a log, in bytewise order; *after* is excluded.

        Raises:
            InvalidArgumentError: *limit* is negative, or *after* cannot name a user.
        """
        _check_count("limit", limit)
        return await self.store.logs(
            after=None if after is None else check_user(after), limit=limit
        )

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        """Remove a device's entries up to a counter, never its newest; return the floors."""
        if not 0 <= up_to <= COUNTER_MAX:
            raise InvalidArgumentError(f"{up_to} is not a counter")
        return await self.store.trim(check_user(user), check_device(device), up_to=up_to)

    async def rehome(
        self,
        user: str,
        device: str,
        *,
        from_counter: int,
        to_device: str,
        unsent_after: Mapping[str, int] | None = None,
    ) -> int:
        """Move a branch of *device* to a new device; see ``LogStore.rehome``."""
        if not 1 <= from_counter <= COUNTER_MAX:
            raise InvalidArgumentError(f"{from_counter} is not a counter")
        if device == to_device:
            raise InvalidArgumentError(f"{device} cannot be re-homed to itself")
        return await self.store.rehome(
            check_user(user),
            check_device(device),
            from_counter=from_counter,
            to_device=check_device(to_device),
            unsent_after=unsent_after and _checked_vector(unsent_after),
        )

    async def erase(self, user: str, *, cursors: CursorStore | None = None) -> None:
        """Remove the whole log but a tombstone that refuses appends; then its *cursors*.

        In this order, so that after an error or a crash it is safe to repeat.
        """
        await self.store.erase(check_user(user))
        if cursors is not None:
            await cursors.erase(user)

    async def restore(self, user: str) -> int:
        """Lift the tombstone; return the generation."""
        return await self.store.restore(check_user(user))

    async def info(self) -> StoreInfo:
        """Return what the store says of itself."""
        return await self.store.info()


@asynccontextmanager
async def open_log(url: str) -> AsyncIterator[Log]:
    """Open the log store that *url* names, such as ``sqlite:///notes.db``.

    Raises:
        StoreUrlError, BackendError, StoreError: The message says the next step.
    """
    # Here, for it reads the metadata of installed packages, and the standard
    # library's reader of that is a third of what "import strandlog" would cost.
    from strandlog.backend.registry import open_log_store

    async with open_log_store(url) as store:
        yield Log(store)


def _check_count(name: str, value: int) -> None:
    if value < 0:
        raise InvalidArgumentError(f"{name}={value} is negative")


def _checked_vector(counters: Mapping[str, int]) -> VersionVector:
    for device in counters:
        check_device(device)
    return VersionVector(counters)


def _checked_scopes(scopes: Collection[str] | None) -> set[str] | None:
    return None if scopes is None else {check_scope(name) for name in scopes}
