"""Stores that are right for one caller at a time."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from typing import Any
from weakref import WeakSet

import anyio
from anyio.lowlevel import checkpoint

from strandlog import Appended, Entry, Page, VersionVector
from strandlog.backend import Capabilities
from strandlog.errors import AppendError, GapError, StoreUnavailableError, StrandlogError
from strandlog_conformance.reference import KeptLog, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur
from strandlog_conformance.samples import tops_of


@saboteur(
    "M33",
    "acknowledges before it is visible",
    caught_by="log.append.read_your_write",
    says="read after append 1",
    also=("*",),
)
class VisibleLater(ReferenceLogStore):
    """Writes a moment after it has answered."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        await self.turn()
        log = self.kept(user).copied()
        done = self.applied(log, user, entries, **how)
        loop = asyncio.get_running_loop()
        loop.call_later(0.005, self.shelf.logs.__setitem__, user, log)
        return done


@saboteur(
    "M37",
    "does not see what another opener has written",
    caught_by="conc.two_handles_fresh",
    says="of the other opener after",
    also=("conc.*", "log.*", "redact.race_with_target", "cancel.*"),
)
class StaleOpener(ReferenceLogStore):
    """Keeps what it has read once, until it writes itself."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._known: dict[str, KeptLog] = {}

    def kept(self, user: str) -> KeptLog:
        return self._known.setdefault(user, super().kept(user).copied())

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        self._known.pop(user, None)
        done = await super().append(user, entries, **how)
        self._known.pop(user, None)
        return done

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        self._known.pop(user, None)
        floor = await super().trim(user, device, up_to=up_to)
        self._known.pop(user, None)
        return floor

    async def erase(self, user: str) -> None:
        self._known.pop(user, None)
        await super().erase(user)
        self._known.pop(user, None)

    async def restore(self, user: str) -> int:
        self._known.pop(user, None)
        super().kept(user).erased = False
        return await super().restore(user)

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        self._known.pop(user, None)
        moved = await super().rehome(user, device, **how)
        self._known.pop(user, None)
        return moved


@saboteur(
    "M38",
    "counts for each opener by itself",
    caught_by="log.append.counters_dense",
    says="GapError",
    also=("conc.*", "log.*", "cancel.*", "rehome.*", "redact.*", "model.*"),
)
class OwnCount(ReferenceLogStore):
    """Remembers the tops that it has seen first."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._tops: dict[str, VersionVector] = {}

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        log = self.kept(user)
        tops = self._tops.get(user)
        if tops is not None and not any(how.values()) and not log.erased:
            for one in sorted(entries, key=lambda one: one.counter):
                if one.identity not in log.entries and one.counter > tops[one.device] + 1:
                    raise GapError(one.device, expected=tops[one.device] + 1, got=one.counter)
                tops = tops.merge({one.device: one.counter})
        done = await super().append(user, entries, **how)
        self._tops[user] = self._tops.get(user, VersionVector()).merge(done.tops)
        return done


@saboteur(
    "M52",
    "leaves its transaction open when it is cancelled",
    caught_by="cancel.append_sweep",
    says="transaction within a transaction",
    also=("cancel.*",),
)
class TransactionLeftOpen(ReferenceLogStore):
    """Rolls back after errors, but not after a cancellation."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._lock = anyio.Lock()
        self._begun = False

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        async with self._lock:
            if self._begun:
                raise StoreUnavailableError("cannot start a transaction within a transaction")
            self._begun = True
            try:
                done = await super().append(user, entries, **how)
            except StrandlogError:
                self._begun = False
                raise
            self._begun = False
            return done


@saboteur(
    "M192",
    "acknowledges an append that was cancelled before it began",
    caught_by="cancel.append_sweep",
    says="and all if it was acknowledged",
    also=("cancel.waiting_for_lock", "cancel.changes_sweep"),
)
class SwallowsCancellation(ReferenceLogStore):
    """Takes a cancellation for the end of a wait."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        try:
            await checkpoint()
        except asyncio.CancelledError:
            return Appended(tops_of(entries), len(entries), 0)
        return await super().append(user, entries, **how)


_busy: WeakSet[Shelf] = WeakSet()


@saboteur(
    "M53",
    "does not wait for a lock",
    caught_by="conc.nothing_lost",
    says="database is locked",
    also=("conc.*", "cancel.*", "life.close_while_busy", "redact.race_with_target", "log.*"),
)
class NoWaiting(ReferenceLogStore):
    """Lets its driver say that somebody else is writing."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        self.refuse_if_closed()
        if self.shelf in _busy:
            raise sqlite3.OperationalError("database is locked")
        _busy.add(self.shelf)
        try:
            return await super().append(user, entries, **how)
        finally:
            _busy.discard(self.shelf)


@saboteur(
    "M135",
    "loses what others write between its look and its writing",
    caught_by="conc.nothing_lost",
    says="beside 19 others: got GapError",
    also=("conc.*", "cancel.*", "redact.race_with_target", "log.*"),
)
class LostUpdate(ReferenceLogStore):
    """Reads a log, waits, and writes all of it back."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        await self.turn()
        log = self.kept(user).copied()
        done = self.applied(log, user, entries, **how)
        await self.turn()
        if done.tops:
            self.shelf.logs[user] = log
        return done


@saboteur(
    "M137",
    "refuses every batch of a group for the fault of one",
    caught_by="conc.many_logs_at_once",
    says="30 appends at once",
    also=("conc.*",),
)
class GroupPunished(ReferenceLogStore):
    """Commits what comes together in one transaction."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._running = 0
        self._refusal: AppendError | None = None

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        self._running += 1
        try:
            await self.turn()
            try:
                self.applied(self.kept(user).copied(), user, entries, **how)
            except AppendError as error:
                self._refusal = error
                raise
            await checkpoint()
            if self._refusal is not None:
                raise self._refusal
            return await super().append(user, entries, **how)
        finally:
            self._running -= 1
            if not self._running:
                self._refusal = None


@saboteur(
    "M186",
    "mixes up what several readers ask at once",
    caught_by="conc.readers_do_not_disturb",
    says="60 questions at once",
    also=("conc.monotonic_reads_per_handle",),
)
class SharedCursor(ReferenceLogStore):
    """Has one cursor of its driver for all reads."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._reading = 0

    async def read(self, user: str, *, limit: int, **query: Any) -> Page:
        self._reading += 1
        mine = self._reading
        await checkpoint()
        if self._reading != mine and limit > 1:
            limit -= 1
        return await super().read(user, limit=limit, **query)


@saboteur(
    "M155",
    "looks for redactions in one step and adds their target in another",
    caught_by="redact.race_with_target",
    says="read after race",
    also=(
        "data.withdrawn_entries",
        "model.*",
        "redact.duplicates_mask_nothing",
        "trim.imported_floor_removes_nothing",
    ),
)
class MaskedInTwoSteps(ReferenceLogStore):
    """Masks what a redaction names if it is there, and what comes if it was named."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        named = {target for target, _ in self.kept(user).masks}
        await checkpoint()
        done = await super().append(user, entries, **how)
        log = self.kept(user)
        own = {one.redacts for one in entries if one.redacts}
        for one in entries:
            if one.identity in log.entries and one.identity not in named | own:
                log.entries[one.identity] = one
        return done
