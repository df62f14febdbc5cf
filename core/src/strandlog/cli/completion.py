"""``completion``: the script that teaches a shell to complete this command."""

from __future__ import annotations

import rich_click as click
from click.shell_completion import get_completion_class

from strandlog.cli.output import write

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    For bash: eval "$(strandlog completion bash)"
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"{shell} cannot be completed for here")
    script = found(ctx.find_root().command, {}, "strandlog", "_STRANDLOG_COMPLETE").source()
    write(script.rstrip("\n"))
