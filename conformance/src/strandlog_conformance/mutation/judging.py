"""Which check notices a mutant, if any. ``python -m`` makes it one hand of a crew."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from strandlog_conformance.bare import UnreachableError, reach, run_check
from strandlog_conformance.crew import serve
from strandlog_conformance.mutation.loading import mutated
from strandlog_conformance.mutation.mutants import Mutant, all_mutants
from strandlog_conformance.places import Places
from strandlog_conformance.report import Verdict
from strandlog_conformance.suite import Check, Level, all_checks, select
from strandlog_conformance.target import Target

__all__ = ["killer"]

# Many times what a check takes on a busy machine: one that is only slow is not noticed.
_LIMIT_SECONDS = 20.0

_HARMLESS = {Verdict.PASS, Verdict.UNSUPPORTED, Verdict.NA_ENV}

# Those that take long come last: nearly every mutant has been noticed before.
_SLOW = ("model", "conc", "cancel", "proto")


async def killer(mutant: Mutant) -> str:
    """Return what notices *mutant*: a check, or that it cannot be opened; empty if nothing does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as of a coroutine that the fault forgot
        try:
            with mutated(mutant) as target:
                return await _first_failure(target, _in_order())
        except Exception as error:  # noqa: BLE001  # what a fault raises is anybody's guess
            return f"it cannot be loaded: {type(error).__name__}"


def _in_order() -> Sequence[Check]:
    checks = select(all_checks(), level=Level.CORE)
    return sorted(checks, key=lambda one: one.id.startswith(_SLOW))


async def _first_failure(target: Target, checks: Sequence[Check]) -> str:
    with Places() as places:
        try:
            target = await reach(target, places, limit_seconds=_LIMIT_SECONDS)
        except UnreachableError as error:
            return str(error)
        for check in checks:
            outcome = await run_check(
                check, target, places, fast=True, limit_seconds=_LIMIT_SECONDS
            )
            if outcome.verdict not in _HARMLESS:
                return check.id
    return ""


async def _job(mutant_id: str) -> str:
    known = {one.id: one for one in all_mutants()}
    return await killer(known[mutant_id])


def main() -> None:
    """Judge the mutants that are named on standard input."""
    serve(_job)


if __name__ == "__main__":
    main()
