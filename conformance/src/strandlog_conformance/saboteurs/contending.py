"""Stores that lose their way when callers wait for each other, or stop waiting."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

from anyio.lowlevel import checkpoint

from strandlog import Appended, Entry, Identity, Page, VersionVector
from strandlog.backend import Capabilities
from strandlog.errors import StoreUnavailableError
from strandlog_conformance.reference import (
    KeptLog,
    ReferenceCursorStore,
    ReferenceLogStore,
    Shelf,
)
from strandlog_conformance.saboteurs.registry import saboteur
from strandlog_conformance.samples import tops_of


@saboteur(
    "M35",
    "mixes the batches of writers who write at once",
    caught_by="conc.batches_contiguous",
    says="who wrote shared",
    also=("conc.*", "cancel.*", "log.page.one_snapshot", "log.*", "model.*", "redact.*", "trim.*"),
)
class Interleaved(ReferenceLogStore):
    """Judges a batch as a whole, then adds row by row, as long as each row still fits."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        await self.turn()
        done = self.applied(self.kept(user).copied(), user, entries, **how)
        if any(how.values()) or not entries[1:]:
            return await super().append(user, entries, **how)
        for one in sorted(entries, key=lambda one: one.counter):
            for _ in range(sum(one.digest.encode()) % 3):
                await checkpoint()
            log = self.kept(user).copied()
            if one.identity not in log.entries:
                self.applied(log, user, [one])
                self.shelf.logs[user] = log
        return done


@saboteur(
    "M350",
    "keeps the snapshot of a read that was cancelled",
    caught_by="cancel.read_midway",
    says="and one more append",
    also=("cancel.*",),
)
class SnapshotLeftOpen(ReferenceLogStore):
    """Ends its read transaction after the last row, and not when nobody fetches that."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._held: dict[str, KeptLog] = {}

    def kept(self, user: str) -> KeptLog:
        return self._held.get(user) or super().kept(user)

    async def read_range(self, user: str, **query: Any) -> Page:
        try:
            return await super().read_range(user, **query)
        except asyncio.CancelledError:
            self._held[user] = super().kept(user).copied()
            raise

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        self._held.clear()
        return await super().append(user, entries, **how)


class _Queue:
    """Lets one in after the other; who is cancelled with the turn in hand takes it along."""

    def __init__(self) -> None:
        self._taken = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        if self._taken:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            async with asyncio.timeout(0.2):
                await turn
        self._taken = True

    def leave(self) -> None:
        self._taken = False
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._taken = True
                turn.set_result(None)
                return


_queues: WeakKeyDictionary[Shelf, _Queue] = WeakKeyDictionary()


@saboteur(
    "M351",
    "never gets back the lock that a cancelled waiter was just given",
    caught_by="cancel.waiting_for_lock",
    says="StoreUnavailableError",
    also=("cancel.*",),
)
class LockTakenAlong(ReferenceLogStore):
    """Has a queue of its own, and gives up after a while."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        queue = _queues.setdefault(self.shelf, _Queue())
        try:
            await queue.enter()
        except TimeoutError as error:
            raise StoreUnavailableError("the store is locked") from error
        try:
            return await super().append(user, entries, **how)
        finally:
            queue.leave()


_flying: WeakKeyDictionary[Shelf, set[object]] = WeakKeyDictionary()


@saboteur(
    "M352",
    "acknowledges a batch because somebody else is writing it",
    caught_by="cancel.twin_is_not_cancelled",
    says="read after append beside its twin",
    also=("cancel.*", "conc.*", "model.*"),
)
class CountsOnTheTwin(ReferenceLogStore):
    """Remembers what is under way, so that nothing is written twice."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        flying = _flying.setdefault(self.shelf, set())
        batch = (user, tuple(one.identity for one in entries), tuple(one.digest for one in entries))
        if batch in flying:
            await checkpoint()
            await checkpoint()
            return Appended(tops_of(entries), 0, len(entries))
        flying.add(batch)
        try:
            await checkpoint()
            return await super().append(user, entries, **how)
        finally:
            flying.discard(batch)


@saboteur(
    "M353",
    "answers some of many readers from a connection that lags behind",
    caught_by="conc.monotonic_reads_per_handle",
    says="before",
    also=("conc.*", "model.*", "log.page.one_snapshot"),
)
class LaggingConnection(ReferenceLogStore):
    """Has one good connection; who comes meanwhile gets an older page of the same kind."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._reading = 0
        self._pages: dict[tuple[str, str], deque[Page]] = defaultdict(lambda: deque(maxlen=3))

    async def read(self, user: str, **query: Any) -> Page:
        self._reading += 1
        lagging = self._reading > 1
        try:
            page = await super().read(user, **query)
        finally:
            self._reading -= 1
        pages = self._pages[user, str(query)]
        if not lagging:
            pages.append(page)
        return pages[0] if lagging and pages else page


_FEW = 20


@saboteur(
    "M354",
    "reads one device after the other, and not from one snapshot",
    caught_by="conc.real_time_order",
    says="acknowledged before",
    also=("conc.*", "model.*", "log.page.one_snapshot", "redact.race_with_target"),
)
class DeviceByDevice(ReferenceLogStore):
    """Lets others write between two devices of a page."""

    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        if page.more or len(page.tops) > _FEW or query.get("devices") is not None:
            return page
        query.pop("devices", None)
        found: list[Entry] = []
        tops: dict[str, int] = {}
        for device in page.tops:
            await checkpoint()
            part = await super().read(user, devices={device}, **query)
            found += part.entries
            tops[device] = part.tops[device]
        entries = self.sorted(found)
        return replace(page, entries=entries, tops=VersionVector(tops), upto=page.upto.merge(tops))


_ROOM = 32
_waiting: WeakKeyDictionary[Shelf, list[object]] = WeakKeyDictionary()


@saboteur(
    "M355",
    "turns away writers when many wait",
    caught_by="conc.busy_is_waited_not_leaked",
    says="StoreUnavailableError",
    also=("log.logs.listed",),
)
class ShortQueue(ReferenceLogStore):
    """Lets a few dozen wait."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        waiting = _waiting.setdefault(self.shelf, [])
        if waiting[_ROOM:]:
            raise StoreUnavailableError("too many are waiting")
        waiting.append(entries)
        try:
            await checkpoint()
            return await super().append(user, entries, **how)
        finally:
            waiting.pop()


@saboteur(
    "M357",
    "takes the content away a moment after the redaction is there",
    caught_by="model.concurrent_history",
    says="all of it or nothing",
    also=("conc.*", "redact.race_with_target", "cancel.*"),
)
class MasksLater(ReferenceLogStore):
    """Adds a redaction in one step, and looks for its target in the next."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        held = self.kept(user).entries
        whole = {
            one.redacts: held[one.redacts]
            for one in entries
            if one.redacts in held and one.identity not in held
        }
        done = await super().append(user, entries, **how)
        log = self.kept(user)
        before: dict[Identity, Entry] = {}
        for target, one in whole.items():
            if target is not None and target in log.entries:
                before[target] = log.entries[target]
                log.entries[target] = one
        if before:
            await checkpoint()
            log = self.kept(user)
            log.entries |= {name: one for name, one in before.items() if name in log.entries}
        return done


@saboteur(
    "M358",
    "lists the readers as this opener has last seen them",
    caught_by="model.concurrent_cursors",
    says="readers by task",
    also=("cursor.*",),
)
class ListedOnce(ReferenceCursorStore):
    """Keeps the list of readers until it writes itself."""

    def __init__(self, kept: Shelf) -> None:
        super().__init__(kept)
        self._listed: dict[str, dict[str, VersionVector]] = defaultdict(dict)

    async def readers(self, user: str) -> dict[str, VersionVector]:
        if not self._listed[user]:
            self._listed[user] = await super().readers(user)
        await self.turn()
        return dict(self._listed[user])

    async def advance(self, user: str, reader: str, vector: VersionVector) -> VersionVector:
        merged = await super().advance(user, reader, vector)
        self._listed.pop(user, None)
        return merged

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        await super().reset(user, reader, vector)
        self._listed.pop(user, None)

    async def forget(self, user: str, reader: str) -> None:
        await super().forget(user, reader)
        self._listed.pop(user, None)

    async def erase(self, user: str) -> None:
        await super().erase(user)
        self._listed.pop(user, None)


@saboteur(
    "M359",
    "puts a little more on a page than there is room for",
    caught_by="model.pair_differential",
    says="at",
    also=("model.*", "log.page.*", "names.*", "data.*", "sparse.*"),
)
class TooFull(ReferenceLogStore):
    """Allows for a quarter more bytes, for what is compressed."""

    async def read(self, user: str, *, max_bytes: int, **query: Any) -> Page:
        return await super().read(user, max_bytes=max_bytes + max_bytes // 4, **query)


_chances: WeakKeyDictionary[Shelf, random.Random] = WeakKeyDictionary()


@saboteur(
    "M360",
    "gives a wrong answer once in five hundred",
    caught_by="model.random_ops",
    says="not every time",
    also=("*",),
)
class OnceInFiveHundred(ReferenceLogStore):
    """Loses the last row of a page when the chance of its location says so."""

    async def read(self, user: str, **query: Any) -> Page:
        return self._spoilt(await super().read(user, **query))

    async def read_range(self, user: str, **query: Any) -> Page:
        return self._spoilt(await super().read_range(user, **query))

    def _spoilt(self, page: Page) -> Page:
        chance = _chances.setdefault(self.shelf, random.Random(500))  # noqa: S311  # no secret
        now = chance.randrange(500) == 0
        return replace(page, entries=list(page.entries)[:-1]) if now else page
