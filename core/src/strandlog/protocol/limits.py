"""The limits of a server: one value that says them all."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes and gives at most (the protocol page, limits).

    Attributes:
        message_bytes: Length of one message as it stands in a frame.
        frame_bytes: Length of one frame that is taken.
        frame_messages: Messages of one frame that is taken.
        page_messages: Entries of one page that is given.
        page_bytes: Length of a frame that is given; but it holds one entry at least.
        user_connections: WebSocket connections of one user at a time.
        connection_logs: Logs of others that one connection follows at a time.
        frames_per_second: How fast one connection may send for long …
        frames_burst: … and how many frames it may send at once.
        hello_seconds: How long a connection may stay without its first hello.
        send_seconds: How long the peer may take to read a frame.
        supersedes_per_minute: How often connections of one device may supersede
            each other for long …
        supersedes_burst: … and how many times at once.
        abuse: After so many refused frames in a row the connection is closed.
    """

    message_bytes: int = 262_144
    frame_bytes: int = 1_048_576
    frame_messages: int = 1_000
    # 200 messages or 64 KiB: more gains no throughput and costs others latency
    # (bench/README.md).
    page_messages: int = 200
    page_bytes: int = 65_536
    user_connections: int = 64
    connection_logs: int = 1_000
    frames_per_second: float = 200.0
    frames_burst: int = 1_000
    hello_seconds: float = 30.0
    send_seconds: float = 60.0
    supersedes_per_minute: float = 6.0
    supersedes_burst: int = 5
    abuse: int = 100
