"""How a branch that differs from the server's is kept: under a device name of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from strandlog.errors import ForkError, RemoteProtocolError, SeqError, TrimmedError
from strandlog.model import Entry
from strandlog.page import Appended
from strandlog.protocol import calls
from strandlog.protocol.calls import Steps
from strandlog.protocol.events import Rehomed
from strandlog.vector import VersionVector

__all__ = ["append_rehoming", "rehome_branch", "rehome_name"]


def rehome_name(device: str, digest: str) -> str:
    """Return the device that a branch of *device* moves to.

    It comes from the digest of the first moved entry, as it was before the move:
    so a repetition after a crash lands in the same place.
    """
    stem = device.partition("~")[0][:47]
    return f"{stem}~{digest[:16]}"


def rehome_branch(
    user: str, device: str, counter: int, *, unsent_after: Mapping[str, int] | None = None
) -> Steps[list[Rehomed]]:
    """Move the local entries of *device* from *counter* on; nothing if there are none.

    A branch that shares only its beginning with one that was moved before is
    moved in two parts, its differing end first. *unsent_after* says, of the
    device that writes here, up to where others hold its entries.

    Raises:
        RemoteProtocolError: The name of the branch is taken by something else.
    """
    moves: list[Rehomed] = []
    # What is unsent of a device that moves itself moves along.
    others = {d: n for d, n in (unsent_after or {}).items() if d != device}
    end = counter
    while True:
        page = yield from calls.Read(
            user=user,
            after=VersionVector({device: end - 1}),
            devices={device},
            limit=1,
            max_bytes=0,
        )
        if not page.entries:
            return moves
        first = page.entries[0]
        to_device = rehome_name(device, first.digest)
        try:
            moved = yield from calls.Rehome(user, device, first.counter, to_device, others)
        except ForkError as error:
            if error.counter == 1:
                raise
            end = first.counter + error.counter - 1
            continue
        if not moved:
            raise RemoteProtocolError(f"{to_device} is another branch than {device} {end}")
        moves.append(Rehomed(user, device, first.counter, to_device, moved))
        end = counter


def append_rehoming(
    user: str,
    entries: Sequence[Entry],
    *,
    upto: VersionVector | None = None,
    floor: VersionVector | None = None,
    unsent_after: Mapping[str, int] | None = None,
) -> Steps[tuple[Appended, list[Rehomed]]]:
    """Store what the server sent, moving local branches that differ out of its way.

    What lies at or below a local floor is left out.
    """
    moves: list[Rehomed] = []
    left = list(entries)
    while True:
        try:
            appended = yield from calls.Append(user, left, upto=upto, floor=floor)
        except (ForkError, SeqError) as error:
            # Timestamps that do not fit what is held here tell of another history
            # too: in a sparse copy the entry that differs may be one that is hidden.
            came = {entry.counter for entry in left if entry.device == error.device}
            counter = error.counter
            if isinstance(error, SeqError) and counter in came:
                counter = error.previous
            fork = isinstance(error, ForkError) or counter not in came
            if not fork:
                raise
            moved = yield from rehome_branch(user, error.device, counter, unsent_after=unsent_after)
            if not moved:
                raise
            moves += moved
        except TrimmedError as error:
            left = [e for e in left if e.device != error.device or e.counter > error.floor]
        else:
            return appended, moves
