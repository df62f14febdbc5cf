"""What the tests of this room share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from strandlog.backend.registry import plugin
from strandlog.errors import BackendError
from strandlog_conformance.places import Places
from strandlog_conformance.target import installed_schemes


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def places() -> Iterator[Places]:
    with Places() as given:
        yield given


def schemes_without_a_server() -> list[str]:
    """Return what is installed and can be checked here.

    What needs a server is checked in its own room, whose tests start one; a
    plugin that is broken is among these, so that its checks say so.
    """
    return [scheme for scheme in installed_schemes() if not _needs_a_server(scheme)]


def _needs_a_server(scheme: str) -> bool:
    try:
        backend = plugin(scheme).log
    except BackendError:
        return False
    return backend is not None and "network" in backend.capabilities.needs
