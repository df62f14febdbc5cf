"""A whole run: which stores, which checks, one report; broken off, it still says so."""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from strandlog.errors import StrandlogError
from strandlog_conformance.bare import (
    LIMIT_SECONDS,
    NoLocationError,
    UnreachableError,
    limit_of,
    run,
)
from strandlog_conformance.manifest import shipped_checks
from strandlog_conformance.masking import Masked, masked_name
from strandlog_conformance.pairs import is_pair, members, of_pairs, pair_names, reach_pair
from strandlog_conformance.report import Outcome, Report, RunFacts, StoreReport, Verdict
from strandlog_conformance.soaking import soaked
from strandlog_conformance.suite import Check, Level, all_checks, select
from strandlog_conformance.target import Target, installed_schemes
from strandlog_conformance.waivers import Waivers, read_waivers

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
        level: How much to run; ``None`` is everything with *all_installed*, else core.
        spec: Only the rules that this version of them had; empty is all.
        seed: Where chance begins.
        fast: Fewer repetitions.
        pair: No store by itself, but every pair of those that are named.
        timeout_seconds: How long one check may take.
        retries: How often a check that failed is repeated.
        soak_seconds: How long to repeat the checks that draw chance, per store.
        waivers: The file of the failures that are known.
    """

    stores: Sequence[str] = ()
    all_installed: bool = False
    without: Sequence[str] = ()
    require: Sequence[str] = ()
    only: Sequence[str] = ()
    level: Level | None = None
    spec: str = ""
    seed: int = 0
    fast: bool = False
    pair: bool = False
    timeout_seconds: float = LIMIT_SECONDS
    retries: int = 0
    soak_seconds: float = 0.0
    waivers: Path | None = None

    def repeating(self, repro: str) -> Order:
        """Return the order that makes one check again, from ``store#check#seed``.

        How long it may take, and whether it makes do with less, stays as here.

        Raises:
            NoSuchCheckError: It is not of that form, or no check has that name.
        """
        parts = repro.rsplit("#", 2)
        if len(parts) != 3 or not parts[2].lstrip("-").isdigit():  # noqa: PLR2004  # as it says
            raise NoSuchCheckError(f"{repro!r} is not store#check#seed")
        store, check, seed = parts
        if "***" in store:
            raise NoSuchCheckError(f"write the secret of {store} where *** stands")
        return Order(
            stores=[store],
            only=[find_check(check).id],
            level=Level.ALL,
            seed=int(seed),
            fast=self.fast,
            timeout_seconds=self.timeout_seconds,
        )

    @property
    def depth(self) -> Level:
        """How much is run."""
        if self.level is not None:
            return self.level
        return Level.ALL if self.all_installed else Level.CORE

    def timeout_of(self, check: Check) -> float:
        """Return how many seconds a check may take, with its repetitions."""
        return limit_of(check, self.timeout_seconds) * (1 + self.retries)

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

    def suite(self) -> list[Check]:
        """Return every check of the rules that are asked for.

        Raises:
            NoSuchCheckError: There is no such version of the rules.
        """
        suite = all_checks()
        if not self.spec:
            return suite
        if self.spec not in {one.since for one in suite}:
            known = ", ".join(sorted({one.since for one in suite}, key=_numbers))
            raise NoSuchCheckError(f"no version of the rules is {self.spec!r}: there are {known}")
        return [one for one in suite if _numbers(one.since) <= _numbers(self.spec)]

    def plan(self) -> dict[str, list[Check]]:
        """Return which checks are to be made of which store, or pair of stores.

        Raises:
            NoSuchCheckError: No check fits one of the patterns, or none of a pair.
        """
        suite = self.suite()
        for pattern in self.only:
            if not select(suite, only=[pattern]):
                raise NoSuchCheckError(f"no check fits {pattern!r}: see strandlog conformance list")
        chosen = select(suite, only=self.only, level=self.depth)
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
        WaiverFileError: There is no waiver file, or it cannot be read.
    """
    began = dt.datetime.now(dt.UTC)
    stopwatch = time.perf_counter()
    waivers = Waivers(
        read_waivers(order.waivers) if order.waivers else (), today=began.astimezone().date()
    )
    suite = order.suite()
    problems = waivers.problems(all_checks())
    reports: list[StoreReport] = []
    rounds = 0
    broken_off = False
    for name, planned in order.plan().items():
        if broken_off:
            reports.append(_unreached(name, planned, "the run was broken off", order.seed))
            continue
        progress = _Progress(planned, on_outcome)
        try:
            found, soak_rounds = _play_store(name, order, progress)
        except KeyboardInterrupt:
            broken_off = True
            found, soak_rounds = _partly(name, progress, order.seed), 0
        rounds += soak_rounds
        found, stale = _waived(found, waivers)
        problems += stale
        reports.append(found)
    facts = RunFacts(
        began.isoformat(timespec="seconds"),
        time.perf_counter() - stopwatch,
        _argv(order),
        order.depth,
        tuple(order.only),
        order.fast,
        order.timeout_seconds,
        order.retries,
        rounds,
    )
    shipped = shipped_checks() if not order.spec else ()
    return Report(suite, reports, order.seed, _missing(order, reports), problems, facts, shipped)


def _missing(order: Order, reports: Sequence[StoreReport]) -> list[str]:
    """Return the stores that were required and about which there is no answer."""
    answered = [one for one in reports if not (one.invalid() or one.absent)]
    named = [name for report in answered for name in members(report.store)]
    ran = {name.partition(":")[0].partition("+")[0] for name in named}
    return [name for name in order.require if name not in ran]


def _play_store(name: str, order: Order, progress: _Progress) -> tuple[StoreReport, int]:
    try:
        target = asyncio.run(reach_pair(name)) if is_pair(name) else Target.named(name)
    except NoLocationError as error:
        return _absent(name, progress.planned, str(error), order.seed), 0
    except (StrandlogError, UnreachableError, ImportError, AttributeError) as error:
        # The last two are those of an entry point that names what is not there.
        problem = Masked(members(name)).text(str(error))
        return _unreached(name, progress.planned, problem, order.seed), 0
    target = replace(target, name=masked_name(name))
    checking = run(
        target,
        progress.planned,
        seed=order.seed,
        fast=order.fast,
        limit_seconds=order.timeout_seconds,
        retries=order.retries,
        measure=not is_pair(name) and not order.fast,
        on_outcome=progress.take,
    )
    report = asyncio.run(checking)
    if not order.soak_seconds or report.problem:
        return report, 0
    soaking = soaked(
        report,
        target,
        seed=order.seed,
        soak_seconds=order.soak_seconds,
        limit_seconds=order.timeout_seconds,
        on_outcome=progress.told,
    )
    return asyncio.run(soaking)


def _waived(report: StoreReport, waivers: Waivers) -> tuple[StoreReport, list[str]]:
    scheme = report.store if is_pair(report.store) else report.scheme
    outcomes, stale, used = waivers.applied(report.outcomes, scheme)
    return replace(report, outcomes=outcomes, waived=used), stale


def _unreached(name: str, planned: Sequence[Check], problem: str, seed: int) -> StoreReport:
    shown = masked_name(name)
    outcomes = [Outcome(check, shown, Verdict.NOT_RUN, seed, reason=problem) for check in planned]
    return StoreReport(shown, planned, outcomes, problem=problem)


def _absent(name: str, planned: Sequence[Check], lack: str, seed: int) -> StoreReport:
    outcomes = [Outcome(check, name, Verdict.NA_ENV, seed, reason=lack) for check in planned]
    return StoreReport(name, planned, outcomes, absent=lack)


def _partly(name: str, progress: _Progress, seed: int) -> StoreReport:
    known = len(progress.outcomes)
    rest = _unreached(name, progress.planned[known:], "the run was broken off", seed)
    outcomes = [*progress.outcomes, *rest.outcomes]
    return StoreReport(rest.store, progress.planned, outcomes)


def _argv(order: Order) -> list[str]:
    masked = Masked(url for name in order.stores for url in members(name))
    return [Path(sys.argv[0]).name, *(masked.text(word) for word in sys.argv[1:])]


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
