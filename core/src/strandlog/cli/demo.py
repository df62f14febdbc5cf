"""``demo``: the stories of the protocol, played on every installed backend."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import rich_click as click

from strandlog.cli.running import in_event_loop
from strandlog.errors import StrandlogError
from strandlog.model import Identity

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from rich.console import Console

    from strandlog.backend.registry import Plugin
    from strandlog.cli.stories import Frame, Outcome, Story
    from strandlog.client import Connect
    from strandlog.server import SyncApp

__all__ = ["demo"]

FRESH_URLS = "strandlog.conformance"
"""The entry-point group in which a plugin says where an empty store of its kind is to be had."""

_MESSAGES_SHOWN = 5  # of one frame: more would hide the frame around them

_STORY_SECONDS = 60  # each takes less than one

FreshUrl = Callable[[], AbstractAsyncContextManager[str]]


@click.command()
@click.option(
    "--store",
    "schemes",
    metavar="SCHEME",
    multiple=True,
    help="Only on this backend, such as sqlite; may be repeated.",
)
@in_event_loop
async def demo(*, schemes: Sequence[str]) -> None:
    """Play the stories of the protocol on every installed backend that needs no server.

    A server and devices, each with a store of its own, exchange real frames over a
    socket; they are shown as they travel. A story that does not end as it has to is a
    failure.
    """
    from rich.console import Console

    from strandlog.backend.registry import installed_plugins, plugin

    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    wrong = 0
    for found in [plugin(scheme) for scheme in schemes] or installed_plugins():
        console.print(f"[bold]{found.scheme}://[/]  {found.distribution}\n")
        fresh_url = None if found.error else _fresh_url_of(found)
        if fresh_url is None:
            console.print(f"   has no part in this: {found.error or 'keeps no log of a device'}\n")
            continue
        if not schemes and _needs_a_server(found):
            told = f"needs a server of its own: strandlog demo --store {found.scheme}"
            console.print(f"   has no part in this: {told}\n")
            continue
        with TemporaryDirectory() as place:
            wrong += await _play_all(partial(fresh_url, Path(place)), console)
    if wrong:
        raise click.ClickException(f"stories that did not end as they have to: {wrong}")


def _needs_a_server(found: Plugin) -> bool:
    return found.log is not None and "network" in found.log.capabilities.needs


def _fresh_url_of(found: Plugin) -> Callable[[Path], AbstractAsyncContextManager[str]] | None:
    if found.log is None or found.cursors is None or not found.log.capabilities.rehome:
        return None
    for point in entry_points(group=FRESH_URLS, name=found.scheme):
        loaded: Callable[[Path], AbstractAsyncContextManager[str]] = point.load()
        return loaded
    return None


async def _play_all(fresh_url: FreshUrl, console: Console) -> int:
    """Play every story, each with a server of its own; return how many went wrong."""
    import anyio

    from strandlog.backend.registry import open_stores
    from strandlog.cli.stories import STORIES, Stage
    from strandlog.server import SyncApp

    wrong = 0
    for story in STORIES:
        console.print(f"   [bold]{story.title}[/]\n   {story.told}")
        async with (
            fresh_url() as url,
            open_stores(url) as (log, cursors),
            _served(SyncApp(log, cursors)) as connect,
        ):
            stage = Stage(log, connect, fresh_url, partial(_show, console))
            try:
                with anyio.fail_after(_STORY_SECONDS):
                    outcome = await story.play(stage)
            except (StrandlogError, TimeoutError) as error:
                console.print(f"   expected: {_text(story.expected)}")
                reason = str(error) or f"no end after {_STORY_SECONDS} seconds"
                console.print(f"   [bold red]but it failed[/]: {reason}\n")
                wrong += 1
            else:
                wrong += not _judge(story, outcome, console)
    return wrong


@asynccontextmanager
async def _served(app: SyncApp) -> AsyncIterator[Connect]:
    """Serve *app* on a free port of this machine; give what connects to it."""
    import anyio

    from strandlog.client import websocket_transport
    from strandlog.server import serve

    on_interrupt = signal.getsignal(signal.SIGINT)
    async with anyio.create_task_group() as tasks:

        async def run(*, task_status: TaskStatus[str]) -> None:
            await serve(app, port=0, announce=task_status.started)
            if not tasks.cancel_scope.cancel_called:
                raise click.Abort  # Ctrl-C, just before it was taken back from the server

        url: str = await tasks.start(run)
        # The server has taken Ctrl-C for itself; here it has to end the demo.
        signal.signal(signal.SIGINT, on_interrupt)
        yield websocket_transport(url.replace("http", "ws", 1))
        tasks.cancel_scope.cancel()


def _show(console: Console, frame: Frame) -> None:
    from rich.text import Text

    line = Text("   ")
    if frame.upwards:
        line.append(f"{frame.device} → server  ", style="cyan")
    else:
        line.append(f"{frame.device} ← server  ", style="green")
    console.print(line.append(_abridged(frame.text)))


def _abridged(frame: bytes) -> str:
    """Return a frame as it is, but for the middle of many messages."""
    import msgspec

    kind, body = msgspec.json.decode(frame, type=tuple[str, dict[str, msgspec.Raw]])
    messages = msgspec.json.decode(body.get("messages", b"[]"), type=list[msgspec.Raw])
    if len(messages) <= _MESSAGES_SHOWN:
        return frame.decode()
    left_out = msgspec.json.encode(f"… {len(messages) - 2} more …")
    body["messages"] = msgspec.Raw(b"[%b,%b,%b]" % (messages[0], left_out, messages[-1]))
    return msgspec.json.encode([kind, body]).decode()


def _judge(story: Story, outcome: Outcome, console: Console) -> bool:
    """Say what was expected and what was seen; return whether they are the same."""
    right = outcome == story.expected
    if right:
        console.print(f"   [bold green]as expected[/]: {_text(outcome)}\n")
    else:
        console.print(f"   expected: {_text(story.expected)}")
        console.print(f"   [bold red]but seen[/]: {_text(outcome)}\n")
    return right


def _text(outcome: Outcome) -> str:
    agree = "both hold the same" if outcome.equal else "the two differ"
    return f"sent {_list(outcome.sent)}; received {_list(outcome.received)}; {agree}"


def _list(entries: Sequence[Identity]) -> str:
    """Return entries in words, neighbours of one device as a span."""
    spans: list[list[Identity]] = []
    for one in entries:
        if spans and (one.device, one.counter - 1) == spans[-1][-1]:
            spans[-1].append(one)
        else:
            spans.append([one])
    return ", ".join(_span(span) for span in spans) or "nothing"


def _span(span: Sequence[Identity]) -> str:
    device, first = span[0]
    last = span[-1].counter
    return f"{device} {first}" if first == last else f"{device} {first} to {last}"
