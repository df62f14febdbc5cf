"""The ``strandlog`` command."""

from __future__ import annotations

from strandlog.cli.program import main, program

__all__ = ["main", "program"]
