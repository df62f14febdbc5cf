"""What the tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from strandlog_conformance.places import Places


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places() -> Iterator[Places]:
    with Places() as given:
        yield given
