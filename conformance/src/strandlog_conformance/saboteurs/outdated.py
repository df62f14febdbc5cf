"""Stores that answer out of date, forget over time, or stop at a round number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from strandlog import Identity, VersionVector
from strandlog.backend import Capabilities
from strandlog.errors import StoreError
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, Shelf
from strandlog_conformance.saboteurs.registry import saboteur


@saboteur(
    "M299",
    "knows the digests of what is not there any more",
    caught_by="log.digests_follow",
    says="after a trim",
    also=("rehome.*",),
)
class DigestsOfTheGone(ReferenceLogStore):
    """Has an index that nothing is ever taken from."""

    def __init__(self, kept: Shelf, capabilities: Capabilities) -> None:
        super().__init__(kept, capabilities)
        self._index: dict[tuple[str, str, int], str] = {}

    async def digests(self, user: str, at: Mapping[str, int]) -> dict[str, str | None]:
        found = await super().digests(user, at)
        for device, digest in found.items():
            if digest is not None:
                self._index[user, device, at[device]] = digest
        return {device: self._index.get((user, device, at[device])) for device in at}


@saboteur(
    "M307",
    "breaks when it is told to move what is not there",
    caught_by="rehome.of_nothing",
    says="no branch",
    also=("rehome.*", "cancel.*", "conc.*"),
)
class NothingToMove(ReferenceLogStore):
    """Believes that whoever asks has looked before."""

    async def rehome(self, user: str, device: str, *, from_counter: int, **how: Any) -> int:
        await self.turn()
        if Identity(device, from_counter) not in self.kept(user).entries:
            raise StoreError(f"no branch of {device} begins at {from_counter}")
        return await super().rehome(user, device, from_counter=from_counter, **how)


@saboteur(
    "M308",
    "lets a top fall to the newest entry that stays behind",
    caught_by="rehome.leaves_floor_and_top",
    says="tops after the move",
    also=("rehome.*",),
)
class TopOfTheRest(ReferenceLogStore):
    """Looks at what is left of the device."""

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        moved = await super().rehome(user, device, **how)
        log = self.kept(user)
        left = [one.counter for one in log.entries if one.device == device]
        if moved:
            log.covered[device] = max(left, default=0)
        return moved


@saboteur(
    "M309",
    "forgets the floor of a device that loses a branch",
    caught_by="rehome.leaves_floor_and_top",
    says="floors after the move",
    also=("rehome.*",),
)
class FloorMovedAway(ReferenceLogStore):
    """Writes the row of the device anew."""

    async def rehome(self, user: str, device: str, **how: Any) -> int:
        moved = await super().rehome(user, device, **how)
        if moved:
            self.kept(user).floors.pop(device, None)
        return moved


@saboteur(
    "M310",
    "forgets every redaction of an entry that moves",
    caught_by="rehome.other_redactions_stay",
    says="which entries have no content",
    also=("rehome.*",),
)
class RedactionsMovedAway(ReferenceLogStore):
    """Keeps redactions with their target."""

    async def rehome(self, user: str, device: str, *, from_counter: int, **how: Any) -> int:
        moved = await super().rehome(user, device, from_counter=from_counter, **how)
        log = self.kept(user)
        if moved:
            log.masks = {
                (target, by)
                for target, by in log.masks
                if target.device != device or target.counter < from_counter
            }
        return moved


@saboteur(
    "M329",
    "takes whatever lies where a branch would go for that branch",
    caught_by="rehome.comes_back_redacted",
    says="rehome onto another one",
    also=("rehome.*",),
)
class ArrivedAlready(ReferenceLogStore):
    """Looks at the first entry only, and drops what comes back."""

    async def rehome(
        self, user: str, device: str, *, from_counter: int, to_device: str, **how: Any
    ) -> int:
        await self.turn()
        log = self.kept(user)
        branch = [one for one in log.entries if one.device == device and one[1] >= from_counter]
        if branch and all(Identity(to_device, n + 1) in log.entries for n in range(len(branch))):
            for identity in branch:
                del log.entries[identity]
            log.covered[device] = from_counter - 1
            return len(branch)
        return await super().rehome(
            user, device, from_counter=from_counter, to_device=to_device, **how
        )


@saboteur(
    "M311",
    "counts erasures from one again when it is opened",
    caught_by="erase.outlives_reopen",
    says="generation after a reopening",
)
class GenerationLost(ReferenceLogStore):
    """Keeps the number with what it has read, and of a tombstone reads only that it stands."""

    async def close(self) -> None:
        if not self.closed:
            for log in self.shelf.logs.values():
                log.generation = min(log.generation, 1)
        await super().close()


@saboteur(
    "M312",
    "keeps no more than 32 bits of a cursor that is reset",
    caught_by="cursor.big_numbers",
    says="load after a reset",
)
class ShortReset(ReferenceCursorStore):
    """Has one statement whose numbers are shorter than those of the others."""

    async def reset(self, user: str, reader: str, vector: VersionVector) -> None:
        short = {device: counter & 0xFFFF_FFFF for device, counter in vector.items()}
        await super().reset(user, reader, VersionVector(short))


@saboteur(
    "M313",
    "lists no more than a hundred readers",
    caught_by="cursor.many_readers",
    says="readers, 300 of them",
)
class HundredReaders(ReferenceCursorStore):
    """Reads one page of its own and takes it for all."""

    async def readers(self, user: str) -> dict[str, VersionVector]:
        found = await super().readers(user)
        return {reader: found[reader] for reader in list(found)[:100]}


@saboteur(
    "M314",
    "leaves out the entry that would fill a page to the byte",
    caught_by="log.page.max_bytes",
    says="lengths of pages",
    also=("model.*",),
)
class FullIsTooMuch(ReferenceLogStore):
    """Compares with less, not with less or equal."""

    async def read(self, user: str, *, max_bytes: int, **query: Any) -> Any:
        return await super().read(user, max_bytes=max_bytes - 1, **query)


@saboteur(
    "M315",
    "lets a page be a byte too long",
    caught_by="log.page.max_bytes",
    says="lengths of pages",
    also=("model.*",),
)
class ByteTooLong(ReferenceLogStore):
    """Forgets the comma between two messages, say."""

    async def read(self, user: str, *, max_bytes: int, **query: Any) -> Any:
        return await super().read(user, max_bytes=max_bytes + 1, **query)
