"""Stores that show what was redacted, or redact what was not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from strandlog import Appended, Entry, Identity, Page, VersionVector
from strandlog.backend import Capabilities
from strandlog_conformance.reference import KeptLog, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M149",
    "masks redacted entries in one of its reads only",
    caught_by="redact.content_gone_everywhere",
    says="read_range after the redaction",
    also=("redact.*", "life.*", "rehome.redactions_follow", "model.*", "cancel.changes_sweep"),
)
class MaskedInRead(ReferenceLogStore):
    """Keeps the content and leaves it out of pages."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._whole: dict[str, dict[Identity, Entry]] = {}

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        done = await super().append(user, entries, **how)
        whole = self._whole.setdefault(user, {})
        for one in entries:
            if one.content is not None:
                whole.setdefault(one.identity, one)
        return done

    async def read_range(self, user: str, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        whole = self._whole.get(user, {})
        entries = [
            whole[one.identity]
            if one.redacted and one.identity in whole and whole[one.identity].digest == one.digest
            else one
            for one in page.entries
        ]
        return replace(page, entries=entries)


@saboteur(
    "M151",
    "forgets a redaction whose target has not come yet",
    caught_by="redact.before_target_arrives",
    says="after the target came late",
    also=(
        "redact.*",
        "rehome.*",
        "life.reopen_keeps_everything",
        "model.*",
        "conc.two_handles_fresh",
        "conc.append_beside_changes",
        "erase.leaves_others",
    ),
)
class EarlyMaskForgotten(ReferenceLogStore):
    """Masks what is there."""

    def mask(self, log: KeptLog, batch: Iterable[Entry]) -> None:
        super().mask(log, batch)
        log.masks = {(what, by) for what, by in log.masks if what in log.entries}


@saboteur(
    "M152",
    "brings content back when the original is sent again",
    caught_by="redact.reupload_is_duplicate",
    says="after the original came again",
    also=("redact.*", "data.withdrawn_entries", "model.*", "rehome.comes_back_redacted"),
)
class ContentComesBack(ReferenceLogStore):
    """Fills in what an entry lacks."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        held = super().is_held(log, entry)
        if held:
            log.masks = {(what, by) for what, by in log.masks if what != entry.identity}
            log.entries[entry.identity] = entry
        return held


@saboteur(
    "M153",
    "redacts in the logs of other users too",
    caught_by="redact.only_same_user",
    says="of the log of another user",
    also=("erase.*", "log.digests", "model.*", "redact.same_content_elsewhere"),
)
class MasksEverywhere(ReferenceLogStore):
    """Has a key without the user."""

    def mask(self, log: KeptLog, batch: Iterable[Entry]) -> None:
        super().mask(log, batch)
        for other in self.shelf.logs.values():
            for target, _ in log.masks:
                if target in other.entries:
                    other.entries[target] = other.entries[target].without_content()


@saboteur(
    "M180",
    "forgets a redaction when its entry is trimmed",
    caught_by="redact.outlives_trim",
    says="after the redactions were trimmed",
    also=("model.*",),
)
class MaskTrimmed(ReferenceLogStore):
    """Masks by the redactions that it still holds."""

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        floor = await super().trim(user, device, up_to=up_to)
        log = self.kept(user)
        log.masks = {(what, by) for what, by in log.masks if by in log.entries}
        return floor


@saboteur(
    "M154",
    "drops from a redacted redaction what it redacts",
    caught_by="redact.of_a_redaction",
    says="after a redaction was redacted",
    also=("model.*", "data.*", "rehome.*"),
)
class RedactsDropped(ReferenceLogStore):
    """Takes everything but the envelope."""

    def mask(self, log: KeptLog, batch: Iterable[Entry]) -> None:
        super().mask(log, batch)
        for target, _ in log.masks:
            if target in log.entries:
                log.entries[target] = replace(log.entries[target], redacts=None)


@saboteur(
    "M339",
    "redacts by whatever comes, also by what it holds withdrawn",
    caught_by="redact.duplicates_mask_nothing",
    says="after the duplicate",
    also=("model.*",),
)
class MasksByDuplicates(ReferenceLogStore):
    """Looks for redactions in the batch before it looks what is new."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        done = await super().append(user, entries, **how)
        log = self.kept(user)
        if entries:
            self.mask(log, entries)
        return done
