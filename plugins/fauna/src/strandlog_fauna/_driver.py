"""The driver, with its traps closed, and its errors in our words.

What is closed: on being made it asks a package index for newer versions and
waits for that without end; it hands its time-out to a library that ignores it;
it follows redirects and takes proxies from the environment; and it warns, when
imported, that the service is gone for which it was made.
"""

from __future__ import annotations

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from strandlog.errors import (
    StoreError,
    StoreReadOnlyError,
    StoreUnavailableError,
    TooLargeError,
)
from strandlog_fauna._fql import FaunaClient, FaunaError, wrapped

__all__ = ["BODY_MAX", "BusyError", "Driver"]

BODY_MAX = 8 * 1024 * 1024
"""The most bytes of a request that the server reads."""

# By HTTP status: https://github.com/fauna/faunadb, ext/model/src/main/scala/ast/Error.scala
_AGAIN = {
    409: "other transactions were in the way",
    429: "it is asked too much",
    500: "it has failed inside",
    502: "a gateway does not reach it",
    503: "it does not answer in time",
    504: "a gateway does not reach it",
}
_TOO_MANY = 429

# What the imitation adds to its answers, so that nobody takes it for more.
_STAND_IN = "X-Stand-In"

# Somebody else made the same document in the same moment; asked again, the
# query finds it.
_RACED = frozenset({"instance already exists", "instance not unique"})


class BusyError(StoreUnavailableError):
    """The server is asked too much: a repetition at once would make it worse."""


class Driver:
    """One server, asked from as many threads as there are connections.

    Args:
        endpoint: Such as ``http://127.0.0.1:8443``.
        secret: What the server knows us by; in no message.
        name: What messages call the store.
        connections: How many threads may ask at a time.
        timeout_seconds: When a request that is not answered is given up.
    """

    def __init__(
        self, endpoint: str, secret: str, *, name: str, connections: int, timeout_seconds: float
    ) -> None:
        self._name = name
        self._client = _Client(
            secret,
            endpoint=endpoint,
            pool_maxsize=connections,
            query_timeout_ms=max(1, int(timeout_seconds * 1000)),
        )
        session = self._client.session
        session.trust_env = False
        session.max_redirects = 0
        self._adapter = _Adapter(timeout_seconds, pool_maxsize=connections)
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter)

    @property
    def stand_in(self) -> bool:
        """Whether the server says that it is one; true until a server has answered."""
        return self._adapter.stand_in

    def ask(self, expression: Any) -> Any:
        """Have a query run as one transaction and return its result.

        Raises:
            StoreUnavailableError: It may be asked again. Whether the transaction
                was carried out is not known.
            TooLargeError: The request or its transaction is larger than the server takes.
            StoreReadOnlyError: The secret does not allow it.
            StoreError: Anything else.
        """
        try:
            return self._client.ask(expression)
        except FaunaError as error:
            raise self._translated(error) from error
        except requests.TooManyRedirects as error:
            raise StoreError(
                f"{self._name}: the server sends us elsewhere: name in the URL where it is"
            ) from error
        except (requests.ConnectionError, requests.Timeout) as error:
            kind = "no answer in time" if isinstance(error, requests.Timeout) else "no connection"
            raise StoreUnavailableError(f"{self._name}: {kind}: is it running?") from error
        except requests.RequestException as error:
            raise StoreUnavailableError(f"{self._name}: the answer was cut off") from error
        except ValueError as error:
            raise StoreError(f"{self._name}: this is not the answer of a Fauna: {error}") from error

    def close(self) -> None:
        """End all connections."""
        self._client.session.close()

    def _translated(self, error: FaunaError) -> StoreError:
        result = error.request_result
        status = result.status_code
        code, text = _first_fault(result.response_content)
        if status in _AGAIN or code in _RACED:
            kind = BusyError if status == _TOO_MANY else StoreUnavailableError
            return kind(f"{self._name}: {_AGAIN.get(status, text)} ({status})")
        if status == 401:  # noqa: PLR2004  # by its name it would be no clearer
            return StoreError(f"{self._name}: the secret is not known there: give another one")
        if status == 403:  # noqa: PLR2004
            return StoreReadOnlyError(f"{self._name}: the secret does not allow this: {text}")
        if status == 413 or "exceed" in text:  # noqa: PLR2004
            return TooLargeError(
                f"{self._name}: the server refuses so large a request: {text}", limit=BODY_MAX
            )
        return StoreError(f"{self._name}: {text or 'an answer that is not understood'} ({status})")


class _Client(FaunaClient):  # type: ignore[misc]  # the driver has no types
    def check_new_version(self) -> None:
        """Ask nobody: the driver's own method asks a package index."""

    def ask(self, expression: Any) -> Any:
        # This path is for queries that see all that was acknowledged before, on
        # whatever node; on the other one a read may be a moment behind.
        return self._execute("POST", "linearized", wrapped(expression), with_txn_time=True)


class _Adapter(HTTPAdapter):
    """Gives every request the time-out that the driver only stores, and looks who answers."""

    def __init__(self, timeout_seconds: float, *, pool_maxsize: int) -> None:
        self._timeout_seconds = timeout_seconds
        self.stand_in = True
        super().__init__(pool_maxsize=pool_maxsize)

    def send(self, request: Any, *args: Any, **more: Any) -> Any:
        length = len(request.body or "")
        if length > BODY_MAX:
            # The server would say no more than that it is too much, after it was sent.
            raise TooLargeError(
                f"a request of {length} bytes is more than the {BODY_MAX} that the server reads:"
                " append fewer entries at a time",
                limit=BODY_MAX,
            )
        more["timeout"] = self._timeout_seconds
        response = super().send(request, *args, **more)
        self.stand_in = _STAND_IN in response.headers
        return response


def _first_fault(content: Any) -> tuple[str, str]:
    """Return code and text of the first error in an answer, as far as it has one."""
    try:
        fault = content["errors"][0]
        return str(fault["code"]), str(fault["description"])
    except (KeyError, IndexError, TypeError):
        return "", ""
