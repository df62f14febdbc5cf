"""The reference store once more, in a file whose format has changed once.

Locations are directories with one file, of version 1 or 2. It is written anew with
every change: the plainest thing that outlives its process.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from urllib.parse import quote

from anyio.lowlevel import checkpoint

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend import (
    Backend,
    Capabilities,
    CursorStore,
    Durability,
    Location,
    LogStore,
    StoreUrl,
    pack,
    unpack,
)
from strandlog.errors import StoreVersionError
from strandlog.protocol.codec import encode_entry
from strandlog_conformance.reference.cursors import ReferenceCursorStore
from strandlog_conformance.reference.log import CAPABILITIES, ReferenceLogStore
from strandlog_conformance.reference.shelf import KeptLog, Shelf
from strandlog_conformance.target import Target

__all__ = [
    "EPOCH",
    "FORMAT_CAPABILITIES",
    "PRESENT",
    "FormatKeeper",
    "FormatLogStore",
    "content_of",
    "fresh_url",
    "newer_store",
    "offer_formats",
    "released_store",
    "released_versions",
    "upgraded_log",
    "write_file",
]

PRESENT = 2
_FILE = "store.json"
EPOCH = "0123456789abcdef"

_LAPTOP_2 = Entry(Seq(20, 2, "laptop"), "private", b"2")
_LAPTOP_3 = Entry(Seq(30, 3, "laptop"), "friend", b"3").without_content()
_PHONE_1 = Entry(Seq(40, 1, "phone"), "friend", b"1", redacts=_LAPTOP_3.identity)
_LINES = (
    b'{"export":1,"user":"alice","tops":{"laptop":3,"phone":1},"floor":{"laptop":1}}',
    encode_entry(_LAPTOP_2),
    encode_entry(_LAPTOP_3),
    encode_entry(_PHONE_1),
    b'{"reader":"alice/phone","holds":{"laptop":3}}',
    b'{"export":1,"user":"carol","erased":true}',
)


def _released(version: int) -> dict[str, Any]:
    """Return what the file of a version has that holds what the lines say."""
    shelf = Shelf()
    shelf.epoch = EPOCH
    held = {one.identity: one for one in (_LAPTOP_2, _LAPTOP_3, _PHONE_1)}
    masks = {(_LAPTOP_3.identity, _PHONE_1.identity)}
    shelf.logs["alice"] = KeptLog(held, {"laptop": 3, "phone": 1}, {"laptop": 1}, masks)
    shelf.logs["carol"] = KeptLog(erased=True, generation=1)
    shelf.cursors["alice", "alice/phone"] = VersionVector({"laptop": 3})
    content = {**content_of(shelf), "version": version}
    if version == 1:
        # It said which counter is next; version 2 says the top.
        for log in content["logs"].values():
            log["next"] = {device: top + 1 for device, top in log.pop("tops").items()}
    return content


@asynccontextmanager
async def fresh_url(place: Path) -> AsyncIterator[str]:
    """Name a directory that does not exist yet."""
    with TemporaryDirectory(dir=place) as directory:
        yield _url(Path(directory) / "store")


def released_versions() -> dict[int, bytes]:
    """Return the export of both versions, which hold the same."""
    export = b"\n".join(_LINES)
    return {1: export, 2: export}


@asynccontextmanager
async def released_store(version: int, place: Path) -> AsyncIterator[str]:
    """Lay a store of version 1 or 2 down."""
    write_file(place, _released(version))
    yield _url(place)


@asynccontextmanager
async def newer_store(place: Path) -> AsyncIterator[str]:
    """Lay a store of version 3 down."""
    write_file(place, _released(PRESENT + 1))
    yield _url(place)


def _url(place: Path) -> str:
    return f"reference:///{quote(str(place))}"


def _read(place: Path) -> dict[str, Any]:
    if not (place / _FILE).exists():
        place.mkdir(exist_ok=True)
        write_file(place, content_of(Shelf()))
    content: dict[str, Any] = json.loads((place / _FILE).read_text())
    return content


def write_file(place: Path, content: dict[str, Any]) -> None:
    """Put a file in the place of the one that is there, in one step."""
    fresh = place / f"{_FILE}.new"
    fresh.write_text(json.dumps(content))
    fresh.replace(place / _FILE)


def content_of(shelf: Shelf) -> dict[str, Any]:
    """Return what a file of the present version has."""
    return {
        "version": PRESENT,
        "epoch": shelf.epoch,
        "logs": {user: _log_content(user, log) for user, log in shelf.logs.items()},
        "cursors": [[*key, dict(vector)] for key, vector in shelf.cursors.items()],
    }


def _log_content(user: str, log: KeptLog) -> dict[str, Any]:
    return {
        "entries": [[*key, pack(user, one).hex()] for key, one in log.entries.items()],
        "tops": dict(log.covered),
        "floors": dict(log.floors),
        "masks": [[*target, *by] for target, by in log.masks],
        "erased": log.erased,
        "generation": log.generation,
    }


def upgraded_log(log: dict[str, Any]) -> dict[str, Any]:
    """Return what version 1 holds of a log as version 2."""
    tops = {device: counter - 1 for device, counter in log["next"].items()}
    return {**{key: log[key] for key in log if key != "next"}, "tops": tops}


def _kept(user: str, log: dict[str, Any]) -> KeptLog:
    return KeptLog(
        {
            Identity(device, counter): unpack(user, device, counter, bytes.fromhex(record))
            for device, counter, record in log["entries"]
        },
        log["tops"],
        log["floors"],
        {(Identity(a, n), Identity(b, m)) for a, n, b, m in log["masks"]},
        log["erased"],
        log["generation"],
    )


class _Written(dict[Any, Any]):
    """A dictionary whose every change is in the file when it is made."""

    def __init__(self, values: dict[Any, Any], write: Callable[[], None]) -> None:
        super().__init__(values)
        self._write = write

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, value)
        self._write()

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._write()

    def pop(self, key: Any, *default: Any) -> Any:
        value = super().pop(key, *default)
        self._write()
        return value


class FormatKeeper:
    """Opens directories as they should be opened."""

    def __init__(self) -> None:
        self.shelves: dict[Path, Shelf] = {}
        self._openers: dict[Path, int] = {}
        self._locks: dict[Path, asyncio.Lock] = {}

    @asynccontextmanager
    async def opened(self, place: Path, *, cursors_only: bool = False) -> AsyncIterator[Shelf]:
        """Give the shelf of a directory, which its openers share."""
        self._openers[place] = self._openers.get(place, 0) + 1
        try:
            yield await self.open(place, cursors_only=cursors_only)
        finally:
            self._openers[place] -= 1
            if not self._openers[place]:
                self.shelves.pop(place, None)
                self._locks.pop(place, None)

    async def open(self, place: Path, *, cursors_only: bool) -> Shelf:
        """Return the shelf of a directory; one opener after the other."""
        async with self._locks.setdefault(place, asyncio.Lock()):
            if place not in self.shelves:
                await checkpoint()
                self.shelves[place] = await self.read(place, cursors_only=cursors_only)
            return self.shelves[place]

    async def read(self, place: Path, *, cursors_only: bool) -> Shelf:
        """Read a directory's file, and bring it up to date before."""
        content = _read(place)
        self.check(place, content, cursors_only=cursors_only)
        if content["version"] < PRESENT:
            content = await self.upgrade(place, content)
        shelf = Shelf()
        shelf.epoch = content["epoch"]

        def write() -> None:
            write_file(place, content_of(shelf))

        logs = {user: _kept(user, log) for user, log in content["logs"].items()}
        cursors = {(user, name): VersionVector(one) for user, name, one in content["cursors"]}
        shelf.logs, shelf.cursors = _Written(logs, write), _Written(cursors, write)
        return shelf

    def check(self, place: Path, content: dict[str, Any], *, cursors_only: bool) -> None:
        """Refuse a newer version."""
        if content["version"] > PRESENT:
            raise StoreVersionError(f"{place}: has version {content['version']}")

    async def upgrade(self, place: Path, content: dict[str, Any]) -> dict[str, Any]:
        """Bring the file up to date, at once; return what it holds."""
        logs = {}
        for user, log in content["logs"].items():
            logs[user] = upgraded_log(log)
            await checkpoint()
        upgraded = {**content, "version": PRESENT, "logs": logs}
        write_file(place, upgraded)
        return upgraded


class FormatLogStore(ReferenceLogStore):
    """Logs of a directory."""

    keeper: ClassVar[type[FormatKeeper]] = FormatKeeper


FORMAT_CAPABILITIES = replace(CAPABILITIES, durability=Durability.OS, needs=frozenset({"fs"}))


def offer_formats(
    name: str,
    *,
    log: Callable[[Shelf, Capabilities], LogStore] = FormatLogStore,
    cursors: Callable[[Shelf], CursorStore] = ReferenceCursorStore,
    capabilities: Capabilities = FORMAT_CAPABILITIES,
) -> Target:
    """Return stores in directories as a target of the suite."""
    keeper: FormatKeeper = getattr(log, "keeper", FormatKeeper)()

    @asynccontextmanager
    async def open_log(url: StoreUrl) -> AsyncIterator[LogStore]:
        async with (
            keeper.opened(Path(url.file_path)) as shelf,
            log(shelf, capabilities) as store,
        ):
            yield store

    @asynccontextmanager
    async def open_cursors(url: StoreUrl) -> AsyncIterator[CursorStore]:
        async with (
            keeper.opened(Path(url.file_path), cursors_only=True) as shelf,
            cursors(shelf) as store,
        ):
            yield store

    return Target(
        name,
        Backend("reference", open_log, capabilities, Location.FILE),
        Backend("reference", open_cursors, capabilities, Location.FILE),
        fresh_url,
        packages=frozenset({"strandlog_conformance"}),
    )
