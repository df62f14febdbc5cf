"""Where conformance finds empty stores of this kind."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

from strandlog.errors import StoreUnavailableError

__all__ = ["ENDPOINT", "SECRET", "fresh_url"]

ENDPOINT = "STRANDLOG_FAUNA_ENDPOINT"
"""The variable that names a server, such as ``http://127.0.0.1:8443``."""

SECRET = "STRANDLOG_FAUNA_SECRET"  # noqa: S105  # the name of the variable
"""The variable that holds its secret."""


@asynccontextmanager
async def fresh_url(place: Path) -> AsyncIterator[str]:  # noqa: ARG001
    """Name a store that does not exist yet, under a prefix of its own; *place* stays empty.

    Raises:
        StoreUnavailableError: The environment names no server.
    """
    endpoint, secret = os.environ.get(ENDPOINT), os.environ.get(SECRET)
    if not endpoint or not secret:
        raise StoreUnavailableError(f"no Fauna to check: set {ENDPOINT} and {SECRET}")
    parts = urlsplit(endpoint)
    prefix = f"t{secrets.token_hex(6)}_"
    place_of = f"fauna+{parts.scheme}://{quote(secret, safe='')}@{parts.netloc}/"
    # Checks that fault a request at a time should not spend theirs in waiting.
    yield f"{place_of}?prefix={prefix}&pause=0.002&busy_pause=0.05"
