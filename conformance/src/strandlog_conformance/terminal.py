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

from strandlog_conformance.pairs import is_pair
from strandlog_conformance.report import ExitCode, Outcome, Report, StoreReport, Verdict
from strandlog_conformance.saboteurs.registry import suspects
from strandlog_conformance.selftest import Kill, Selftest
from strandlog_conformance.suite import Check

__all__ = ["ProgressBar", "show_check", "show_checks", "show_kills", "show_report"]

_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.ERROR: "bold magenta",
    Verdict.NOT_RUN: "yellow",
}
_SIGNS = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "FAIL",
    Verdict.ERROR: "ERROR",
    Verdict.UNSUPPORTED: "unsupported",
    Verdict.NA_ENV: "n/a here",
    Verdict.WAIVED: "waived",
    Verdict.STAND_IN: "stand-in",
    Verdict.NOT_RUN: "not run",
}


class ProgressBar:
    """Shows how far a run is, on a terminal only."""

    def __init__(self, console: Console, total: int) -> None:
        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=total)

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
        self._step(f"{outcome.store} {outcome.check.id}")

    def killed(self, kill: Kill) -> None:
        """Count one faulty store."""
        self._step(f"{kill.saboteur.id} {kill.saboteur.fault}")

    def _step(self, text: str) -> None:
        self._progress.update(self._task, advance=1, description=text)


def show_report(console: Console, report: Report) -> None:
    """Print the matrix, then each failure, then what it all comes to."""
    console.print(_matrix(report))
    for store in report.stores:
        for outcome in store.failures:
            console.print(_failure(outcome))
    for store in report.stores:
        console.print(_arithmetic(store, store.level(report.suite)))
    for reason in report.invalid():
        console.print(Text(f"the run is no answer: {reason}", "bold yellow"))
    console.print(_conclusion(report))


def _matrix(report: Report) -> Table:
    """One row for each category, one column for each store, counts in every cell."""
    table = Table(title="checks by category", title_justify="left")
    table.add_column("category")
    for store in report.stores:
        table.add_column(store.store, overflow="fold")
    planned = [check for store in report.stores for check in store.planned]
    for category in dict.fromkeys(check.category for check in planned):
        table.add_row(category, *(_cell(store, category) for store in report.stores))
    return table


def _cell(store: StoreReport, category: str) -> Text:
    if all(check.category != category for check in store.planned):
        return Text("–", "dim")  # such as what is not made of pairs
    counts = Counter(one.verdict for one in store.outcomes if one.check.category == category)
    cell = Text()
    for verdict in Verdict:
        if counts[verdict]:
            cell.append("" if not cell else ", ")
            cell.append(f"{counts[verdict]} {_SIGNS[verdict]}", _STYLES.get(verdict, "dim"))
    return cell or Text("0", "yellow")


def _failure(outcome: Outcome) -> Text:
    text = Text("\n")
    text.append(f"{outcome.verdict.value} {outcome.check.id}", _STYLES[outcome.verdict])
    text.append(f" of {outcome.store}{'' if outcome.check.must else ' (not required)'}\n")
    for name, value in _details(outcome):
        text.append(f"  {name:<6} ", "bold")
        text.append(f"{value}\n")
    return text


def _details(outcome: Outcome) -> Iterator[tuple[str, str]]:
    yield "rule", outcome.check.rule
    if outcome.failure is not None:
        yield "call", outcome.failure.call
        yield "got", outcome.failure.got
        yield "want", outcome.failure.want
    if outcome.verdict is Verdict.FAIL:
        for one in suspects(outcome.check.kills):
            yield "like", f"{one.id}, a store that {one.fault}"
    yield "again", f"strandlog conformance --repro '{outcome.repro}'"


def _arithmetic(store: StoreReport, level: str) -> Text:
    sums = " + ".join(f"{count} {verdict.value}" for verdict, count in store.totals.items())
    seconds = sum(outcome.seconds for outcome in store.outcomes)
    text = Text(f"{store.store}: {len(store.planned)} planned = {sums or 0}, {seconds:.1f} s")
    if level:
        text.append(f", level {level}", "green")
    return text


def _conclusion(report: Report) -> Text:
    code = report.exit_code()
    if code is ExitCode.INVALID:
        return Text("no answer: see above", "bold yellow")
    if code is ExitCode.FAILED:
        count = sum(len(store.failures) for store in report.stores)
        return Text(f"{count} checks failed", "bold red")
    # A pair earns no level: what it has to pass is more than a store by itself, and less.
    single = [store for store in report.stores if not is_pair(store.store)]
    if single and all(store.level(report.suite) for store in single):
        return Text("every required check passed", "bold green")
    return Text("the checks that were chosen passed; a level takes all of them", "green")


def show_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print every check with its rule."""
    table = Table(title=f"{len(checks)} checks", title_justify="left")
    for name in ("check", "rule", "needs", "catches"):
        table.add_column(name, overflow="fold")
    for one in checks:
        needs = [need.name for need in one.requires] + (["a cursor store"] if one.cursors else [])
        table.add_row(one.id, one.rule, ", ".join(needs), " ".join(one.kills))
    console.print(table)


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


def show_kills(console: Console, result: Selftest) -> None:
    """Print which faulty store was caught by what, and what is wrong with the suite."""
    table = Table(title=f"{len(result.kills)} faulty stores", title_justify="left")
    for name in ("", "a store that …", "caught by", "failed"):
        table.add_column(name, overflow="fold")
    for kill in result.kills:
        one = kill.saboteur
        caught = Text("MISSED", "bold red") if kill.problem else Text(one.caught_by, "green")
        table.add_row(one.id, one.fault, caught, str(len(kill.failed)))
    console.print(table)
    for report in result.sound:
        console.print(_arithmetic(report, report.level(result.checks)))
    if result.toothless:
        names = ", ".join(result.toothless)
        console.print(f"no faulty store fails these {len(result.toothless)} checks: {names}")
    for problem in result.problems:
        console.print(Text(problem, "bold red"))
    if not result.problems:
        console.print(Text("every faulty store is caught by its check", "bold green"))
