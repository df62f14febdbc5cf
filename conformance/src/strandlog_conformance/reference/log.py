"""The plainest log store that keeps the contract: what others are measured against.

It looks everything up by walking over all entries and decides by itself what an
append comes to. So it is slow, and independent of the code that real stores
share: the model check compares a store with it, and the saboteurs are made of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from strandlog import Appended, Entry, Identity, Page, Seq, VersionVector
from strandlog.backend import Capabilities, Durability, Handles, LogStore, StoreInfo, pack
from strandlog.errors import (
    AppendError,
    ErasedError,
    ForkError,
    GapError,
    SeqError,
    TooLargeError,
    TrimmedError,
    UnsupportedError,
)
from strandlog_conformance.reference.shelf import Closing, KeptLog, Shelf

__all__ = ["CAPABILITIES", "ReferenceLogStore"]

CAPABILITIES = Capabilities(
    durability=Durability.PROCESS, handles=Handles.TASK, sparse=True, rehome=True
)


class ReferenceLogStore(Closing, LogStore):
    """Logs on a shelf."""

    def __init__(self, kept: Shelf, capabilities: Capabilities = CAPABILITIES) -> None:
        super().__init__()
        self.shelf = kept
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def kept(self, user: str) -> KeptLog:
        """Return the log as it is, empty if it never was."""
        return self.shelf.logs.get(user, KeptLog())

    async def append(
        self,
        user: str,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> Appended:
        await self.turn()
        log = self.kept(user).copied()
        done = self.applied(log, user, entries, upto=upto, floor=floor)
        if entries or done.tops:
            self.shelf.logs[user] = log
        return done

    def applied(
        self,
        log: KeptLog,
        user: str,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> Appended:
        """Apply an append to *log*; after an error it is to be thrown away."""
        self.refuse_undeclared("sparse" if upto is not None else "")
        limit = self._capabilities.max_batch
        if limit is not None and len(entries) > limit:
            raise TooLargeError(f"{len(entries)} entries, {limit} at once", limit=limit)
        for error in self.erased(user):
            raise error
        for entry in entries:
            self.refuse_too_large(user, entry)
        batch: dict[str, list[Entry]] = {device: [] for device in (*(upto or ()), *(floor or ()))}
        for one in sorted(entries, key=lambda one: one.counter):
            batch.setdefault(one.device, []).append(one)
        known = {one.identity for one in entries if one.identity in log.entries}
        added = 0
        for device, mine in sorted(batch.items()):
            top = None if upto is None else upto[device]
            added += self.add(log, device, mine, top, floor[device] if floor else 0)
        # Only by what is new: a duplicate changes nothing.
        self.mask(log, [one for one in entries if one.identity in log.entries.keys() - known])
        tops = VersionVector({device: log.covered.get(device, 0) for device in batch})
        return Appended(tops, added, len(entries) - added)

    def erased(self, user: str) -> list[AppendError]:
        """Return the error with which an erased log refuses appends, if it is one."""
        log = self.kept(user)
        return [ErasedError(user, log.generation)] if log.erased else []

    def refuse_undeclared(self, capability: str) -> None:
        """Raise if a call needs a capability that this store does not declare."""
        if capability and not getattr(self._capabilities, capability):
            raise UnsupportedError(f"this store does not declare {capability}")

    def refuse_too_large(self, user: str, entry: Entry) -> None:
        """Raise if the record of *entry* exceeds the limit."""
        limit = self._capabilities.max_entry
        if limit is not None and len(pack(user, entry)) > limit:
            raise TooLargeError(
                f"{entry.seq}: longer than {limit} bytes", limit=limit, counter=entry.counter
            )

    def add(
        self, log: KeptLog, device: str, batch: Sequence[Entry], upto: int | None, floor: int
    ) -> int:
        """Add one device's entries, which come by counter; return how many were new."""
        floor = max(floor, log.floors.get(device, 0))
        top = max(log.covered.get(device, 0), floor)
        if batch and batch[-1].counter <= floor:
            raise TrimmedError(device, floor)
        if upto is not None:
            upto = max(upto, top)
        added = 0
        for entry in batch:
            if entry.counter <= floor or self.is_held(log, entry):
                continue
            if upto is not None and entry.counter > upto:
                raise GapError(device, expected=upto, got=entry.counter)
            if upto is None and entry.counter > top + 1:
                raise GapError(device, expected=top + 1, got=entry.counter)
            log.entries[entry.identity] = entry
            top = max(top, entry.counter)
            added += 1
        self.refuse_falling(log, device)
        log.covered[device] = max(top, upto or 0)
        if floor:
            log.floors[device] = floor
        return added

    def is_held(self, log: KeptLog, entry: Entry) -> bool:
        """Return whether *entry* is a duplicate.

        Raises:
            ForkError: Its identity is taken by another.
        """
        held = log.entries.get(entry.identity)
        if held is not None and held.digest != entry.digest:
            raise ForkError(entry.device, entry.counter)
        return held is not None

    def refuse_falling(self, log: KeptLog, device: str) -> None:
        """Raise if a timestamp falls from one counter of *device* to the next."""
        last = previous = 0
        held = (one for key, one in log.entries.items() if key.device == device)
        for entry in sorted(held, key=lambda one: one.counter):
            if entry.seq.timestamp < last:
                raise SeqError(device, entry.counter, least=last, previous=previous)
            last, previous = entry.seq.timestamp, entry.counter

    def mask(self, log: KeptLog, batch: Iterable[Entry]) -> None:
        """Take away the content of whatever is redacted."""
        log.masks |= {(one.redacts, one.identity) for one in batch if one.redacts}
        for target, _ in log.masks:
            if target in log.entries:
                log.entries[target] = log.entries[target].without_content()

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        await self.turn()
        entries = self.kept(user).entries
        found = {device: entries.get(Identity(device, at[device])) for device in at}
        return {device: entry.digest if entry else None for device, entry in found.items()}

    async def read(
        self,
        user: str,
        *,
        after: VersionVector,
        devices: Collection[str] | None = None,
        scopes: Collection[str] | None = None,
        limit: int,
        max_bytes: int,
    ) -> Page:
        await self.turn()
        log = self.kept(user)
        due = [
            one
            for one in self.sorted(log.entries.values())
            if one.counter > after[one.device]
            and (devices is None or one.device in devices)
            and (scopes is None or one.scope in scopes)
        ]
        count = size = 0
        for entry in due[:limit]:
            size += entry.wire_length
            if count and size > max_bytes:
                break
            count += 1
        more = count < len(due)
        tops = VersionVector(log.covered)
        upto = {one.device: one.counter for one in due[:count]}
        if not more:
            upto = {d: tops[d] for d in {*tops, *after} if devices is None or d in devices}
        return Page(due[:count], after.replace(upto), more, tops, VersionVector(log.floors))

    async def read_range(
        self,
        user: str,
        *,
        after: Seq | None = None,
        up_to: Seq | None = None,
        reverse: bool = False,
        scopes: Collection[str] | None = None,
        limit: int,
    ) -> Page:
        await self.turn()
        log = self.kept(user)
        due = [
            one
            for one in self.sorted(log.entries.values())
            if (after is None or one.seq > after)
            and (up_to is None or one.seq <= up_to)
            and (scopes is None or one.scope in scopes)
        ]
        if reverse:
            due.reverse()
        tops, floor = VersionVector(log.covered), VersionVector(log.floors)
        return Page(due[:limit], VersionVector(), limit < len(due), tops, floor)

    def sorted(self, entries: Iterable[Entry]) -> list[Entry]:
        """Return *entries* in the order of the log."""
        return sorted(entries, key=lambda one: (one.seq.timestamp, one.counter, one.device))

    async def tops(self, user: str) -> VersionVector:
        await self.turn()
        return VersionVector(self.kept(user).covered)

    async def head(self, user: str) -> Seq | None:
        await self.turn()
        return max((one.seq for one in self.kept(user).entries.values()), default=None)

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        await self.turn()
        named = [
            user
            for user, log in self.shelf.logs.items()
            if (log.erased or log.covered) and (after is None or user > after)
        ]
        return sorted(named)[:limit]

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        await self.turn()
        log = self.kept(user).copied()
        held = [one.counter for one in log.entries.values() if one.device == device]
        floor = min(up_to, max(held, default=0) - 1)
        if floor > 0:
            log.floors[device] = max(floor, log.floors.get(device, 0))
            for counter in held:
                if counter <= floor:
                    del log.entries[Identity(device, counter)]
            self.shelf.logs[user] = log
        return VersionVector(log.floors)

    async def erase(self, user: str) -> None:
        await self.turn()
        log = self.kept(user)
        if not log.erased:
            self.shelf.logs[user] = KeptLog(erased=True, generation=log.generation + 1)

    async def restore(self, user: str) -> int:
        await self.turn()
        log = self.kept(user).copied()
        if log.erased:
            log.erased = False
            self.shelf.logs[user] = log
        return log.generation

    async def rehome(
        self,
        user: str,
        device: str,
        *,
        from_counter: int,
        to_device: str,
        unsent_after: Mapping[str, int] | None = None,
    ) -> int:
        await self.turn()
        self.refuse_undeclared("rehome")
        log = self.kept(user).copied()
        branch = [
            one
            for one in sorted(log.entries.values(), key=lambda one: one.counter)
            if one.device == device and one.counter >= from_counter
        ]
        places = {one.identity: Identity(to_device, n) for n, one in enumerate(branch, 1)}
        moved = [self.arrived(log, one, places) for one in branch]
        first = log.entries.get(Identity(to_device, 1))
        if not moved or (first is not None and first.digest != moved[0].digest):
            return 0
        for entry in branch:
            del log.entries[entry.identity]
        log.covered[device] = from_counter - 1
        for one in list(log.entries.values()):
            if one.redacts in places and self.follows(one, unsent_after or {}):
                log.entries[one.identity] = self.moved(one, one.identity, places)
        held = self.arrive(log, to_device, moved)
        log.masks = {
            (what, by) for what, by in log.masks if by not in places and what not in places
        } | {
            self.moved_mask(log, what, by, places)
            for what, by in log.masks
            if (by in places or what in places) and places.get(by) not in held
        }
        self.mask(log, ())
        self.shelf.logs[user] = log
        return len(branch)

    def arrived(self, log: KeptLog, entry: Entry, places: Mapping[Identity, Identity]) -> Entry:
        """Return *entry* as it is after a move, or as it is held there after an earlier one."""
        moved = self.moved(entry, places[entry.identity], places)
        held = log.entries.get(moved.identity)
        if held is None:
            return moved
        if held.redacted and moved.redacted:
            same = (held.seq, held.scope) == (moved.seq, moved.scope)
        elif held.redacted:
            same = held.digest == entry.digest
        else:
            whole = replace(entry, content=held.content, meta=held.meta, digest="")
            same = moved.redacted and whole.digest == entry.digest
        return held if same else moved

    def arrive(self, log: KeptLog, device: str, moved: Sequence[Entry]) -> set[Identity]:
        """Add moved entries; return which of them were there already."""
        held = {one.identity for one in moved if one.identity in log.entries}
        above = [one for one in moved if one.counter > log.floors.get(device, 0)]
        if above:
            self.add(log, device, above, None, 0)
        return held

    def follows(self, entry: Entry, unsent_after: Mapping[str, int]) -> bool:
        """Return whether what *entry* redacts is rewritten when its target moves."""
        return entry.device in unsent_after and entry.counter > unsent_after[entry.device]

    def moved(self, entry: Entry, place: Identity, places: Mapping[Identity, Identity]) -> Entry:
        """Return *entry* at *place*, and what it redacts by its new identity."""
        return replace(
            entry,
            seq=Seq(entry.seq.timestamp, place.counter, place.device),
            redacts=places.get(entry.redacts, entry.redacts) if entry.redacts else None,
            digest=entry.digest if entry.redacted else "",
        )

    def moved_mask(
        self, log: KeptLog, what: Identity, by: Identity, places: Mapping[Identity, Identity]
    ) -> tuple[Identity, Identity]:
        """Return a mask as it is after a move."""
        if by in places:
            return places.get(what, what), places[by]
        entry = log.entries.get(by)
        return (entry.redacts if entry and entry.redacts else what), by

    async def info(self) -> StoreInfo:
        await self.turn()
        return StoreInfo(self.shelf.epoch, 1, self._capabilities)

    async def compact(self) -> None:
        self.refuse_if_closed()
        await super().compact()

    def subscribe(self) -> AsyncIterator[str]:
        self.refuse_if_closed()
        return super().subscribe()
