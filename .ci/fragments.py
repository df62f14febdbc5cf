"""Checks the change fragments: each can be read, and a branch brings one of its own.

What a branch adds is told by comparing with ``origin/main``. In a checkout that
has no such branch, or is that branch, only the fragments themselves are checked.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_TRUNK = "origin/main"


def main() -> None:
    """Exit with the status of the first check that fails."""
    _run("towncrier", "build", "--draft", "--version", "next")
    if _trunk_is_known():
        _run("towncrier", "check", "--compare-with", _TRUNK)


def _trunk_is_known() -> bool:
    # A shallow clone knows the branch and yet not where the two part.
    asked = subprocess.run(
        ["git", "merge-base", "HEAD", _TRUNK], cwd=_ROOT, capture_output=True, check=False
    )
    return asked.returncode == 0


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=_ROOT, check=False, capture_output=True, text=True)
    if done.returncode:
        print(done.stdout, done.stderr, sep="", file=sys.stderr)
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main()
