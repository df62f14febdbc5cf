"""Random programs for stores: steps that make sense whatever was left out before them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend import LogStore
from strandlog_conformance.samples import UNBOUNDED, entry

__all__ = ["Append", "Ask", "Change", "Read", "ReadRange", "Reopen", "Step", "random_steps"]

# Few of each: steps then meet each other's traces all the time.
_DEVICES = ("a", "ab", "B", "c~1")
_COUNTERS = 14
_SCOPES = ("private", "friend")
_LOGS = 2


class Step(Protocol):
    """One call of a program; the logs are named by their place among the users."""

    async def do(self, store: LogStore, users: Sequence[str]) -> object:
        """Make the call."""


@dataclass(frozen=True, slots=True)
class Append:
    """An append, often of things that are there already, or do not fit."""

    log: int
    entries: tuple[Entry, ...]
    upto: VersionVector | None = None

    async def do(self, store: LogStore, users: Sequence[str]) -> object:
        return await store.append(users[self.log], self.entries, upto=self.upto)

    def __str__(self) -> str:
        batch = " ".join(
            f"{one.device}{one.counter}@{one.seq.timestamp}{'' if one.content else '-'}"
            f"{f'→{one.redacts.device}{one.redacts.counter}' if one.redacts else ''}"
            f"{'!' if one.content and b'other' in one.content else ''}"
            for one in self.entries
        )
        upto = f", upto={dict(self.upto)}" if self.upto is not None else ""
        return f"append(log {self.log}, [{batch}]{upto})"


@dataclass(frozen=True, slots=True)
class Read:
    """A read of what a reader lacks."""

    log: int
    after: VersionVector
    devices: tuple[str, ...] | None
    scopes: tuple[str, ...] | None
    limit: int
    max_bytes: int

    async def do(self, store: LogStore, users: Sequence[str]) -> object:
        return await store.read(
            users[self.log],
            after=self.after,
            devices=self.devices,
            scopes=self.scopes,
            limit=self.limit,
            max_bytes=self.max_bytes,
        )


@dataclass(frozen=True, slots=True)
class ReadRange:
    """A read of a range, either way."""

    log: int
    after: Seq | None
    up_to: Seq | None
    reverse: bool
    scopes: tuple[str, ...] | None
    limit: int

    async def do(self, store: LogStore, users: Sequence[str]) -> object:
        return await store.read_range(
            users[self.log],
            after=self.after,
            up_to=self.up_to,
            reverse=self.reverse,
            scopes=self.scopes,
            limit=self.limit,
        )


@dataclass(frozen=True, slots=True)
class Ask:
    """Tops, head and some digests."""

    log: int
    at: tuple[tuple[str, int], ...]

    async def do(self, store: LogStore, users: Sequence[str]) -> object:
        user = users[self.log]
        return [
            await store.tops(user),
            await store.head(user),
            await store.digests(user, dict(self.at)),
        ]


@dataclass(frozen=True, slots=True)
class Change:
    """A trim, an erasure or a restoration."""

    log: int
    what: str
    device: str
    up_to: int

    async def do(self, store: LogStore, users: Sequence[str]) -> object:
        user = users[self.log]
        if self.what == "trim":
            return await store.trim(user, self.device, up_to=self.up_to)
        if self.what == "erase":
            await store.erase(user)
            return None
        return await store.restore(user)


@dataclass(frozen=True, slots=True)
class Reopen:
    """The store under test is closed and opened again."""

    async def do(self, store: LogStore, users: Sequence[str]) -> object:
        return None


def random_steps(chance: random.Random, count: int, *, sparse: bool, reopen: bool) -> list[Step]:
    """Return a program; the same again for the same state of *chance*."""
    kinds = {"append": 40, "read": 20, "range": 14, "ask": 12, "trim": 4, "erase": 1, "restore": 3}
    if sparse:
        kinds["sparse"] = 10
    if reopen:
        kinds["reopen"] = 3
    drawn = chance.choices(list(kinds), weights=list(kinds.values()), k=count)
    tops: list[dict[str, int]] = [dict.fromkeys(_DEVICES, 0) for _ in range(_LOGS)]
    return [_step(chance, kind, tops) for kind in drawn]


def _step(chance: random.Random, kind: str, tops: list[dict[str, int]]) -> Step:
    """Return one step; *tops* is about how far the logs have come."""
    log = chance.randrange(_LOGS)
    if kind == "append":
        return Append(log, _batch(chance, tops[log]))
    if kind == "sparse":
        batch = tuple(one for one in _batch(chance, tops[log]) if _happens(chance, 0.6))
        upto = {d: chance.randint(0, _COUNTERS + 2) for d in _DEVICES if _happens(chance, 0.2)}
        for one in batch:
            if _happens(chance, 0.9):
                upto[one.device] = max(upto.get(one.device, 0), one.counter)
        return Append(log, batch, VersionVector(upto))
    if kind == "read":
        return Read(
            log,
            _vector(chance),
            _some(chance, _DEVICES),
            _some(chance, _SCOPES),
            chance.choice((0, 1, 2, 3, 5, 9, 100, 100, 100)),
            chance.choice((0, 120, 300, UNBOUNDED, UNBOUNDED, UNBOUNDED)),
        )
    if kind == "range":
        after, up_to = (_seq(chance) if _happens(chance, 0.5) else None for _ in range(2))
        limit = chance.choice((0, 1, 2, 5, 100, 100))
        return ReadRange(log, after, up_to, _happens(chance, 0.5), _some(chance, _SCOPES), limit)
    if kind == "ask":
        at = tuple((d, chance.randint(0, _COUNTERS + 1)) for d in _DEVICES)
        return Ask(log, at)
    if kind == "reopen":
        return Reopen()
    if kind == "erase":
        tops[log] = dict.fromkeys(_DEVICES, 0)
    return Change(log, kind, chance.choice(_DEVICES), chance.randint(0, _COUNTERS // 2))


def _batch(chance: random.Random, tops: dict[str, int]) -> tuple[Entry, ...]:
    batch: list[Entry] = []
    for device in chance.sample(_DEVICES, chance.choice((1, 1, 2, 3))):
        first = tops[device] + 1
        if _happens(chance, 0.3):  # now and then it overlaps, or leaves a gap
            first = chance.randint(1, min(first + 2, _COUNTERS))
        last = min(_COUNTERS, first + chance.choice((0, 0, 1, 2, 4)))
        batch += [_entry(chance, device, counter) for counter in range(first, last + 1)]
        tops[device] = max(tops[device], last if first <= tops[device] + 1 else 0)
    if batch and _happens(chance, 0.1):
        batch.append(chance.choice(batch))
    if _happens(chance, 0.3):
        chance.shuffle(batch)
    return tuple(batch)


def _entry(chance: random.Random, device: str, counter: int) -> Entry:
    """Return the entry that has this identity, and now and then another one."""
    place = _DEVICES.index(device)
    # Devices' clocks cross, and stamps repeat inside one device.
    made = entry(
        device,
        counter,
        at=(counter // 2) * (place + 1) * 3 + place * 2,
        scope=_SCOPES[(counter + place) % 2],
        redacts=Identity(_DEVICES[place - 1], counter - 2) if counter in (5, 9, 12) else None,
    )
    if _happens(chance, 0.03):
        return replace(made, content=b'"other"', digest="")
    if _happens(chance, 0.02):
        return replace(made, seq=Seq(0, counter, device), digest="")
    return made.without_content() if _happens(chance, 0.04) else made


def _happens(chance: random.Random, likelihood: float) -> bool:
    return chance.random() < likelihood


def _vector(chance: random.Random) -> VersionVector:
    if _happens(chance, 0.4):
        return VersionVector()
    named = [device for device in (*_DEVICES, "ghost") if _happens(chance, 0.5)]
    return VersionVector({device: chance.randint(0, _COUNTERS + 2) for device in named})


def _seq(chance: random.Random) -> Seq:
    return Seq(chance.randint(0, 90), chance.randint(1, _COUNTERS), chance.choice(_DEVICES))


def _some(chance: random.Random, names: Sequence[str]) -> tuple[str, ...] | None:
    if _happens(chance, 0.6):
        return None
    return tuple(name for name in names if _happens(chance, 0.5))
