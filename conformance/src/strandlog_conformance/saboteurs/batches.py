"""Stores that tear a batch, or do with the caller's list as they like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from strandlog import Appended, Entry, VersionVector
from strandlog.backend import Capabilities
from strandlog.errors import AppendError, GapError
from strandlog_conformance.reference import KeptLog, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur
from strandlog_conformance.samples import tops_of


@saboteur(
    "M04",
    "keeps the entries that come before the bad one",
    caught_by="log.append.atomic_on_conflict",
    says="the log after a fork",
    also=(
        "log.append.*",
        "log.order.clock_steps_back",
        "model.*",
        "sparse.refused_leaves_no_trace",
    ),
)
class KeepsTheGoodOnes(ReferenceLogStore):
    """Appends one by one when the whole is refused."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        try:
            return await super().append(user, entries, **how)
        except AppendError:
            for one in entries:
                await super().append(user, [one], **how)
            raise


@saboteur(
    "M05",
    "applies a batch row by row while others look on",
    caught_by="conc.reader_never_sees_part_of_batch",
    says="whole batches",
    also=(
        "life.close_while_busy",
        "conc.*",
        "cancel.*",
        "trim.imported_floor",
    ),
)
class RowByRow(ReferenceLogStore):
    """Judges the batch as a whole and writes it in pieces."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        await self.turn()
        done = self.applied(self.kept(user).copied(), user, entries, **how)
        for one in sorted(entries, key=lambda one: (one.device, one.counter)):
            if one.counter > self.kept(user).floors.get(one.device, 0):
                await super().append(user, [one], **how)
        if not entries:
            await super().append(user, [], **how)
        return done


@saboteur(
    "M51",
    "stores an entry twice that comes twice in one batch",
    caught_by="log.append.duplicate_inside_batch",
    says="read of all",
    also=("model.*",),
)
class TwiceInBatch(ReferenceLogStore):
    """Compares a batch with the log and not with itself."""

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        before = set(log.entries)
        added = super().add(log, device, batch, upto, floor)
        seen: set[Entry] = set()
        for one in batch:
            if one in seen and one.identity not in before:
                log.entries[one.identity._replace(device=f"{device} again {len(seen)}")] = one
            seen.add(one)
        return added


@saboteur(
    "M56",
    "writes something for an empty batch",
    caught_by="log.append.empty_batch_noop",
    says="an empty batch made a log",
    also=("model.*",),
)
class EmptyBatchWrites(ReferenceLogStore):
    """Makes a log before it looks whether there is anything for it."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        if not entries and not any(how.values()):
            await self.turn()
            log = self.shelf.logs.setdefault(user, KeptLog())
            log.covered.setdefault("-", 1)
        return await super().append(user, entries, **how)


@saboteur(
    "M60",
    "cuts a batch at the number of variables its database takes",
    caught_by="log.append.large_batch_10k",
    says="read of all",
    also=("log.page.big_log", "log.read.large_offset_time", "log.read.many_devices"),
)
class BatchCut(ReferenceLogStore):
    """Adds 999 entries and acknowledges all."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        taken = sorted(entries, key=lambda one: (one.counter, one.device))[:999]
        done = await super().append(user, taken, **how)
        tops = done.tops.merge(tops_of(entries))
        return Appended(tops, done.added + len(entries) - len(taken), done.duplicates)


@saboteur(
    "M107",
    "keeps the caller's list as its own",
    caught_by="log.append.does_not_keep_callers_buffer",
    says="read after the caller changed his list",
    also=(
        "conc.conflicting_same_identity_one_winner",
        "rehome.*",
        "erase.*",
        "conc.batches_contiguous",
        "log.digests_follow",
    ),
)
class KeepsTheList(ReferenceLogStore):
    """Reads the first batch of a log from the list that it was given."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._first: dict[str, Sequence[Entry]] = {}

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        if user not in self.shelf.logs and entries:
            self._first[user] = entries
        return await super().append(user, entries, **how)

    def kept(self, user: str) -> KeptLog:
        log = super().kept(user).copied()
        for one in self._first.get(user, ()):
            held = log.entries.get(one.identity)
            if held is not None and held.content is not None:
                log.entries[one.identity] = one
        return log


@saboteur(
    "M108",
    "sorts the caller's list",
    caught_by="log.append.does_not_mutate_input",
    says="the list after append",
    also=(
        "log.append.roundtrip",
        "log.range.*",
        "log.digests",
        "log.scope.hidden_is_covered",
        "redact.*",
    ),
)
class SortsTheList(ReferenceLogStore):
    """Brings the batch into order where it lies."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        if isinstance(entries, list):
            entries.sort(key=lambda one: (one.device, one.counter))
        return await super().append(user, entries, **how)


@saboteur(
    "M116",
    "relies on the order inside a batch",
    caught_by="log.read.mixed_batch_order",
    says="GapError",
    also=("*",),
)
class NeedsSortedBatch(ReferenceLogStore):
    """Takes an entry that comes before its predecessor for a gap."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        tops = VersionVector()
        for one in entries:
            if one.counter < tops[one.device]:
                raise GapError(one.device, expected=tops[one.device] + 1, got=one.counter)
            tops = tops.replace({one.device: one.counter})
        return await super().append(user, entries, **how)
