"""``conformance``: hold stores to the contract; the checks are a distribution of their own."""

from __future__ import annotations

import faulthandler
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import rich_click as click

if TYPE_CHECKING:
    from strandlog_conformance.report import Outcome, Report
    from strandlog_conformance.session import Order

__all__ = ["conformance"]

# Three times what one check may take: the event loop itself must be stuck.
_STUCK_SECONDS = 60

# By its number, which is there whatever has been put in the place of sys.stderr.
_STDERR = 2


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
@click.option("--without", multiple=True, metavar="NAME", help="With --all: all but this one.")
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
    default="core",
    show_default=True,
    help="How much to check.",
)
@click.option("--fast", is_flag=True, help="Fewer repetitions.")
@click.option("--seed", type=int, default=0, show_default=True, help="Where chance begins.")
@click.option("--repro", metavar="STORE#CHECK#SEED", help="Make one check again.")
@click.option("--explain", metavar="CHECK", help="Show what a check is about, and make none.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@click.pass_context
def run(
    ctx: click.Context,
    stores: tuple[str, ...],
    *,
    all_installed: bool,
    pair: bool,
    without: tuple[str, ...],
    require: str,
    only: tuple[str, ...],
    level: str,
    fast: bool,
    seed: int,
    repro: str | None,
    explain: str | None,
    as_json: bool,
) -> None:
    """Check stores, named by URL or, at locations of their own, by scheme.

    Exit codes: 0 every required check passed, 1 one failed, 2 called wrongly,
    3 the run is no answer: nothing ran, checks were left out, or the store is
    not the one that was named.
    """
    _demand_suite()
    from strandlog_conformance.session import NoSuchCheckError, Order, find_check
    from strandlog_conformance.suite import Level

    try:
        if explain is not None:
            _explain(find_check(explain).id)
            return
        order = (
            Order.repeating(repro)
            if repro is not None
            else Order(
                stores=stores,
                all_installed=all_installed,
                without=without,
                require=[name for name in require.split(",") if name],
                only=only,
                level=Level(level),
                seed=seed,
                fast=fast,
                pair=pair,
            )
        )
        if not order.names:
            raise click.UsageError("no store is named: give a URL, or --all")
        report = _played(order)
    except NoSuchCheckError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        _show(report)
    ctx.exit(int(report.exit_code()))


@conformance.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
def list_checks(*, as_json: bool) -> None:
    """List every check with its rule, what it needs, and the faults that it catches."""
    _demand_suite()
    from rich.console import Console

    from strandlog_conformance.suite import all_checks
    from strandlog_conformance.terminal import show_checks

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
        click.echo(json.dumps(rows, indent=2))
    else:
        show_checks(Console(), checks)


@conformance.command()
@click.option("--only", multiple=True, metavar="ID", help="Only this faulty store, such as M01.")
@click.option("--seed", type=int, default=0, show_default=True, help="Where chance begins.")
@click.pass_context
def selftest(ctx: click.Context, *, only: tuple[str, ...], seed: int) -> None:
    """Check the suite itself: sound stores pass, and every faulty one is caught.

    Prints the kill matrix: which check catches which faulty store.
    """
    _demand_suite()
    import asyncio

    from rich.console import Console

    from strandlog_conformance import selftest as suite_selftest
    from strandlog_conformance.saboteurs.registry import all_saboteurs
    from strandlog_conformance.terminal import ProgressBar, show_kills

    total = len(only) or len(all_saboteurs())
    with ProgressBar(Console(stderr=True), total) as progress:
        result = asyncio.run(suite_selftest.selftest(only=only, seed=seed, on_kill=progress.killed))
    show_kills(Console(), result)
    ctx.exit(1 if result.problems else 0)


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

    planned = sum(len(checks) for checks in order.plan().values())
    with ProgressBar(Console(stderr=True), planned) as progress:
        try:
            return play(order, on_outcome=_watched(progress.took))
        finally:
            faulthandler.cancel_dump_traceback_later()


def _watched(took: Callable[[Outcome], None]) -> Callable[[Outcome], None]:
    """Wind a clock up with each outcome; if none comes, show where, and end with status 1.

    The time limit of a check lives in the event loop. A store that blocks the
    loop stops that clock too; this one it cannot stop.
    """

    def wind(outcome: Outcome) -> None:
        faulthandler.dump_traceback_later(_STUCK_SECONDS, exit=True, file=_STDERR)
        took(outcome)

    faulthandler.dump_traceback_later(_STUCK_SECONDS, exit=True, file=_STDERR)
    return wind


def _show(report: Report) -> None:
    from rich.console import Console

    from strandlog_conformance.terminal import show_report

    show_report(Console(), report)


def _explain(name: str) -> None:
    from rich.console import Console

    from strandlog_conformance.session import find_check
    from strandlog_conformance.terminal import show_check

    show_check(Console(), find_check(name))
