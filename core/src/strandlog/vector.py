"""Version vectors: how much of each device's entries somebody holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from strandlog.errors import InvalidArgumentError
from strandlog.model import COUNTER_MAX

__all__ = ["VersionVector"]


class VersionVector(Mapping[str, int]):
    """An immutable ``{device: counter}``: "I hold 1..counter of that device".

    A missing device counts 0, so asking for any device gives a number and two
    vectors that differ only in zeros are equal. Iteration is in bytewise order
    of the device names.

    Raises:
        InvalidArgumentError: A counter is not an integer from 0 to 999999999999.
    """

    __slots__ = ("_counters",)

    def __init__(self, counters: Mapping[str, int] | None = None, /) -> None:
        checked: dict[str, int] = {}
        for device in sorted(counters or ()):
            counter = counters[device]  # type: ignore[index]  # empty when None
            if type(counter) is not int or not 0 <= counter <= COUNTER_MAX:
                raise InvalidArgumentError(f"{device}: {counter!r} is not a counter")
            if counter:
                checked[device] = counter
        self._counters = checked

    def __getitem__(self, device: str) -> int:
        return self._counters.get(device, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._counters)

    def __len__(self) -> int:
        return len(self._counters)

    def __contains__(self, device: object) -> bool:
        return device in self._counters

    def __eq__(self, other: object) -> bool:
        if isinstance(other, VersionVector):
            return self._counters == other._counters
        if isinstance(other, Mapping):
            return self._counters == {d: n for d, n in other.items() if n}
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self._counters.items()))

    def __repr__(self) -> str:
        return f"VersionVector({self._counters!r})"

    def covers(self, other: Mapping[str, int]) -> bool:
        """Return whether everything that *other* holds is held here too."""
        return all(self[device] >= counter for device, counter in other.items())

    def merge(self, other: Mapping[str, int]) -> VersionVector:
        """Return the vector that holds what either holds: the greater of each."""
        return VersionVector({d: max(self[d], other.get(d, 0)) for d in {*self, *other}})

    def clamp(self, other: Mapping[str, int]) -> VersionVector:
        """Return the vector that holds what both hold: the smaller of each."""
        return VersionVector({d: min(n, other.get(d, 0)) for d, n in self.items()})

    def replace(self, other: Mapping[str, int]) -> VersionVector:
        """Return this vector with the devices that *other* names set to its values."""
        return VersionVector({**self._counters, **other})

    def missing_from(self, other: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Return what is held here and not in *other*, as inclusive ranges by device."""
        return {
            device: (other.get(device, 0) + 1, counter)
            for device, counter in self.items()
            if counter > other.get(device, 0)
        }
