"""What the plugin says of itself before anything is opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strandlog.backend import StoreUrl
from strandlog.backend.registry import plugin
from strandlog.errors import StoreUrlError


def test_it_is_listed_without_its_driver() -> None:
    """``strandlog stores`` asks every plugin; the slow import waits for the first opening."""
    program = (
        "import sys, strandlog_sqlite as plugin\n"
        "plugin.strandlog_log_store(), plugin.strandlog_cursor_store()\n"
        "print(*{'aiosqlite', 'anyio', 'asyncio', 'sqlite3'} & {*sys.modules})"
    )
    listed = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )

    assert listed.stdout.split() == []


@pytest.mark.parametrize(
    "query",
    ["busy_timeout=-1", "busy_timeout=soon", "durability=some", "read_only=perhaps", "sync=full"],
)
def test_options_are_checked(query: str) -> None:
    """A slip in an option is told when the URL is read, and not by what the store then does."""
    backend = plugin("sqlite").log
    assert backend is not None

    with pytest.raises(StoreUrlError, match=query.partition("=")[0]):
        StoreUrl.parse(f"sqlite:///notes.db?{query}").options(backend.options)
