"""What the tests of engine pairs share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Tests import wire.py, which lies beside them; nothing else puts the workspace on the path.
if (root := str(Path(__file__).parents[2])) not in sys.path:
    sys.path.append(root)

from tests.protocol.wire import World


@pytest.fixture
def world() -> Iterator[World]:
    """One server and no device yet, all on stores in memory."""
    with World() as world:
        yield world
