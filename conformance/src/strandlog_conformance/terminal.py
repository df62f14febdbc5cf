"""How a run looks in a terminal: progress, the matrix, the failures, the kill matrix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from strandlog_conformance.comparing import Change
from strandlog_conformance.pairs import is_pair, members
from strandlog_conformance.report import ExitCode, Outcome, Report, StoreReport, Verdict
from strandlog_conformance.saboteurs.registry import suspects
from strandlog_conformance.selftest import Kill
from strandlog_conformance.suite import Check
from strandlog_conformance.untested import UNTESTED

__all__ = [
    "ProgressBar",
    "show_changes",
    "show_check",
    "show_checks",
    "show_report",
]

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.FLAKY: "bold red",
    Verdict.ERROR: "bold magenta",
    Verdict.UNDERCLAIMED: "yellow",
    Verdict.WAIVED: "yellow",
    Verdict.STAND_IN: "yellow",
    Verdict.NOT_RUN: "yellow",
}
_SIGNS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "FAIL",
    Verdict.FLAKY: "FLAKY",
    Verdict.ERROR: "ERROR",
    Verdict.UNSUPPORTED: "unsupported",
    Verdict.UNDERCLAIMED: "underclaimed",
    Verdict.NA_ENV: "n/a here",
    Verdict.WAIVED: "waived",
    Verdict.STAND_IN: "stand-in",
    Verdict.NOT_RUN: "not run",
}


class ProgressBar:
    """Shows how far a run is, on a terminal only.

    With *open_ended* it shows the work and no share of it: nobody knows how much will come.
    """

    def __init__(self, console: Console, total: int, *, open_ended: bool = False) -> None:
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None if open_ended else total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def took(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.step(f"{outcome.store} {outcome.check.id}")

    def killed(self, kill: Kill) -> None:
        """Count one faulty store."""
        self.step(f"{kill.saboteur.id} {kill.saboteur.fault}")

    def step(self, text: str) -> None:
        """Count one of whatever *text* names."""
        self._progress.update(self._task, advance=1, description=text)


def show_report(console: Console, report: Report) -> None:
    """Print the matrix, then each failure, then what it all comes to."""
    for table in _matrices(report):
        console.print(table)
    for store in report.stores:
        for outcome in store.outcomes:
            if outcome.verdict in _TOLD:
                console.print(_outcome(outcome, fast=report.facts.fast))
    for store in report.stores:
        console.print(_arithmetic(store, report.level(store)))
        console.print(_withheld(store, report), end="")
    for reason in _reasons(report):
        console.print(Text(f"the run is no answer: {reason}", "bold yellow"))
    console.print(_conclusion(report))


def show_changes(console: Console, changes: Sequence[Change]) -> None:
    """Print what has changed since an earlier report, the losses first."""
    for one in changes:
        about = " ".join(filter(None, (one.store, one.what)))
        text = f"{'worse' if one.worse else 'changed'}: {about}: {one.before} → {one.now}"
        console.print(Text(text, "bold red" if one.worse else ""))


def _matrices(report: Report) -> Iterator[Table]:
    """One row for each category, one column for each store; then one row for each pair."""
    single = [store for store in report.stores if not is_pair(store.store)]
    if single:
        table = Table(title="checks by category", title_justify="left")
        table.add_column("category")
        for store in single:
            table.add_column(store.store, overflow="fold")
        for category in _categories(single):
            table.add_row(category, *(_cell(store, category) for store in single))
        yield table
    pairs = [store for store in report.stores if is_pair(store.store)]
    if pairs:
        # Of a pair nearly all categories are empty, and there are many pairs.
        table = Table(title="pairs: devices x server", title_justify="left")
        table.add_column("pair", overflow="fold")
        categories = _categories(pairs)
        for category in categories:
            table.add_column(category, overflow="fold")
        for store in pairs:
            table.add_row(store.store, *(_cell(store, category) for category in categories))
        yield table


def _categories(stores: Sequence[StoreReport]) -> list[str]:
    return list(dict.fromkeys(check.category for store in stores for check in store.planned))


def _cell(store: StoreReport, category: str) -> Text:
    if all(check.category != category for check in store.planned):
        return Text("–", "dim")
    counts = Counter(one.verdict for one in store.outcomes if one.check.category == category)
    cell = Text()
    for verdict in Verdict:
        if counts[verdict]:
            cell.append("" if not cell else ", ")
            cell.append(f"{counts[verdict]} {_SIGNS[verdict]}", _STYLES.get(verdict, "dim"))
    return cell or Text("0", "yellow")


# What is told by itself, below the matrix.
_TOLD = frozenset(
    {Verdict.FAIL, Verdict.FLAKY, Verdict.ERROR, Verdict.WAIVED, Verdict.UNDERCLAIMED}
)


def _outcome(outcome: Outcome, *, fast: bool) -> Text:
    text = Text("\n")
    text.append(f"{outcome.verdict.value} {outcome.check.id}", _STYLES[outcome.verdict])
    text.append(f" of {outcome.store}{'' if outcome.check.must else ' (not required)'}\n")
    for name, value in _details(outcome, fast=fast):
        text.append(f"  {name:<6} ", "bold")
        text.append(f"{value}\n")
    return text


def _details(outcome: Outcome, *, fast: bool) -> Iterator[tuple[str, str]]:
    yield "rule", outcome.check.rule
    if outcome.reason:
        yield "reason", outcome.reason
    if outcome.failure is not None:
        yield "call", outcome.failure.call
        yield "got", outcome.failure.got
        yield "want", outcome.failure.want
    if outcome.failure is not None and outcome.failure.wire:
        frames = len(outcome.failure.wire.splitlines())
        yield "wire", f"{frames} frames had travelled; --report DIR shows them"
    if outcome.verdict in (Verdict.FAIL, Verdict.FLAKY):
        for one in suspects(outcome.check.kills):
            yield "like", f"{one.id}, a store that {one.fault}"
    yield "again", f"strandlog conformance --repro '{outcome.repro}'{' --fast' if fast else ''}"


def _arithmetic(store: StoreReport, level: str) -> Text:
    sums = " + ".join(f"{count} {verdict.value}" for verdict, count in store.totals.items())
    seconds = sum(outcome.seconds for outcome in store.outcomes)
    text = Text(f"{store.store}: {len(store.planned)} planned = {sums or 0}, {seconds:.1f} s")
    if store.absent:
        text.append(f", not checked here: {store.absent}", "yellow")
    if level:
        imitated = Verdict.STAND_IN in store.totals
        text.append(f", level {level}", "yellow" if imitated else "green")
    return text


def _withheld(store: StoreReport, report: Report) -> Text:
    """Say which marks a store claims and has not earned, and why."""
    text = Text()
    standing = None if is_pair(store.store) or report.facts.only else report.standing(store)
    reasons: dict[str, list[str]] = {}
    for mark, why in (standing.withheld if standing else {}).items():
        reasons.setdefault(why, []).append(mark)
    for why, marks in reasons.items():
        text.append(f"  not {', '.join(marks)}: {why}\n", "yellow")
    return text


def _reasons(report: Report) -> Iterator[str]:
    """Give each reason once: of a pair whose store is unreachable that store says it."""
    unreachable = {one.store for one in report.stores if one.problem and not is_pair(one.store)}
    pairs = [one.store for one in report.stores if unreachable & set(members(one.store))]
    for reason in report.invalid():
        if not any(is_pair(name) and reason.startswith(f"{name}: ") for name in pairs):
            yield reason


def _conclusion(report: Report) -> Text:
    code = report.exit_code()
    if code is ExitCode.INVALID:
        return Text("no answer: see above", "bold yellow")
    if code is ExitCode.FAILED:
        count = sum(len(store.failures) for store in report.stores)
        return Text(f"{count} checks failed", "bold red")
    # A pair earns no level: what it has to pass is more than a store by itself, and less.
    checked = [store for store in report.stores if not store.absent]
    single = [report.standing(store) for store in checked if not is_pair(store.store)]
    if any(Verdict.WAIVED in store.totals for store in report.stores):
        return Text("nothing failed but what is waived; a level takes all required checks")
    if not single or not all(one and one.level for one in single):
        return Text("the checks that were chosen passed; a level takes all of them")
    if not all(one and one.complete for one in single):
        return Text("every check that was made passed; more is claimed than that: see above")
    if any(one and one.stand_in for one in single):
        return Text("every required check passed, against an imitation of a server", "yellow")
    return Text("every required check passed", "bold green")


def show_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print every check with its rule."""
    table = Table(title=f"{len(checks)} checks", title_justify="left")
    for name in ("check", "rule", "needs", "catches"):
        table.add_column(name, overflow="fold")
    for one in checks:
        needs = [need.name for need in one.requires] + (["a cursor store"] if one.cursors else [])
        table.add_row(one.id, one.rule, ", ".join(needs), " ".join(one.kills))
    console.print(table)
    untested = Table(title=f"{len(UNTESTED)} rules without a check", title_justify="left")
    for name in ("rule", "why"):
        untested.add_column(name, overflow="fold")
    for rule in UNTESTED:
        untested.add_row(rule.rule, rule.why)
    console.print(untested)


def show_check(console: Console, check: Check) -> None:
    """Print all that is known of one check."""
    console.print(Text(check.id, "bold"))
    console.print(f"rule: {check.rule}", markup=False)
    console.print(f"\n{check.story}\n", markup=False)
    console.print(f"required: {'yes' if check.must else 'no'}, since {check.since}")
    for need in check.requires:
        console.print(f"only of stores that declare {need.name}", markup=False)
    for one in suspects(check.kills):
        console.print(f"catches {one.id}, a store that {one.fault}", markup=False)
