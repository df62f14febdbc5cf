"""How a trial of somebody's own tests looks in a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from strandlog_conformance.against.trial import Trial, Verdict

__all__ = ["show_trial", "show_verdict"]


def show_verdict(console: Console, verdict: Verdict) -> None:
    """Print what came of one fault."""
    sign, style = ("noticed", "green") if verdict.noticed_by else ("MISSED", "bold red")
    text = Text(f"{sign:<8}", style)
    text.append(f"{verdict.fault.name}: a store that {verdict.fault.text}\n", "default")
    if verdict.noticed_by:
        text.append(f"        {verdict.noticed_by}\n", "dim")
    console.print(text, end="")


def show_trial(console: Console, trial: Trial) -> None:
    """Print what it all comes to."""
    noticed = len(trial.verdicts) - len(trial.missed)
    style = "bold red" if trial.missed else "bold green"
    console.print(Text(f"{noticed} of {len(trial.verdicts)} faults noticed", style))
