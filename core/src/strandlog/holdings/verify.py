"""Verifies that a store answers alike whichever way it is asked, and holds what it should.

What it reads is checked against the checksums by the store itself, as in every read.
Here each log is read by device, by scope, in order and backwards; all of it has to
be the same entries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from strandlog.backend.store import LogStore
from strandlog.errors import InvalidArgumentError, StoreCorruptError
from strandlog.holdings.export import entry_line
from strandlog.holdings.walk import PAGE_BYTES, PAGE_LIMIT, Outline, Stores, outline
from strandlog.model import Entry, Seq
from strandlog.page import Page
from strandlog.vector import VersionVector

__all__ = ["Verified", "verify_log"]

# How many counters are tried one by one to get past a damaged record: as many as a
# page may have before it, twice over.
_STEPS_MAX = 2 * PAGE_LIMIT


@dataclass(slots=True)
class Verified:
    """What was found out about one log.

    Attributes:
        user: Whose log.
        entries: How many entries were read.
        holes: How many counters above the floors are covered and not held, as in a
            copy of a filtered view.
        problems: What is wrong, a sentence each.
    """

    user: str
    entries: int = 0
    holes: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Tally:
    """Which entries came, whatever the order: a count and a sum of hashes."""

    count: int = 0
    total: int = 0

    def add(self, entry: Entry) -> None:
        self.count += 1
        digest = blake2b(entry_line(entry), digest_size=16).digest()
        self.total = (self.total + int.from_bytes(digest, "big")) & ((1 << 128) - 1)


async def verify_log(
    stores: Stores,
    user: str,
    *,
    dense: bool = False,
    on_entries: Callable[[int], None] | None = None,
) -> Verified:
    """Read one log in every way there is; return what is wrong with it.

    Nobody may change the log meanwhile, or what came in between is reported.
    Memory does not grow with the log.

    Args:
        stores: Where to read. Nothing is changed.
        user: Whose log.
        dense: Whether a hole is a problem: so it is in the store of a server, and
            not in the copy that a friend or a late device has.
        on_entries: Told, again and again, how many more entries were read.
    """
    log_store, cursor_store = stores
    found = Verified(user)
    try:
        log = await outline(log_store, user)
        verifier = _Verifier(log_store, log, found, on_entries)
        await verifier.verify()
        for reader, vector in (await cursor_store.readers(user)).items():
            loaded = await cursor_store.load(user, reader)
            if loaded != vector:
                found.problems.append(
                    f"the cursor of {reader} is listed as {dict(vector)} and loaded as"
                    f" {dict(loaded)}"
                )
    except StoreCorruptError as error:
        found.problems.append(str(error))
    if dense and found.holes:
        found.problems.append(f"{found.holes} counters above the floors are not held")
    return found


class _Verifier:
    """One log that is being read."""

    def __init__(
        self,
        store: LogStore,
        log: Outline,
        found: Verified,
        on_entries: Callable[[int], None] | None,
    ) -> None:
        self._store = store
        self._log = log
        self._found = found
        self._on_entries = on_entries
        self._all = _Tally()
        self._scopes: dict[str, dict[str, _Tally]] = {}
        self._newest: Seq | None = None
        self._damaged = False

    async def verify(self) -> None:
        for device in self._log.tops:
            self._scopes[device] = {}
            await self._read_device(device)
        # What a damaged record hides is missing from everything below too.
        if self._damaged:
            return
        await self._read_scopes()
        await self._read_ranges()
        await self._ask()

    def _say(self, problem: str) -> None:
        if problem not in self._found.problems:
            self._found.problems.append(problem)

    async def _read_device(self, device: str) -> None:
        floor, top = self._log.floor[device], self._log.tops[device]
        expected, stamp = floor + 1, 0
        async for page in self._pages(device, after=0):
            for entry in page.entries:
                self._look_at(entry, device, expected, floor, stamp)
                if entry.counter > floor:
                    # What lies beside a damaged record may not have been read either.
                    self._found.holes += 0 if self._damaged else max(entry.counter - expected, 0)
                    expected = entry.counter + 1
                stamp = entry.seq.timestamp
            if page.entries:
                last = page.entries[-1]
                await self._ask_digest(device, last.counter, last.digest)
        if not self._damaged:
            self._found.holes += max(top + 1 - expected, 0)
        await self._ask_digest(device, top + 1, None)

    def _look_at(self, entry: Entry, device: str, expected: int, floor: int, stamp: int) -> None:
        counter = entry.counter
        name = f"{device} {counter}"
        if entry.device != device:
            self._say(f"{entry.device} {counter} came where {device} was asked for")
        if counter <= floor:
            self._say(f"{name} is held and lies at or below the floor {floor}")
        elif counter < expected:
            self._say(f"{name} came after {device} {expected - 1}")
        if counter > self._log.tops[device]:
            self._say(f"{name} lies above the top {self._log.tops[device]}")
        if entry.seq.timestamp < stamp:
            self._say(f"the timestamp of {name} falls below that of the entry before it")
        try:
            replace(entry)  # made anew, it is held against its digest and the grammars
        except InvalidArgumentError as error:
            self._say(str(error))
        self._found.entries += 1
        self._all.add(entry)
        self._scopes[device].setdefault(entry.scope, _Tally()).add(entry)
        if self._newest is None or entry.seq > self._newest:
            self._newest = entry.seq

    async def _pages(
        self, device: str, *, after: int, scope: str | None = None
    ) -> AsyncIterator[Page]:
        """Yield the pages of a device, past damaged records, which are reported."""
        limit, steps = PAGE_LIMIT, 0
        while True:
            try:
                page = await self._store.read(
                    self._log.user,
                    after=VersionVector({device: after}),
                    devices={device},
                    scopes=None if scope is None else {scope},
                    limit=limit,
                    max_bytes=PAGE_BYTES,
                )
            except StoreCorruptError as error:
                self._damaged = True
                self._say(str(error))
                # One by one from here on, so that only what is damaged is left out.
                limit, steps, after = 1, steps + 1, after + 1
                if steps > _STEPS_MAX or after > self._log.tops[device]:
                    return
                continue
            yield page
            if self._on_entries is not None:
                self._on_entries(len(page.entries))
            if not page.more:
                return
            if page.upto[device] <= after:
                self._say(f"a page of {device} after {after} has more and goes no further")
                return
            after = page.upto[device]
            if steps and limit == 1:
                limit, steps = PAGE_LIMIT, 0

    async def _read_scopes(self) -> None:
        every = sorted({scope for scopes in self._scopes.values() for scope in scopes})
        for device, held in self._scopes.items():
            for scope in every:
                tally = _Tally()
                async for page in self._pages(device, after=0, scope=scope):
                    for entry in page.entries:
                        if entry.scope != scope:
                            self._say(f"{device} {entry.counter} came where {scope} was asked for")
                        tally.add(entry)
                if tally != held.get(scope, _Tally()):
                    count = held.get(scope, _Tally()).count
                    self._say(
                        f"reading {scope} of {device} gives {tally.count} entries, and reading"
                        f" everything other ones or {count}"
                    )

    async def _read_ranges(self) -> None:
        for reverse in (False, True):
            way = "backwards" if reverse else "in order"
            tally, last = _Tally(), None
            async for entry in self._range(reverse=reverse):
                if last is not None and (entry.seq >= last if reverse else entry.seq <= last):
                    self._say(f"read {way}, {entry.seq} came after {last}")
                last = entry.seq
                tally.add(entry)
            if tally != self._all:
                self._say(
                    f"reading the log {way} gives {tally.count} entries, and reading by device"
                    f" other ones or {self._all.count}"
                )

    async def _range(self, *, reverse: bool) -> AsyncIterator[Entry]:
        at: Seq | None = None
        while True:
            page = await self._store.read_range(
                self._log.user,
                after=None if reverse else at,
                up_to=at if reverse else None,
                reverse=reverse,
                limit=PAGE_LIMIT,
            )
            # Backwards the bound is included, so that a page begins with what was seen.
            fresh = [entry for entry in page.entries if not reverse or entry.seq != at]
            for entry in fresh:
                yield entry
            if not page.more:
                return
            if not fresh:
                self._say(f"a page up to {at} has more and goes no further")
                return
            at = page.entries[-1].seq

    async def _ask(self) -> None:
        tops, head = await self._store.tops(self._log.user), await self._store.head(self._log.user)
        if tops != self._log.tops:
            self._say(f"tops says {dict(tops)}, a page {dict(self._log.tops)}")
        if head != self._newest:
            self._say(f"head says {head}, the greatest seq read is {self._newest}")

    async def _ask_digest(self, device: str, counter: int, digest: str | None) -> None:
        found = (await self._store.digests(self._log.user, {device: counter}))[device]
        if found != digest:
            self._say(f"digests says {found} of {device} {counter}, reading {digest}")
