"""Rules that no check holds a store to, each with the reason: so nobody takes them for kept."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UNTESTED", "Untested"]


@dataclass(frozen=True, slots=True)
class Untested:
    """One rule that is not checked.

    Attributes:
        rule: What the contract says.
        why: Why nothing looks at it.
    """

    rule: str
    why: str


UNTESTED = (
    Untested(
        "Capabilities.handles: with host, several hosts share a location",
        "a run has one machine; several processes are checked",
    ),
    Untested(
        "Capabilities.durability: with power, entries survive the loss of power",
        "nobody pulls the plug; that the calls to the disk come before the answer is checked",
    ),
    Untested(
        "LogStore.read, tops: the cost does not grow with the log",
        "times on a shared machine say little; the benchmarks of the project look at it",
    ),
    Untested(
        "Capabilities.loops: trio",
        "the runner is asyncio's; a store that declares trio is checked on asyncio",
    ),
    Untested(
        "a driver's warnings and log lines hold no secret",
        "what a driver prints is not seen; errors and reports are masked",
    ),
)
