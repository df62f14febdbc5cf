"""``strandlog demo``: the stories of the protocol on every installed backend."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

from strandlog.backend.registry import installed_plugins

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]

# The server of the first story reads its newest entry no more, that of the second
# (the third store, after a device's) takes nothing.
FAULTY = """
    from contextlib import asynccontextmanager
    from dataclasses import replace
    from itertools import count

    import strandlog_memory as memory
    from strandlog.backend import hookimpl
    from strandlog.errors import StoreFullError
    from strandlog_memory.testing import fresh_url as memory_url

    opened = count()

    class Faulty:
        def __init__(self, store):
            self._store = store
            self._number = next(opened)

        def __getattr__(self, name):
            return getattr(self._store, name)

        async def read_range(self, user, **given):
            page = await self._store.read_range(user, **given)
            return replace(page, entries=page.entries[:-1]) if self._number == 0 else page

        async def append(self, user, entries, **given):
            if self._number == 2:
                raise StoreFullError("there is no room")
            return await self._store.append(user, entries, **given)

    @asynccontextmanager
    async def open_log(url):
        async with memory.strandlog_log_store().open(replace(url, scheme="memory")) as log:
            yield Faulty(log)

    @hookimpl
    def strandlog_log_store():
        return replace(memory.strandlog_log_store(), scheme="faulty", open=open_log)

    @hookimpl
    def strandlog_cursor_store():
        return replace(memory.strandlog_cursor_store(), scheme="faulty")

    @asynccontextmanager
    async def fresh_url(place):
        async with memory_url(place) as url:
            yield url.replace("memory", "faulty")
"""


def test_every_story_ends_well_on_every_installed_backend(strandlog: Run) -> None:
    ended = strandlog("demo")

    backends = [found.log for found in installed_plugins() if found.log is not None]
    local = [backend for backend in backends if "network" not in backend.capabilities.needs]
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.count("   as expected: ") == 4 * len(local)


def test_frames_are_shown_as_they_travel(strandlog: Run) -> None:
    told = strandlog("demo", "--store", "memory").stdout

    first = next(line for line in told.splitlines() if "→" in line)
    assert first.startswith(
        '   laptop → server  ["hello",{"seq":9,"messages":['
        '{"seq":"001710763213000:000000000008:laptop","scope":"private","content":"m8"},'
        '{"seq":"001710763214000:000000000009:laptop","scope":"private","content":"m9"}],"v":1,'
    )
    assert "received laptop 43 to 52, phone 47 to 52; both hold the same" in told
    assert "… 14 more …" in told


def test_story_that_ends_otherwise_is_a_failure_and_the_others_are_played(
    strandlog: Run, tmp_path: Path
) -> None:
    (tmp_path / "strandlog_faulty.py").write_text(dedent(FAULTY))
    record = tmp_path / "strandlog_faulty-1.0.dist-info"
    record.mkdir()
    (record / "METADATA").write_text("Name: strandlog-faulty\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text(
        "[strandlog.stores]\nfaulty = strandlog_faulty\n"
        "[strandlog.conformance]\nfaulty = strandlog_faulty:fresh_url\n"
    )
    ended = strandlog("demo", "--store", "faulty", PYTHONPATH=str(tmp_path))

    ends = [line.strip() for line in ended.stdout.splitlines() if line.startswith("   as expe")]
    assert "   but seen: sent laptop 8 to 9; received nothing; the two differ\n" in ended.stdout
    assert "   but it failed: " in ended.stdout
    assert len(ends) == 2
    assert ended.returncode == 1
    assert ended.stderr.endswith("strandlog: stories that did not end as they have to: 2\n")


def test_interrupt_ends_the_demo_and_not_its_server_alone(start: Start) -> None:
    process = start("demo")
    assert process.stdout is not None
    while "as expected" not in process.stdout.readline():
        pass

    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)

    assert (process.returncode, told.strip()) == (130, "")


def test_backend_that_is_not_installed_is_a_usage_error(strandlog: Run) -> None:
    ended = strandlog("demo", "--store", "tape")

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "try: pip install strandlog-tape" in ended.stderr
