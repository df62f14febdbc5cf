"""Tries one store of the self-test after the other; one hand of a crew.

python -m strandlog_conformance.trying    reads names of stores, each with a seed
"""

from __future__ import annotations

import warnings
from typing import Any

from strandlog_conformance.bare import run
from strandlog_conformance.crew import serve
from strandlog_conformance.saboteurs.registry import all_saboteurs
from strandlog_conformance.selftest import judge, sound, sound_targets
from strandlog_conformance.suite import all_checks

__all__ = ["main"]


async def _try(job: str) -> dict[str, Any]:
    name, _, seed = job.partition("#")
    checks = all_checks()
    for target in sound_targets():
        if target.name == name:
            found = sound(await run(target, checks, seed=int(seed), fast=True))
            return {"totals": dict(found.totals), "problems": [*found.problems]}
    [saboteur] = [one for one in all_saboteurs() if one.id == name]
    with warnings.catch_warnings():
        # What a faulty store leaves open is its fault too, and not for the reader.
        warnings.simplefilter("ignore")
        report = await run(saboteur.target, saboteur.tries(checks), seed=int(seed), fast=True)
    kill = judge(saboteur, report)
    return {"failed": [*kill.failed], "problem": kill.problem}


def main() -> None:
    """Try the stores that are named on standard input."""
    serve(_try)


if __name__ == "__main__":
    main()
