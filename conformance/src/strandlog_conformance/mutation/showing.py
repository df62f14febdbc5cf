"""How mutants look in a terminal: progress, who noticed them, and who survived."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.table import Table
from rich.text import Text

from strandlog_conformance.mutation.gate import Mutation

__all__ = ["show_mutants"]


def show_mutants(console: Console, result: Mutation) -> None:
    """Print how many mutants of each module were noticed, the reviewed ones, and the problems."""
    table = Table(title=f"{len(result.fates)} mutants", title_justify="left")
    for name in ("module", "mutants", "noticed"):
        table.add_column(name)
    tried = Counter(one.mutant.partition(" ")[0] for one in result.fates)
    noticed = Counter(one.mutant.partition(" ")[0] for one in result.fates if one.noticed)
    for module, count in tried.items():
        table.add_row(module, str(count), str(noticed[module]))
    console.print(table)
    for name in result.survivors:
        if name in result.reviewed:
            console.print(Text(f"equivalent: {name}: {result.reviewed[name]}", "dim"))
    unreviewed = [name for name in result.survivors if name not in result.reviewed]
    for problem in result.problems:
        console.print(Text(problem, "bold red"))
    equivalent = len(result.fates) - result.noticed - len(unreviewed)
    text = (
        f"{result.noticed} of {len(result.fates)} noticed, {equivalent} reviewed as equivalent:"
        f" {result.share:.1%}"
    )
    console.print(Text(text, "bold red" if result.problems else "bold green"))
