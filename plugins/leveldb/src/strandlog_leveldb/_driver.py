"""One opened LevelDB: reads on a snapshot, writes all or none, and none after one has failed.

Everything here blocks. ``_database`` runs it in threads of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import plyvel

from strandlog.errors import StoreCorruptError, StoreError, StoreVersionError
from strandlog_leveldb._errors import in_our_words, translated
from strandlog_leveldb._place import NEWER, Place
from strandlog_leveldb._schema import META, SCHEMA_VERSION, Changes, meta_of, migrate

__all__ = ["Driver", "ReadJob", "View", "WriteJob"]

ResultT = TypeVar("ResultT")

# LevelDB turns what it holds in memory into a table when it exceeds this. With
# its own 4 MiB a writer of large batches mostly waits for that; 16 MiB make it
# 1.6 times as fast, 32 MiB 1.8 times (batches of 1000, with compression). What is
# in memory is also what is read from the log after a crash, and written into a
# table when the store is closed: half a second at 16 MiB on a busy machine.
_WRITE_BUFFER_BYTES = 16 << 20

# Sorts behind every key: a range in which nothing lies.
_NOWHERE = b"\xff\xff"


class View:
    """What a job reads from: a snapshot, or the database where nobody else writes."""

    def __init__(self, source: Any, path: str) -> None:  # a plyvel.DB or its Snapshot
        self._source = source
        self._path = path

    def value(self, key: bytes) -> bytes | None:
        """Return the value of a key, or ``None`` if there is none."""
        found: bytes | None = self._source.get(key, verify_checksums=True)
        return found

    def scan(
        self, first: bytes, last: bytes, *, reverse: bool = False
    ) -> Iterator[tuple[bytes, bytes]]:
        """Yield keys and values from *first* to *last*, both included.

        Raises:
            StoreCorruptError: A part of the range cannot be read.
        """
        if reverse:
            rows = self._source.iterator(
                stop=last, include_stop=True, reverse=True, verify_checksums=True
            )
        else:
            rows = self._source.iterator(start=first, verify_checksums=True)
        # The driver takes damage that leads nowhere for the end of the database,
        # and says nothing. But every range is followed by a key, at least by the
        # first or the last of all: a search that does not come upon it is damage.
        with rows:
            for row in rows:
                if row[0] < first if reverse else row[0] > last:
                    return
                yield row
        raise StoreCorruptError(f"{self._path}: keys are missing from {first!r} to {last!r}")


ReadJob = Callable[[View], ResultT]
WriteJob = Callable[[View, Changes], ResultT]
"""Reads what it must, then says what is to change; nothing has changed if it raises."""


class Driver:
    """An open database. Any thread may read; one at a time may write or close it."""

    def __init__(self, path: str, place: Place, database: Any, *, sync: bool) -> None:
        self.path = path
        self.epoch = ""
        self._place = place
        self._database = database
        self._sync = sync
        self._failure: StoreError | None = None
        self._unflushed = False

    @classmethod
    def open(cls, path: str, *, create: bool, sync: bool) -> Driver:
        """Open the database in a directory, bringing it to the present schema version.

        Raises:
            StoreError: It cannot be opened; a store that was there is as it was.
        """
        with in_our_words(path):
            place = Place.take(path, create=create)
            database = None
            try:
                place.break_seal()
                database = plyvel.DB(
                    path,
                    create_if_missing=place.is_new,
                    # Damage in a log is an error, not the end of it; and what is
                    # damaged is not rewritten with a fresh checksum.
                    paranoid_checks=True,
                    write_buffer_size=_WRITE_BUFFER_BYTES,
                )
                driver = cls(path, place, database, sync=sync)
                driver._prepare()
            except BaseException:
                if database is not None:
                    database.close()
                place.leave(seal=False)
                raise
        return driver

    def _prepare(self) -> None:
        found = View(self._database, self.path).value(META)
        if found is None and any(True for _ in self._database.iterator(verify_checksums=True)):
            raise StoreCorruptError(f"{self.path}: is a LevelDB database, but not one of strandlog")
        version, self.epoch = (0, "") if found is None else meta_of(found)
        if version > SCHEMA_VERSION:
            raise StoreVersionError(f"{self.path}: has schema version {version}, {NEWER}")
        if version < SCHEMA_VERSION:
            changes: Changes = {}
            self.epoch = migrate(version, self.epoch, changes)
            self._commit(changes, sync=True)
            self._place.made()

    def read(self, job: ReadJob[ResultT]) -> ResultT:
        """Run *job* on one snapshot."""
        with in_our_words(self.path), self._database.snapshot() as snapshot:
            return job(View(snapshot, self.path))

    def write(self, job: WriteJob[ResultT]) -> ResultT:
        """Run *job* and make what it changes durable, all of it or nothing.

        Raises:
            StoreError: Also when an earlier write has failed: see :meth:`_commit`.
        """
        if self._failure is not None:
            raise type(self._failure)(
                f"{self._failure}; nothing is written any more: close the store and open it again"
            ) from self._failure
        with in_our_words(self.path):
            changes: Changes = {}
            result = job(View(self._database, self.path), changes)
            if changes:
                self._commit(changes, sync=self._sync)
        return result

    def _commit(self, changes: Changes, *, sync: bool) -> None:
        """Write in one batch: the only place where a store writes.

        After an error nothing is written any more. LevelDB goes on behind a log
        record that was cut off, acknowledges what it writes there, synced, and
        drops it when it is opened again.

        Jobs that wait could share one batch here, as long as they are about
        different users: each decides on what was there before the batch.
        """
        batch = self._database.write_batch(sync=sync)
        for key, value in changes.items():
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self._failure = StoreError(f"{self.path}: a write did not come to its end")
        try:
            batch.write()
            if sync:
                self._place.sync()
        except (plyvel.Error, OSError) as error:
            self._failure = translated(error, self.path)
            raise type(self._failure)(
                f"{self._failure}: nothing was acknowledged; see to its cause, then close the store"
                " and open it again"
            ) from error
        self._failure = None
        self._unflushed = True

    def close(self) -> None:
        """Close the database and let go of its directory; only once."""
        healthy = self._failure is None
        try:
            if healthy and self._unflushed:
                # All of it into tables, for which this range need not hold anything.
                self._database.compact_range(start=_NOWHERE, stop=_NOWHERE)
            self._database.close()
        finally:
            with in_our_words(self.path):
                self._place.leave(seal=healthy)
