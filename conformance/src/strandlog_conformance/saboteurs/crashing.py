"""Stores in files that lose something when their process is killed or the power goes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from strandlog import Appended, Entry
from strandlog.backend import Capabilities, CursorStore, LogStore
from strandlog.errors import StoreCorruptError, StoreLockedError
from strandlog_conformance.reference.files import (
    FILE_CAPABILITIES,
    FileCursorStore,
    FileLogStore,
    offer_files,
)
from strandlog_conformance.reference.journal import Journal, Record
from strandlog_conformance.reference.shelf import KeptLog
from strandlog_conformance.saboteurs.registry import saboteur
from strandlog_conformance.target import Target

__all__ = ["in_files"]


def _offered(
    name: str,
    *,
    log: type[LogStore],
    cursors: type[CursorStore],
    capabilities: Capabilities,
) -> Target:
    """Offer a faulty store beside a sound one, both in files."""
    logs = log if issubclass(log, FileLogStore) else FileLogStore
    partner = cursors if issubclass(cursors, FileCursorStore) else logs.cursors
    return offer_files(name, log=logs, cursors=partner, capabilities=capabilities)


in_files = partial(saboteur, capabilities=FILE_CAPABILITIES, make=_offered)
"""Register a store class that keeps its files in another way than it should."""


class _SyncedOnDemand(Journal):
    holds = False

    def sync(self) -> None:
        if not self.holds:
            super().sync()


@in_files(
    "M66",
    "adds a batch entry by entry and syncs at its end",
    caught_by="crash.sigkill_at_each_sync",
    says="every read after its process was killed",
    also=("power.*", "disk.*", "log.append.*"),
)
class EntryByEntry(FileLogStore):
    """Takes a sync for a transaction."""

    journal = _SyncedOnDemand

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        if how or len(entries) <= 1:
            return await super().append(user, entries, **how)
        parts = []
        for one in sorted(entries, key=lambda one: one.counter):
            _SyncedOnDemand.holds = one is not entries[-1]
            parts.append(await super().append(user, [one]))
        _SyncedOnDemand.holds = False
        tops = parts[0].tops
        for part in parts:
            tops = tops.merge(part.tops)
        return Appended(tops, sum(one.added for one in parts), sum(one.duplicates for one in parts))


class _Buffered(Journal):
    def __init__(self, *where: Any, **how: Any) -> None:
        self._buffer = b""
        super().__init__(*where, **how)

    def write(self, data: bytes) -> None:
        self._buffer += data

    def sync(self) -> None:
        pass

    def put_seal(self) -> None:
        super().write(self._buffer)
        super().put_seal()


@in_files(
    "M200",
    "keeps what it has acknowledged in a buffer until it is closed",
    caught_by="crash.sigkill_random",
    says="every read after its process was killed",
)
class BufferedLogs(FileLogStore):
    """Lets its file object decide when something is written."""

    journal = _Buffered


@in_files(
    "M202",
    "keeps cursors in a buffer until it is closed",
    caught_by="crash.sigkill_random",
    says="every read after its process was killed",
)
class BufferedCursors(FileCursorStore):
    """Lets its file object decide when something is written."""

    journal = _Buffered


class _LockedByName(Journal):
    def lock(self) -> None:
        try:
            os.close(os.open(self.path.with_suffix(".pid"), os.O_CREAT | os.O_EXCL))
        except FileExistsError as error:
            raise StoreLockedError(f"{self.path}: is open already") from error
        self._held = True

    def let_go(self) -> None:
        super().let_go()
        if getattr(self, "_held", False):
            self.path.with_suffix(".pid").unlink()
            self._held = False


@in_files(
    "M201",
    "leaves its lock behind when it is killed",
    caught_by="crash.sigkill_random",
    says="StoreLockedError",
)
class LockLeft(FileLogStore):
    """Takes a file for a lock."""

    journal = _LockedByName


class _WrittenAnew(Journal):
    def write(self, data: bytes) -> None:
        whole = self.path.read_bytes() + data
        os.ftruncate(self._fd, 0)
        super().write(whole)


@in_files(
    "M203",
    "writes its file anew, in place, with each change",
    caught_by="crash.sigkill_at_each_sync",
    says="every read after its process was killed",
)
class WrittenAnew(FileLogStore):
    """Thinks that nobody can be killed between two calls."""

    journal = _WrittenAnew


@in_files(
    "M204",
    "erases in memory only until it is closed",
    caught_by="crash.sigkill_at_each_sync",
    says="every read after its process was killed",
    also=("life.reopen_keeps_everything",),
)
class ErasedInMemory(FileLogStore):
    """Does not count an erasure among the changes."""

    async def erase(self, user: str) -> None:
        self.refuse_to_write()
        gone = KeptLog(erased=True, generation=self.kept(user).generation + 1)
        dict.__setitem__(self.shelf.logs, user, gone)


class _MadeInSteps(Journal):
    def open(self) -> None:
        mark = self.path.with_suffix(".made")
        if self.path.exists() and not mark.exists():
            raise StoreCorruptError(f"{self.path}: is not a store")
        super().open()
        if not mark.exists():
            mark.touch()
            self.sync_directory()


@in_files(
    "M205",
    "cannot be opened after it was killed while it was made",
    caught_by="crash.kill_during_open_and_migrate",
    says="is not a store",
)
class MadeInSteps(FileLogStore):
    """Takes what it has not completed for somebody else's."""

    journal = _MadeInSteps


class _RecoversOnce(Journal):
    def open(self) -> None:
        if self.path.exists() and not self.seal_path.exists():
            aside = self.path.with_suffix(".aside")
            self.path.rename(aside)
            self.path.write_bytes(aside.read_bytes())
            aside.unlink()
        super().open()


@in_files(
    "M206",
    "loses everything when it is killed while it recovers",
    caught_by="crash.kill_during_open_and_migrate",
    says="again while it recovered",
)
class RecoversOnce(FileLogStore):
    """Thinks that lightning does not strike twice."""

    journal = _RecoversOnce


class _NeverSynced(Journal):
    def sync(self) -> None:
        pass


@in_files(
    "M69",
    "never syncs and declares that it survives loss of power",
    caught_by="power.sync_before_ack",
    says="no sync of any file before it was acknowledged",
)
class NeverSynced(FileLogStore):
    """Survives what a test can do with a signal."""

    journal = _NeverSynced


class _SyncedNowAndThen(Journal):
    count = 0

    def sync(self) -> None:
        self.count += 1
        if self.count % 8 == 0:
            super().sync()


@in_files(
    "M74",
    "syncs now and then and declares that it survives loss of power",
    caught_by="power.sync_before_ack",
    says="no sync of any file before it was acknowledged",
)
class SyncedNowAndThen(FileLogStore):
    """Promises more than it keeps."""

    journal = _SyncedNowAndThen


class _SyncedTooEarly(Journal):
    def write(self, data: bytes) -> None:
        os.fdatasync(self._fd)
        super().write(data)

    def sync(self) -> None:
        pass


@in_files(
    "M207",
    "syncs before it writes",
    caught_by="power.sync_before_ack",
    says="what was not synced in a file is gone",
)
class SyncedTooEarly(FileLogStore):
    """Has a sync in each append, in the wrong place."""

    journal = _SyncedTooEarly


class _SyncsAnother(Journal):
    def sync(self) -> None:
        fd = os.open(self.path.with_suffix(".mark"), os.O_WRONLY | os.O_CREAT)
        os.write(fd, b"1")
        os.fsync(fd)
        os.close(fd)


@in_files(
    "M208",
    "syncs another file than it has written to",
    caught_by="power.sync_before_ack",
    says="what was not synced in a file is gone",
)
class SyncsAnother(FileLogStore):
    """Has a sync in each append, of the wrong file."""

    journal = _SyncsAnother


class _DirectoryForgotten(Journal):
    def sync_directory(self, *_directory: Any) -> None:
        pass


@in_files(
    "M210",
    "does not sync the directory in which it made a file",
    caught_by="power.new_file_dir_synced",
    says="names that were not synced in their directory are gone",
)
class DirectoryForgotten(FileLogStore):
    """Thinks that a file which was synced is there."""

    journal = _DirectoryForgotten


class _EndIsDamage(Journal):
    def parsed(self, data: bytes) -> tuple[list[Record], int]:
        records, whole = super().parsed(data)
        if whole < len(data):
            raise StoreCorruptError(f"{self.path}: ends in the middle of a record")
        return records, whole


@in_files(
    "M212",
    "takes what loss of power has left of a write for damage",
    caught_by="power.loss_at_each_call",
    says="ends in the middle of a record",
)
class EndIsDamage(FileLogStore):
    """Cannot be opened any more without a loss being acknowledged."""

    journal = _EndIsDamage
