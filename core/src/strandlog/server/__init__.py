"""The sync server: an ASGI application, and how to serve it."""

from __future__ import annotations

from strandlog.protocol.limits import Limits
from strandlog.server.app import SyncApp, open_app
from strandlog.server.authentication import Authenticate, check_bind, local_pages_only, speaks_for
from strandlog.server.serving import serve

__all__ = [
    "Authenticate",
    "Limits",
    "SyncApp",
    "check_bind",
    "local_pages_only",
    "open_app",
    "serve",
    "speaks_for",
]
