"""Stores that take a single entry for what it is not: new, known, missing or in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from strandlog import Appended, Entry, Identity, Seq
from strandlog.errors import GapError
from strandlog_conformance.reference import KeptLog, ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur


def _keep_again(log: KeptLog, entry: Entry) -> None:
    """Keep *entry* a second time, under a key that nothing else uses."""
    log.entries[Identity(f"{entry.device} again {len(log.entries)}", entry.counter)] = entry


@saboteur(
    "M01",
    "stores a duplicate a second time",
    caught_by="log.append.duplicate_noop",
    says="the log after the repetition",
    also=("*",),
)
class DuplicateTwice(ReferenceLogStore):
    """Counts a duplicate as one and keeps it all the same."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        held = super().is_held(log, entry)
        if held:
            _keep_again(log, entry)
        return held


@saboteur(
    "M02",
    "ignores a fork in silence and keeps the first",
    caught_by="log.append.conflict_refused",
    says="got no error",
    also=(
        "log.append.*",
        "log.scope.cannot_change_by_resend",
        "conc.conflicting_same_identity_one_winner",
        "sparse.fill_below_top",
        "model.*",
        "life.reopen_keeps_everything",
        "sparse.refused_leaves_no_trace",
        "conc.batches_contiguous",
        "rehome.comes_back",
        "rehome.comes_back_redacted",
    ),
)
class ForkIgnored(ReferenceLogStore):
    """Takes every taken identity for a duplicate."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        return entry.identity in log.entries


@saboteur(
    "M03",
    "overwrites an entry by a fork",
    caught_by="log.append.conflict_refused",
    says="got no error",
    also=(
        "log.append.*",
        "log.scope.cannot_change_by_resend",
        "data.withdrawn_entries",
        "conc.conflicting_same_identity_one_winner",
        "sparse.fill_below_top",
        "model.*",
        "life.reopen_keeps_everything",
        "sparse.refused_leaves_no_trace",
        "conc.batches_contiguous",
        "redact.duplicates_mask_nothing",
        "rehome.comes_back",
        "rehome.comes_back_redacted",
    ),
)
class LastWins(ReferenceLogStore):
    """Replaces what is there."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        held = entry.identity in log.entries
        if held:
            log.entries[entry.identity] = entry
        return held


@saboteur(
    "M06",
    "burns a counter for a duplicate",
    caught_by="log.append.duplicate_noop",
    says="append of the same 4 again",
    also=("*",),
)
class DuplicateBurns(ReferenceLogStore):
    """Raises the top by what came, not by what was new."""

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        added = super().add(log, device, batch, upto, floor)
        log.covered[device] += len(batch) - added
        return added


@saboteur(
    "M07",
    "forgets the device when it looks for duplicates",
    caught_by="log.append.same_number_other_device",
    says="append of phone2 1",
    also=(
        "log.order.golden_vectors",
        "redact.same_content_elsewhere",
        "rehome.comes_back_redacted",
    ),
)
class DeviceForgotten(ReferenceLogStore):
    """Knows an entry by its number, time and content."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        known = {(one.seq.timestamp, one.counter, one.content) for one in log.entries.values()}
        key = (entry.seq.timestamp, entry.counter, entry.content)
        return super().is_held(log, entry) or (entry.content is not None and key in known)


@saboteur(
    "M58",
    "takes zero for missing",
    caught_by="log.append.zero_numbers",
    says="head of a log with only timestamp 0",
    also=("model.*",),
)
class ZeroIsMissing(ReferenceLogStore):
    """Has no head where the greatest timestamp is 0."""

    async def head(self, user: str) -> Seq | None:
        head = await super().head(user)
        return head if head and head.timestamp else None


@saboteur(
    "M80",
    "takes two entries of one millisecond for the same",
    caught_by="log.append.counters_dense",
    says="append of phone 2 to 4",
    also=("*",),
)
class MillisecondIsKey(ReferenceLogStore):
    """Keeps one entry of a device for each timestamp."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        stamps = {(one.device, one.seq.timestamp) for one in log.entries.values()}
        return super().is_held(log, entry) or (entry.device, entry.seq.timestamp) in stamps


@saboteur(
    "M103",
    "drops an optional field",
    caught_by="log.append.roundtrip",
    says="read of all",
    also=(
        "log.append.conflict_refused",
        "data.json_like_bodies_untouched",
        "redact.content_gone_everywhere",
        "rehome.moves_and_repeats",
        "life.reopen_keeps_everything",
        "redact.same_content_elsewhere",
        "log.append.fork_in_every_field",
        "data.sizes_of_meta",
        "rehome.comes_back_redacted",
    ),
)
class MetaDropped(ReferenceLogStore):
    """Has no column for ``meta``."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        return await super().append(
            user,
            [replace(one, meta=None, digest="" if one.content else one.digest) for one in entries],
            **how,
        )


@saboteur(
    "M104",
    "skips a whole batch whose first entry is known",
    caught_by="log.append.duplicate_noop",
    says="append of phone 2 to 6 over 1 to 4",
    also=(
        "log.append.gap_refused",
        "life.reopen_keeps_everything",
        "model.*",
        "trim.imported_floor_removes_nothing",
        "rehome.comes_back",
        "rehome.comes_back_redacted",
    ),
)
class OverlapSkipped(ReferenceLogStore):
    """Looks at the beginning of a batch only."""

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        if batch and batch[0].identity in log.entries and self.is_held(log, batch[0]):
            batch = batch[:1]
        return super().add(log, device, batch, upto, floor)


@saboteur(
    "M105",
    "leaves the scope out when it compares entries",
    caught_by="log.append.conflict_refused",
    says="another scope",
    also=("log.scope.cannot_change_by_resend", "log.append.fork_in_every_field"),
)
class ScopeNotCompared(ReferenceLogStore):
    """Takes an entry with another scope for a duplicate."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        held = log.entries.get(entry.identity)
        if held is not None and entry.content is not None:
            entry = replace(entry, scope=held.scope, digest="")
        return super().is_held(log, entry)


@saboteur(
    "M106",
    "accepts a batch with a hole",
    caught_by="log.append.gap_refused",
    says="append of phone 3 over 1: got no error",
    also=(
        "log.append.*",
        "conc.many_logs_at_once",
        "sparse.without_upto_still_dense",
        "trim.imported_floor",
        "model.*",
        "life.reopen_keeps_everything",
    ),
)
class GapsAccepted(ReferenceLogStore):
    """Raises the top to whatever comes."""

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        if upto is None and batch:
            upto = batch[-1].counter
        return super().add(log, device, batch, upto, floor)


@saboteur(
    "M109",
    "lets an error of its own leave the store",
    caught_by="log.append.error_types",
    says="LookupError",
    also=(
        "log.append.*",
        "conc.many_logs_at_once",
        "sparse.*",
        "trim.imported_floor",
        "model.*",
        "life.reopen_keeps_everything",
    ),
)
class OwnErrors(ReferenceLogStore):
    """Reports a gap in its own words."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        try:
            return await super().append(user, entries, **how)
        except GapError as error:
            raise LookupError(str(error)) from error


@saboteur(
    "M111",
    "accepts a timestamp that falls",
    caught_by="log.order.clock_steps_back",
    says="append of behind 4 at 29 after behind 3 at 30: got no error",
    also=(
        "log.append.*",
        "sparse.fill_below_top",
        "model.*",
        "life.reopen_keeps_everything",
        "sparse.refused_leaves_no_trace",
    ),
)
class FallingAccepted(ReferenceLogStore):
    """Trusts the clocks."""

    def refuse_falling(self, log: KeptLog, device: str) -> None:
        pass


@saboteur(
    "M131",
    "takes an entry without content for one with empty content",
    caught_by="data.withdrawn_entries",
    says="read of them",
    also=("redact.*", "model.*", "rehome.comes_back", "rehome.comes_back_redacted"),
)
class WithdrawnIsEmpty(ReferenceLogStore):
    """Keeps no difference between nothing and empty bytes."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        filled = [
            one if one.content is not None else replace(one, content=b"", digest="")
            for one in entries
        ]
        return await super().append(user, filled, **how)
