"""What all connections of one server share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import anyio
from starlette.requests import HTTPConnection

from strandlog.driver import Driver
from strandlog.errors import AuthError, StoreUnavailableError, StrandlogError
from strandlog.model import Reader
from strandlog.protocol.limits import Limits
from strandlog.server.authentication import Authenticate
from strandlog.server.connections import Connections
from strandlog.subscription import Hub

__all__ = ["Service", "contained", "logger"]

logger = logging.getLogger("strandlog.server")
"""Where the server writes: who came, left and was refused, and never what they wrote."""

# What failed for a reason that nobody foresaw is not worth an early repetition.
_FAULT_RETRY_SECONDS = 30.0


class Service:
    """The stores, rules and connections of one server.

    Args:
        driver: The stores and the access policy.
        limits: What is taken and given at most.
        authenticate: Asked before anything is taken from anybody.
        clock: Returns seconds that never go back.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        limits: Limits,
        authenticate: Authenticate,
        clock: Callable[[], float],
    ) -> None:
        self.driver = driver
        self.limits = limits
        self.clock = clock
        self.hub = Hub()
        self.connections = Connections(limits, clock=clock)
        self._authenticate = authenticate
        self._epoch: str | None = None

    async def epoch(self) -> str:
        """Return the epoch of the log store, which is asked for it once."""
        if self._epoch is None:
            self._epoch = (await self.driver.log.info()).epoch
        return self._epoch

    async def check_speaker(self, request: HTTPConnection, reader: Reader) -> None:
        """Return if *request* may speak for *reader*.

        Raises:
            AuthError, ForbiddenError: It may not, or it cannot be told in time.
        """
        with contained(reader), anyio.move_on_after(self.limits.hello_seconds) as waiting:
            await self._authenticate(request, reader)
        if waiting.cancelled_caught:
            raise AuthError(f"not told within {self.limits.hello_seconds:g} seconds who this is")

    async def check_stores(self) -> None:
        """Return if both stores answer a question.

        Raises:
            StrandlogError: One of them does not.
        """
        with contained("readiness"):
            await self.driver.log.tops("readyz")
            await self.driver.cursors.load("readyz", "readyz")


@contextmanager
def contained(about: object) -> Iterator[None]:
    """Turn whatever a store, a policy or a hook may raise into what a client can be told.

    Raises:
        StrandlogError: As it came, or ``StoreUnavailableError`` in place of an
            exception that none of them should raise; that one is logged.
    """
    try:
        yield
    except StrandlogError:
        raise
    except Exception as error:
        # One client's frame, or one plugin's fault, must not end what serves the
        # others; and the client has done nothing wrong, so it may come back.
        logger.exception("%s: failed unforeseen", about)
        raise StoreUnavailableError(
            "the server failed on this; its log says why",
            retry_after_seconds=_FAULT_RETRY_SECONDS,
        ) from error
