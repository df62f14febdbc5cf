"""One device's own part of a log: what it adds, offline or not."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from strandlog.clock import MAX_SKEW_MILLIS, HybridClock
from strandlog.driver import Driver
from strandlog.errors import (
    ForkError,
    GapError,
    InvalidArgumentError,
    SeqError,
    StoreUnavailableError,
)
from strandlog.log import Log
from strandlog.model import (
    COUNTER_MAX,
    TIMESTAMP_MAX,
    Entry,
    Identity,
    Reader,
    Seq,
    check_content,
)
from strandlog.protocol.own import SERVER
from strandlog.vector import VersionVector

__all__ = ["Draft", "LocalLog", "Status", "wall_clock"]

NAME = "~name"
"""The reader under which a replica remembers the name it goes on under."""

# Another process on the same file may take the next counter again and again;
# each time one of the two gets through, so this many in a row is a fault.
_TRIES = 50


def wall_clock() -> int:
    """Return the time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class Draft:
    """What an application writes; the replica makes an entry of it."""

    content: bytes
    scope: str = "private"
    redacts: Identity | None = None
    meta: bytes | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Where a replica stands.

    Attributes:
        reader: Under which name it writes; another than was asked for, once re-homed.
        last_added: Own top: the greatest counter that this device has added.
        last_synced: How much of that the server is known to hold.
        unsent: How many entries it is not known to hold.
        unsent_since: The timestamp of the oldest of these, in milliseconds.
        tops: How far each device is covered here.
        head: The greatest seq of the log.
    """

    reader: Reader
    last_added: int
    last_synced: int
    unsent: int
    unsent_since: int | None
    tops: VersionVector
    head: Seq | None


class LocalLog:
    """The log of *user* in a local store, and the counters of one device in it.

    Whoever changes the own device's entries holds :meth:`held`: an entry must not
    get a counter while a page or a re-homing moves the counters.

    Attributes:
        reader: Under which name this device writes now.
        log: The log, for reading.
        driver: Carries out what a protocol engine asks of the stores.
    """

    def __init__(
        self,
        reader: Reader,
        driver: Driver,
        *,
        now: Callable[[], int] = wall_clock,
        max_skew_millis: int = MAX_SKEW_MILLIS,
    ) -> None:
        self.reader = reader
        self.log = Log(driver.log)
        self.driver = driver
        self._now = now
        self._max_skew_millis = max_skew_millis
        self._clock = HybridClock(now, max_skew_millis=max_skew_millis)
        self._lock = anyio.Lock()
        self._top = -1  # not known
        self._complete = anyio.Event()
        self._complete.set()

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Keep the own device's entries as they are, but for who holds this."""
        async with self._lock:
            # Whatever happens in here may move the top.
            self._top = -1
            yield

    async def rename(self, device: str) -> None:
        """Go on under another name, now and after a restart. Call it while holding."""
        user = self.reader.user
        await self.driver.cursors.reset(user, NAME, VersionVector({device: 1}))
        self.reader = Reader(user, device)

    def note_recovering(self, recovering: bool) -> None:
        """Say whether own entries are on their way back, so that none may be added."""
        if not recovering:
            self._complete.set()
        elif self._complete.is_set():
            self._complete = anyio.Event()

    def observe(self, timestamp: int) -> None:
        """Note a timestamp seen, so that a reply to it sorts after it."""
        self._clock.observe(timestamp)

    async def add(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Append entries of this device, all or none; they are durable on return."""
        for draft in drafts:
            check_content(draft.content)
            if draft.meta is not None:
                check_content(draft.meta, what="meta")
            await self._check_redaction(draft)
        if not drafts:
            return []
        while True:
            async with self._lock:
                if self._complete.is_set():
                    return await self._append(drafts)
                complete = self._complete
            await complete.wait()

    async def _check_redaction(self, draft: Draft) -> None:
        # The server would refuse it, and here it would have masked its target by then.
        if draft.redacts is None:
            return
        device, counter = draft.redacts
        after = VersionVector({device: max(counter - 1, 0)})
        page = await self.log.read(self.reader.user, after=after, devices=[device], limit=1)
        for target in page.entries:
            if target.identity == draft.redacts and target.scope != draft.scope:
                raise InvalidArgumentError(
                    f"scope {draft.scope}: a redaction has the scope of its target, {target.scope}"
                )

    async def _append(self, drafts: Sequence[Draft]) -> list[Entry]:
        stamps: list[int] = []
        for _ in range(_TRIES):
            if self._top < 0:
                await self._load()
                stamps.clear()
            if not stamps:
                stamps = [self._clock.stamp() for _ in drafts]
            entries = [
                Entry(
                    Seq(stamp, self._top + place, self.reader.device),
                    draft.scope,
                    draft.content,
                    redacts=draft.redacts,
                    meta=draft.meta,
                )
                for place, (stamp, draft) in enumerate(zip(stamps, drafts, strict=True), 1)
            ]
            top, self._top = self._top, -1  # unknown, should the append be cancelled
            try:
                appended = await self.log.append(self.reader.user, entries)
            except (ForkError, GapError, SeqError):
                continue  # another process has added, or trimmed: look again
            # Another process may even have added the very same in the same
            # millisecond. These then are its entries, and ours are still to come.
            taken = appended.duplicates
            if taken:
                return [*await self._append(drafts[:taken]), *entries[taken:]]
            self._top = top + len(entries)
            return entries
        raise StoreUnavailableError(f"{self.reader}: others keep taking the next counter")

    async def _load(self) -> None:
        """Find out where this device stands, in the order that loses nothing."""
        user = self.reader.user
        names = await self.driver.cursors.load(user, NAME)
        for name in names:
            if name.partition("~")[0] == self.reader.device.partition("~")[0]:
                self.reader = Reader(user, name)
        device = self.reader.device
        tops = await self.log.tops(user)
        top = tops[device]
        synced = await self.driver.cursors.load(user, SERVER)
        if synced[device] > top:
            # The log was set back and the cursor was not. What is added now must
            # not be taken for something that the server has.
            await self.driver.cursors.reset(user, SERVER, synced.replace({device: top}))
        last = await self.log.read(
            user, after=tops.replace({device: max(top - 1, 0)}), devices=[device], limit=1
        )
        self._clock = HybridClock(
            self._now,
            last=max((entry.seq.timestamp for entry in last.entries), default=0),
            max_skew_millis=self._max_skew_millis,
        )
        credible = min(self._now() + self._max_skew_millis, TIMESTAMP_MAX)
        newest = await self.log.read_range(
            user, up_to=Seq(credible, COUNTER_MAX, "~" * 64), reverse=True, limit=1
        )
        for entry in newest.entries:
            self._clock.observe(entry.seq.timestamp)
        self._top = top

    async def load(self) -> Reader:
        """Find out where this device stands; return under which name it goes on."""
        async with self._lock:
            await self._load()
            return self.reader

    async def status(self) -> Status:
        """Return where the replica stands, from what the stores hold."""
        user, device = await self.load()
        tops = await self.log.tops(user)
        synced = min((await self.driver.cursors.load(user, SERVER))[device], tops[device])
        oldest = await self.log.read(
            user, after=VersionVector({device: synced}), devices=[device], limit=1
        )
        return Status(
            self.reader,
            tops[device],
            synced,
            tops[device] - synced,
            oldest.entries[0].seq.timestamp if oldest.entries else None,
            tops,
            await self.log.head(user),
        )
