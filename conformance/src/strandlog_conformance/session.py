"""A whole run: which stores, which checks, one report; broken off, it still says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from strandlog.errors import StrandlogError
from strandlog_conformance.bare import UnreachableError, run
from strandlog_conformance.pairs import is_pair, members, of_pairs, pair_names, reach_pair
from strandlog_conformance.report import Outcome, Report, StoreReport, Verdict
from strandlog_conformance.suite import Check, Level, all_checks, select
from strandlog_conformance.target import Target, installed_schemes

__all__ = ["NoSuchCheckError", "Order", "find_check", "play"]


class NoSuchCheckError(ValueError):
    """No check has that name, or fits that pattern."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run.

    Attributes:
        stores: URLs, or schemes of installed plugins (``sqlite``); or a pair of
            them, ``memory x sqlite``: the devices' and the server's.
        all_installed: Every installed plugin too, at locations that it names.
        without: Schemes to leave out of *all_installed*.
        require: Schemes that have to be among those that ran.
        only: Patterns of check ids; none is all.
        level: How much to run.
        seed: Where chance begins.
        fast: Fewer repetitions.
        pair: No store by itself, but every pair of those that are named.
    """

    stores: Sequence[str] = ()
    all_installed: bool = False
    without: Sequence[str] = ()
    require: Sequence[str] = ()
    only: Sequence[str] = ()
    level: Level = Level.CORE
    seed: int = 0
    fast: bool = False
    pair: bool = False

    @classmethod
    def repeating(cls, repro: str) -> Order:
        """Return the order that makes one check again, from ``store#check#seed``.

        Raises:
            NoSuchCheckError: It is not of that form, or no check has that name.
        """
        parts = repro.rsplit("#", 2)
        if len(parts) != 3 or not parts[2].lstrip("-").isdigit():  # noqa: PLR2004  # as it says
            raise NoSuchCheckError(f"{repro!r} is not store#check#seed")
        store, check, seed = parts
        return cls(stores=[store], only=[find_check(check).id], level=Level.ALL, seed=int(seed))

    @property
    def names(self) -> list[str]:
        """Every store that was asked for, once, and every pair."""
        found = installed_schemes() if self.all_installed else []
        found = [name for name in found if name not in self.without]
        named = list(dict.fromkeys([*self.stores, *found]))
        single = [name for name in named if not is_pair(name)]
        pairs = [name for name in named if is_pair(name)]
        if self.pair:
            return list(dict.fromkeys([*pairs, *pair_names(single)]))
        if self.all_installed:
            # A store by itself is played with itself already.
            pairs += [name for name in pair_names(single) if len(set(members(name))) > 1]
        return [*single, *dict.fromkeys(pairs)]

    def plan(self) -> dict[str, list[Check]]:
        """Return which checks are to be made of which store, or pair of stores.

        Raises:
            NoSuchCheckError: No check fits one of the patterns, or none of a pair.
        """
        suite = all_checks()
        for pattern in self.only:
            if not select(suite, only=[pattern]):
                raise NoSuchCheckError(f"no check fits {pattern!r}: see strandlog conformance list")
        chosen = select(suite, only=self.only, level=self.level)
        stories = of_pairs(chosen)
        if self.pair and not stories:
            raise NoSuchCheckError("no story of a pair is chosen: try --only 'proto.*'")
        plan = {name: stories if is_pair(name) else chosen for name in self.names}
        return {name: checks for name, checks in plan.items() if checks or not is_pair(name)}


@dataclass(slots=True)
class _Progress:
    """What is known of a store so far: a run that is broken off is reported too."""

    planned: Sequence[Check]
    told: Callable[[Outcome], None] | None
    outcomes: list[Outcome] = field(default_factory=list)

    def take(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        if self.told is not None:
            self.told(outcome)


def find_check(name: str) -> Check:
    """Return the check of that name.

    Raises:
        NoSuchCheckError: There is none.
    """
    for check in all_checks():
        if check.id == name:
            return check
    raise NoSuchCheckError(f"no check is named {name!r}: see strandlog conformance list")


def play(order: Order, *, on_outcome: Callable[[Outcome], None] | None = None) -> Report:
    """Run what is ordered, each store in an event loop of its own.

    Ctrl-C ends the run; what was not reached is reported as not run.

    Raises:
        NoSuchCheckError: No check fits one of the patterns.
    """
    reports: list[StoreReport] = []
    broken_off = False
    for name, planned in order.plan().items():
        if broken_off:
            reports.append(_unreached(name, planned, "the run was broken off", order.seed))
            continue
        progress = _Progress(planned, on_outcome)
        try:
            reports.append(_play_store(name, order, progress))
        except KeyboardInterrupt:
            broken_off = True
            reports.append(_partly(name, progress, order.seed))
    named = [name for report in reports if not report.invalid() for name in members(report.store)]
    ran = {name.partition(":")[0] for name in named}
    missing = [name for name in order.require if name not in ran]
    return Report(all_checks(), reports, order.seed, missing)


def _play_store(name: str, order: Order, progress: _Progress) -> StoreReport:
    try:
        target = asyncio.run(reach_pair(name)) if is_pair(name) else Target.named(name)
    except (StrandlogError, UnreachableError) as error:
        return _unreached(name, progress.planned, str(error), order.seed)
    checking = run(
        target, progress.planned, seed=order.seed, fast=order.fast, on_outcome=progress.take
    )
    return asyncio.run(checking)


def _unreached(name: str, planned: Sequence[Check], problem: str, seed: int) -> StoreReport:
    outcomes = [Outcome(check, name, Verdict.NOT_RUN, seed, reason=problem) for check in planned]
    return StoreReport(name, planned, outcomes, problem=problem)


def _partly(name: str, progress: _Progress, seed: int) -> StoreReport:
    known = len(progress.outcomes)
    rest = _unreached(name, progress.planned[known:], "the run was broken off", seed)
    outcomes = [*progress.outcomes, *rest.outcomes]
    return StoreReport(name, progress.planned, outcomes)
