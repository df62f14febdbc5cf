"""Logs in memory."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from strandlog import Appended, Entry, Page, Seq, VersionVector
from strandlog.backend import (
    Capabilities,
    LogStore,
    Plan,
    Redaction,
    StoreInfo,
    cut_page,
    followers,
    plan,
    plan_following,
    plan_rehome,
    runs,
)
from strandlog.errors import ErasedError
from strandlog_memory._handle import Handle
from strandlog_memory._schema import SCHEMA_VERSION, DeviceRows, LogRows

__all__ = ["MemoryLogStore"]


class MemoryLogStore(LogStore):
    """Does each call in one go, without an await: so none can be seen or cancelled half done."""

    def __init__(self, handle: Handle, capabilities: Capabilities) -> None:
        self._handle = handle
        self._capabilities = capabilities

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def append(
        self,
        user: str,
        entries: Sequence[Entry],
        *,
        upto: VersionVector | None = None,
        floor: VersionVector | None = None,
    ) -> Appended:
        with self._handle.data() as data:
            log = data.log(user)
            if log.erased:
                raise ErasedError(user, log.generation)
            decided = _plan(log, entries, upto, floor)
            if decided.tops:
                data.logs[user] = log
            _carry_out(log, decided)
            return decided.appended

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        with self._handle.data() as data:
            log = data.log(user)
            found = {name: log.device(name).entries.get(counter) for name, counter in at.items()}
            return {name: entry.digest if entry else None for name, entry in found.items()}

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
        with self._handle.data() as data:
            log = data.log(user)
            rows = _merged(
                ordered
                for name, device in log.devices.items()
                if devices is None or name in devices
                for ordered in device.ranges(scopes, after=after[name])
            )
            return cut_page(
                rows,
                after=after,
                tops=log.tops,
                floor=log.floor,
                limit=limit,
                max_bytes=max_bytes,
                devices=devices,
            )

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
        with self._handle.data() as data:
            log = data.log(user)
            rows = _merged(
                (
                    ordered
                    for device in log.devices.values()
                    for ordered in device.ranges(
                        scopes,
                        after=0 if after is None else device.covered_by(after),
                        up_to=None if up_to is None else device.covered_by(up_to),
                        reverse=reverse,
                    )
                ),
                reverse=reverse,
            )
            found = list(islice(rows, limit + 1))
            return Page(found[:limit], VersionVector(), len(found) > limit, log.tops, log.floor)

    async def tops(self, user: str) -> VersionVector:
        with self._handle.data() as data:
            return data.log(user).tops

    async def head(self, user: str) -> Seq | None:
        with self._handle.data() as data:
            newest = (device.newest for device in data.log(user).devices.values())
            return max((entry.seq for entry in newest if entry), default=None)

    async def logs(self, *, after: str | None = None, limit: int) -> list[str]:
        with self._handle.data() as data:
            users = [
                user
                for user, log in data.logs.items()
                if (log.devices or log.erased) and (after is None or user > after)
            ]
            return heapq.nsmallest(limit, users)

    async def trim(self, user: str, device: str, *, up_to: int) -> VersionVector:
        with self._handle.data() as data:
            log = data.log(user)
            rows = log.device(device)
            floor = min(up_to, rows.newest.counter - 1) if rows.newest else 0
            if floor > 0:
                # An imported floor leaves what is held below it.
                rows.floor = max(rows.floor, floor)
                rows.remove(after=0, up_to=floor)
            return log.floor

    async def erase(self, user: str) -> None:
        with self._handle.data() as data:
            log = data.log(user)
            if not log.erased:
                data.logs[user] = LogRows(erased=True, generation=log.generation + 1)

    async def restore(self, user: str) -> int:
        with self._handle.data() as data:
            log = data.log(user)
            log.erased = False
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
        with self._handle.data() as data:
            log = data.log(user)
            rows, place = log.device(device), log.device(to_device)
            branch = [rows.entries[counter] for counter in rows.counters if counter >= from_counter]
            held = [place.entries[n] for n in place.counters[: len(branch)] if n <= len(branch)]
            entries = plan_rehome(branch, to_device, held=held)
            first = place.entries.get(1)
            if not entries or (first and first.digest != entries[0].digest):
                return 0
            trimmed = [entry for entry in entries if entry.counter <= place.floor]
            moved = _plan(log, entries[len(trimmed) :], None, None)
            redacting = followers(log.redactions_of(branch), branch, unsent_after or {})
            outside = [entry for by in redacting if (entry := log.entry(by))]
            rows.remove(after=from_counter - 1)
            rows.top = from_counter - 1
            for entry in (*branch, *outside):
                log.lift_redaction(entry)
            _carry_out(log, moved)
            followed = plan_following(outside, branch, to_device)
            for entry in followed:
                log.device(entry.device).entries[entry.counter] = entry
            for entry in (*trimmed, *followed):
                if entry.redacts is not None:
                    log.redact(Redaction(entry.redacts, entry.identity))
            return len(branch)

    async def info(self) -> StoreInfo:
        with self._handle.data() as data:
            return StoreInfo(data.epoch, SCHEMA_VERSION, self._capabilities)

    async def compact(self) -> None:
        self._handle.check_open()
        await super().compact()

    def subscribe(self) -> AsyncIterator[str]:
        self._handle.check_open()
        return super().subscribe()

    async def close(self) -> None:
        self._handle.close()


def _plan(
    log: LogRows,
    entries: Sequence[Entry],
    upto: VersionVector | None,
    floor: VersionVector | None,
) -> Plan:
    """Decide what to do with a batch; nothing is changed yet."""
    touched = runs(entries)
    redacted: dict[str, set[int]] = {}
    # Most logs have none, and to ask for the identity of every entry costs a copy of it.
    if log.redactions:
        for device, counter in log.redactions.keys() & {entry.identity for entry in entries}:
            redacted.setdefault(device, set()).add(counter)
    state = {
        name: log.device(name).state(touched.get(name, ()), redacted.get(name, ()))
        for name in {*touched, *(upto or ()), *(floor or ())}
    }
    return plan(entries, state, upto=upto, floor=floor)


def _carry_out(log: LogRows, decided: Plan) -> None:
    """Write what was decided; nothing here can fail."""
    for entry in decided.add:
        log.devices.setdefault(entry.device, DeviceRows()).add(entry)
    for redaction in decided.redactions:
        log.redact(redaction)
    for name, top in decided.tops.items():
        log.devices.setdefault(name, DeviceRows()).top = top
    for name, counter in decided.floor.items():
        log.devices[name].floor = counter


def _merged(ranges: Iterable[Iterator[Entry]], *, reverse: bool = False) -> Iterator[Entry]:
    return heapq.merge(*ranges, key=_place, reverse=reverse)


def _place(entry: Entry) -> tuple[int, int, str]:
    # A plain tuple: comparing two Seqs makes two such tuples each time.
    seq = entry.seq
    return seq.timestamp, seq.counter, seq.device
