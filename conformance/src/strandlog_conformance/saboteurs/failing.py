"""Stores in files that do not bear it when a disk is full, fails, or is read-only."""

from __future__ import annotations

import os
from contextlib import suppress

from strandlog.errors import StoreError
from strandlog_conformance.reference.files import FileCursorStore, FileLogStore
from strandlog_conformance.reference.journal import Journal
from strandlog_conformance.saboteurs.crashing import in_files


class _GoesOn(Journal):
    def add(self, user: str, body: bytes) -> None:
        self.failure = None
        super().add(user, body)

    def write(self, data: bytes) -> None:
        super().write(data[:16])
        super().write(data[16:])


@in_files(
    "M70",
    "goes on acknowledging behind a write that has failed",
    caught_by="disk.enospc_at_each_write",
    says="after the disk was full",
    also=("power.*", "crash.*"),
)
class GoesOn(FileLogStore):
    """Leaves a piece of a record behind, and with it all that follows."""

    journal = _GoesOn


class _Swallows(Journal):
    def add(self, user: str, body: bytes) -> None:
        with suppress(StoreError):
            super().add(user, body)


@in_files(
    "M213",
    "acknowledges what it could not write",
    caught_by="disk.enospc_at_each_write",
    says="after the disk was full",
)
class Swallows(FileLogStore):
    """Takes an error for a warning."""

    journal = _Swallows


class _SystemSpeaks(Journal):
    def add(self, user: str, body: bytes) -> None:
        self.write(self.framed(user, body))
        self.sync()


@in_files(
    "M214",
    "lets the system's own error escape when the disk is full",
    caught_by="disk.enospc_at_each_write",
    says="a driver's OSError",
)
class SystemSpeaks(FileLogStore):
    """Was never tried on a full disk."""

    journal = _SystemSpeaks


class _SyncsAgain(Journal):
    def sync(self) -> None:
        try:
            super().sync()
        except OSError:
            super().sync()


@in_files(
    "M71",
    "tries a failed sync again and acknowledges",
    caught_by="disk.eio_on_sync",
    says="failed (sync",
)
class SyncsAgain(FileLogStore):
    """Believes a system that has reported the loss already."""

    journal = _SyncsAgain


class _SyncMayFail(Journal):
    def sync(self) -> None:
        with suppress(OSError):
            super().sync()


@in_files(
    "M215",
    "does not look whether a sync has failed",
    caught_by="disk.eio_on_sync",
    says="failed (sync",
)
class SyncMayFail(FileLogStore):
    """Thinks that a sync cannot fail."""

    journal = _SyncMayFail


class _CutOff(Journal):
    def write(self, data: bytes) -> None:
        os.write(self._fd, data)


@in_files(
    "M216",
    "does not look how much of a write was written",
    caught_by="disk.limit_file_size",
    says="after no file could exceed",
)
class CutOff(FileLogStore):
    """Thinks that a write is written or fails."""

    journal = _CutOff


class _FallsBack(Journal):
    in_memory = False

    def open(self) -> None:
        try:
            super().open()
        except OSError:
            self.in_memory = True
            self.records, _ = self.parsed(self.path.read_bytes())

    def add(self, user: str, body: bytes) -> None:
        if not self.in_memory:
            super().add(user, body)


class _CursorsInMemory(FileCursorStore):
    journal = _FallsBack


@in_files(
    "M217",
    "goes on in memory where it cannot write",
    caught_by="disk.read_only_dir",
    says="after its directory was read-only",
)
class GoesOnInMemory(FileLogStore):
    """Wants to be useful at any price."""

    journal = _FallsBack
    cursors = _CursorsInMemory


class _Unprepared(Journal):
    def open(self) -> None:
        try:
            super().open()
        except OSError as error:
            raise RuntimeError("cannot open the journal") from error


@in_files(
    "M218",
    "lets its driver's error escape where it cannot write",
    caught_by="disk.read_only_dir",
    says="a driver's RuntimeError",
)
class Unprepared(FileLogStore):
    """Was never opened on a disk that is read-only."""

    journal = _Unprepared
