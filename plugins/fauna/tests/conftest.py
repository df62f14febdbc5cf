"""Fixtures of this room's tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from strandlog import Entry, Seq

from .standin.engine import Engine
from .standin.http import StandIn

Notes = Callable[..., list[Entry]]

HERE = Path(__file__).parent


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def server() -> Iterator[StandIn]:
    """A stand-in that runs one query after the other."""
    with StandIn("s3cret", reader_secret="r3ader") as server:
        yield server


@pytest.fixture(params=["serialised", "optimistic"])
def either(request: pytest.FixtureRequest) -> Iterator[StandIn]:
    """A stand-in of either kind."""
    with StandIn("s3cret", engine=Engine(optimistic=request.param == "optimistic")) as server:
        yield server


def url_of(server: StandIn, *, secret: str = "", query: str = "") -> str:
    return f"fauna+http://{secret or server.secret}@127.0.0.1:{server.port}/{query}"


@pytest.fixture
def url(server: StandIn) -> str:
    return url_of(server)


@contextmanager
def server_process(*options: str) -> Iterator[str]:
    """Run a stand-in in a process of its own, and give its address."""
    command = [sys.executable, "-m", "standin", "--secret", "s3cret", *options]
    with subprocess.Popen(command, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


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
