"""The server: HTTP around the engine."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from operator import itemgetter
from typing import Any, Self

from .engine import TRIES, Answer, Engine
from .errors import contended
from .faults import Fault, Faults

GREATEST_BODY = 8 * 1024 * 1024
"""Bytes of a request; one more is too large."""

_LONGEST_QUERY_MILLIS = 600_000
_MOST_RETRIES = 7
# Before 2.7 a collection was called a class.
_OLD = ("2.0", "2.1")
_NEW = ("2.7", "2.12", "3", "4", "5", "UNSTABLE")

_JSON = "application/json;charset=utf-8"


class _RefusedError(Exception):
    def __init__(self, status: int, code: str, text: str, **more: Any) -> None:
        super().__init__(text)
        self.status = status
        self.error = {**more, "code": code, "description": text}


class StandIn(ThreadingHTTPServer):
    """A stand-in on a port of 127.0.0.1; as a context it serves until the context ends.

    Args:
        secret: What lets everything be done.
        reader_secret: What lets things be read only.
        port: 0 takes a free one; see ``port``.
        engine: What runs the queries.
        faults: What goes wrong.
        says_so: Whether its answers tell that it is no Fauna.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        secret: str = "secret",  # noqa: S107  # of a server for tests
        *,
        reader_secret: str = "",
        port: int = 0,
        engine: Engine | None = None,
        faults: Faults | None = None,
        says_so: bool = True,
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.secret = secret
        self.reader_secret = reader_secret
        self.engine = engine or Engine()
        self.faults = faults or Faults()
        self.requests: list[dict[str, str]] = []
        self.says_so = says_so
        self.ended = threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: StandIn
    protocol_version = "HTTP/1.1"
    # An answer is one write; without this it waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        self._drain()
        if self.path.startswith("/ping"):
            self._send(200, {"resource": "Scope write is OK"})
        else:
            self._send(404, {"errors": [{"code": "not found", "description": "Not Found"}]})

    def do_POST(self) -> None:
        fault = self.server.faults.next()
        self.server.requests.append(dict(self.headers))
        if fault is Fault.HANG:
            self.server.ended.wait()
        if fault in (Fault.DROP_BEFORE, Fault.HANG):
            self._drop()
            return
        try:
            answer = _SIMPLE[fault] if fault in _SIMPLE else self._answer()
        except _RefusedError as refusal:
            self._send(refusal.status, {"errors": [refusal.error]})
            return
        if fault in _SIMPLE:
            self._drain()
        if fault is Fault.DROP_AFTER:
            self._drop()
        elif fault is Fault.BAD_GATEWAY:
            self._send(502, "<html><body>502 Bad Gateway</body></html>")
        else:
            if fault is Fault.DELAY:
                time.sleep(self.server.faults.delay_seconds)
            self._send(answer.status, answer.body, answer.time)

    def _answer(self) -> Answer:
        body = self._body()
        if self.path.partition("?")[0] not in ("/", "/linearized"):
            raise _RefusedError(404, "not found", "Not Found")
        may_write = self._authorised()
        word, retries = self._checked_headers()
        if not body:
            raise _RefusedError(400, "invalid expression", "No query provided.", position=[])
        try:
            query = json.loads(body, object_pairs_hook=_first_of_each)
            return self.server.engine.run(query, word=word, may_write=may_write, retries=retries)
        except RecursionError:
            text = "Request body JSON exceeds nesting limit."
        except ValueError:
            text = "Request body is not valid JSON."
        raise _RefusedError(400, "invalid expression", text, position=[])

    def _body(self) -> bytes:
        length = int(self.headers.get("Content-Length") or 0)
        if length > GREATEST_BODY:
            self._drain()
            raise _RefusedError(413, "request too large", "Request entity is too large")
        return self.rfile.read(length)

    def _drain(self) -> None:
        """Read what the client sends, which else would not read the answer."""
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (piece := self.rfile.read(min(left, 1 << 20))):
            left -= len(piece)

    def _authorised(self) -> bool:
        """Return whether the client may write."""
        kind, _, given = self.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            try:
                given = base64.b64decode(given).decode().partition(":")[0]
            except ValueError:
                given = ""
        if given and given == self.server.secret:
            return True
        if given and given == self.server.reader_secret:
            return False
        raise _RefusedError(401, "unauthorized", "Unauthorized")

    def _checked_headers(self) -> tuple[str, int]:
        """Return the word for a collection, and how often a contended query runs again."""
        headers = self.headers
        version = headers.get("X-FaunaDB-API-Version", "2.1")
        if version not in (*_OLD, *_NEW):
            raise _bad_header(
                "x-faunadb-api-version", f"Unsupported or invalid API version '{version}'."
            )
        timeout = headers.get("X-Query-Timeout")
        if timeout is not None:
            _check_timeout(timeout)
        seen = headers.get("X-Last-Seen-Txn")
        if seen is not None:
            _whole("x-last-seen-txn", "timestamp", seen)
        given = headers.get("X-Max-Retries-On-Contention")
        retries = TRIES - 1 if given is None else _retries(given)
        return "class" if version in _OLD else "collection", retries

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, status: int, body: Any, time_micros: int | None = None) -> None:
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else _JSON)
        self.send_header("Content-Length", str(len(data)))
        if self.server.says_so:
            self.send_header("X-Stand-In", "strandlog")
        if status == 401:
            self.send_header("WWW-Authenticate", 'Basic realm="Unauthorized"')
        else:
            moment = self.server.engine.store.last if time_micros is None else time_micros
            self.send_header("X-Txn-Time", str(moment))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(
        self,
        format: str,  # noqa: A002
        *args: Any,
    ) -> None:
        """Keep quiet."""


def _first_of_each(fields: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of a name that comes twice the published server takes the first, Python the last.
    return (
        dict(reversed(fields)) if len({*map(itemgetter(0), fields)}) < len(fields) else dict(fields)
    )


def _bad_header(name: str, text: str) -> _RefusedError:
    return _RefusedError(400, "bad request", f"Invalid header '{name}': {text}")


def _check_timeout(given: str) -> None:
    name = "x-query-timeout"
    millis = _whole(name, "number", given)
    if millis <= 0:
        raise _bad_header(name, "Must be greater than 0.")
    if millis > _LONGEST_QUERY_MILLIS:
        raise _bad_header(name, f"Must be less than or equal to {_LONGEST_QUERY_MILLIS}.")


def _retries(given: str) -> int:
    name = "x-max-retries-on-contention"
    number = _whole(name, "number", given)
    if not 0 <= number <= _MOST_RETRIES:
        raise _bad_header(name, f"Must be between 0 and {_MOST_RETRIES}.")
    return number


def _whole(name: str, what: str, given: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]+", given) or abs(int(given)) >= 1 << 63:
        raise _bad_header(name, f"Invalid {what} '{given}'.")
    return int(given)


def _error(status: int, code: str, text: str) -> Answer:
    return Answer(status, {"errors": [{"code": code, "description": text}]}, 1)


_SIMPLE = {
    Fault.CONTENDED: Answer(409, {"errors": [fault.as_json() for fault in contended().faults]}, 1),
    Fault.TOO_MANY: _error(429, "too many requests", "Too many pending requests."),
    Fault.UNAVAILABLE: _error(503, "time out", "Read timed out."),
}
