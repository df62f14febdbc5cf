"""``conformance``: hold stores to the contract; the checks are a distribution of their own."""

from __future__ import annotations

import faulthandler
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

if TYPE_CHECKING:
    from strandlog_conformance.comparing import Change
    from strandlog_conformance.report import Outcome, Report
    from strandlog_conformance.session import Order

__all__ = ["conformance"]

# Three times as long as one check may take: the event loop itself must be stuck.
_STUCK_FACTOR = 3

# By its number, which is there whatever has been put in the place of sys.stderr.
_STDERR = 2


def _in_seconds(_ctx: click.Context, _option: click.Parameter, text: str) -> float:
    """Read a length of time, such as ``90s``, ``10m`` or ``2h``."""
    number, unit = (text, "s") if text[-1:].isdigit() else (text[:-1], text[-1:])
    try:
        return float(number) * {"s": 1, "m": 60, "h": 3600}[unit]
    except (KeyError, ValueError) as error:
        raise click.BadParameter(f"{text!r} is no duration: write 90s, 10m or 2h") from error


class _RunByDefault(click.RichGroup):
    """A group in which ``run`` need not be said: ``conformance sqlite:///x.db``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunByDefault)
def conformance() -> None:
    """Check whether a store keeps the contract.

    `strandlog conformance sqlite:///x.db` checks one store. It works in logs of
    its own and removes them, so the database may be in use. `strandlog
    conformance run --help` shows every option.
    """


@conformance.command()
@click.argument("stores", nargs=-1, metavar="[URL]...")
@click.option(
    "--all", "all_installed", is_flag=True, help="Every installed backend, and every pair of them."
)
@click.option(
    "--without", multiple=True, metavar="NAME", help="With --all: all but this one (repeatable)."
)
@click.option(
    "--pair",
    is_flag=True,
    help="Only the protocol's stories, with the devices on one store and the server on another.",
)
@click.option(
    "--require",
    default="",
    metavar="A,B,C",
    help="Backends that must have been checked, or the run is no answer.",
)
@click.option("--only", multiple=True, metavar="PATTERN", help="Checks to make: 'log.range.*'.")
@click.option(
    "--level",
    type=click.Choice(["core", "durable", "all"]),
    help="How much to check; core unless told, with --all everything.",
)
@click.option("--spec", default="", metavar="VERSION", help="Only the rules of this version.")
@click.option("--fast", is_flag=True, help="Fewer repetitions.")
@click.option(
    "--soak",
    "soak_seconds",
    callback=_in_seconds,
    default="0s",
    metavar="DURATION",
    help="Afterwards repeat what is up to chance with new seeds for so long: 90s, 10m, 2h.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Where chance begins.")
@click.option(
    "--timeout",
    "timeout_seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=20.0,
    show_default=True,
    metavar="SECONDS",
    help="How long one check may take; those that start processes may take three times as long.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Repeat a check that failed; if it passes then, it is FLAKY, which is no success.",
)
@click.option(
    "--waivers",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file of failures that are known.",
)
@click.option(
    "--report",
    "report_dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write report.json, junit.xml and report.html there.",
)
@click.option(
    "--compare",
    "old_report",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="REPORT.JSON",
    help="Show what has changed since; what got worse is a failure.",
)
@click.option("--repro", metavar="STORE#CHECK#SEED", help="Make one check again.")
@click.option("--explain", metavar="CHECK", help="Show what a check is about, and make none.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def run(
    ctx: click.Context,
    /,
    stores: tuple[str, ...],
    *,
    require: str,
    level: str | None,
    report_dir: Path | None,
    old_report: Path | None,
    repro: str | None,
    explain: str | None,
    as_json: bool,
    **asked: Any,
) -> None:
    """Check stores, named by URL or, at locations of their own, by scheme.

    Exit codes: 0 every required check that was chosen passed, 1 one failed or
    something got worse, 2 called wrongly, 3 the run is no answer: nothing ran,
    checks were left out, a waiver does not hold, or the store is not the one
    that was named.
    """
    _demand_suite()
    from strandlog_conformance.comparing import compare
    from strandlog_conformance.document import (
        DocumentError,
        document,
        read_document,
        to_json,
    )
    from strandlog_conformance.report_files import write_report
    from strandlog_conformance.session import NoSuchCheckError, Order, find_check
    from strandlog_conformance.suite import Level
    from strandlog_conformance.waivers import WaiverFileError

    try:
        if explain is not None:
            _explain(find_check(explain).id)
            return
        order = Order(
            stores=stores,
            require=[name for name in require.split(",") if name],
            level=Level(level) if level else None,
            **asked,
        )
        if repro is not None:
            order = order.repeating(repro)
        if not order.names:
            raise click.UsageError("no store is named: give a URL, or --all")
        before = read_document(old_report) if old_report else None
        report = _played(order)
    except (NoSuchCheckError, WaiverFileError, DocumentError) as error:
        raise click.UsageError(str(error)) from error
    made = document(report)
    changes = compare(before, made) if before else []
    if report_dir is not None:
        write_report(made, report_dir)
    if as_json:
        click.echo(to_json(made))
    else:
        _show(report, changes, report_dir)
    code = int(report.exit_code())
    ctx.exit(code or int(any(one.worse for one in changes)))


@conformance.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_checks(*, as_json: bool) -> None:
    """List every check with its rule, what it needs and the faults that it catches.

    Rules that no check looks at come last, each with the reason.
    """
    _demand_suite()
    from rich.console import Console

    from strandlog_conformance.suite import all_checks
    from strandlog_conformance.terminal import show_checks
    from strandlog_conformance.untested import UNTESTED

    checks = all_checks()
    if as_json:
        rows = [
            {
                "id": one.id,
                "rule": one.rule,
                "must": one.must,
                "level": one.level.value,
                "since": one.since,
                "requires": [need.name for need in one.requires],
                "kills": list(one.kills),
            }
            for one in checks
        ]
        untested = [{"rule": one.rule, "why": one.why} for one in UNTESTED]
        click.echo(json.dumps({"checks": rows, "untested": untested}, indent=2))
    else:
        show_checks(Console(), checks)


@conformance.command()
@click.option("--only", multiple=True, metavar="ID", help="Only this faulty store, such as M01.")
@click.option("--seed", type=int, default=0, show_default=True, help="Where chance begins.")
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="How many processes share the work.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@click.option(
    "--matrix",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Only write the kill matrix to a Markdown file.",
)
@click.option(
    "--against",
    metavar="MODULE:CLASS",
    help="Instead of the suite, try your own tests: which faults in your store do they notice?",
)
@click.argument("pytest_args", nargs=-1, type=click.UNPROCESSED, metavar="[-- PYTEST ARGS]")
@click.pass_context
def selftest(
    ctx: click.Context,
    *,
    pytest_args: tuple[str, ...],
    against: str | None,
    only: tuple[str, ...],
    seed: int,
    processes: int,
    as_json: bool,
    matrix: Path | None,
) -> None:
    """Check the suite itself: sound stores pass, and every faulty one is caught.

    Prints the kill matrix: which check catches which faulty store. `--against
    your_package:YourStore -- tests` runs your tests instead, once for each fault
    that can be put into any store. Exit codes: 0 nothing was missed, 1 something
    was, 2 called wrongly, 3 no answer: your tests fail without a fault.
    """
    _demand_suite()
    if against is not None:
        ctx.exit(_tried(against, pytest_args, only, processes, as_json=as_json))
    if pytest_args:
        raise click.UsageError(f"what is {' '.join(pytest_args)} for? arguments need --against")
    import asyncio

    from rich.console import Console

    from strandlog_conformance import selftest as suite_selftest
    from strandlog_conformance.matrix import matrix_page, show_kills
    from strandlog_conformance.saboteurs.registry import all_saboteurs
    from strandlog_conformance.terminal import ProgressBar

    if matrix is not None:
        matrix.write_text(matrix_page(), encoding="utf-8")
        return
    known = {one.id for one in all_saboteurs()}
    if unknown := [name for name in only if name not in known]:
        raise click.UsageError(f"no faulty store is named {', '.join(unknown)}")
    with ProgressBar(Console(stderr=True), len({*only}) or len(known)) as progress:
        testing = suite_selftest.selftest(
            only=only, seed=seed, processes=processes, on_kill=progress.killed
        )
        result = asyncio.run(testing)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=2))
    else:
        show_kills(Console(), result)
    ctx.exit(1 if result.problems else 0)


@conformance.command()
@click.option(
    "--every",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    metavar="N",
    help="Only each Nth.",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="How many processes share the work.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@click.pass_context
def mutants(ctx: click.Context, *, every: int, processes: int, as_json: bool) -> None:
    """Check the suite by small faults, put one at a time into the store in memory.

    Those that nothing notices have to be on the list of the reviewed ones. Exit
    codes: 0 nothing is wrong with the suite, 1 something is, 2 called wrongly.
    """
    _demand_suite()
    import asyncio

    from rich.console import Console

    from strandlog_conformance.mutation.gate import mutate
    from strandlog_conformance.mutation.mutants import all_mutants
    from strandlog_conformance.mutation.showing import show_mutants
    from strandlog_conformance.terminal import ProgressBar

    try:
        total = len(all_mutants()[::every])
    except ModuleNotFoundError as error:
        raise click.UsageError(f"{error}; try: pip install strandlog-memory") from error
    with ProgressBar(Console(stderr=True), total) as progress:
        trying = mutate(
            every=every,
            processes=processes,
            on_fate=lambda fate: progress.step(fate.mutant),
        )
        result = asyncio.run(trying)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=2))
    else:
        show_mutants(Console(), result)
    ctx.exit(1 if result.problems else 0)


def _tried(
    store: str, pytest_args: Sequence[str], only: Sequence[str], processes: int, *, as_json: bool
) -> int:
    import asyncio

    from rich.console import Console

    from strandlog_conformance.against.showing import show_trial, show_verdict
    from strandlog_conformance.against.trial import NoTrialError, try_against

    console = Console()
    trying = try_against(
        store,
        pytest_args,
        only=only,
        processes=processes,
        on_verdict=None if as_json else lambda verdict: show_verdict(console, verdict),
    )
    try:
        trial = asyncio.run(trying)
    except NoTrialError as error:
        click.echo(f"error: {error}", err=True)
        return 3
    if as_json:
        click.echo(json.dumps(trial.as_json(), indent=2))
    else:
        show_trial(console, trial)
    return 1 if trial.missed else 0


def _demand_suite() -> None:
    try:
        import strandlog_conformance  # noqa: F401  # only whether it is there
    except ModuleNotFoundError as error:
        raise click.UsageError(
            "the checks are not installed; try: pip install strandlog-conformance"
        ) from error


def _played(order: Order) -> Report:
    from rich.console import Console

    from strandlog_conformance.session import play
    from strandlog_conformance.terminal import ProgressBar

    plan = order.plan()
    planned = sum(len(checks) for checks in plan.values())
    times = [order.timeout_of(check) for checks in plan.values() for check in checks]
    longest = max(times, default=order.timeout_seconds)
    open_ended = bool(order.soak_seconds)
    with ProgressBar(Console(stderr=True), planned, open_ended=open_ended) as progress:
        try:
            return play(order, on_outcome=_watched(progress.took, longest * _STUCK_FACTOR))
        finally:
            faulthandler.cancel_dump_traceback_later()


def _watched(took: Callable[[Outcome], None], stuck_seconds: float) -> Callable[[Outcome], None]:
    """Wind a clock up with each outcome; if none comes, show where, and end with status 1.

    The time limit of a check lives in the event loop. A store that blocks the
    loop stops that clock too; this one it cannot stop.
    """

    def wind(outcome: Outcome) -> None:
        faulthandler.dump_traceback_later(stuck_seconds, exit=True, file=_STDERR)
        took(outcome)

    faulthandler.dump_traceback_later(stuck_seconds, exit=True, file=_STDERR)
    return wind


def _show(report: Report, changes: Sequence[Change], report_dir: Path | None) -> None:
    from rich.console import Console

    from strandlog_conformance.terminal import show_changes, show_report

    console = Console()
    show_report(console, report)
    show_changes(console, changes)
    if report_dir is not None:
        console.print(f"report: {report_dir / 'report.html'}", markup=False, soft_wrap=True)


def _explain(name: str) -> None:
    from rich.console import Console

    from strandlog_conformance.session import find_check
    from strandlog_conformance.terminal import show_check

    show_check(Console(), find_check(name))
