"""What the tests of core share."""

from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine is not a failure.
settings.register_profile("strandlog", parent=settings(), deadline=None)
settings.load_profile("strandlog")


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that every store and server runs on."""
    return "asyncio"
