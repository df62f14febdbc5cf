"""How a branch that differs from the server's is kept: under a device name of its own."""

from __future__ import annotations

from collections.abc import Sequence

from strandlog.errors import ForkError, TrimmedError
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


def rehome_branch(user: str, device: str, counter: int) -> Steps[Rehomed | None]:
    """Move the local entries of *device* from *counter* on; ``None`` if there are none."""
    page = yield from calls.Read(
        user=user,
        after=VersionVector({device: counter - 1}),
        devices={device},
        limit=1,
        max_bytes=0,
    )
    if not page.entries:
        return None
    first = page.entries[0]
    to_device = rehome_name(device, first.digest)
    moved = yield from calls.Rehome(user, device, first.counter, to_device)
    return Rehomed(user, device, first.counter, to_device, moved)


def append_rehoming(
    user: str,
    entries: Sequence[Entry],
    *,
    upto: VersionVector | None = None,
    floor: VersionVector | None = None,
) -> Steps[tuple[Appended, list[Rehomed]]]:
    """Store what the server sent, moving local branches that differ out of its way.

    What lies at or below a local floor is left out.
    """
    moves: list[Rehomed] = []
    left = list(entries)
    while True:
        try:
            appended = yield from calls.Append(user, left, upto=upto, floor=floor)
        except ForkError as error:
            move = yield from rehome_branch(user, error.device, error.counter)
            if move is None:
                raise
            moves.append(move)
        except TrimmedError as error:
            left = [e for e in left if e.device != error.device or e.counter > error.floor]
        else:
            return appended, moves
