"""A process that makes others do deeds with a store, watches them and strikes them.

python -m strandlog_conformance.runner DESCRIPTOR

It imports a store once and makes a process for each order by forking, which
takes a few milliseconds. It has no threads and opens no store itself: what a
driver keeps for its process would not survive a fork.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import pickle
import select
import signal
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from strandlog_conformance.calls import NAME, SYNC, WRITE, Call, Listener, install
from strandlog_conformance.deeds import Event, Order, Strike, act
from strandlog_conformance.platter import Platter
from strandlog_conformance.target import Target

__all__ = ["UNWATCHED", "main", "packed", "receive", "send", "serve", "unpacked"]

UNWATCHED = "unwatched"
"""What is said first if the calls of a process could not be watched."""

# How long a process may take: many times what the slowest needs on a slow disk.
_LIMIT_SECONDS = 15.0

_LENGTH = struct.Struct("I")


def packed(value: object) -> bytes:
    """Return a value as it is sent: its length in four bytes, then itself."""
    data = pickle.dumps(value)
    return _LENGTH.pack(len(data)) + data


def unpacked(data: bytes) -> Any:
    """Return the value that was sent, its length taken off."""
    # From a process of ours, about a store that this process runs anyway.
    return pickle.loads(data)  # noqa: S301


def send(to: socket.socket, value: object) -> None:
    """Send one value."""
    to.sendall(packed(value))


def receive(source: socket.socket) -> Any:
    """Return the next value.

    Raises:
        EOFError: The other side is gone.
    """
    [length] = _LENGTH.unpack(_exactly(source, _LENGTH.size))
    return unpacked(_exactly(source, length))


def _exactly(source: socket.socket, length: int) -> bytes:
    data = b""
    while len(data) < length:
        piece = source.recv(length - len(data))
        if not piece:
            raise EOFError("the other side is gone")
        data += piece
    return data


def serve(orders: socket.socket, target: Target) -> None:
    """Carry out orders until there are no more."""
    known: set[str] = set()
    with suppress(EOFError):
        while True:
            order: Order = receive(orders)
            events, modules = _carried_out(target, order)
            send(orders, events)
            # What the store imported when it was opened is here for the next one.
            for name in sorted(modules - known - sys.modules.keys()):
                with suppress(Exception):
                    importlib.import_module(name)
            known |= modules


def _carried_out(target: Target, order: Order) -> tuple[list[Event], set[str]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pid = os.fork()
        if pid == 0:
            ours.close()
            _child(target, order, theirs)
        theirs.close()
        run = _Run(order, pid, ours)
        try:
            return run.watched(), run.modules
        finally:
            run.close()


def _child(target: Target, order: Order, words: socket.socket) -> None:
    """Be the process that does it; never returns."""
    try:
        if order.watched:
            try:
                fd = install()
            except OSError as error:
                send(words, Event(UNWATCHED, text=str(error)))
            else:
                socket.send_fds(words, [b"\0"], [fd])
                os.close(fd)
                words.recv(1)
        asyncio.run(act(target, order, lambda event: send(words, event)))
        send(words, set(sys.modules))
    finally:
        os._exit(0)


class _Run:
    """One process on its way."""

    def __init__(self, order: Order, pid: int, words: socket.socket) -> None:
        self.modules: set[str] = set()
        self._order = order
        self._pid = pid
        self._words = words
        self._events: list[Event] = []
        self._listener: Listener | None = None
        self._platter: Platter | None = None
        self._through: dict[int, set[str]] = {}
        self._seen = 0
        self._acks = 0
        self._refused = 0
        self._struck = False
        self._kill_at = 0.0

    def watched(self) -> list[Event]:
        """Return what happened, to the end of the process."""
        if self._order.watched:
            self._listen()
        deadline = time.monotonic() + _LIMIT_SECONDS
        poll = select.poll()
        poll.register(self._words, select.POLLIN)
        if self._listener is not None:
            poll.register(self._listener.fd, select.POLLIN)
        while self._pid:
            until = min(deadline, self._kill_at or deadline)
            ready = dict(poll.poll(max(0.0, until - time.monotonic()) * 1_000))
            if self._words.fileno() in ready:
                # Before any call: what was said came before what is done now.
                self._word()
            elif ready:
                if self._listener is not None and next(iter(ready.values())) & select.POLLIN:
                    self._call(self._listener)
                else:
                    poll.unregister(next(iter(ready)))
            elif self._kill_at:
                self._kill("struck")
            elif time.monotonic() >= deadline:
                self._kill("stuck")
        return self._events

    def close(self) -> None:
        """Let go of everything; the process is gone after that."""
        if self._pid:
            self._kill("ended")
        if self._listener is not None:
            os.close(self._listener.fd)
        if self._platter is not None:
            self._platter.close()

    def _listen(self) -> None:
        data, fds, _, _ = socket.recv_fds(self._words, 1, 1)
        if not fds:
            # It could not: what came is the beginning of its word for that.
            [length] = _LENGTH.unpack(data + _exactly(self._words, _LENGTH.size - 1))
            self._events.append(unpacked(_exactly(self._words, length)))
            return
        self._listener = Listener(fds[0])
        if self._order.after_loss:
            self._platter = Platter(Path(self._order.root))
        self._words.send(b"\0")

    def _word(self) -> None:
        try:
            word: Event | set[str] = receive(self._words)
        except (EOFError, ConnectionError):
            self._lose_power()
            os.waitpid(self._pid, 0)
            self._pid = 0
            self._events.append(Event("ended"))
            return
        if isinstance(word, set):
            self.modules = word
            return
        self._events.append(word)
        strike = self._order.strike
        if word.what == "refused":
            self._refused += 1
        elif word.what == "acked" and strike is not None and (self._struck or not strike.at):
            self._acks += 1
            if strike.after_acks == self._acks:
                if strike.wait_seconds:
                    self._kill_at = time.monotonic() + strike.wait_seconds
                else:
                    self._kill("struck")

    def _call(self, listener: Listener) -> None:
        call = listener.next()
        if call is None:
            return
        self._settle(call.thread)
        if not _counts(call):
            listener.go_on(call)
            return
        text = f"{call.name} {_short(call.path, self._order.root)}"
        self._events.append(Event("call", text=text, kind=call.kind, path=call.path))
        strike = self._order.strike
        if strike is not None and self._befalls(strike, call):
            if not strike.number:
                self._kill("struck", text)
                return
            if not self._struck:
                self._events.append(Event("struck", text=text))
                self._struck = True
            if self._platter is not None and call.kind == SYNC:
                self._platter.sync_failed(call.handle)
            listener.refuse(call, strike.number)
            return
        if self._platter is not None:
            self._note(self._platter, call)
        listener.go_on(call)

    def _befalls(self, strike: Strike, call: Call) -> bool:
        if not strike.at or call.kind not in strike.kinds:
            return False
        self._seen += 1
        if self._seen <= strike.at or strike.lasts == 0:
            return self._seen == strike.at
        return strike.lasts < 0 or self._refused < strike.lasts

    def _note(self, platter: Platter, call: Call) -> None:
        if call.everything:
            platter.all_synced()
        elif call.kind == SYNC:
            platter.synced(call.handle)
        elif call.kind == WRITE:
            platter.wrote(call.handle, call.first, call.length)
            if call.through:
                self._through.setdefault(call.thread, set()).add(call.handle)

    def _settle(self, thread: int) -> None:
        """Take what a thread wrote through to the disk as written: its next call has come."""
        if self._platter is not None:
            for handle in self._through.pop(thread, ()):
                self._platter.synced(handle)

    def _kill(self, what: str, text: str = "") -> None:
        self._lose_power(text)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._pid = 0
        self._events += [*self._last_words(), Event(what, text=text)]

    def _lose_power(self, text: str = "") -> None:
        """Write down what the disk holds now; unless in a call, all calls have come to an end."""
        if self._platter is None:
            return
        for thread in [] if text else list(self._through):
            self._settle(thread)
        for gone, into in self._order.after_loss.items():
            self._platter.left(
                Path(into),
                names=gone != "contents",
                contents=gone != "names",
                torn=gone == "torn",
            )

    def _last_words(self) -> Iterator[Event]:
        """Yield what was said and not heard yet."""
        with suppress(EOFError, ConnectionError):
            while True:
                word = receive(self._words)
                if isinstance(word, Event):
                    yield word


def _counts(call: Call) -> bool:
    """Return whether a call is about files that a store could mean."""
    if call.everything:
        return True
    if not call.path.startswith("/") or call.path.startswith(("/proc/", "/dev/", "/sys/")):
        return False
    if call.kind == NAME:
        return True
    try:
        mode = Path(call.handle).stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def _short(path: str, root: str) -> str:
    return os.path.relpath(path, root) if root and path.startswith(root) else path


def main() -> None:
    """Serve whoever started this process; what it says first is where to look for modules."""
    _, descriptor = sys.argv
    with socket.socket(fileno=int(descriptor)) as orders:
        sys.path[:] = receive(orders)
        serve(orders, receive(orders))


if __name__ == "__main__":
    main()
