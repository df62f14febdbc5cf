"""The command as a whole: which subcommands there are, and how a run ends.

Exit codes: 0 done, 1 it failed, 2 it was called wrongly, 3 a conformance run that
says nothing about the store, 130 interrupted. An error is one line on stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import rich_click as click

from strandlog.errors import (
    ConnectionLostError,
    InvalidArgumentError,
    MissingBackendError,
    StrandlogError,
)

__all__ = ["INTERRUPTED", "Program", "main", "program"]

INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# In the order in which they are listed. A module is imported when its command
# is asked for, and imports what is slow (servers, event loops) once it runs.
_COMMANDS = {
    "serve": "serve",
    "add": "add",
    "sync": "sync",
    "log": "reading",
    "head": "reading",
    "tops": "reading",
    "cursors": "reading",
    "status": "status",
    "copy": "copying",
    "export": "copying",
    "verify": "verifying",
    "trim": "removing",
    "erase": "removing",
    "restore": "removing",
    "stores": "stores",
    "demo": "demo",
    "conformance": "conformance",
    "simulate": "simulating",
    "new-plugin": "new_plugin",
    "completion": "completion",
}


class Program(click.RichGroup):
    """A group that knows its commands by name and ends every run in the same way."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"strandlog.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            _drop_output()
            ctx.exit()

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        try:
            result = super().main(
                args, prog_name or "strandlog", complete_var, standalone_mode=False, **extra
            )
        except click.ClickException as error:
            status = _tell(_plain(error), error.exit_code)
        except click.Abort:
            status = INTERRUPTED
        except StrandlogError as error:
            called_wrongly = isinstance(error, InvalidArgumentError | MissingBackendError)
            hint = (
                "; is strandlog serve running there?"
                if isinstance(error, ConnectionLostError)
                else ""
            )
            status = _tell(f"{error}{hint}", 2 if called_wrongly else 1)
        except OSError as error:
            status = _tell(_reason(error), 1)
        else:
            status = result if isinstance(result, int) else 0
        status = _flushed(status)
        if standalone_mode:
            sys.exit(status)
        return status


@click.command("strandlog", cls=Program, invoke_without_command=True)
@click.version_option(package_name="strandlog", message="strandlog %(version)s")
@click.pass_context
def program(ctx: click.Context) -> None:
    """Keep logs that many devices write, offline or online, and sync them.

    Commands that open a store take its URL, such as sqlite:///notes.db, from --store or
    from the environment variable STRANDLOG_STORE.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(2)


def main() -> None:
    """Run the command line and exit."""
    program()


def _tell(message: str, status: int) -> int:
    """Print an error as one line on stderr; return *status*."""
    click.echo(f"strandlog: {' '.join(message.split())}", err=True)
    return status


def _plain(error: click.ClickException) -> str:
    """Return click's message in the form of our own, with the next step."""
    message = error.format_message()
    message = f"{message[:1].lower()}{message[1:]}".rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        message += f"; try: {error.ctx.command_path} --help"
    return message


def _reason(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _flushed(status: int) -> int:
    """Let go of what stdout still holds; return *status*, or 1 if there is no room for it.

    The interpreter would do it at its end, and could then only mutter about a failure.
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
    except OSError as error:
        _drop_output()
        return status or _tell(_reason(error), 1)
    return status


def _drop_output() -> None:
    """Have stdout go nowhere from now on.

    After a full disk there is no room for what it holds. After a broken pipe nobody
    reads: "strandlog log alice | head" has seen enough, which is no failure.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
