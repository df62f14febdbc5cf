"""Stores whose pages lose, hide or promise too much."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from anyio.lowlevel import checkpoint

from strandlog import Appended, Entry, Page, VersionVector
from strandlog.backend import Capabilities
from strandlog_conformance.reference import ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M16",
    "never gives more than 1000 rows",
    caught_by="log.page.big_log",
    says="count and more of one read",
    also=("log.append.large_batch_10k", "log.read.many_devices"),
)
class HardCap(ReferenceLogStore):
    """Keeps the default limit of its driver."""

    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        return replace(page, entries=list(page.entries)[:1000])


@saboteur(
    "M117",
    "loses the last row of a full page",
    caught_by="log.page.every_size",
    says="pages of 1",
    also=("*",),
)
class LastRowLost(ReferenceLogStore):
    """Reads one row less than it covers."""

    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        return replace(page, entries=list(page.entries)[:-1]) if page.more else page


_AT_ONCE = 100


@saboteur(
    "M189",
    "gives no more than a hundred entries of one timestamp",
    caught_by="log.page.one_millisecond",
    says="in one millisecond",
    also=("log.order.numeric_not_text",),
)
class CrowdedMillisecond(ReferenceLogStore):
    """Pages by timestamp and looks for those at the border only so far."""

    async def read_range(self, user: str, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        counts: dict[int, int] = {}
        for one in self.sorted(self.kept(user).entries.values()):
            stamp = one.seq.timestamp
            counts[stamp] = counts.get(stamp, 0) + 1
        crowded = {stamp for stamp, count in counts.items() if count > _AT_ONCE}
        keep = [
            e for e in page.entries if e.seq.timestamp not in crowded or e.counter < _AT_ONCE / 4
        ]
        return replace(page, entries=keep)


@saboteur(
    "M119",
    "gives an empty page where one entry is longer than the page",
    caught_by="log.page.max_bytes",
    says="more=True and upto still",
    also=("model.*",),
)
class TooLongForPage(ReferenceLogStore):
    """Takes the limit of bytes to the letter."""

    async def read(self, user: str, *, max_bytes: int, **query: Any) -> Page:
        page = await super().read(user, max_bytes=max_bytes, **query)
        if page.more and page.entries and page.entries[0].wire_length > max_bytes:
            return replace(page, entries=[], upto=query["after"])
        return page


@saboteur(
    "M168",
    "does not count bytes",
    caught_by="log.page.max_bytes",
    says="lengths of pages",
    also=("model.*",),
)
class BytesNotCounted(ReferenceLogStore):
    """Knows only the limit of entries."""

    async def read(self, user: str, *, max_bytes: int, **query: Any) -> Page:
        return await super().read(user, max_bytes=1 << 40, **query)


@saboteur(
    "M120",
    "looks up its tops after it has read the rows",
    caught_by="log.page.one_snapshot",
    says="which the entries reach",
    also=(
        "conc.tailing_reader_misses_nothing",
        "conc.monotonic_reads_per_handle",
        "conc.real_time_order",
        "model.concurrent_history",
    ),
)
class TwoSnapshots(ReferenceLogStore):
    """Asks its database twice for one page."""

    async def read(self, user: str, **query: Any) -> Page:
        page = await super().read(user, **query)
        await checkpoint()
        tops = VersionVector(self.kept(user).covered)
        if page.more or tops == page.tops:
            return page
        return replace(page, tops=tops, upto=page.upto.merge(tops))


@saboteur(
    "M123",
    "keeps one counter for all devices of a reader",
    caught_by="log.since.vector",
    says="read after {phone: 42, desk: 46}",
    also=("*",),
)
class OneCounterForAll(ReferenceLogStore):
    """Goes by the greatest number that the reader has."""

    async def read(self, user: str, *, after: VersionVector, **query: Any) -> Page:
        page = await super().read(user, after=after, **query)
        seen = max(after.values(), default=0)
        return replace(page, entries=[one for one in page.entries if one.counter > seen])


@saboteur(
    "M124",
    "does not tell a reader that it has less than he",
    caught_by="log.since.vector_ahead",
    says="at Page.upto",
    also=("model.*", "log.since.unknown_devices"),
)
class HidesItsLoss(ReferenceLogStore):
    """Merges what it covers into what the reader said."""

    async def read(self, user: str, *, after: VersionVector, **query: Any) -> Page:
        page = await super().read(user, after=after, **query)
        return replace(page, upto=page.upto.merge(after))


@saboteur(
    "M128",
    "covers only what it has sent, not what it has hidden",
    caught_by="log.scope.hidden_is_covered",
    says="at Page.upto",
    also=("*",),
)
class HiddenNotCovered(ReferenceLogStore):
    """Takes the last visible entry for the end of the log."""

    async def read(self, user: str, *, after: VersionVector, **query: Any) -> Page:
        page = await super().read(user, after=after, **query)
        if query.get("scopes") is None:
            return page
        return replace(page, upto=after.replace({e.device: e.counter for e in page.entries}))


@saboteur(
    "M176",
    "begins again where a reader is ahead of it",
    caught_by="log.read.after_unknown_position",
    says="read after the greatest counter",
    also=("*",),
)
class StartsOver(ReferenceLogStore):
    """Takes a position that it does not know for no position."""

    async def read(self, user: str, *, after: VersionVector, **query: Any) -> Page:
        await self.turn()
        covered = VersionVector(self.kept(user).covered)
        known = VersionVector({d: n for d, n in after.items() if n <= covered[d]})
        page = await super().read(user, after=known, **query)
        ahead = {d: n for d, n in after.items() if d not in known and page.more}
        return replace(page, upto=page.upto.merge(ahead))


@saboteur(
    "M30",
    "hands out the list that it goes on writing to",
    caught_by="log.read.returned_data_not_live",
    says="entries of a range after a later append",
)
class LiveList(ReferenceLogStore):
    """Keeps one list for the whole of a log and shows it to everybody."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._shown: dict[str, list[Entry]] = {}

    async def append(self, user: str, *args: Any, **how: Any) -> Appended:
        done = await super().append(user, *args, **how)
        if user in self._shown:
            self._shown[user][:] = self.sorted(self.kept(user).entries.values())
        return done

    async def read_range(self, user: str, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        if set(query) == {"limit"} and not page.more:
            shown = self._shown.setdefault(user, [])
            shown[:] = page.entries
            return replace(page, entries=shown)
        return page


@saboteur(
    "M81",
    "gives a wrong answer once in a few hundred",
    caught_by="model.random_ops",
    says="entries",
    also=("*",),
)
class NowAndThen(ReferenceLogStore):
    """Loses the first row of every 97th answer that has two."""

    _count = 0

    async def read(self, user: str, **query: Any) -> Page:
        return self._spoilt(await super().read(user, **query))

    async def read_range(self, user: str, **query: Any) -> Page:
        return self._spoilt(await super().read_range(user, **query))

    def _spoilt(self, page: Page) -> Page:
        if not page.entries[1:]:
            return page
        NowAndThen._count += 1
        lose = NowAndThen._count % 97 == 0
        return replace(page, entries=list(page.entries)[1:]) if lose else page
