"""What the tests across rooms share."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that every store and server runs on."""
    return "asyncio"
