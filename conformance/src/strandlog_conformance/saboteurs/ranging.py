"""Stores that get the ends of a range, or its number, wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from strandlog import Entry, Identity, Page, Seq
from strandlog_conformance.reference import ReferenceLogStore
from strandlog_conformance.saboteurs.registry import saboteur


def _before(seq: Seq) -> Seq:
    """Return a bound just before *seq*."""
    return Seq(seq.timestamp, seq.counter, "-") if seq.device > "-" else seq


@saboteur(
    "M10",
    "includes the lower bound of a range",
    caught_by="log.range.bounds",
    says="read_range(after=",
    also=("*",),
)
class LowerIncluded(ReferenceLogStore):
    """Compares with ≥."""

    async def read_range(self, user: str, *, after: Seq | None = None, **query: Any) -> Page:
        return await super().read_range(user, after=after and _before(after), **query)


@saboteur(
    "M11",
    "excludes the upper bound of a range",
    caught_by="log.range.bounds",
    says="up_to=",
    also=("*",),
)
class UpperExcluded(ReferenceLogStore):
    """Compares with <."""

    async def read_range(self, user: str, *, up_to: Seq | None = None, **query: Any) -> Page:
        page = await super().read_range(user, up_to=up_to, **query)
        return replace(page, entries=[one for one in page.entries if one.seq != up_to])


@saboteur(
    "M112",
    "looks only at the timestamp of a bound",
    caught_by="log.range.bounds",
    says="read_range(after=",
    also=("*",),
)
class BoundsByTime(ReferenceLogStore):
    """Leaves out whatever shares the millisecond of the bound."""

    async def read_range(self, user: str, *, after: Seq | None = None, **query: Any) -> Page:
        page = await super().read_range(user, after=after, **query)
        if after is None:
            return page
        return replace(
            page, entries=[one for one in page.entries if one.seq.timestamp > after.timestamp]
        )


@saboteur(
    "M188",
    "cuts the timestamp of a bound to 32 bits",
    caught_by="data.big_numbers",
    says="read_range after timestamp",
    also=("log.order.*",),
)
class BoundsCut(ReferenceLogStore):
    """Has a narrow column type for parameters."""

    async def read_range(self, user: str, *, after: Seq | None = None, **query: Any) -> Page:
        if after is not None:
            after = Seq(after.timestamp & 0xFFFFFFFF, after.counter, after.device)
        return await super().read_range(user, after=after, **query)


@saboteur(
    "M13",
    "counts the limit before it filters",
    caught_by="log.read.filter_before_limit",
    says="read(scopes=friend, limit=10)",
    also=("*",),
)
class LimitBeforeFilter(ReferenceLogStore):
    """Takes the first rows and throws away those that do not fit."""

    async def read(self, user: str, *, scopes: Any = None, **query: Any) -> Page:
        page = await super().read(user, **query)
        if scopes is None:
            return page
        return replace(page, entries=[one for one in page.entries if one.scope in scopes])


@saboteur(
    "M14",
    "takes a limit of 0 for no limit",
    caught_by="log.range.limit",
    says="read_range(limit=0)",
    also=("*",),
)
class ZeroIsAll(ReferenceLogStore):
    """Asks ``limit or all``."""

    async def read_range(self, user: str, *, limit: int, **query: Any) -> Page:
        return await super().read_range(user, limit=limit or 1 << 30, **query)


@saboteur(
    "M113",
    "says that more is left when a range was exactly as long as its limit",
    caught_by="log.range.limit",
    says="more",
    also=("*",),
)
class MoreAtLimit(ReferenceLogStore):
    """Compares the number of rows with the limit."""

    async def read_range(self, user: str, *, limit: int, **query: Any) -> Page:
        page = await super().read_range(user, limit=limit, **query)
        return replace(page, more=len(page.entries) == limit)


@saboteur(
    "M118",
    "says that more is left when a page was exactly as long as its limit",
    caught_by="log.page.every_size",
    says="lengths of pages",
    also=("*",),
)
class MoreAtPageEnd(ReferenceLogStore):
    """Finds out by an empty page that there was no more."""

    async def read(self, user: str, *, limit: int, **query: Any) -> Page:
        page = await super().read(user, limit=limit, **query)
        return replace(page, more=page.more or (limit > 0 and len(page.entries) == limit))


@saboteur(
    "M167",
    "gives the first entries turned round, instead of the last ones",
    caught_by="log.range.reverse_with_limit",
    says="reverse=True, limit=1",
    also=("*",),
)
class ReverseOfFirst(ReferenceLogStore):
    """Applies the limit before it turns the range round."""

    async def read_range(self, user: str, *, reverse: bool = False, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        return replace(page, entries=list(page.entries)[::-1]) if reverse else page


@saboteur(
    "M177",
    "asks for no more devices than its database can ask for at once",
    caught_by="log.read.many_devices",
    says="read of 600 devices",
)
class DevicesCut(ReferenceLogStore):
    """Builds one query of at most 500 parts."""

    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        known = sorted({one.device for one in self.kept(user).entries.values()})[:500]
        return replace(page, entries=[one for one in page.entries if one.device in known])


@saboteur(
    "M114",
    "answers a digest that is not there with the nearest one",
    caught_by="log.digests",
    says="digests({'phone': 13})",
    also=("*",),
)
class NearestDigest(ReferenceLogStore):
    """Looks for the last entry up to the counter."""

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        await super().digests(user, at)
        held = self.kept(user).entries
        return {device: self._nearest(held.values(), device, at[device]) for device in at}

    def _nearest(self, held: Iterable[Entry], device: str, counter: int) -> str | None:
        below = [one for one in held if one.device == device and one.counter <= counter]
        return max(below, key=lambda one: one.counter).digest if below else None


@saboteur(
    "M150",
    "forgets the digest of what was redacted",
    caught_by="redact.content_gone_everywhere",
    says="digest of the redacted one",
    also=("redact.*", "log.digests", "model.*"),
)
class RedactedDigestLost(ReferenceLogStore):
    """Has no digest without content."""

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        found = await super().digests(user, at)
        held = self.kept(user).entries
        for device in at:
            entry = held.get(Identity(device, at[device]))
            if entry is not None and entry.redacted:
                found[device] = None
        return found
