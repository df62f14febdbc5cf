"""Completion in shells."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from strandlog.cli import program


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_completes_the_command(shell: str) -> None:
    result = CliRunner().invoke(program, ["completion", shell])

    assert (result.exit_code, result.stderr) == (0, "")
    assert "_STRANDLOG_COMPLETE" in result.stdout
    assert "strandlog" in result.stdout


def test_completion_offers_commands_and_options() -> None:
    """What the script asks for while somebody types."""
    offered = {}
    for words, place in (("strandlog st", "1"), ("strandlog log --sc", "2")):
        asked = {
            "_STRANDLOG_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": place,
        }
        offered[words] = CliRunner().invoke(program, env=asked).stdout.splitlines()

    assert offered == {
        "strandlog st": ["plain,status", "plain,stores"],
        "strandlog log --sc": ["plain,--scope"],
    }
