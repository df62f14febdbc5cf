"""What the documentation shows is so: every example runs.

How an example is marked::

    ```python              run; "await" may stand at the top, as in "python -m asyncio"
    ```text                right below such a block: what it prints
    ```console             in docs: lines after "$ " are run, those below are what they print
    ```json client         each line is a frame that a client sends (or "json server")
    ```python no-run       shown only; so is "console no-run"; NOT_RUN names their pages

In what is printed, "..." stands for any text, and for any lines where it stands alone. The
blocks of one page run in order, in one directory and one namespace of their own.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO, Any

import pytest

from strandlog.protocol.codec import decode_client_frame, decode_server_frame, encode_frame

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *DOCS.glob("**/*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
        *ROOT.glob("core/README.md"),
        *ROOT.glob("conformance/README.md"),
        *ROOT.glob("plugins/*/README.md"),
    ]
)

KINDS = re.compile(
    r"(python|console)( no-run)?|text|json (client|server)|json|toml|sh|js|\{toctree\}"
)

# Blocks that are shown and not run, by page; each needs something a test does not have.
NOT_RUN = {
    "conformance/README.md": 2,  # installs packages; checks a store that the reader has
    "docs/tutorial/write-a-store.md": 13,  # installs packages; a plugin, which wheels.py builds
}

DEADLINE_SECONDS = 60.0
HEARD_SECONDS = 20.0

PORT = "8420"
"""The port of the examples. A test uses a free one in its place."""


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block of a page; *line* is that of its first line."""

    page: Path
    info: tuple[str, ...]
    text: str
    line: int

    @property
    def runs(self) -> bool:
        kinds = [("python",), ("console",)] if DOCS in self.page.parents else [("python",)]
        return self.info[:1] in kinds and "no-run" not in self.info

    @property
    def end(self) -> int:
        """The line of the closing fence."""
        return self.line + self.text.count("\n")

    @property
    def place(self) -> str:
        return f"{_name(self.page)}:{self.line}"


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _blocks(page: Path) -> list[Block]:
    blocks: list[Block] = []
    fence = ""
    info: tuple[str, ...] = ()
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not fence:
            if found := re.fullmatch(r"(`{3,}|:{3,})(.*)", line):
                fence, info, lines = found[1], tuple(found[2].split()), []
        elif line == fence:
            blocks.append(Block(page, info, "\n".join(lines) + "\n", number - len(lines)))
            fence = ""
        else:
            lines.append(line)
    return blocks


def _free_port() -> str:
    """Return a port where nobody listens, a developer's own server least of all."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


BLOCKS = {page: _blocks(page) for page in PAGES}


def _pages_with(language: str) -> pytest.MarkDecorator:
    pages = [
        page
        for page, blocks in BLOCKS.items()
        if any(block.runs and block.info[0] == language for block in blocks)
    ]
    return pytest.mark.parametrize("page", pages, ids=_name)


@_pages_with("python")
def test_python_examples_run(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A reader who types a page into ``python -m asyncio`` gets what the page shows."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    blocks = BLOCKS[page]
    port = _free_port()
    with asyncio.Runner() as runner:
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if not block.runs or block.info[0] != "python":
                continue
            _run_python(block, port, namespace, runner)
            printed = capsys.readouterr().out
            shown = ""
            # A block that stands further down shows something else.
            if following and following.info == ("text",) and following.line <= block.end + 3:
                shown = following.text
            assert _agrees(shown, printed), f"{block.place} printed\n{printed}"


def _run_python(block: Block, port: str, namespace: dict[str, Any], runner: asyncio.Runner) -> None:
    # The lines above make a traceback point into the page.
    source = "\n" * (block.line - 1) + block.text.replace(PORT, port)
    code = compile(source, block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = eval(code, namespace)  # noqa: S307  # our own pages
    if inspect.iscoroutine(result):
        runner.run(asyncio.wait_for(result, DEADLINE_SECONDS))


class Terminal:
    """A shell in one directory, with programs in the background and what they print."""

    def __init__(self, directory: Path, port: str) -> None:
        self.port = port
        self._directory = directory
        self._running: list[tuple[subprocess.Popen[str], threading.Thread]] = []
        self._heard: SimpleQueue[str] = SimpleQueue()
        self._unread: list[str] = []

    def at_free_port(self, command: str) -> str:
        """Return *command* with a free port where it means that of the examples."""
        if command.startswith("strandlog serve") and "--port" not in command:
            return command.replace("strandlog serve", f"strandlog serve --port {self.port}")
        return command.replace(PORT, self.port)

    def run(self, command: str) -> tuple[str, int]:
        """Run to the end; return what it printed and its exit status."""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
        return done.stdout.decode(), done.returncode

    def start(self, command: str) -> None:
        """Run in the background until the page ends."""
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=self._directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        listener = threading.Thread(target=self._listen, args=[process.stdout])
        listener.start()
        self._running.append((process, listener))

    def hears(self, pattern: str) -> bool:
        """Return whether a program in the background has printed such a line, or does soon."""
        give_up = time.monotonic() + HEARD_SECONDS
        for line in self._unread:
            if _agrees(pattern, line):
                self._unread.remove(line)
                return True
        while self._running:
            try:
                line = self._heard.get(timeout=max(0, give_up - time.monotonic()))
            except Empty:
                break
            if _agrees(pattern, line):
                return True
            self._unread.append(line)
        return False

    def close(self) -> None:
        for process, _ in self._running:
            process.terminate()
        for process, listener in self._running:
            try:
                process.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            listener.join()
            if process.stdout:
                process.stdout.close()

    def _listen(self, printed: IO[str]) -> None:
        for line in printed:
            self._heard.put(line)

    @property
    def _environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("STRANDLOG_")
        }
        scripts = str(Path(sys.executable).parent)
        return {
            **kept,
            "PATH": os.pathsep.join([scripts, kept["PATH"]]),
            "HOME": str(self._directory),
            "COLUMNS": "120",
            "NO_COLOR": "1",
            "STRANDLOG_SERVER": f"ws://127.0.0.1:{self.port}",
            "PYTHONUNBUFFERED": "1",
        }


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path, _free_port())
    yield terminal
    terminal.close()


@pytest.mark.once
@_pages_with("console")
def test_console_examples_run(page: Path, terminal: Terminal) -> None:
    """A reader who types the commands of a page gets the lines that stand below them.

    A line that the command did not print itself is awaited from a program in
    the background, for which no moment is promised. Where the page shows an
    error, the command fails; everywhere else it succeeds.
    """
    for block in BLOCKS[page]:
        if not block.runs or block.info[0] != "console":
            continue
        for number, typed, shown in _commands(block):
            place = f"{_name(page)}:{number}: {typed}"
            command = terminal.at_free_port(typed)
            expected = [line.replace(PORT, terminal.port) for line in shown]
            printed = ""
            if command.endswith("&"):
                terminal.start(command.removesuffix("&").rstrip())
            else:
                printed, status = terminal.run(command)
                fails = any(line.startswith("strandlog: ") for line in expected)
                assert (status != 0) == fails, f"{place} ended with {status}\n{printed}"
            if expected:
                _compare(place, expected, printed, terminal)


def _commands(block: Block) -> Iterator[tuple[int, str, list[str]]]:
    """Yield each command with its line on the page and the lines shown below it."""
    found: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append((number, line.removeprefix("$ "), []))
        elif found and not found[-1][2] and found[-1][1].endswith("\\"):
            at, command, shown = found[-1]
            found[-1] = (at, f"{command.removesuffix(chr(92))}{line.strip()}", shown)
        elif line.strip() and not line.startswith("#"):
            found[-1][2].append(line)
    yield from found


def _compare(place: str, expected: list[str], printed: str, terminal: Terminal) -> None:
    if _agrees("\n".join(expected), printed):
        return
    lines = printed.splitlines()
    for pattern in expected:
        if lines and _agrees(pattern, lines[0]):
            lines.pop(0)
        else:
            assert terminal.hears(pattern), (
                f"{place} printed\n{printed}, and nobody printed {pattern!r}"
            )

    assert lines == [], place


def _agrees(pattern: str, text: str) -> bool:
    """Return whether *text* is what *pattern* shows; how wide a column is does not count."""
    parts = [
        r"(?:[^\n]*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*?") + "\n"
        for line in _lines(pattern)
    ]
    return re.fullmatch("".join(parts), "".join(f"{line}\n" for line in _lines(text))) is not None


def _lines(text: str) -> list[str]:
    return [re.sub(r" {2,}", "  ", line.rstrip()) for line in text.rstrip().splitlines()]


@pytest.mark.parametrize(
    ("block", "decode"),
    [
        pytest.param(block, decode, id=block.place)
        for page in PAGES
        for block in BLOCKS[page]
        for side, decode in (("client", decode_client_frame), ("server", decode_server_frame))
        if block.info == ("json", side)
    ],
)
def test_frames_that_are_shown_are_frames(block: Block, decode: Callable[[str], Any]) -> None:
    """Each is read, and has no field that is not read and no default that is never written."""
    rest = block.text.strip()
    while rest:
        shown, end = json.JSONDecoder().raw_decode(rest)
        frame, rest = decode(rest[:end]), rest[end:].strip()

        kind, body = json.loads(encode_frame(frame))
        assert (kind, body.keys()) == (shown[0], shown[1].keys())


def test_blocks_that_do_not_run_are_known() -> None:
    """Who adds one says so here, too."""
    found = Counter(
        _name(page)
        for page, blocks in BLOCKS.items()
        for block in blocks
        if block.info[:1] in (("python",), ("console",)) and not block.runs
    )

    assert found == NOT_RUN


def test_blocks_are_of_a_known_kind() -> None:
    """A misspelt language would turn an example into one that never runs."""
    strange = [
        f"{block.place}: {' '.join(block.info) or 'no language'}"
        for blocks in BLOCKS.values()
        for block in blocks
        if not KINDS.fullmatch(" ".join(block.info))
    ]

    assert strange == []
