"""Faults that can be put into any store, from outside, one method at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from anyio.lowlevel import checkpoint

from strandlog import Appended, Entry, Page, VersionVector
from strandlog.backend import CursorStore, LogStore
from strandlog.errors import ForkError, StoreClosedError
from strandlog.model import trusted_entry

__all__ = ["Fault", "faults_of", "put_in"]

Method = Callable[..., Awaitable[Any]]
_ALL = 1 << 40


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        name: How it is called on the command line.
        text: A store that …
        method: The method that does wrong.
        spoil: Makes the wrong method of the right one.
    """

    name: str
    text: str
    method: str
    spoil: Callable[[Method], Method]


_LOG: list[Fault] = []
_CURSORS: list[Fault] = []


def _fault(
    faults: list[Fault], method: str, name: str, text: str
) -> Callable[[Callable[..., Awaitable[Any]]], None]:
    """Register a coroutine function that is given the right method, then what that is given."""

    def register(wrong: Callable[..., Awaitable[Any]]) -> None:
        def spoil(right: Method) -> Method:
            async def method(self: Any, *args: Any, **how: Any) -> Any:
                return await wrong(right, self, *args, **how)

            return method

        faults.append(Fault(name, text, method, spoil))

    return register


def faults_of(kind: type) -> list[Fault]:
    """Return the faults for stores of that kind.

    Raises:
        TypeError: It is no store.
    """
    if issubclass(kind, LogStore):
        return list(_LOG)
    if issubclass(kind, CursorStore):
        return list(_CURSORS)
    raise TypeError(f"{kind.__name__} is neither a LogStore nor a CursorStore")


def put_in(kind: type, name: str) -> None:
    """Put the fault of that name into a class, for as long as the process lives."""
    [fault] = [one for one in faults_of(kind) if one.name == name]
    setattr(kind, fault.method, fault.spoil(getattr(kind, fault.method)))


def _tops(entries: list[Entry]) -> VersionVector:
    tops: dict[str, int] = {}
    for one in entries:
        tops[one.device] = max(tops.get(one.device, 0), one.counter)
    return VersionVector(tops)


@_fault(_LOG, "append", "append-lost", "acknowledges every third append without storing it")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    self._strandlog_appends = getattr(self, "_strandlog_appends", 0) + 1
    if self._strandlog_appends % 3 or how.get("upto") is not None:
        done: Appended = await right(self, user, entries, **how)
        return done
    given = list(entries)
    return Appended(_tops(given), len(given), 0)


@_fault(_LOG, "append", "append-cut", "drops the last entry of a batch and acknowledges it")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    given = sorted(entries, key=lambda one: one.counter)
    done: Appended = await right(self, user, given[:-1] if len(given) > 1 else given, **how)
    return done if len(given) < 2 else replace(done, tops=_tops(given), added=done.added + 1)  # noqa: PLR2004


@_fault(_LOG, "append", "append-early", "acknowledges an append and stores it with the next one")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    if how.get("upto") is not None or how.get("floor") is not None:
        done: Appended = await right(self, user, entries, **how)
        return done
    waiting = self.__dict__.setdefault("_strandlog_waiting", {})
    before = waiting.pop(user, None)
    if before:
        await right(self, user, before)
    waiting[user] = given = list(entries)
    return Appended(_tops(given), len(given), 0)


@_fault(_LOG, "append", "append-torn", "applies a batch one entry after the other")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    given = sorted(entries, key=lambda one: one.counter)
    if len(given) < 2:  # noqa: PLR2004
        whole: Appended = await right(self, user, given, **how)
        return whole
    added = duplicates = 0
    tops = VersionVector()
    for one in given:
        done = await right(self, user, [one], **how)
        await checkpoint()
        added, duplicates = added + done.added, duplicates + done.duplicates
        tops = tops.merge(done.tops)
    return Appended(tops, added, duplicates)


@_fault(_LOG, "append", "fork-ignored", "takes another entry at a taken place for a duplicate")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    given = list(entries)
    try:
        done: Appended = await right(self, user, given, **how)
    except ForkError:
        return Appended(_tops(given), 0, len(given))
    return done


@_fault(_LOG, "append", "duplicates-added", "counts duplicates as added")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    done = await right(self, user, entries, **how)
    return Appended(done.tops, done.added + done.duplicates, 0)


@_fault(_LOG, "append", "redaction-ignored", "stores a redaction, and redacts nothing")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    kept = [replace(one, redacts=None, digest="") if one.redacts else one for one in entries]
    done: Appended = await right(self, user, kept, **how)
    return done


@_fault(_LOG, "append", "floor-ignored", "has no use for a floor")
async def _(right: Method, self: Any, user: str, entries: Any, **how: Any) -> Appended:
    how.pop("floor", None)
    done: Appended = await right(self, user, entries, **how)
    return done


@_fault(_LOG, "read", "page-reordered", "gives the first two entries of a page the wrong way round")
async def _(right: Method, self: Any, user: str, **query: Any) -> Page:
    page: Page = await right(self, user, **query)
    entries = list(page.entries)
    entries[:2] = reversed(entries[:2])
    return replace(page, entries=entries)


@_fault(_LOG, "read", "page-short", "leaves the last entry of a longer page out")
async def _(right: Method, self: Any, user: str, **query: Any) -> Page:
    page: Page = await right(self, user, **query)
    return replace(page, entries=page.entries[:-1]) if len(page.entries) > 2 else page  # noqa: PLR2004


@_fault(_LOG, "read", "page-last", "says of every page that it is the last")
async def _(right: Method, self: Any, user: str, **query: Any) -> Page:
    page: Page = await right(self, user, **query)
    return replace(page, more=False)


@_fault(_LOG, "read", "page-ahead", "says of every page that it reaches all tops")
async def _(right: Method, self: Any, user: str, **query: Any) -> Page:
    page: Page = await right(self, user, **query)
    return replace(page, upto=page.upto.merge(page.tops))


@_fault(_LOG, "read", "content-cut", "cuts the last byte of every content")
async def _(right: Method, self: Any, user: str, **query: Any) -> Page:
    page: Page = await right(self, user, **query)
    return replace(page, entries=[_cut(one) for one in page.entries])


def _cut(entry: Entry) -> Entry:
    return trusted_entry(
        timestamp=entry.seq.timestamp,
        counter=entry.counter,
        device=entry.device,
        scope=entry.scope,
        content=entry.content and entry.content[:-1],
        redacts=entry.redacts,
        meta=entry.meta,
        digest=entry.digest,
    )


def _ignores(method: str, argument: str, instead: object, name: str) -> None:
    @_fault(_LOG, method, name, f"ignores {argument}= in {method}")
    async def _(right: Method, self: Any, user: str, **query: Any) -> Any:
        return await right(self, user, **{**query, argument: instead})


_ignores("read", "scopes", None, "read-scopes")
_ignores("read", "devices", None, "read-devices")
_ignores("read", "limit", _ALL, "read-limit")
_ignores("read", "max_bytes", _ALL, "read-max-bytes")
_ignores("read", "after", VersionVector(), "read-after")
_ignores("read_range", "scopes", None, "range-scopes")
_ignores("read_range", "after", None, "range-after")
_ignores("read_range", "up_to", None, "range-up-to")
_ignores("read_range", "reverse", False, "range-reverse")
_ignores("read_range", "limit", _ALL, "range-limit")


@_fault(_LOG, "tops", "tops-behind", "names every top one too low")
async def _(right: Method, self: Any, user: str) -> VersionVector:
    return VersionVector({device: n - 1 for device, n in (await right(self, user)).items()})


@_fault(_LOG, "head", "head-old", "goes on naming the first head that it was asked for")
async def _(right: Method, self: Any, user: str) -> Any:
    return self.__dict__.setdefault("_strandlog_heads", {}).setdefault(
        user, await right(self, user)
    )


@_fault(_LOG, "digests", "digests-none", "knows no digest")
async def _(_right: Method, _self: Any, _user: str, at: Any) -> dict[str, str | None]:
    return dict.fromkeys(at)


@_fault(_LOG, "logs", "logs-after", "begins every list of logs at the first one")
async def _(right: Method, self: Any, **query: Any) -> Any:
    return await right(self, **{**query, "after": None})


@_fault(_LOG, "trim", "trim-nothing", "does not trim")
async def _(_right: Method, _self: Any, _user: str, _device: str, **_how: Any) -> VersionVector:
    return VersionVector()


@_fault(_LOG, "erase", "erase-nothing", "does not erase")
async def _(_right: Method, _self: Any, _user: str) -> None:
    return None


@_fault(_LOG, "erase", "erase-no-tombstone", "lifts the tombstone that it has just set")
async def _(right: Method, self: Any, user: str) -> None:
    await right(self, user)
    await self.restore(user)


@_fault(_LOG, "restore", "restore-generation", "gives every life of a log the same number")
async def _(right: Method, self: Any, user: str) -> int:
    generation: int = await right(self, user)
    return min(1, generation)


@_fault(_LOG, "rehome", "rehome-nothing", "moves nothing")
async def _(_right: Method, _self: Any, _user: str, _device: str, **_how: Any) -> int:
    return 0


@_fault(_LOG, "close", "lost-on-close", "loses the newest log when it is closed")
async def _(right: Method, self: Any) -> None:
    try:
        for user in (await self.logs(limit=_ALL))[-1:]:
            await self.erase(user)
            await self.restore(user)
    except StoreClosedError:
        pass  # a second close
    await right(self)


@_fault(_LOG, "tops", "closed-answers", "answers after it was closed")
async def _(right: Method, self: Any, user: str) -> VersionVector:
    try:
        found: VersionVector = await right(self, user)
    except StoreClosedError:
        return VersionVector()
    return found


@_fault(_CURSORS, "advance", "advance-replaces", "replaces a cursor instead of merging into it")
async def _(_right: Method, self: Any, user: str, reader: str, vector: Any) -> Any:
    await self.reset(user, reader, vector)
    return vector


@_fault(_CURSORS, "advance", "advance-known-only", "advances only devices that the cursor names")
async def _(right: Method, self: Any, user: str, reader: str, vector: Any) -> Any:
    held = await self.load(user, reader)
    known = {device: n for device, n in vector.items() if device in held}
    return await right(self, user, reader, VersionVector(known) if held else vector)


@_fault(_CURSORS, "advance", "advance-lost", "acknowledges an advance without keeping it")
async def _(_right: Method, self: Any, user: str, reader: str, vector: Any) -> Any:
    return (await self.load(user, reader)).merge(vector)


@_fault(_CURSORS, "advance", "advance-races", "reads first and writes later")
async def _(_right: Method, self: Any, user: str, reader: str, vector: Any) -> Any:
    merged = (await self.load(user, reader)).merge(vector)
    await checkpoint()
    await self.reset(user, reader, merged)
    return merged


@_fault(_CURSORS, "load", "load-any-log", "mixes up a reader's cursors of different logs")
async def _(right: Method, self: Any, user: str, reader: str) -> Any:
    seen = self.__dict__.setdefault("_strandlog_seen", {})
    found = await right(self, user, reader)
    seen[reader] = seen.get(reader, found).merge(found)
    return seen[reader]


@_fault(_CURSORS, "readers", "readers-none", "names no readers")
async def _(_right: Method, _self: Any, _user: str) -> dict[str, VersionVector]:
    return {}


@_fault(_CURSORS, "reset", "reset-only-up", "does not lower a cursor")
async def _(_right: Method, self: Any, user: str, reader: str, vector: Any) -> None:
    await self.advance(user, reader, vector)


@_fault(_CURSORS, "forget", "forget-nothing", "forgets no reader")
async def _(_right: Method, _self: Any, _user: str, _reader: str) -> None:
    return None


@_fault(_CURSORS, "erase", "erase-nothing", "erases no readers")
async def _(_right: Method, _self: Any, _user: str) -> None:
    return None
