"""Stores that mix up names or change what they are given."""

from __future__ import annotations

import json
import struct
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from strandlog import Appended, Entry, Page, Seq, VersionVector
from strandlog.backend import Capabilities, pack
from strandlog.model import TIMESTAMP_MAX
from strandlog_conformance.reference import CAPABILITIES, KeptLog, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur


class _Altering(ReferenceLogStore):
    """Gives back other entries than it was given."""

    @abstractmethod
    def altered(self, entry: Entry) -> Entry:
        """Return what is given back in the place of *entry*."""

    async def read(self, user: str, **query: Any) -> Page:
        return self._changed(await super().read(user, **query))

    async def read_range(self, user: str, **query: Any) -> Page:
        return self._changed(await super().read_range(user, **query))

    def _changed(self, page: Page) -> Page:
        entries = [one if one.redacted else self.altered(one) for one in page.entries]
        return replace(page, entries=entries)


@saboteur(
    "M20",
    "finds a log by the beginning of its name",
    caught_by="names.log_isolation",
    says="among its likes",
    also=("names.keys_not_glued", "names.like_numbers"),
)
class LogByPrefix(ReferenceLogStore):
    """Shows the logs of all users whose name begins alike."""

    async def read(self, user: str, **query: Any) -> Page:
        await self.turn()
        merged = self.kept(user).copied()
        for name, log in self.shelf.logs.items():
            if name.startswith(user):
                merged.entries.update(log.entries)
        view = Shelf()
        view.logs[user] = merged
        return await ReferenceLogStore(view, self.capabilities).read(user, **query)


@saboteur(
    "M178",
    "writes user and device together without a sign between them",
    caught_by="names.keys_not_glued",
    says="among its likes",
)
class KeysGlued(ReferenceLogStore):
    """Has one key for both names."""

    async def read(self, user: str, **query: Any) -> Page:
        await self.turn()
        merged = self.kept(user).copied()
        own = {user + one.device for one in merged.entries.values()}
        for name, log in self.shelf.logs.items():
            for identity, one in log.entries.items():
                if name + one.device in own:
                    merged.entries.setdefault(identity, one)
        view = Shelf()
        view.logs[user] = merged
        return await ReferenceLogStore(view, self.capabilities).read(user, **query)


@saboteur(
    "M179",
    "writes device and counter together without a sign between them",
    caught_by="names.keys_not_glued",
    says="GapError: d1: counter 3 came, 1 is next",
    also=("log.*", "conc.nothing_lost", "redact.only_same_user"),
)
class NumbersGlued(ReferenceLogStore):
    """Knows an entry by its device's name with the number behind it."""

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        keys = {f"{one.device}{one.counter}" for one in log.entries.values()}
        return super().is_held(log, entry) or f"{entry.device}{entry.counter}" in keys


class _Folded(dict[str, KeptLog]):
    """Logs by their names in small letters."""

    def __getitem__(self, user: str) -> KeptLog:
        return super().__getitem__(user.lower())

    def __setitem__(self, user: str, log: KeptLog) -> None:
        super().__setitem__(user.lower(), log)

    def __contains__(self, user: object) -> bool:
        return super().__contains__(str(user).lower())

    def get(self, user: str, default: Any = None) -> Any:
        return super().get(user.lower(), default)


@saboteur(
    "M22",
    "takes names for equal that differ in case",
    caught_by="names.log_isolation",
    says="",
    also=("*",),
)
class NamesFolded(ReferenceLogStore):
    """Normalises names before it looks them up."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        if not isinstance(kept.logs, _Folded):
            kept.logs = _Folded()
        super().__init__(kept, capabilities)


@saboteur(
    "M24",
    "splits a device name at one of its signs",
    caught_by="names.device_hostile",
    says="tops",
    also=("*",),
)
class DeviceSplit(ReferenceLogStore):
    """Takes a re-homed device for the one that it came from."""

    async def tops(self, user: str) -> VersionVector:
        tops = await super().tops(user)
        merged = VersionVector()
        for device, counter in tops.items():
            merged = merged.merge({device.partition("~")[0] or "~": counter})
        return merged


@saboteur(
    "M25",
    "passes content through UTF-8",
    caught_by="data.all_byte_values",
    says="read of all byte values",
    also=("data.compressible_and_random",),
)
class ContentAsText(_Altering):
    """Replaces what is no text."""

    def altered(self, entry: Entry) -> Entry:
        text = (entry.content or b"").decode("utf-8", "replace")
        return replace(entry, content=text.encode(), digest="")


@saboteur(
    "M26",
    "takes empty content for missing content",
    caught_by="data.empty_body",
    says="read of empty content",
    also=("data.sizes",),
)
class EmptyIsMissing(_Altering):
    """Asks ``content or nothing``."""

    def altered(self, entry: Entry) -> Entry:
        return entry if entry.content else entry.without_content()


@saboteur(
    "M28",
    "passes numbers through a short float",
    caught_by="data.big_numbers",
    says="",
    also=("log.order.*",),
)
class NumbersAsFloat(_Altering):
    """Loses the last digits of a great timestamp."""

    def altered(self, entry: Entry) -> Entry:
        [stamp] = struct.unpack("f", struct.pack("f", entry.seq.timestamp))
        seq = Seq(min(int(stamp), TIMESTAMP_MAX), entry.counter, entry.device)
        return replace(entry, seq=seq, digest="")


@saboteur(
    "M129",
    "keeps the length of content in 16 bits",
    caught_by="data.sizes",
    says="read of many sizes",
    also=("data.compressible_and_random",),
)
class ShortLength(_Altering):
    """Cuts content at 65536 bytes."""

    def altered(self, entry: Entry) -> Entry:
        content = entry.content or b""
        return replace(entry, content=content[: len(content) & 0xFFFF], digest="")


@saboteur(
    "M130",
    "reads content as JSON and writes it anew",
    caught_by="data.json_like_bodies_untouched",
    says="read of phone 1",
    also=("*",),
)
class JsonRewritten(_Altering):
    """Keeps documents, not bytes."""

    def altered(self, entry: Entry) -> Entry:
        try:
            value = json.loads(entry.content or b"")
        except ValueError:
            return entry
        return replace(entry, content=json.dumps(value).encode(), digest="")


@saboteur(
    "M77",
    "cuts an entry that is too long instead of refusing it",
    caught_by="data.over_limit_refused",
    says="append of max_entry + 1 bytes: got no error",
    capabilities=replace(CAPABILITIES, max_entry=4_096),
    also=("log.page.max_bytes", "data.limit_counts_the_record"),
)
class LongEntriesCut(ReferenceLogStore):
    """Fills its column and drops the rest."""

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        return await super().append(user, [self._cut(user, one) for one in entries], **how)

    def _cut(self, user: str, entry: Entry) -> Entry:
        over = len(pack(user, entry)) - (self.capabilities.max_entry or 0)
        content = entry.content or b""
        return replace(entry, content=content[:-over], digest="") if over > 0 else entry


@saboteur(
    "M187",
    "lists no more than a hundred logs",
    caught_by="log.logs.listed",
    says="that logs() does not name",
)
class LogsCut(ReferenceLogStore):
    """Keeps the page size of its driver."""

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        return await super().logs(after=after, limit=min(limit, 100))


@saboteur(
    "M115",
    "lists logs in the order in which they were made",
    caught_by="log.logs.listed",
    says="the order of logs()",
)
class LogsUnsorted(ReferenceLogStore):
    """Relies on the order of its directory."""

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        wanted = set(await super().logs(after=after, limit=limit))
        return [user for user in self.shelf.logs if user in wanted]
