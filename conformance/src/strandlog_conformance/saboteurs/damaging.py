"""Stores in files that do not notice, or do not bear, that a file is damaged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from strandlog import Appended, Entry, Page
from strandlog.backend import Capabilities
from strandlog.errors import StoreCorruptError
from strandlog_conformance.reference.files import FileLogStore
from strandlog_conformance.reference.journal import Journal, Record
from strandlog_conformance.saboteurs.crashing import in_files


class _LeavesOut(Journal):
    def parsed(self, data: bytes) -> tuple[list[Record], int]:
        records, whole = super().parsed(data)
        return [one for one in records if one.body is not None], whole


@in_files(
    "M220",
    "leaves out what is damaged",
    caught_by="corrupt.flip_truncate_delete",
    says="store/logs.journal",
)
class LeavesOut(FileLogStore):
    """Shows what can be read, and not that something cannot."""

    journal = _LeavesOut


class _Unsealed(Journal):
    def seal(self) -> int | None:
        self.seal_path.unlink(missing_ok=True)
        return None


@in_files(
    "M221",
    "takes a file that was cut off for one whose writer was killed",
    caught_by="corrupt.flip_truncate_delete",
    says="store/logs.journal",
)
class EndsEarly(FileLogStore):
    """Cannot tell an end from a loss."""

    journal = _Unsealed


class _AllOrNone(Journal):
    def damaged(self, body: bytes) -> bytes | None:
        raise StoreCorruptError(f"{self.path}: {len(body)} bytes are damaged")


@in_files(
    "M222",
    "refuses all logs when a record of one is damaged",
    caught_by="corrupt.one_log_does_not_hide_others",
    says="bytes are damaged",
)
class AllOrNone(FileLogStore):
    """Keeps everybody out for the sake of one."""

    journal = _AllOrNone


@in_files(
    "M223",
    "keeps contents beside their records, where no checksum covers them",
    caught_by="corrupt.flipped_byte_is_never_returned",
    says="want no entry that nobody wrote",
    also=("corrupt.*",),
)
class ContentsBeside(FileLogStore):
    """Has a checksum, of something else."""

    def __init__(self, journal: Journal, capabilities: Capabilities) -> None:
        super().__init__(journal, capabilities)
        self._beside: Path = journal.path.with_suffix(".contents")

    async def append(self, user: str, entries: Sequence[Entry], **how: Any) -> Appended:
        done = await super().append(user, entries, **how)
        with self._beside.open("ab") as file:
            for one in entries:
                file.write(b"%s %b\n" % (f"{user} {one.seq}".encode(), one.content or b""))
        return done

    async def read_range(self, user: str, **query: Any) -> Page:
        page = await super().read_range(user, **query)
        if not self._beside.exists():
            return page
        kept = dict(line.rpartition(b" ")[::2] for line in self._beside.read_bytes().splitlines())
        found = [
            replace(one, content=kept.get(f"{user} {one.seq}".encode(), b""), digest="")
            if one.content and b" " not in one.content
            else one
            for one in page.entries
        ]
        return replace(page, entries=found)
