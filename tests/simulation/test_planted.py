"""The simulation finds what somebody might get wrong: each fault of the list, planted in core."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .planted import FAULTS, Fault

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.once
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_fault_is_found(fault: Fault) -> None:
    """Begins with a seed that is known to show it, and goes on with a thousand others."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.simulation.planted", fault.name, "--runs", "1000"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "0"},
        check=False,
        capture_output=True,
        text=True,
    )

    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stdout.startswith("found: seed ")
