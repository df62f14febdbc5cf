"""A run that pytest leads: it makes one check after the other, in an order of its own."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from strandlog.errors import StrandlogError
from strandlog_conformance.bare import NoLocationError, UnreachableError, reach, run_check
from strandlog_conformance.manifest import shipped_checks
from strandlog_conformance.masking import Masked, masked_name
from strandlog_conformance.pairs import is_pair, members, of_pairs, pair_names, reach_pair
from strandlog_conformance.places import Places
from strandlog_conformance.report import Outcome, Report, RunFacts, StoreReport, Verdict
from strandlog_conformance.session import Order
from strandlog_conformance.suite import Check, Level, all_checks, select
from strandlog_conformance.target import Target
from strandlog_conformance.waivers import Waiver, Waivers, read_waivers

__all__ = ["TestRun", "Tested"]


class Tested:
    """One store that was named, opened once before its first check.

    Attributes:
        name: Its name, without a secret.
        planned: The checks that are to be made of it.
    """

    def __init__(self, name: str, planned: Sequence[Check], *, seed: int, waivers: Waivers) -> None:
        self.name = masked_name(name)
        self.planned = planned
        self._named = name
        self._seed = seed
        self._waivers = waivers
        self._target: Target | None = None
        self._problem = ""
        self._absent = ""
        self._outcomes: dict[str, Outcome] = {}
        self._stale: list[str] = []
        self._waived: list[Waiver] = []

    def made(self, check: Check) -> Outcome:
        """Make one check, in an event loop of its own; return what came of it."""
        outcome = asyncio.run(self._made(check))
        target = self._target
        scheme = target.scheme if target is not None and not is_pair(self.name) else self.name
        [outcome], stale, used = self._waivers.applied([outcome], scheme)
        self._stale += stale
        self._waived += used
        self._outcomes[check.id] = outcome
        return outcome

    async def _made(self, check: Check) -> Outcome:
        with Places() as places:
            if self._target is None and not self._problem:
                try:
                    await self._open(places)
                except NoLocationError as error:
                    self._problem = self._absent = str(error)
                except (StrandlogError, UnreachableError) as error:
                    self._problem = Masked(members(self._named)).text(str(error))
            if self._target is None:
                verdict = Verdict.NA_ENV if self._absent else Verdict.NOT_RUN
                return Outcome(check, self.name, verdict, self._seed, reason=self._problem)
            return await run_check(check, self._target, places, seed=self._seed)

    async def _open(self, places: Places) -> None:
        if is_pair(self._named):
            target = await reach_pair(self._named)
        else:
            target = await reach(Target.named(self._named), places)
        self._target = replace(target, name=self.name)

    def report(self) -> tuple[StoreReport, list[str]]:
        """Return what was found out, and what is wrong with the waivers."""
        made = [self._outcomes[one.id] for one in self.planned if one.id in self._outcomes]
        target = self._target
        report = StoreReport(self.name, self.planned, made, absent=self._absent)
        if not self._absent:
            report = replace(report, problem=self._problem)
        if target is not None:
            report = replace(
                report,
                distribution=target.distribution,
                capabilities=target.capabilities,
                cursors=target.cursors is not None,
                scheme=target.scheme,
                waived=self._waived,
            )
        return report, self._stale


class TestRun:
    """Everything that one run of pytest is to check.

    Attributes:
        stores: The stores and pairs that were named.
    """

    __test__ = False  # not a class of tests, whatever its name

    def __init__(
        self,
        *,
        names: Sequence[str],
        all_installed: bool,
        pairs: bool,
        level: str | None,
        seed: int,
        waivers: Path | None,
    ) -> None:
        self._seed = seed
        self._began = dt.datetime.now(dt.UTC)
        self._waivers = Waivers(
            read_waivers(waivers) if waivers else (), today=self._began.astimezone().date()
        )
        order = Order(
            stores=names, all_installed=all_installed, level=Level(level) if level else None
        )
        self._level = order.depth
        checks = select(all_checks(), level=order.depth)
        single = [name for name in order.names if not is_pair(name) or name in names]
        plan = {name: of_pairs(checks) if is_pair(name) else checks for name in single}
        if pairs:
            plain = [name for name in single if not is_pair(name)]
            plan |= dict.fromkeys(pair_names(plain), of_pairs(checks))
        self.stores = [
            Tested(name, planned, seed=seed, waivers=self._waivers)
            for name, planned in plan.items()
        ]

    def report(self) -> Report:
        """Return what has been found out so far."""
        made = [store.report() for store in self.stores]
        problems = self._waivers.problems(all_checks())
        problems += [one for _, stale in made for one in stale]
        seconds = (dt.datetime.now(dt.UTC) - self._began).total_seconds()
        facts = RunFacts(
            self._began.isoformat(timespec="seconds"),
            seconds,
            [Path(sys.argv[0]).name, *map(masked_name, sys.argv[1:])],
            self._level,
        )
        stores = [report for report, _ in made]
        return Report(
            all_checks(),
            stores,
            self._seed,
            problems=problems,
            facts=facts,
            shipped=shipped_checks(),
        )
