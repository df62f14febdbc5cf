"""Faults to plant in core, one at a time: each breaks a promise, and the simulation has to see it.

A fault is an edit of the source, made while a module is imported. So it runs in a
process of its own::

    python -m tests.simulation.planted "scalar cursor" --runs 1000
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

__all__ = ["FAULTS", "Edit", "Fault"]


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of a module's source; *old* stands there exactly once."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Fault:
    """What somebody might get wrong, and a seed that is known to show it."""

    name: str
    edits: tuple[Edit, ...]
    seed: int = 0


def _fault(name: str, *edits: tuple[str, str, str], seed: int = 0) -> Fault:
    return Fault(name, tuple(Edit(f"strandlog.{m}", old, new) for m, old, new in edits), seed)


FAULTS = (
    _fault(
        "ack before commit",
        (
            "driver",
            "                return await self.log.append(user, entries, upto=upto, floor=floor)\n",
            """\
                import asyncio
                from strandlog.page import Appended
                from strandlog.vector import VersionVector
                if not entries or upto is not None:
                    return await self.log.append(user, entries, upto=upto, floor=floor)
                work = asyncio.ensure_future(self.log.append(user, entries, floor=floor))
                work.add_done_callback(lambda done: done.cancelled() or done.exception())
                tops = VersionVector({one.device: one.counter for one in entries})
                return Appended(tops, len(entries), 0)
""",
        ),
    ),
    _fault(
        "cursor before log",
        (
            "protocol.followed",
            "        before = yield from calls.Tops(self.user)\n        seen = self._received\n",
            """\
        early = self._received.merge({e.device: e.counter for e in frame.messages})
        yield from calls.ResetCursor(self.user, f"{self._reader}#{self._view}", early)
        before = yield from calls.Tops(self.user)
        seen = self._received
""",
        ),
        (
            "protocol.followed",
            "replace(dict.fromkeys(have.keys() - tips.keys(), 0))",
            "replace({})",
        ),
        (
            "protocol.followed",
            "VersionVector({d: have[d] for d in tips} | self._comparing)",
            "VersionVector(have | self._comparing)",
        ),
        ("protocol.feed", "if have[d] <= page.floor[d]}", "}"),
        seed=14,
    ),
    _fault(
        "scalar cursor",
        (
            "protocol.feed",
            "            after=after.replace(",
            """\
            after=VersionVector(dict.fromkeys(after, max(after.values(), default=0))).replace(""",
        ),
    ),
    _fault(
        "push n before n-1",
        (
            "protocol.server",
            "        page = yield from feed.read(feed.sent, own_only=own_first)\n",
            """\
        page = yield from feed.read(feed.sent, own_only=own_first)
        page = replace(page, entries=page.entries[-1:])
""",
        ),
    ),
    _fault(
        "sent counted as held",
        (
            "protocol.server",
            "            page, own_only = yield from self._read(feed, have)\n",
            """\
            have = have.merge(_SENT.get(self.reader, NOTHING).replace({own: have[own]}))
            page, own_only = yield from self._read(feed, have)
            _SENT[self.reader] = page.upto
""",
        ),
        ("protocol.server", "_UNCONFIRMED_MAX = 1_000\n", "_UNCONFIRMED_MAX = 1_000\n_SENT = {}\n"),
    ),
    _fault(
        "repair that overwrites",
        (
            "backend.plan",
            """\
            if known.digest != entry.digest:
                raise ForkError(device, counter)
            continue
""",
            """\
            if known.digest != entry.digest:
                new[counter] = entry
            continue
""",
        ),
        seed=1,
    ),
    _fault(
        "timestamp as identity",
        (
            "backend.plan",
            "            if known.digest != entry.digest:\n",
            "            if getattr(known, 'timestamp', 0) != entry.seq.timestamp:\n",
        ),
        seed=10,
    ),
    _fault(
        "a lost wake-up: while a push is under way",
        (
            "server.connection",
            "        self._due[user] = None\n        if not self._pushing",
            """\
        if not self._pushing:
            self._due[user] = None
        if not self._pushing""",
        ),
    ),
    _fault(
        "a lost wake-up: of all but the first",
        (
            "subscription",
            "            if follower is not but:\n                follower.wake(user)",
            """\
            if follower is not but:
                follower.wake(user)
                break""",
        ),
    ),
    _fault(
        "off by one at a page cut",
        (
            "page",
            "    return after.replace({entry.device: entry.counter for entry in entries})",
            "    return after.replace({entry.device: entry.counter + 1 for entry in entries})",
        ),
    ),
    _fault(
        "a push covers the tops of the store",
        (
            "protocol.feed",
            "d: n for d, n in page.upto.items() if n > self.sent[d]",
            "d: n for d, n in page.tops.items() if n > self.sent[d]",
        ),
    ),
    _fault(
        "branches are named by their counter",
        (
            "protocol.rehoming",
            "        to_device = rehome_name(device, first.digest)",
            "        to_device = rehome_name(device, f'{first.counter:016}')",
        ),
        seed=27,
    ),
    _fault(
        "synced is not clamped when the log was set back",
        (
            "client.local",
            "        if synced[device] > top:",
            "        if synced[device] > top + 1_000_000:",
        ),
        ("protocol.own", "        self._synced = min(self._synced, tops[own])\n", ""),
        seed=23,
    ),
    _fault(
        "have of another view counts",
        (
            "protocol.server",
            "hello.have if hello.have is not None and hello.view == feed.view else NOTHING",
            "hello.have if hello.have is not None else NOTHING",
        ),
        (
            "protocol.followed",
            "        self._view, self._received = view, VersionVector()",
            "        self._view = view",
        ),
        seed=3,
    ),
    _fault(
        "pushes do not ask who may see them",
        (
            "protocol.server",
            "        if not feed.own:\n            now =",
            "        if feed is None:\n            now =",
        ),
        seed=6,
    ),
    _fault(
        "pages show more than the reader may see",
        ("protocol.feed", "            scopes=self.scopes,\n", "            scopes=None,\n"),
    ),
    _fault(
        "a gap in a push is passed over",
        (
            "protocol.own",
            "            self._greet = True  # something before them was missed\n",
            "",
        ),
        (
            "protocol.server",
            "        page = yield from feed.read(feed.sent, own_only=own_first)\n",
            """\
        page = yield from feed.read(feed.sent, own_only=own_first)
        if len(page.entries) > 1:
            page = replace(page, entries=page.entries[1:])
""",
        ),
    ),
    _fault(
        "what was wanted is never sent",
        (
            "protocol.own",
            "            self._wants[device] = (first, last)\n            self._retip",
            "            self._retip",
        ),
        seed=2,
    ),
)


class _Editor(importlib.abc.MetaPathFinder):
    """Imports the modules of a fault with their sources edited."""

    def __init__(self, fault: Fault) -> None:
        self._edits: dict[str, list[Edit]] = {}
        for edit in fault.edits:
            self._edits.setdefault(edit.module, []).append(edit)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        edits = self._edits.get(fullname)
        if edits is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None:
            raise LookupError(f"{fullname} cannot be found")
        spec.loader = _EditingLoader(fullname, spec.origin, edits)
        return spec


class _EditingLoader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, edits: Sequence[Edit]) -> None:
        super().__init__(fullname, path)
        self._edits = edits

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        for edit in self._edits:
            if source.count(edit.old) != 1:
                raise LookupError(f"{fullname} has {source.count(edit.old)} times:\n{edit.old}")
            source = source.replace(edit.old, edit.new)
        code: Any = compile(source, self.path, "exec", dont_inherit=True)
        result: CodeType = code
        return result


def main() -> None:
    """Plant one fault and simulate until it is found; exit with status 1 if it is not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("fault", choices=[fault.name for fault in FAULTS])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--story", action="store_true", help="print what happened")
    given = parser.parse_args()
    [fault] = [fault for fault in FAULTS if fault.name == given.fault]
    sys.meta_path.insert(0, _Editor(fault))
    from strandlog.testing.simulation.runs import simulate

    for seed in [fault.seed, *range(given.runs)]:
        outcome = simulate(seed)
        if outcome.breaches:
            sys.stdout.write(f"found: seed {seed}: {outcome.breaches[0][:200]}\n")
            if given.story:
                sys.stdout.write("\n".join(outcome.story) + "\n")
            return
    sys.stdout.write(f"not found in {given.runs} runs\n")
    sys.exit(1)


if __name__ == "__main__":
    main()
