"""Where the server listens: ``/sync/{user}/{device}``, and who that names."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from strandlog.errors import InvalidNameError
from strandlog.model import Reader, check_device, check_user

__all__ = ["SyncRoute", "reader_of"]

_PREFIX = "/sync/"
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class SyncRoute(BaseRoute):
    """The one path of the protocol, for WebSocket and ``POST``.

    Takes everything below ``/sync/``, so that a hostile name is answered by the
    protocol's own error and not by some router's.
    """

    def __init__(
        self,
        websocket: Callable[[WebSocket], Awaitable[None]],
        post: Callable[[Request], Awaitable[Response]],
    ) -> None:
        self._websocket = websocket
        self._post = post

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] in ("http", "websocket") and _parts(scope) is not None:
            return Match.FULL, {}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(WebSocket(scope, receive, send))
            return
        if scope["method"] == "POST":
            response = await self._post(Request(scope, receive))
        else:
            response = PlainTextResponse(
                "open a WebSocket here, or POST one frame\n", 405, headers={"allow": "POST"}
            )
        await response(scope, receive, send)


def reader_of(scope: Scope) -> Reader:
    """Return whom the path names: each part of it is percent-encoded once.

    Raises:
        InvalidNameError: It names nobody.
    """
    parts = _parts(scope) or []
    if len(parts) != len(Reader._fields):
        raise InvalidNameError(f"{'/'.join(parts)!r} is not USER/DEVICE, such as alice/laptop")
    user, device = (_decoded(part) for part in parts)
    return Reader(check_user(user), check_device(device))


def _parts(scope: Scope) -> list[str] | None:
    """Return the parts of the path below ``/sync/`` as they came, or ``None`` for another path."""
    below: str = scope.get("root_path", "")
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        # A server that keeps no raw path has decoded it already.
        path: str = scope["path"]
        if not path.startswith(below + _PREFIX):
            return None
        return [quote(part, safe="") for part in path.removeprefix(below + _PREFIX).split("/")]
    text = raw.decode("latin-1")
    # What stands before is the prefix of a mount, which may be encoded too.
    at = text.find(_PREFIX)
    while at >= 0 and unquote(text[:at]) != below:
        at = text.find(_PREFIX, at + 1)
    return None if at < 0 else text[at + len(_PREFIX) :].split("/")


def _decoded(part: str) -> str:
    # Taken as it stands, 'a%b' would be a second way to write 'a%25b'.
    if _BROKEN_ESCAPE.search(part):
        raise InvalidNameError(f"{part!r} is not percent-encoded: a '%' is written %25")
    # What is no UTF-8 becomes a character that no name has.
    return unquote(part, errors="replace")
