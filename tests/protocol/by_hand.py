"""Messages and hellos as a client writes them that nobody here wrote."""

from __future__ import annotations

import json
from typing import Any

from strandlog.protocol.codec import decode_entry
from tests.protocol.wire import START, World

__all__ = ["contents", "digest", "hello", "note", "notes", "refusal", "upload", "withdrawn"]


def note(counter: int, device: str = "laptop", *, at: int = 0, text: str = "", **more: Any) -> Any:
    """Return a message such as ``laptop 3``; *at* counts from the start, 10 ms a counter."""
    seq = f"{START + (at or 10 * counter):015d}:{counter:012d}:{device}"
    return {"seq": seq, "scope": "private", "content": text or f"{device} {counter}", **more}


def notes(first: int, last: int, device: str = "laptop", **more: Any) -> list[Any]:
    """Return messages *first* to *last*, both included."""
    return [note(counter, device, **more) for counter in range(first, last + 1)]


def digest(message: Any) -> str:
    return decode_entry(json.dumps(message)).digest


def withdrawn(message: Any) -> Any:
    """Return the message without what it says."""
    return {
        "seq": message["seq"],
        "scope": message["scope"],
        "digest": digest(message),
        "redacted": True,
    }


def hello(seq: int, messages: list[Any] | None = None, **more: Any) -> list[Any]:
    """Return a hello of version 1 that has nothing and opts out of tips."""
    body = {"seq": seq, "v": 1, "have": {}, **more}
    return ["hello", {**body, "messages": messages} if messages else body]


def contents(frames: list[Any]) -> list[Any]:
    """Return what the messages of these frames say, in order."""
    return [message.get("content") for _, body in frames for message in body.get("messages", ())]


def refusal(frames: list[Any]) -> Any:
    """Return the body of the one frame that came, an error."""
    [[kind, body]] = frames
    assert kind == "error", body
    return body


def upload(world: World, *messages: Any, user: str = "alice") -> None:
    """Let each message reach the server by a connection of its device's own."""
    for message in messages:
        _, counter, device = message["seq"].split(":")
        [[kind, body]] = world.server.raw(f"{user}/{device}").say(hello(int(counter), [message]))
        assert kind == "hello", body
