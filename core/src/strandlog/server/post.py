"""One frame in, one frame out, by ``POST``."""

from __future__ import annotations

import math

import anyio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from strandlog.errors import (
    BadFrameError,
    ConnectionLostError,
    RateError,
    StrandlogError,
    TooLargeError,
)
from strandlog.protocol.codec import encode_frame
from strandlog.protocol.frames import Add, ErrorFrame, Hello, ServerFrame, error_frame
from strandlog.server.route import reader_of
from strandlog.server.service import Service, logger
from strandlog.server.session import ServedSession

__all__ = ["answer_post"]

# The frame says what happened. The status says so too where those in between
# (proxies, browsers, monitors) act on it.
_STATUS = {
    "auth": 401,
    "forbidden": 403,
    "rate": 429,
    "store-unavailable": 503,
    "shutting-down": 503,
}


async def answer_post(service: Service, request: Request) -> Response:
    """Answer one hello or one add."""
    try:
        reader = reader_of(request.scope)
        service.connections.check_open()
        await service.check_speaker(request, reader)
        data = await _body(service, request)
        session = ServedSession(service, reader, stream=False)
        frame = session.decode(data)
        if not isinstance(frame, Hello | Add):
            raise BadFrameError("a POST takes one hello or one add")
        [answer] = await session.receive(frame)
    except ConnectionLostError:
        return Response(status_code=400)  # to nobody
    except StrandlogError as error:
        answer = error_frame(error, ref=error.ref)
        logger.debug("POST %r: refused: %s", request.scope["path"], answer.code)
    return _response(answer)


async def _body(service: Service, request: Request) -> bytes:
    limits = service.limits
    data = bytearray()
    try:
        with anyio.fail_after(limits.hello_seconds):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limits.frame_bytes:
                    raise TooLargeError(
                        f"the frame takes more than {limits.frame_bytes} bytes",
                        limit=limits.frame_bytes,
                    )
    except ClientDisconnect as error:
        raise ConnectionLostError("gone before the frame was complete") from error
    except TimeoutError as error:
        raise RateError(
            f"no complete frame within {limits.hello_seconds:g} seconds", retry_after_seconds=0.0
        ) from error
    return bytes(data)


def _response(answer: ServerFrame) -> Response:
    status, headers = 200, {}
    if isinstance(answer, ErrorFrame):
        status = _STATUS.get(answer.code, 200)
        retry_after = answer.detail.get("retry_after")
        if isinstance(retry_after, int | float):
            headers["retry-after"] = str(math.ceil(retry_after))
        if status == 401:  # noqa: PLR2004  # RFC 9110: it comes with the scheme to use
            headers["www-authenticate"] = "Bearer"
    return Response(encode_frame(answer), status, headers, media_type="application/json")
