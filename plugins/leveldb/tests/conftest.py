"""Fixtures of this room's tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from strandlog import Entry, Seq

Notes = Callable[..., list[Entry]]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store that does not exist yet."""
    return tmp_path / "notes"


@pytest.fixture
def url(path: Path) -> str:
    return f"leveldb:///{path}"


@pytest.fixture
def notes() -> Notes:
    """Makes entries of one device with the counters from *first* to *last*."""

    def make(
        first: int, last: int, *, device: str = "laptop", scope: str = "private"
    ) -> list[Entry]:
        return [
            Entry(Seq(1_000 + counter, counter, device), scope, b'"note %d"' % counter)
            for counter in range(first, last + 1)
        ]

    return make
