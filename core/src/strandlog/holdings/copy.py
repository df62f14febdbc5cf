"""Copies whole logs from one store to another, of whichever backends.

A copy may end at any moment, by a crash as well: what the target has then is a part
of the source, and the same call made again completes it. Nothing is doubled, for an
entry that is there already is a duplicate.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from strandlog.backend.store import LogStore
from strandlog.errors import (
    ErasedError,
    LogsDifferError,
    StoreReadOnlyError,
    TooLargeError,
    UnsupportedError,
)
from strandlog.holdings.compare import compare
from strandlog.holdings.walk import (
    PAGE_LIMIT,
    Outline,
    Stores,
    entries,
    outline,
    pieces,
    side_by_side,
    users,
)
from strandlog.model import Entry
from strandlog.vector import VersionVector

__all__ = ["Copied", "copy_log", "copy_logs"]

_NAMES = ("the source", "the target")


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy of one log came to.

    Attributes:
        user: Whose log.
        entries: How many entries both stores hold now.
        added: How many of these are new in the target.
        cursors: How many cursors both hold now.
        erased: Whether it is a tombstone.
        sha256: The hash of the log's canonical export, which is that of both.
    """

    user: str
    entries: int
    added: int
    cursors: int
    erased: bool
    sha256: str


async def copy_logs(
    source: Stores,
    target: Stores,
    *,
    on_entries: Callable[[int], None] | None = None,
    on_line: Callable[[bytes], None] | None = None,
) -> AsyncIterator[Copied]:
    """Copy every log, in bytewise order of the users; see :func:`copy_log`.

    Logs of other users that the target has stay as they are.
    """
    async for user in users(source[0]):
        yield await copy_log(source, target, user, on_entries=on_entries, on_line=on_line)


async def copy_log(
    source: Stores,
    target: Stores,
    user: str,
    *,
    on_entries: Callable[[int], None] | None = None,
    on_line: Callable[[bytes], None] | None = None,
) -> Copied:
    """Make the target's log of *user* the same as the source's, and check that it is.

    Entries, redactions, floors, covered tops, cursors and the tombstone of an erased
    log are copied. Of an erased log also how often it was erased, if the source tells
    (one that is opened for reading only does not). The target's cursors of that log
    become those of the source.

    The target may hold a part of the log already. Nobody else may change either
    store meanwhile; the check in the end notices if somebody did.

    Args:
        source: Where to read. Nothing is changed there.
        target: Where to write.
        user: Whose log.
        on_entries: Told, again and again, how many more entries were dealt with.
        on_line: Given each line of the canonical export as the check finds it in both.

    Raises:
        LogsDifferError: The target holds something else of that log, and so nothing
            of it was written; or the check found a difference.
        UnsupportedError: The log has holes and the target cannot keep them.
        TooLargeError: An entry is longer than the target takes. What comes before
            it is there.
    """
    log = await outline(source[0], user)
    held = await outline(target[0], user)
    added = 0
    if log.erased:
        await _copy_tombstone(source[0], target[0], held)
    else:
        copier = _Copier(source[0], target[0], log, held, on_entries or _nobody_told)
        added = await copier.copy()
    # After the log: a crash between the two costs a repeated reading, not a lost entry.
    await _copy_cursors(source, target, user)
    compared = await compare(source, target, user, names=_NAMES, on_line=on_line)
    if compared.difference is not None:
        raise LogsDifferError(
            f"{user}: after the copy {compared.difference.text}; if somebody wrote to one of"
            " them meanwhile, copy again",
            user=user,
            device=compared.difference.device,
            counter=compared.difference.counter,
        )
    return Copied(user, compared.entries, added, compared.cursors, log.erased, compared.sha256)


def _nobody_told(_count: int) -> None:
    pass


class _Copier:
    """One log on its way."""

    def __init__(
        self,
        source: LogStore,
        target: LogStore,
        log: Outline,
        held: Outline,
        on_entries: Callable[[int], None],
    ) -> None:
        self._source = source
        self._target = target
        self._log = log
        self._held = held
        self._on_entries = on_entries
        most = target.capabilities.max_batch
        self._limit = PAGE_LIMIT if most is None else min(PAGE_LIMIT, most)

    async def copy(self) -> int:
        """Copy all devices; return how many entries are new."""
        # All of the log is looked at before any of it is written.
        self._refuse_other_log()
        common = {device: await self._common(device) for device in self._held.tops}
        return sum(
            [await self._copy_device(device, common.get(device, 0)) for device in self._log.tops]
        )

    def _refuse_other_log(self) -> None:
        if self._held.erased:
            raise self._differ("the target has erased it: restore it there, or take another target")
        for device, top in self._held.tops.items():
            if top > self._log.tops[device]:
                raise self._differ(
                    f"the target covers {device} up to {top}, the source up to"
                    f" {self._log.tops[device]}: take another target",
                    device,
                    self._log.tops[device] + 1,
                )
            if self._held.floor[device] > self._log.floor[device]:
                raise self._differ(
                    f"the target has trimmed {device} up to {self._held.floor[device]}, the"
                    f" source up to {self._log.floor[device]}: take another target",
                    device,
                    self._log.floor[device] + 1,
                )
            # Its newest would stay, whatever is trimmed there.
            if self._held.floor[device] < top <= self._log.floor[device]:
                raise self._differ(
                    f"the target has {device} up to {top}, which the source has trimmed up to"
                    f" {self._log.floor[device]}: take another target",
                    device,
                    top,
                )

    async def _common(self, device: str) -> int:
        """Return up to which counter the target has all that the source has of a device.

        Raises:
            LogsDifferError: It has something else.
        """
        floor, top = self._log.floor[device], self._held.tops[device]
        common = top
        pairs = side_by_side(
            entries(self._source, self._log, device, after=floor),
            entries(self._target, self._held, device, after=floor),
        )
        async for mine, theirs in pairs:
            if theirs is None:
                # A hole, to be filled in; or what follows the target's top.
                common = min(common, mine.counter - 1 if mine else common)
                continue
            if mine is None or mine.digest != theirs.digest:
                raise self._differ(
                    f"the target has another {device} {theirs.counter} than the source:"
                    " take another target",
                    device,
                    theirs.counter,
                )
            if theirs.redacted and not mine.redacted:
                raise self._differ(
                    f"the target has {device} {theirs.counter} without its content, the source"
                    " with it: take another target",
                    device,
                    theirs.counter,
                )
        return common

    async def _copy_device(self, device: str, common: int) -> int:
        floor = self._log.floor[device]
        if self._held.floor[device] < floor <= common:
            await self._target.trim(self._log.user, device, up_to=floor)
        self._on_entries(max(common - floor, 0))
        after = max(common, floor)
        added = 0
        async for piece in pieces(self._source, self._log, device, after=after, limit=self._limit):
            if piece.entries or after < piece.covered or self._held.tops[device] < piece.covered:
                added += await self._append(device, piece.entries, after, piece.covered)
            after = piece.covered
            self._on_entries(len(piece.entries))
        return added

    async def _append(self, device: str, batch: Sequence[Entry], after: int, covered: int) -> int:
        """Append a piece, in parts if it is too large; return how many entries are new."""
        user, floor = self._log.user, self._log.floor[device]
        sparse = self._target.capabilities.sparse
        if not sparse:
            self._refuse_holes(device, batch, after, covered)
        try:
            appended = await self._target.append(
                user,
                batch,
                upto=VersionVector({device: covered}) if sparse else None,
                floor=VersionVector({device: floor}) if floor else None,
            )
        except TooLargeError as error:
            if len(batch) > 1 and error.counter is None:
                half = len(batch) // 2
                middle = batch[half - 1].counter
                first = await self._append(device, batch[:half], after, middle)
                return first + await self._append(device, batch[half:], middle, covered)
            counter = error.counter or batch[0].counter
            raise TooLargeError(
                f"{user}: the target does not take {device} {counter}: {error}",
                limit=error.limit,
                counter=counter,
            ) from error
        return appended.added

    def _refuse_holes(self, device: str, batch: Sequence[Entry], after: int, covered: int) -> None:
        expected = after + 1
        for entry in batch:
            if entry.counter != expected:
                break
            expected += 1
        if expected <= covered:
            raise UnsupportedError(
                f"{self._log.user}: the source has no {device} {expected}, and the target cannot"
                " keep a copy with holes: take a backend that declares sparse"
            )

    def _differ(self, text: str, device: str = "", counter: int = 0) -> LogsDifferError:
        user = self._log.user
        return LogsDifferError(f"{user}: {text}", user=user, device=device, counter=counter)


async def _copy_tombstone(source: LogStore, target: LogStore, held: Outline) -> None:
    user = held.user
    if held.tops:
        raise LogsDifferError(
            f"{user}: the source has erased this log and the target has it: erase it there",
            user=user,
        )
    wanted = await _generation(source, user)
    while await _generation(target, user) < wanted:
        # Each time it is lifted and set again, the target counts one more.
        await target.restore(user)
        await target.erase(user)


async def _generation(store: LogStore, user: str) -> int:
    """Return how often a log was erased that is erased now; 0 if it is not."""
    try:
        await store.append(user, [])
    except ErasedError as error:
        return error.generation
    except StoreReadOnlyError:
        return 1  # at least
    return 0


async def _copy_cursors(source: Stores, target: Stores, user: str) -> None:
    wanted, held = await source[1].readers(user), await target[1].readers(user)
    for reader, vector in wanted.items():
        if held.get(reader) != vector:
            await target[1].reset(user, reader, vector)
    for reader in held.keys() - wanted.keys():
        await target[1].forget(user, reader)
