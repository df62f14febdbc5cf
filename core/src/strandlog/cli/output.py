"""What commands print: data on stdout, progress on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from strandlog.clock import MAX_SKEW_MILLIS
from strandlog.model import far_ahead

if TYPE_CHECKING:
    from strandlog.model import Entry

__all__ = [
    "entries_text",
    "entry_text",
    "json_line",
    "moment",
    "printable",
    "progress",
    "table",
    "vector_text",
    "write",
]

_YEAR_10000 = 253_402_300_800_000  # the first millisecond that datetime does not reach


def write(line: bytes | str) -> None:
    """Write one line of data to stdout; it leaves the process when the buffer is full."""
    sys.stdout.buffer.write((line.encode() if isinstance(line, str) else line) + b"\n")


def json_line(value: object) -> None:
    """Write *value* as one line of JSON."""
    import msgspec

    write(msgspec.json.encode(value))


def moment(millis: int) -> str:
    """Return a timestamp as people read it, in UTC."""
    if millis >= _YEAR_10000:
        return f"{millis}ms"
    when = datetime.fromtimestamp(millis // 1000, UTC)
    return f"{when:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"


def printable(text: str) -> str:
    """Return *text* so that a terminal shows it and does not obey it.

    JSON lets through what moves the cursor or turns the direction of writing,
    and what is shown may come from somebody else.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def entry_text(entry: Entry) -> str:
    """Return *entry* as one line for people."""
    parts = [moment(entry.seq.timestamp), f"{entry.device}:{entry.counter}", entry.scope]
    now_millis = time.time_ns() // 1_000_000
    if far_ahead(entry, now_millis=now_millis, max_skew_millis=MAX_SKEW_MILLIS):
        parts.append("(from the future)")  # kept in its place, but no clock follows it
    if entry.redacts is not None:
        parts.append(f"(redacts {entry.redacts.device}:{entry.redacts.counter})")
    parts.append("(redacted)" if entry.content is None else printable(entry.content.decode()))
    return "  ".join(parts)


def entries_text(count: int) -> str:
    """Return a number of entries in words."""
    return f"{count} entry" if count == 1 else f"{count} entries"


def vector_text(vector: Mapping[str, int]) -> str:
    """Return a version vector as people read it."""
    return "  ".join(f"{device}:{counter}" for device, counter in vector.items()) or "nothing"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write rows in columns: fitted to a terminal, and never cut anywhere else."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in headings:
        columns.add_column(heading, overflow="fold")
    for row in rows:
        columns.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = 10_000  # as wide as the cells need
    with console.capture() as captured:
        console.print(columns)
    for line in captured.get().splitlines():
        write(line.rstrip())


@contextmanager
def progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """Give what shows on a terminal how much of long work is done, and of how much.

    On a stderr that is no terminal it shows nothing.
    """
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as bars:
        tasks: dict[str, TaskID] = {}

        def show(what: str, done: int, total: int | None) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done)

        yield show
