"""``python -m tests.whole_suite``: every conformance check, on stand-ins of every kind.

In the folder of the plugin. It takes many minutes; the room's tests make a selection. With
STRANDLOG_FAUNA_ENDPOINT and STRANDLOG_FAUNA_SECRET set there is one kind, that server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from strandlog_conformance import bare
from strandlog_conformance.pairs import is_pair, of_pairs, reach_pair
from strandlog_conformance.report import StoreReport, Verdict
from strandlog_conformance.suite import Check, all_checks, select
from strandlog_conformance.target import Target, installed_schemes
from strandlog_fauna.testing import ENDPOINT, SECRET

from .conftest import server_process

KINDS = {
    "serialised": (),
    "optimistic": ("--optimistic",),
    "serialised, answers lost": ("--drop-answers",),
    "optimistic, answers lost": ("--optimistic", "--drop-answers"),
    "serialised, random faults": ("--fault-rate", "0.1", "--fault-seed", "5"),
    "optimistic, random faults": ("--optimistic", "--fault-rate", "0.1", "--fault-seed", "6"),
}
"""What a stand-in is told, by the name of what comes of it."""

FINE = {Verdict.PASS, Verdict.STAND_IN, Verdict.UNSUPPORTED, Verdict.NA_ENV}

LIMIT_SECONDS = 120.0


@contextmanager
def served(options: Sequence[str]) -> Iterator[None]:
    """Name a server in the environment: the one that is named there, or a new stand-in."""
    if ENDPOINT in os.environ:
        yield
        return
    with server_process(*options) as address:
        os.environ |= {ENDPOINT: address, SECRET: "s3cret"}
        try:
            yield
        finally:
            del os.environ[ENDPOINT], os.environ[SECRET]


def store_names() -> list[str]:
    """Return the store, and its pairs with every other one, in both directions."""
    others = [name for name in installed_schemes() if name != "fauna"]
    return [
        "fauna",
        *(f"fauna x {name}" for name in others),
        *(f"{name} x fauna" for name in others),
    ]


async def checked(name: str, checks: Sequence[Check], *, fast: bool) -> StoreReport:
    """Make *checks* of a store or a pair."""
    target = await reach_pair(name) if is_pair(name) else Target.installed(name)
    planned = of_pairs(checks) if is_pair(name) else checks
    return await bare.run(target, planned, fast=fast, limit_seconds=LIMIT_SECONDS)


def _write_down(folder: Path, kind: str, report: StoreReport) -> None:
    found = [
        {
            "check": one.check.id,
            "verdict": one.verdict.value,
            "reason": one.reason,
            "seconds": round(one.seconds, 3),
            "got": one.failure and one.failure.got,
            "want": one.failure and one.failure.want,
        }
        for one in report.outcomes
    ]
    folder.mkdir(parents=True, exist_ok=True)
    name = f"conformance, {kind}, {report.store}.json"
    (folder / name).write_text(json.dumps(found, indent=1), encoding="utf-8")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def main() -> None:
    parser = argparse.ArgumentParser(prog="whole_suite", description=__doc__)
    parser.add_argument("--kind", action="append", choices=KINDS, help="only this one")
    parser.add_argument("--only", action="append", default=[], help="checks to make: 'log.read.*'")
    parser.add_argument("--store", action="append", help="only this store or pair")
    parser.add_argument("--fast", action="store_true", help="fewer repetitions")
    parser.add_argument("--slowest", type=int, default=0, help="name so many checks")
    parser.add_argument("--transcripts", type=Path, help="a folder for what was found out")
    given = parser.parse_args()
    # It says of every repetition that there is one, and here there are thousands.
    logging.getLogger("stamina").setLevel(logging.ERROR)
    checks = select(all_checks(), only=given.only)
    real = ENDPOINT in os.environ
    failed = 0
    for kind in ["a server of your own"] if real else given.kind or KINDS:
        for name in given.store or store_names():
            began = time.monotonic()
            with served(KINDS.get(kind, ())):
                report = asyncio.run(checked(name, checks, fast=given.fast))
            if given.transcripts is not None:
                _write_down(given.transcripts, kind, report)
            counts = Counter(outcome.verdict.value for outcome in report.outcomes)
            told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
            _say(f"{kind}: {name}: {told} ({time.monotonic() - began:.0f} s)")
            for outcome in report.outcomes:
                if outcome.verdict not in FINE:
                    failed += 1
                    _say(f"  {outcome.check.id}: {outcome.verdict.value} {outcome.reason}")
                    if outcome.failure is not None:
                        _say(f"    {outcome.failure.call}: {outcome.failure.got}")
            slowest = sorted(report.outcomes, key=lambda one: -one.seconds)[: given.slowest]
            for outcome in slowest:
                _say(f"  {outcome.check.id}: {outcome.seconds:.1f} s")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
