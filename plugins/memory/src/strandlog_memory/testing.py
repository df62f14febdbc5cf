"""Where conformance finds empty stores of this kind."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from strandlog_memory._schema import forget

__all__ = ["fresh_url"]


@asynccontextmanager
async def fresh_url(_place: Path) -> AsyncIterator[str]:
    """Name a store that does not exist yet, and free its memory in the end."""
    name = secrets.token_hex(8)
    yield f"memory://{name}"
    forget(name)
