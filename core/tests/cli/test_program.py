"""How a run of the command ends, and which commands there are."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner, Result

from strandlog.cli import program
from strandlog.cli.program import Program
from strandlog.errors import (
    BrokenBackendError,
    ConnectionLostError,
    GapError,
    InvalidNameError,
    MissingBackendError,
    StoreFullError,
)

ALL_COMMANDS = [
    *("serve", "add", "sync", "log", "head", "tops", "cursors", "status", "stores"),
    *("demo", "conformance", "completion"),
]


def run(*words: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(program, words, env={"STRANDLOG_STORE": None, **(env or {})})


def outcome(*words: str) -> tuple[int, str, str]:
    result = run(*words)
    return result.exit_code, result.stdout, result.stderr


def test_help_lists_every_command_with_what_it_does() -> None:
    result = run("--help")

    assert result.exit_code == 0
    lines = [line.strip("│ ") for line in result.stdout.splitlines()]
    listed = {line.split()[0]: line.split()[1:] for line in lines if line}
    assert {name: bool(listed.get(name)) for name in ALL_COMMANDS} == dict.fromkeys(
        ALL_COMMANDS, True
    )


@pytest.mark.parametrize("command", ALL_COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = run(command, "--help")

    assert (result.exit_code, result.stderr) == (0, "")
    assert f"Usage: strandlog {command}" in result.stdout


def test_no_command_at_all_shows_the_help_on_stderr() -> None:
    """It is a wrong call, and yet who types it wants to know what there is."""
    status, stdout, stderr = outcome()

    assert (status, stdout) == (2, "")
    assert "completion" in stderr


def test_version_is_one_line() -> None:
    status, stdout, stderr = outcome("--version")

    assert (status, stderr) == (0, "")
    assert stdout.startswith("strandlog ")
    assert stdout.count("\n") == 1


def test_unknown_command_is_told_in_one_line() -> None:
    assert outcome("frobnicate") == (
        2,
        "",
        "strandlog: no such command 'frobnicate'; try: strandlog --help\n",
    )


def test_missing_argument_names_the_help_of_its_command() -> None:
    assert outcome("log") == (
        2,
        "",
        "strandlog: missing argument 'USER'; try: strandlog log --help\n",
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["log", "al/ice"], "'al/ice' cannot name a user"),
        (["add", "alice", "hello"], "'alice' is not USER/DEVICE, such as alice/laptop"),
        (["add", "alice/lap top", "hello"], "'lap top' cannot name a device"),
        (["add", "alice/laptop", "hello", "--scope", "Friend"], "'Friend' cannot name a scope"),
        (["add", "alice/laptop", "--redacts", "phone"], "'phone' is not DEVICE:COUNTER"),
        (["add", "alice/laptop", "--redacts", "phone:0"], "0 is not a counter"),
        (["log", "alice", "--after", "12:laptop"], "'12:laptop' is not a seq"),
        (["log", "alice", "--limit", "-1"], "-1 is not in the range"),
        (["status", "alice/"], "'' cannot name a device"),
        (["sync", "alice/laptop", "--follow", "b b"], "'b b' cannot name a user"),
        (["completion", "tcsh"], "'tcsh' is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_value_outside_its_grammar_is_a_usage_error(words: list[str], told: str) -> None:
    status, stdout, stderr = outcome(*words)

    assert (status, stdout, stderr.count("\n")) == (2, "", 1)
    assert stderr.startswith("strandlog: invalid value for ")
    assert told in stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no store is named: give --store sqlite:///notes.db, or set STRANDLOG_STORE"),
        (("--cursors", "memory://"), "no store is named"),
        (("--store", "notes.db"), "'notes.db' is not a store URL: write one like"),
        (("--store", "tape:///1"), "no backend for tape:// is installed"),
        (("--store", "tape:///1"), "try: pip install strandlog-tape"),
        (("--store", "memory://", "--log", "memory://"), "leave out --log"),
    ],
)
def test_store_that_cannot_be_meant_is_a_usage_error(words: tuple[str, ...], told: str) -> None:
    status, stdout, stderr = outcome("log", "alice", *words)

    assert (status, stdout, stderr.count("\n")) == (2, "", 1)
    assert told in stderr


def test_secret_of_a_store_url_is_not_shown() -> None:
    stderr = run("log", "alice", "--store", "tape://me:hush@host/db#").stderr

    assert "hush" not in stderr


def test_store_is_taken_from_the_environment() -> None:
    result = run("log", "alice", env={"STRANDLOG_STORE": "tape:///1"})

    assert "no backend for tape:// is installed" in result.stderr


def test_log_on_the_command_line_wins_over_the_environment() -> None:
    """The variable is for the usual store; naming another must not need it unset."""
    result = run("log", "alice", "--log", "reel:///1", env={"STRANDLOG_STORE": "tape:///1"})

    assert "no backend for reel:// is installed" in result.stderr


class Failing(Program):
    """A program of which every command fails in one way."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(name="strandlog")
        self._error = error

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        raise self._error


def ended_by(error: BaseException) -> Result:
    return CliRunner().invoke(Failing(error), ["stores"])


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (StoreFullError("disk: no room"), 1, "strandlog: disk: no room\n"),
        (GapError("phone", expected=3, got=5), 1, "strandlog: phone: counter 5 came, 3 is next\n"),
        (BrokenBackendError("it is broken"), 1, "strandlog: it is broken\n"),
        (MissingBackendError("none of that"), 2, "strandlog: none of that\n"),
        (InvalidNameError("no name"), 2, "strandlog: no name\n"),
        (
            ConnectionLostError("ws://h cannot be reached"),
            1,
            "strandlog: ws://h cannot be reached; is strandlog serve running there?\n",
        ),
        (
            PermissionError(13, "Permission denied", "a.db"),
            1,
            "strandlog: a.db: Permission denied\n",
        ),
        (StoreFullError("first line\nsecond line"), 1, "strandlog: first line second line\n"),
    ],
)
def test_expected_error_is_one_line_and_a_status(error: Exception, status: int, told: str) -> None:
    result = ended_by(error)

    assert (result.exit_code, result.stdout, result.stderr) == (status, "", told)


def test_interrupt_exits_with_130_and_without_a_traceback() -> None:
    result = ended_by(KeyboardInterrupt())

    assert (result.exit_code, result.stdout, result.stderr.strip()) == (130, "", "")


def test_fault_of_ours_keeps_its_traceback() -> None:
    """Only what is expected is made one line of; anything else is to be reported whole."""
    result = ended_by(ZeroDivisionError())

    assert isinstance(result.exception, ZeroDivisionError)
