"""Who may speak for whom, and where a server may listen that asks nobody."""

from __future__ import annotations

import ipaddress
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from strandlog.errors import ForbiddenError, InvalidArgumentError
from strandlog.model import Reader

__all__ = ["Authenticate", "check_bind", "local_pages_only", "speaks_for"]

# What re-homing keeps of a device's name: the protocol page, fork.
_STEM_LENGTH = 47


class Authenticate(Protocol):
    """What a server asks before it takes the first frame of a connection, or a POST."""

    async def __call__(self, request: HTTPConnection, reader: Reader) -> None:
        """Return if *request* may speak for *reader*.

        It has ``headers``, ``cookies`` and ``query_params``, and no body. A
        device that re-homes goes on under another name: see :func:`speaks_for`.

        Raises:
            AuthError: It did not prove who it is.
            ForbiddenError: It did, and is not that reader.
        """


async def local_pages_only(request: HTTPConnection, reader: Reader) -> None:
    """Refuse web pages of other sites; what a server asks that was given nothing to ask.

    A browser lets any page connect to 127.0.0.1, and says whose page it is in
    ``Origin``. Other programs send none.

    Raises:
        ForbiddenError: The page is not from this machine.
    """
    origin = request.headers.get("origin")
    if origin is not None and not _is_loopback(urlsplit(origin).hostname or ""):
        raise ForbiddenError(
            f"a page of {origin} may not speak for {reader}: this server asks for no authentication"
        )


def speaks_for(own: str, device: str) -> bool:
    """Return whether who may speak for the device *own* may speak for *device*.

    So it is for itself, and for the names under which its re-homed branches go
    on: ``laptop~`` and a digest, for ``laptop``.
    """
    stem, tilde, _ = device.partition("~")
    return device == own or (bool(tilde) and stem == own.partition("~")[0][:_STEM_LENGTH])


def check_bind(host: str, *, authenticated: bool, insecure: bool) -> None:
    """Check that a server without authentication cannot be reached from other machines.

    Raises:
        InvalidArgumentError: It could be, and *insecure* does not say that this is meant.
    """
    if not (authenticated or insecure or _is_loopback(host)):
        raise InvalidArgumentError(
            f"other machines can reach {host or 'every address'!r} and nobody has to"
            " authenticate: listen on 127.0.0.1, or say insecure if that is meant"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
