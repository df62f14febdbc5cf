"""One opened database: threads that wait for the server, and the handles on it."""

from __future__ import annotations

import asyncio
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import stamina

from strandlog.backend import StoreUrl
from strandlog.errors import StoreClosedError, StoreError, StoreUnavailableError, StoreUrlError
from strandlog_fauna._backend import FaunaOptions
from strandlog_fauna._driver import BusyError, Driver
from strandlog_fauna._schema import Schema, prepare

__all__ = ["Handle", "Job", "Link", "open_database"]

ResultT = TypeVar("ResultT")

_CONNECTIONS = 8

_ENDPOINTS = {"fauna+http": ("http", 8443), "fauna+https": ("https", 443)}


class Link:
    """The server as a job sees it: it asks, and asks again where that can help.

    Attributes:
        schema: The names of what the store has made there.
        give_up: When the job has to end, by the monotonic clock.
    """

    def __init__(self, driver: Driver, schema: Schema, options: FaunaOptions) -> None:
        self.schema = schema
        self.give_up = time.monotonic() + options.timeout
        self._driver = driver
        self._pause = options.pause
        self._busy_pause = options.busy_pause

    def ask(self, expression: Any) -> Any:
        """Return the result of a query.

        A query is asked again when the server was busy, and also when it is not
        known whether it was carried out: so it has to come to the same if it
        runs a second time.
        """
        left = self.give_up - time.monotonic()
        for attempt in stamina.retry_context(
            on=self._again,
            attempts=None,
            timeout=max(left, 0.001),
            wait_initial=self._pause,
            wait_max=1.0,
            wait_jitter=self._pause,
        ):
            with attempt:
                return self._driver.ask(expression)
        raise AssertionError

    @property
    def expired(self) -> bool:
        return time.monotonic() > self.give_up

    def _again(self, error: Exception) -> bool | float:
        if isinstance(error, BusyError):
            return self._busy_pause
        return isinstance(error, StoreUnavailableError)


Job = Callable[[Link], ResultT]


class Database:
    """A server and the threads that ask it, shared by handles and closed with the last of them."""

    def __init__(self, name: str, driver: Driver, schema: Schema, options: FaunaOptions) -> None:
        self.name = name
        self.schema = schema
        self.epoch = ""
        self._driver = driver
        self._options = options
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "strandlog-fauna")
        self._running: set[asyncio.Future[Any]] = set()
        self._handles = 0
        self._closed = False

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            warnings.warn(
                f"{self.name}: a store was not closed", ResourceWarning, stacklevel=2, source=self
            )
            self._threads.shutdown(wait=False)

    @property
    def stand_in(self) -> bool:
        """Whether what answers is an imitation of the server."""
        return self._driver.stand_in

    async def run(self, job: Job[ResultT]) -> ResultT:
        """Run *job* in a thread, to its end even if the caller is cancelled."""
        loop = asyncio.get_running_loop()

        def work() -> ResultT:
            return job(Link(self._driver, self.schema, self._options))

        future = loop.run_in_executor(self._threads, work)
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return await _to_the_end(future)

    def join(self) -> None:
        """Count one more handle."""
        self._handles += 1

    async def leave(self) -> None:
        """Count one handle less, and close after the last."""
        self._handles -= 1
        if self._handles == 0:
            await self.close()

    async def close(self) -> None:
        """Wait for what runs, then let threads and connections go."""
        self._closed = True
        while self._running:
            await asyncio.wait(self._running)
        self._threads.shutdown()
        self._driver.close()


class Handle:
    """One store's use of a database, until the store is closed."""

    def __init__(self, database: Database) -> None:
        database.join()
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._closing: asyncio.Future[None] | None = None

    @property
    def epoch(self) -> str:
        return self._database.epoch

    async def run(self, job: Job[ResultT]) -> ResultT:
        """Run *job*; a caller that is cancelled waits for its end."""
        self.check_open()
        return await self._database.run(job)

    def check_open(self) -> None:
        """Raise if the store cannot be used here and now.

        Raises:
            StoreClosedError: It was closed.
            StoreError: Another event loop is running than when it was opened.
        """
        if self._closing is not None:
            raise StoreClosedError(f"{self._database.name}: this store is closed")
        if asyncio.get_running_loop() is not self._loop:
            raise StoreError(
                f"{self._database.name}: this store belongs to another event loop:"
                " open it in this one"
            )

    async def close(self) -> None:
        """Refuse everything from now on, and answer what was asked before."""
        if self._closing is None:
            self._closing = asyncio.ensure_future(self._database.leave())
        await _to_the_end(self._closing)


async def open_database(url: StoreUrl) -> Database:
    """Open the database that *url* names, and make there what is missing.

    Raises:
        StoreUrlError: The URL does not say how to reach it.
        StoreVersionError: It was made by a newer version, and is left as it is.
        StoreCorruptError: Something else bears the names of our indexes.
        StoreError: It cannot be opened; the message says what to do.
    """
    options = url.options(FaunaOptions)
    if url.scheme not in _ENDPOINTS:
        raise StoreUrlError(
            f"{url.scheme}: write fauna+http://… or fauna+https://…, as the server is reached"
        )
    secret = url.secret or url.user
    if not secret:
        raise StoreUrlError(
            f"{url.scheme}: no secret: write {url.scheme}://SECRET@{url.host} or ?secret_env=NAME"
        )
    if url.path not in ("", "/"):
        raise StoreUrlError(f"{url.scheme}: takes no path: the secret says which database it is")
    scheme, port = _ENDPOINTS[url.scheme]
    host = f"[{url.host}]" if ":" in url.host else url.host
    driver = Driver(
        f"{scheme}://{host}:{url.port or port}",
        secret,
        name=str(url),
        connections=_CONNECTIONS,
        # So that one request that is lost leaves time for another.
        timeout_seconds=options.timeout / 2,
    )
    database = Database(str(url), driver, Schema(options.prefix), options)
    try:
        database.epoch = await database.run(lambda link: prepare(link, str(url)))
    except BaseException:
        await database.close()
        raise
    return database


async def _to_the_end(future: asyncio.Future[ResultT]) -> ResultT:
    """Await *future* to its end even if the caller is cancelled; then raise the cancellation."""
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled from (None if future.cancelled() else future.exception())
    return future.result()
