"""What a check is given: a store to open, again and again, and names of its own."""

from __future__ import annotations

import random
import secrets
import string
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from pathlib import Path

from strandlog.backend import Capabilities, CursorStore, Handles, LogStore
from strandlog_conformance.expect import NotApplicable
from strandlog_conformance.places import Places
from strandlog_conformance.target import Target

__all__ = ["Case"]

_LETTERS = string.ascii_letters + string.digits


class Case:
    """One store at one location, for the check of that name.

    A check opens the location as often as it likes: one after the other to
    reopen it, or side by side to have more than one opener.

    Attributes:
        target: The store under test.
        url: The location.
        random: Chance that is the same again for the same seed.
        fast: Whether the run was asked to make do with fewer repetitions.
    """

    def __init__(self, name: str, target: Target, places: Places, *, seed: int, fast: bool) -> None:
        self.target = target
        self.url = target.url
        self.fast = fast
        self.random = random.Random(f"{seed}:{name}")  # noqa: S311  # no secret
        # Not from the seed: at a location that lasts, the names of another run
        # with this seed may still be there.
        self._names = random.Random(secrets.randbits(64))  # noqa: S311
        self._users: list[str] = []
        self._places = places
        self._taken: list[Path] = []
        self._locations = AsyncExitStack()

    @property
    def capabilities(self) -> Capabilities:
        """What the backend declares."""
        return self.target.capabilities

    @property
    def users(self) -> list[str]:
        """Every name that the case has handed out."""
        return list(self._users)

    def user(self, suffix: str = "") -> str:
        """Return the name of a log that never was, with no pattern to know it by."""
        # Long enough that nobody has it, nor what checks make of it by leaving a sign out.
        length = self._names.randint(10, 16)
        name = "".join(self._names.choices(_LETTERS, k=length)) + suffix
        self._users.append(name)
        return name

    def own(self, user: str) -> str:
        """Return *user*, and see to it that its log is removed in the end."""
        self._users.append(user)
        return user

    def scale(self, full: int, fast: int) -> int:
        """Return how often to repeat something."""
        return fast if self.fast else full

    @asynccontextmanager
    async def open_log(self, url: str = "") -> AsyncIterator[LogStore]:
        """Open the log store, at the case's location unless told another."""
        async with self.target.open_log(url or self.url) as store:
            yield store

    @asynccontextmanager
    async def open_cursors(self, url: str = "") -> AsyncIterator[CursorStore]:
        """Open the cursor store; only for checks registered with ``cursors=True``."""
        async with self.target.open_cursors(url or self.url) as store:
            yield store

    @asynccontextmanager
    async def open_both(self, url: str = "") -> AsyncIterator[tuple[LogStore, CursorStore]]:
        """Open both stores as an application with one URL does."""
        async with self.target.open_both(url or self.url) as both:
            yield both

    @asynccontextmanager
    async def open_all(self, url: str = "") -> AsyncIterator[tuple[LogStore, CursorStore | None]]:
        """Open what there is: the log store, and the cursor store if the backend offers one."""
        if self.target.cursors is None:
            async with self.open_log(url) as log:
                yield log, None
        else:
            async with self.open_both(url) as both:
                yield both

    @asynccontextmanager
    async def second_log(self, first: LogStore) -> AsyncIterator[LogStore]:
        """Open another opener of the location, or lend *first* if only one is allowed."""
        if self.capabilities.handles is Handles.ONE:
            yield first
        else:
            async with self.open_log() as store:
                yield store

    async def new_location(self) -> str:
        """Return the URL of a location that does not exist yet.

        Raises:
            NotApplicable: Only one location was given, and nothing names others.
        """
        url, _ = await self._new_place()
        return url

    async def new_site(self) -> tuple[str, Path]:
        """Return the URL of a new location, opened as the case's is, and the directory for it.

        Nothing else lies in that directory: a check may do to it what it likes.

        Raises:
            NotApplicable: Only one location was given, and nothing names others.
        """
        url, place = await self._new_place()
        _, _, options = self.target.url.partition("?")
        return self._with(url, options), place

    async def _new_place(self) -> tuple[str, Path]:
        if self.target.fresh_url is None:
            raise NotApplicable("one location was given, and nothing names others")
        place = self.empty_directory()
        url = await self._locations.enter_async_context(self.target.fresh_url(place))
        return url, place

    def empty_directory(self) -> Path:
        """Return an empty directory, which goes with the case."""
        place = self._places.take()
        self._taken.append(place)
        self._locations.callback(self._places.give_back, place)
        return place

    def url_with(self, option: str) -> str:
        """Return the location's URL with one more option."""
        return self._with(self.url, option)

    @staticmethod
    def _with(url: str, options: str) -> str:
        return f"{url}{'&' if '?' in url else '?'}{options}" if options else url

    def files(self) -> dict[str, str]:
        """Return a hash of each file of the location, as far as it lies in files.

        Empty at a location that was given: who knows what else is going on there.
        """
        return {
            str(path): sha256(path.read_bytes()).hexdigest()
            for place in self._taken
            for path in sorted(place.rglob("*"))
            if path.is_file()
        }

    async def prepare(self) -> None:
        """Choose the location."""
        if not self.url:
            self.url = await self.new_location()

    async def clean_up(self) -> None:
        """Remove what the case has made."""
        async with self._locations:
            if self.target.url and self._users:
                await self._remove_logs()

    async def _remove_logs(self) -> None:
        async with self.target.open_log(self.url) as store:
            for user in self._users:
                # Not of every name: a store counts erasures for ever.
                if await store.tops(user):
                    await store.erase(user)
                # Lifted again: a tombstone is also something left behind.
                await store.restore(user)
        if self.target.cursors is not None:
            async with self.target.open_cursors(self.url) as cursors:
                for user in self._users:
                    await cursors.erase(user)
