"""Wires between a replica and a server that may be slow, break, and deliver late.

A wire behaves like one TCP connection: what arrives, arrives in order, and what
was on the way when it broke may be lost from any point on. It does not end on both
sides at once: the server goes on reading what was on its way, while the client has
connected anew, so that frames of two connections overtake each other.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from strandlog.errors import ConnectionLostError
from strandlog.model import Reader

__all__ = ["Application", "Wire"]

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]
"""A server as ASGI has it."""


class _Pipe:
    """One direction: items come out in the order in which they went in, and later."""

    def __init__(self, delay: Callable[[], float]) -> None:
        self._delay = delay
        self._travelling: deque[Any] = deque()
        self._ready: deque[Any] = deque()
        self._news = asyncio.Event()
        self._last = 0.0
        self._cut_at = float("inf")

    def begin(self, item: Any) -> None:
        """Let something be there at once, before all else."""
        self._ready.append(item)

    def put(self, item: Any, *, after: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        # Never before what went in earlier.
        self._last = max(self._last, loop.time() + self._delay() + after)
        # Timers for one moment come in any order; what they take out has its own.
        self._travelling.append(item)
        loop.call_at(self._last, self._arrive)

    def _arrive(self) -> None:
        item = self._travelling.popleft()
        if asyncio.get_running_loop().time() < self._cut_at:
            self._ready.append(item)
            self._news.set()

    def cut(self, at: float, item: Any) -> None:
        """Let nothing arrive from *at* on but *item*, which says that it has ended."""
        self._cut_at = min(self._cut_at, at)

        def end() -> None:
            self._ready.append(item)
            self._news.set()

        asyncio.get_running_loop().call_at(at, end)

    async def get(self) -> Any:
        while not self._ready:
            self._news.clear()
            await self._news.wait()
        return self._ready.popleft()


class Wire:
    """One connection: the client's transport, and what an ASGI server calls it.

    Args:
        reader: Who connects.
        chance: Decides about delays.
        slowest: The greatest delay of a frame, in seconds.
        seen: Told of every frame that either side sends, ``">"`` or ``"<"``.
    """

    def __init__(
        self,
        reader: Reader,
        chance: random.Random,
        *,
        slowest: float,
        seen: Callable[[Wire, str, str], None],
    ) -> None:
        self.reader = reader
        self._chance = chance
        self._seen = seen
        self._up = _Pipe(lambda: chance.uniform(0.0, slowest))
        self._down = _Pipe(lambda: chance.uniform(0.0, slowest))
        self._is_cut = False
        self._closed = False
        self._up.begin({"type": "websocket.connect"})

    # -- the client's end ----------------------------------------------------------

    async def send(self, frame: bytes) -> None:
        if self._is_cut:
            return  # receive() reports the end
        text = frame.decode()
        self._seen(self, ">", text)
        self._up.put({"type": "websocket.receive", "text": text})

    async def receive(self) -> str:
        item: str | None = await self._down.get()
        if item is None:
            self._down.cut(0.0, None)  # whoever asks again hears the same
            raise ConnectionLostError(f"{self.reader}: the connection is gone")
        return item

    def hang_up(self) -> None:
        """End it in good order: the server gets what was sent before."""
        if not self._is_cut:
            self._up.put({"type": "websocket.disconnect", "code": 1000})

    # -- what may happen to it -----------------------------------------------------

    def cut(self) -> None:
        """Break it: one side hears of it now, the other later, and has read more by then."""
        if self._is_cut:
            return
        self._is_cut = True
        now = asyncio.get_running_loop().time()
        late = now + self._chance.choice([0.0, 0.01, 0.2, 5.0, 60.0])
        client, server = (now, late) if self._chance.random() < 0.8 else (late, now)  # noqa: PLR2004
        self._down.cut(client, None)
        self._up.cut(server, {"type": "websocket.disconnect", "code": 1006})

    # -- the server's end ----------------------------------------------------------

    async def serve(self, application: Application) -> None:
        """Let a server answer until it has done with this connection."""
        path = f"/sync/{self.reader.user}/{self.reader.device}"
        scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [],
        }
        try:
            await application(scope, self._up.get, self._answer)
        finally:
            if not self._closed:
                self._down.put(None)

    async def _answer(self, message: Message) -> None:
        match message["type"]:
            case "websocket.send":
                self._seen(self, "<", message["text"])
                self._down.put(message["text"])
            case "websocket.close":
                self._closed = True
                self._down.put(None)
