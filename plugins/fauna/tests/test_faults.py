"""Servers that are busy, slow, gone, or answer with something else."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from strandlog import Appended, Entry, Identity, Seq, VersionVector
from strandlog.backend import LogStore
from strandlog.backend.registry import open_log_store, open_stores
from strandlog.errors import (
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
    StrandlogError,
    TooLargeError,
)
from strandlog_fauna import _fql  # noqa: F401  # else the driver warns when a test names it

from .conftest import Notes, url_of
from .standin.faults import Fault, at_random, every_other
from .standin.http import StandIn

pytestmark = pytest.mark.anyio

ANSWERED = [
    Fault.CONTENDED,
    Fault.TOO_MANY,
    Fault.UNAVAILABLE,
    Fault.BAD_GATEWAY,
    Fault.DROP_BEFORE,
    Fault.DROP_AFTER,
    Fault.DELAY,
]


@pytest.mark.parametrize("fault", ANSWERED, ids=lambda fault: fault.name.lower())
async def test_a_fault_at_any_request_changes_nothing(
    server: StandIn, url: str, notes: Notes, fault: Fault
) -> None:
    """Every request, those that make the schema too, fails once in this way and is repeated."""
    server.faults.delay_seconds = 0.01
    server.faults.choose(every_other(fault))
    async with open_stores(f"{url}?busy_pause=0.01") as (log, cursors):
        first = await log.append("alice", notes(1, 3))
        again = await log.append("alice", notes(2, 4))
        await log.append("alice", notes(1, 5, device="phone"), upto=VersionVector({"phone": 9}))
        moved = await log.rehome("alice", "phone", from_counter=4, to_device="phone~1")
        cursor = await cursors.advance("alice", "bob/desk", VersionVector({"laptop": 3}))
        floor = await log.trim("alice", "laptop", up_to=2)
        await log.erase("bob")
        generation = await log.restore("bob")
        page = await log.read("alice", after=VersionVector(), limit=99, max_bytes=1 << 20)

    assert first == Appended(VersionVector({"laptop": 3}), 3, 0)
    assert again == Appended(VersionVector({"laptop": 4}), 1, 2)
    assert (moved, generation) == (2, 1)
    assert (cursor, floor) == (VersionVector({"laptop": 3}), VersionVector({"laptop": 2}))
    assert page.tops == {"laptop": 4, "phone": 3, "phone~1": 2}
    assert len(page.entries) == 7


async def test_faults_at_random_lose_and_double_nothing(
    server: StandIn, url: str, notes: Notes
) -> None:
    async with open_log_store(f"{url}?timeout=60") as store:
        server.faults.choose(at_random(0.4, seed=11))
        done = [await store.append("alice", notes(n, n + 1)) for n in range(1, 21)]
        page = await store.read("alice", after=VersionVector(), limit=99, max_bytes=1 << 20)

    assert sum(one.added for one in done) == 21
    assert [entry.counter for entry in page.entries] == list(range(1, 22))


@pytest.mark.parametrize("redacting", [False, True])
async def test_a_lost_answer_is_exact_though_others_have_trimmed_what_was_written(
    server: StandIn, url: str, notes: Notes, *, redacting: bool
) -> None:
    """Between the commit and the repetition another program trims nearly all of the batch."""
    loop = asyncio.get_running_loop()
    lost, trimmed = asyncio.Event(), threading.Event()
    # One that redacts looks first, so it is its second request that is lost.
    number_lost = 1 if redacting else 0

    def fate(number: int) -> Fault | None:
        if number == number_lost + 1:
            loop.call_soon_threadsafe(lost.set)
            trimmed.wait(10)
        return Fault.DROP_AFTER if number == number_lost else None

    batch = notes(1, 4)
    if redacting:
        batch[3] = replace(batch[3], redacts=Identity("laptop", 1), digest="")
    async with open_log_store(url) as store, open_log_store(url) as other:
        server.faults.choose(fate)
        appending = asyncio.create_task(store.append("alice", batch))
        await lost.wait()
        await other.trim("alice", "laptop", up_to=3)
        trimmed.set()

        assert await appending == Appended(VersionVector({"laptop": 4}), 4, 0)


async def test_an_append_that_goes_on_is_one_request(
    server: StandIn, url: str, notes: Notes
) -> None:
    """And so is one that is refused, one of duplicates, and a read."""
    async with open_log_store(url) as store:
        server.requests.clear()

        await store.append("alice", notes(1, 5))
        await store.append("alice", [*notes(6, 9), *notes(1, 3, device="phone")])
        await store.append("alice", notes(1, 5))
        with pytest.raises(StrandlogError):
            await store.append("alice", notes(30, 31))
        await store.read("alice", after=VersionVector({"laptop": 2}), limit=3, max_bytes=1 << 20)

        assert len(server.requests) == 5


@contextmanager
def _refusing() -> Iterator[int]:
    """Give a port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


async def _opening(url: str) -> tuple[StrandlogError, float]:
    """Try to open a store; return how that failed, and after how many seconds."""
    began = time.monotonic()
    with pytest.raises(StrandlogError) as caught:
        async with open_log_store(url):
            pass
    return caught.value, time.monotonic() - began


async def test_a_wrong_secret_is_told_at_once(server: StandIn) -> None:
    error, seconds = await _opening(url_of(server, secret="wr0ng"))

    assert type(error) is StoreError
    assert "secret" in str(error)
    assert "wr0ng" not in str(error)
    assert seconds < 2


async def test_a_secret_that_may_only_read_is_told(server: StandIn, url: str, notes: Notes) -> None:
    async with open_log_store(url) as store:
        await store.append("alice", notes(1, 2))

    async with open_log_store(url_of(server, secret="r3ader")) as store:
        assert await store.tops("alice") == {"laptop": 2}
        with pytest.raises(StoreReadOnlyError):
            await store.append("alice", notes(3, 3))


async def test_an_unreachable_host_is_given_up() -> None:
    with _refusing() as port:
        error, seconds = await _opening(f"fauna+http://s@127.0.0.1:{port}/?timeout=0.5")

    assert isinstance(error, StoreUnavailableError)
    assert "is it running" in str(error)
    assert seconds < 3


async def test_a_server_that_hangs_is_given_up(server: StandIn) -> None:
    """The driver's own time-out does nothing; ours holds."""
    server.faults.choose(lambda _: Fault.HANG)
    error, seconds = await _opening(url_of(server, query="?timeout=0.6"))

    assert isinstance(error, StoreUnavailableError)
    assert "in time" in str(error)
    assert seconds < 3


async def test_a_batch_over_8_mib_is_refused_before_it_is_sent(server: StandIn, url: str) -> None:
    big = [Entry(Seq(n, n, "laptop"), "private", b'"%s"' % (b"x" * 1_900_000)) for n in range(1, 6)]
    async with open_log_store(url) as store:
        server.requests.clear()
        with pytest.raises(TooLargeError, match="8388608"):
            await store.append("alice", big)

        assert server.requests == []


async def test_nobody_else_is_asked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver asks a package index when it is made, and takes proxies from the environment."""

    def get(*_: object) -> None:
        raise AssertionError("the driver called home")

    monkeypatch.setattr("faunadb.client.get", get)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with open_log_store(url) as store:
        assert await store.tops("alice") == {}


async def test_a_redirect_is_not_followed(server: StandIn) -> None:
    """The driver would turn the query into a GET and take what it finds for the answer."""

    class Elsewhere(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.1:{server.port}/ping")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Elsewhere) as other:
        threading.Thread(target=other.handle_request, daemon=True).start()
        error, _ = await _opening(f"fauna+http://s@127.0.0.1:{other.server_port}/")

    assert "elsewhere" in str(error)


async def test_the_secret_is_in_no_error(server: StandIn, url: str) -> None:
    store: LogStore
    async with open_log_store(f"{url}?timeout=0.3") as store:
        server.faults.choose(lambda _: Fault.DROP_BEFORE)
        with pytest.raises(StoreUnavailableError) as caught:
            await store.tops("alice")

    texts = []
    error: BaseException | None = caught.value
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__
    assert "s3cret" not in " ".join(texts)
