"""What the machines of a simulation keep, and can be set back to."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from strandlog.backend.registry import plugin
from strandlog.backend.store import CursorStore, LogStore
from strandlog.backend.url import StoreUrl
from strandlog.errors import BackendError, ErasedError
from strandlog.testing.simulation.hands import Hands, hands_for

__all__ = ["Cabinet", "Disk", "open_cabinet"]

_ALL = 1_000_000_000


@dataclass(slots=True)
class Disk:
    """The opened stores of one machine: its log in one place, its cursors in another.

    They lie apart so that either can be set back without the other.
    """

    hands: Hands
    log: LogStore
    cursors: CursorStore
    place: Path | None
    opened: AsyncExitStack = field(repr=False)

    def close(self) -> None:
        """Close both stores."""
        self.hands.do(self.opened.aclose())


class Cabinet:
    """All disks of one kind of backend in one simulation."""

    def __init__(self, scheme: str, hands: Hands, place: Path | None, users: Sequence[str]) -> None:
        found = plugin(scheme)
        if found.log is None or found.cursors is None:
            raise BackendError(f"{scheme}:// keeps no {'cursors' if found.log else 'logs'}")
        self._scheme = scheme
        self._backends = found.log, found.cursors
        self._users = users
        self.hands = hands
        self._place = place
        self._numbers = count(1)
        self._disks: list[Disk] = []

    def new(self) -> Disk:
        """Return an empty disk."""
        place = None
        if self._place is not None:
            place = self._place / str(next(self._numbers))
            place.mkdir()
        return self._open(place)

    def mixed(self, log: Disk, cursors: Disk) -> Disk:
        """Return a new disk with the log of one and the cursors of another, as they are now."""
        if self._place is None:
            disk = self.new()
            for user in self._users:
                self.hands.do(_copy_log(user, log.log, disk.log))
                self.hands.do(_copy_cursors(user, cursors.cursors, disk.cursors))
            return disk
        place = self._place / str(next(self._numbers))
        place.mkdir()
        with _resting(self, {id(log): log, id(cursors): cursors}.values()):
            for source, half in ((log, "log"), (cursors, "cursors")):
                if source.place is not None:
                    _copy_files(source.place, place, half)
        return self._open(place)

    def reopen(self, disk: Disk) -> None:
        """Close a disk and open it again, as another process would. In memory nothing happens."""
        if disk.place is not None:
            with _resting(self, [disk]):
                pass

    def _open(self, place: Path | None) -> Disk:
        opened = AsyncExitStack()
        log, cursors = self.hands.do(self._stores(opened, place))
        disk = Disk(self.hands, log, cursors, place, opened)
        self._disks.append(disk)
        return disk

    async def _stores(
        self, opened: AsyncExitStack, place: Path | None
    ) -> tuple[LogStore, CursorStore]:
        logs, cursors = self._backends
        return (
            await opened.enter_async_context(logs.open(self._url(place, "log"))),
            await opened.enter_async_context(cursors.open(self._url(place, "cursors"))),
        )

    def _url(self, place: Path | None, half: str) -> StoreUrl:
        where = "" if place is None else f"/{place / half}"
        return StoreUrl.parse(f"{self._scheme}://{where}")

    def reopened(self, disk: Disk) -> None:
        """Open the stores of a closed disk again."""
        disk.opened = AsyncExitStack()
        disk.log, disk.cursors = self.hands.do(self._stores(disk.opened, disk.place))

    def close(self) -> None:
        """Close every disk."""
        for disk in self._disks:
            disk.close()
        self.hands.close()


@contextmanager
def open_cabinet(scheme: str, users: Sequence[str]) -> Iterator[Cabinet]:
    """Open a cabinet for disks of this backend; they are gone with it.

    Raises:
        BackendError: The backend cannot be used.
    """
    with TemporaryDirectory(prefix="strandlog-simulation-") as root:
        place = None if scheme == "memory" else Path(root)
        cabinet = Cabinet(scheme, hands_for(scheme), place, users)
        try:
            yield cabinet
        finally:
            cabinet.close()


@contextmanager
def _resting(cabinet: Cabinet, disks: Iterable[Disk]) -> Iterator[None]:
    """Keep disks closed: what lies in files is copied while nobody has it open."""
    resting = list(disks)
    for disk in resting:
        disk.close()
    try:
        yield
    finally:
        for disk in resting:
            cabinet.reopened(disk)


def _copy_files(source: Path, target: Path, half: str) -> None:
    # A store is a file with others beside it, or a directory.
    for path in source.glob(f"{half}*"):
        if path.is_dir():
            shutil.copytree(path, target / path.name)
        else:
            shutil.copy2(path, target / path.name)


async def _copy_log(user: str, source: LogStore, target: LogStore) -> None:
    try:
        await source.append(user, [])
    except ErasedError:
        await target.erase(user)
    page = await source.read_range(user, limit=_ALL)
    if page.tops:
        await target.append(user, page.entries, upto=page.tops, floor=page.floor)


async def _copy_cursors(user: str, source: CursorStore, target: CursorStore) -> None:
    for reader, vector in (await source.readers(user)).items():
        await target.reset(user, reader, vector)
