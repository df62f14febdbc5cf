"""Random programs: the same again for the same seed, and full of steps that meet others' traces."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog_conformance.programs import (
    Advance,
    Append,
    Ask,
    AskCursors,
    Erase,
    EraseCursors,
    Everything,
    Forget,
    Pages,
    Read,
    ReadRange,
    Rehome,
    Reopen,
    Reset,
    Restore,
    Step,
    Trim,
)
from strandlog_conformance.samples import ALL, UNBOUNDED, entry

__all__ = ["LARGE", "SMALL", "Pool", "draw"]


@dataclass(frozen=True, slots=True)
class Pool:
    """What programs are drawn from.

    Attributes:
        devices: The devices that write.
        counters: The greatest counter.
        runs: How many entries of one device come at once.
        lengths: How long contents are, in bytes.
        limits: How many entries a page may have.
        rooms: How many bytes.
    """

    devices: tuple[str, ...]
    counters: int
    runs: tuple[int, ...]
    lengths: tuple[int, ...]
    limits: tuple[int, ...]
    rooms: tuple[int, ...]


# Few of each: steps then meet each other's traces all the time.
SMALL = Pool(
    ("a", "ab", "B", "c~1"),
    14,
    (1, 1, 2, 3, 5),
    (0,),
    (0, 1, 2, 3, 5, 9, 100, 100, ALL),
    (0, 120, 300, UNBOUNDED, UNBOUNDED, UNBOUNDED),
)

# As an application's: longer logs, contents of all sizes, pages that matter.
LARGE = Pool(
    ("phone", "desk", "web.1", "web-1"),
    300,
    (1, 5, 40, 70),
    (0, 1, 40, 200, 900, 5_000),
    (1, 7, 50, 100, ALL),
    (700, 4_000, 64_000, UNBOUNDED),
)

_SCOPES = ("private", "friend")
_READERS = ("r", "alice/r", "r#friend")
_LOGS = 2
_OPENERS = 2


def draw(
    chance: random.Random,
    count: int,
    pool: Pool = SMALL,
    *,
    sparse: bool = False,
    rehome: bool = False,
    reopen: bool = False,
    cursors: bool = False,
    max_batch: int | None = None,
) -> list[Step]:
    """Return a program of about *count* steps, of the kinds that the store declares."""
    kinds = {
        "append": 40,
        "read": 18,
        "pages": 4,
        "range": 14,
        "ask": 12,
        "trim": 4,
        "floor": 2,
        "erase": 1,
        "restore": 3,
        "sparse": 10 * sparse,
        "rehome": 3 * rehome,
        "reopen": 2 * reopen,
        "cursor": 14 * cursors,
    }
    drawn = chance.choices(list(kinds), weights=list(kinds.values()), k=count)
    drawing = _Drawing(chance, pool, max_batch)
    steps = [drawing.step(kind) for kind in drawn]
    return [
        *steps,
        *(Everything(log, opener) for log in range(_LOGS) for opener in range(_OPENERS)),
    ]


class _Drawing:
    """Draws steps; knows about how far the logs have come."""

    def __init__(self, chance: random.Random, pool: Pool, max_batch: int | None) -> None:
        self._chance = chance
        self._pool = pool
        self._batch_max = max_batch or ALL
        self._tops: list[dict[str, int]] = [dict.fromkeys(pool.devices, 0) for _ in range(_LOGS)]

    def step(self, kind: str) -> Step:
        chance = self._chance
        log, opener = chance.randrange(_LOGS), chance.randrange(_OPENERS)
        match kind:
            case "append":
                return Append(log, opener, self._batch(log))
            case "floor":
                return Append(log, opener, self._batch(log), floor=self._vector(0.2, zero=False))
            case "sparse":
                return self._sparse(log, opener)
            case "read" | "pages" | "range":
                return self._reading(kind, log, opener)
            case "ask":
                top = self._pool.counters + 1
                at = tuple((name, chance.randint(0, top)) for name in self._pool.devices)
                return Ask(log, opener, at)
            case "cursor":
                return self._cursor(log, opener)
            case "reopen":
                return Reopen()
            case _:
                return self._change(kind, log, opener)

    def _change(self, kind: str, log: int, opener: int) -> Step:
        chance, devices = self._chance, self._pool.devices
        device = chance.choice(devices)
        if kind == "trim":
            return Trim(log, opener, device, chance.randint(0, self._pool.counters // 2))
        if kind == "erase":
            self._tops[log] = dict.fromkeys(devices, 0)
            return Erase(log, opener)
        if kind == "restore":
            return Restore(log, opener)
        home = chance.choice(("a~home", "a~home", chance.choice(devices)))
        begin = chance.randint(1, max(self._tops[log][device], 1))
        if home == device:
            home = "a~home"
        return Rehome(log, opener, device, begin, home)

    def _reading(self, kind: str, log: int, opener: int) -> Step:
        chance, pool = self._chance, self._pool
        scopes, limit = self._some(_SCOPES), chance.choice(pool.limits)
        room = chance.choice(pool.rooms)
        if kind == "read":
            after = self._vector(0.4 if self._happens(0.6) else 0.0)
            return Read(log, opener, after, self._some(pool.devices), scopes, limit, room)
        if kind == "pages":
            return Pages(log, opener, max(limit, 1 + pool.counters // 20), room, scopes)
        after_seq, up_to = (self._seq() if self._happens(0.5) else None for _ in range(2))
        reverse = self._happens(0.5)
        return ReadRange(log, opener, after_seq, up_to, reverse, scopes, limit)

    def _sparse(self, log: int, opener: int) -> Step:
        batch = tuple(one for one in self._batch(log) if self._happens(0.6))
        upto = dict(self._vector(0.2))
        for one in batch:
            if self._happens(0.95):
                upto[one.device] = max(upto.get(one.device, 0), one.counter)
        floor = self._vector(0.2, zero=False) if self._happens(0.1) else None
        return Append(log, opener, batch, VersionVector(upto), floor)

    def _cursor(self, log: int, opener: int) -> Step:
        chance = self._chance
        reader = chance.choice(_READERS)
        kind = chance.choices(
            ("advance", "reset", "forget", "erase", "ask"), weights=(9, 2, 1, 1, 6)
        )[0]
        match kind:
            case "advance":
                return Advance(log, opener, reader, self._vector(0.4))
            case "reset":
                return Reset(log, opener, reader, self._vector(0.3))
            case "forget":
                return Forget(log, opener, reader)
            case "erase":
                return EraseCursors(log, opener)
            case _:
                return AskCursors(log, opener, reader)

    def _batch(self, log: int) -> tuple[Entry, ...]:
        chance, pool, tops = self._chance, self._pool, self._tops[log]
        batch: list[Entry] = []
        for device in chance.sample(pool.devices, chance.choice((1, 1, 2, 3))):
            first = tops[device] + 1
            if self._happens(0.3):  # now and then it overlaps, or leaves a gap
                first = chance.randint(1, min(first + 2, pool.counters))
            last = min(pool.counters, first + chance.choice(pool.runs) - 1)
            batch += [self._entry(device, counter) for counter in range(first, last + 1)]
            tops[device] = max(tops[device], last if first <= tops[device] + 1 else 0)
        if batch and self._happens(0.1):
            batch.append(chance.choice(batch))
        if self._happens(0.3):
            chance.shuffle(batch)
        return tuple(batch[: self._batch_max])

    def _entry(self, device: str, counter: int) -> Entry:
        """Return the entry that has this identity, and now and then another one."""
        devices = self._pool.devices
        place = devices.index(device)
        length = self._pool.lengths[(counter * 7 + place) % len(self._pool.lengths)]
        target = Identity(devices[place - 1], counter - 2)
        # Devices' clocks cross, and stamps repeat inside one device.
        made = entry(
            device,
            counter,
            at=(counter // 2) * (place + 1) * 3 + place * 2,
            content=b'"%s"' % (b"x" * length) if length else None,
            scope=_SCOPES[(counter + place) % 2],
            redacts=target if counter % 14 in (5, 9, 12) else None,
            meta=b'{"n":%d}' % counter if counter % 6 == 0 else None,
        )
        if self._happens(0.03):
            return replace(made, content=b'"other"', digest="")
        if self._happens(0.02):
            return replace(made, seq=Seq(0, counter, device), digest="")
        if made.redacts is not None and self._happens(0.1):
            return made.withdrawn()
        return made.without_content() if self._happens(0.04) else made

    def _happens(self, likelihood: float) -> bool:
        return self._chance.random() < likelihood

    def _vector(self, likelihood: float, *, zero: bool = True) -> VersionVector:
        chance, pool = self._chance, self._pool
        named = [one for one in (*pool.devices, "ghost") if self._happens(likelihood)]
        return VersionVector({one: chance.randint(not zero, pool.counters + 2) for one in named})

    def _seq(self) -> Seq:
        chance, pool = self._chance, self._pool
        latest = pool.counters * 3 * len(pool.devices) // 2 + 6
        stamp, counter = chance.randint(0, latest), chance.randint(1, pool.counters)
        return Seq(stamp, counter, chance.choice(pool.devices))

    def _some(self, names: Sequence[str]) -> tuple[str, ...] | None:
        if self._happens(0.6):
            return None
        return tuple(name for name in names if self._happens(0.5))
