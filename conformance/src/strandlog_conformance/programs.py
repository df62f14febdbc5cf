"""Steps of random programs: calls that make sense whatever was left out before them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, fields, replace
from typing import Any, Self

from strandlog import Entry, Seq, VersionVector
from strandlog.backend import CursorStore, LogStore
from strandlog_conformance.expect import fail
from strandlog_conformance.samples import ALL, NOTHING, UNBOUNDED, state

__all__ = [
    "Advance",
    "Append",
    "Ask",
    "AskCursors",
    "Bench",
    "Erase",
    "EraseCursors",
    "Everything",
    "Forget",
    "Pages",
    "Read",
    "ReadRange",
    "Rehome",
    "Reopen",
    "Reset",
    "Restore",
    "Step",
    "Trim",
]

_PAGES_MAX = 200


@dataclass(frozen=True, slots=True)
class Bench:
    """What a program is played on.

    Attributes:
        logs: The openers of the log store.
        cursors: The openers of the cursor store; none if there is no such store.
        users: The logs, which steps name by their place here.
    """

    logs: Sequence[LogStore]
    cursors: Sequence[CursorStore]
    users: Sequence[str]


@dataclass(frozen=True, slots=True)
class Step(ABC):
    """One call of a program.

    What a field is by default is what it is in the simplest call of the kind.

    Attributes:
        log: Which log, by its place among the users.
        opener: Through which opener.
    """

    log: int = 0
    opener: int = 0

    @abstractmethod
    async def do(self, bench: Bench) -> object:
        """Make the call."""

    def simpler(self) -> Iterator[Self]:
        """Yield steps that differ from this one by asking for less."""
        for one in fields(self):
            plainest = _default(one)
            if getattr(self, one.name) != plainest:
                changes: dict[str, Any] = {one.name: plainest}
                yield replace(self, **changes)

    def store(self, bench: Bench) -> LogStore:
        return bench.logs[self.opener % len(bench.logs)]

    def cursor_store(self, bench: Bench) -> CursorStore:
        return bench.cursors[self.opener % len(bench.cursors)]

    def __str__(self) -> str:
        name = "".join(
            f"_{sign.lower()}" if sign.isupper() else sign for sign in type(self).__name__
        )
        given = [f"log {self.log}"]
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name not in ("log", "opener") and value != _default(one):
                given.append(f"{one.name}={_text(value)}")
        through = f" through opener {self.opener + 1}" if self.opener else ""
        return f"{name.strip('_')}({', '.join(given)}){through}"


def _default(one: Field[Any]) -> object:
    return one.default


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return str(dict(value))
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Entry):
        return _entry_text(value)
    return str(value) if isinstance(value, Seq) else repr(value)


def _entry_text(one: Entry) -> str:
    redacts = f" redacts {one.redacts.device}:{one.redacts.counter}" if one.redacts else ""
    content = " without content" if one.content is None else ""
    other = " other" if one.content is not None and b"other" in one.content else ""
    return f"{one.device}:{one.counter}@{one.seq.timestamp}{redacts}{content}{other}"


@dataclass(frozen=True, slots=True)
class Append(Step):
    """An append, often of things that are there already, or do not fit."""

    entries: tuple[Entry, ...] = ()
    upto: VersionVector | None = None
    floor: VersionVector | None = None

    async def do(self, bench: Bench) -> object:
        return await self.store(bench).append(
            bench.users[self.log], self.entries, upto=self.upto, floor=self.floor
        )

    def simpler(self) -> Iterator[Self]:
        for at in range(len(self.entries)):
            yield replace(self, entries=self.entries[:at] + self.entries[at + 1 :])
        yield from Step.simpler(self)


@dataclass(frozen=True, slots=True)
class Read(Step):
    """A read of what a reader lacks."""

    after: VersionVector = NOTHING
    devices: tuple[str, ...] | None = None
    scopes: tuple[str, ...] | None = None
    limit: int = ALL
    max_bytes: int = UNBOUNDED

    async def do(self, bench: Bench) -> object:
        return await self.store(bench).read(
            bench.users[self.log],
            after=self.after,
            devices=self.devices,
            scopes=self.scopes,
            limit=self.limit,
            max_bytes=self.max_bytes,
        )


@dataclass(frozen=True, slots=True)
class Pages(Step):
    """All that a reader lacks, page after page."""

    limit: int = ALL
    max_bytes: int = UNBOUNDED
    scopes: tuple[str, ...] | None = None

    async def do(self, bench: Bench) -> object:
        found: list[object] = []
        after = NOTHING
        while True:
            page = await self.store(bench).read(
                bench.users[self.log],
                after=after,
                scopes=self.scopes,
                limit=self.limit,
                max_bytes=self.max_bytes,
            )
            found.append(page)
            after = page.upto
            if not page.more:
                return found
            if len(found) > _PAGES_MAX:
                fail(str(self), got=f"more than {_PAGES_MAX} pages", want="an end")


@dataclass(frozen=True, slots=True)
class ReadRange(Step):
    """A read of a range, either way."""

    after: Seq | None = None
    up_to: Seq | None = None
    reverse: bool = False
    scopes: tuple[str, ...] | None = None
    limit: int = ALL

    async def do(self, bench: Bench) -> object:
        return await self.store(bench).read_range(
            bench.users[self.log],
            after=self.after,
            up_to=self.up_to,
            reverse=self.reverse,
            scopes=self.scopes,
            limit=self.limit,
        )


@dataclass(frozen=True, slots=True)
class Ask(Step):
    """Tops, head, some digests, and whether the log is listed."""

    at: tuple[tuple[str, int], ...] = ()

    async def do(self, bench: Bench) -> object:
        store, user = self.store(bench), bench.users[self.log]
        # Others may be listed beside it: at a location that is given, whoever was there before.
        listed = await store.logs(after=user[:-1], limit=1)
        return {
            "tops": await store.tops(user),
            "head": await store.head(user),
            "digests": await store.digests(user, dict(self.at)),
            "listed": user in listed,
        }


@dataclass(frozen=True, slots=True)
class Trim(Step):
    """A trim of one device."""

    device: str = "a"
    up_to: int = 0

    async def do(self, bench: Bench) -> object:
        user = bench.users[self.log]
        return await self.store(bench).trim(user, self.device, up_to=self.up_to)


@dataclass(frozen=True, slots=True)
class Erase(Step):
    """An erasure."""

    async def do(self, bench: Bench) -> object:
        await self.store(bench).erase(bench.users[self.log])
        return None


@dataclass(frozen=True, slots=True)
class Restore(Step):
    """The lifting of a tombstone."""

    async def do(self, bench: Bench) -> object:
        return await self.store(bench).restore(bench.users[self.log])


@dataclass(frozen=True, slots=True)
class Rehome(Step):
    """A branch of one device that becomes another one."""

    device: str = "a"
    from_counter: int = 1
    to_device: str = "a~home"

    async def do(self, bench: Bench) -> object:
        return await self.store(bench).rehome(
            bench.users[self.log],
            self.device,
            from_counter=self.from_counter,
            to_device=self.to_device,
        )


@dataclass(frozen=True, slots=True)
class Everything(Step):
    """All that can be seen of a log."""

    async def do(self, bench: Bench) -> object:
        return await state(self.store(bench), bench.users[self.log])


@dataclass(frozen=True, slots=True)
class Advance(Step):
    """An advance of a cursor."""

    reader: str = "r"
    vector: VersionVector = NOTHING

    async def do(self, bench: Bench) -> object:
        user = bench.users[self.log]
        return await self.cursor_store(bench).advance(user, self.reader, self.vector)


@dataclass(frozen=True, slots=True)
class Reset(Step):
    """A cursor that is set."""

    reader: str = "r"
    vector: VersionVector = NOTHING

    async def do(self, bench: Bench) -> object:
        user = bench.users[self.log]
        await self.cursor_store(bench).reset(user, self.reader, self.vector)
        return None


@dataclass(frozen=True, slots=True)
class Forget(Step):
    """A reader that is forgotten."""

    reader: str = "r"

    async def do(self, bench: Bench) -> object:
        await self.cursor_store(bench).forget(bench.users[self.log], self.reader)
        return None


@dataclass(frozen=True, slots=True)
class EraseCursors(Step):
    """All cursors of a log that are erased."""

    async def do(self, bench: Bench) -> object:
        await self.cursor_store(bench).erase(bench.users[self.log])
        return None


@dataclass(frozen=True, slots=True)
class AskCursors(Step):
    """One cursor, and all of its log."""

    reader: str = "r"

    async def do(self, bench: Bench) -> object:
        store, user = self.cursor_store(bench), bench.users[self.log]
        return [await store.load(user, self.reader), await store.readers(user)]


@dataclass(frozen=True, slots=True)
class Reopen(Step):
    """The store under test is closed and opened again."""

    async def do(self, bench: Bench) -> object:
        return None
