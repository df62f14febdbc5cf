"""The kill matrix: which check catches which faulty store, in a terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from strandlog_conformance.saboteurs.registry import Saboteur, all_saboteurs
from strandlog_conformance.selftest import Selftest
from strandlog_conformance.suite import Check, all_checks

__all__ = ["matrix_page", "show_kills"]

_INTRODUCTION = """\
The suite has {checks} checks, and comes with {stores} stores that have one fault each.
`strandlog conformance selftest` tries them: the check that is named here has to fail, in the
words that were expected, and those which the fault does not touch have to pass. Read
backwards, the matrix is a diagnosis: a store that fails a check is likely to have one of the
faults beside it."""


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
    for sound in result.sound:
        sums = " + ".join(f"{count} {verdict}" for verdict, count in sound.totals.items())
        console.print(Text(f"{sound.store}, which is sound: {sums or 0}"))
    for problem in result.problems:
        console.print(Text(problem, "bold red"))
    if not result.problems:
        what = "every faulty store is caught by its check"
        rest = ", and every check catches one" if result.complete else ""
        console.print(Text(what + rest, "bold green"))


def matrix_page() -> str:
    """Return the matrix as a page of the documentation, in Markdown.

    It says what is written in the suite, and the self-test that it is true.
    """
    return _page(all_saboteurs(), all_checks())


def _page(saboteurs: Sequence[Saboteur], checks: Sequence[Check]) -> str:
    lines = ["# Kill matrix", "", _INTRODUCTION.format(checks=len(checks), stores=len(saboteurs))]
    categories = dict.fromkeys(one.category for one in checks)
    for category in categories:
        rows = [
            f"| {saboteur.id} | {_cell(saboteur.fault)} | `{saboteur.caught_by}` |"
            f" {_others(saboteur, checks)} |"
            for saboteur in saboteurs
            if saboteur.caught_by.rpartition(".")[0] == category
        ]
        if rows:
            lines += ["", f"## {category}", ""]
            lines += ["| | a store that … | caught by | also by |", "| --- | --- | --- | --- |"]
            lines += rows
    return "\n".join(lines) + "\n"


def _others(saboteur: Saboteur, checks: Iterable[Check]) -> str:
    found = [one.id for one in checks if saboteur.id in one.kills and one.id != saboteur.caught_by]
    return " ".join(f"`{name}`" for name in found)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("~", "\\~")
