"""Another user's log, as a client follows it: a sparse copy through one view."""

from __future__ import annotations

from strandlog.errors import RemoteProtocolError
from strandlog.model import Reader
from strandlog.protocol import calls
from strandlog.protocol.calls import Steps
from strandlog.protocol.events import Arrived, Diverged, Erased, Event, Forbidden
from strandlog.protocol.frames import (
    PROTOCOL_VERSION,
    ErrorFrame,
    Hello,
    PageLimit,
    Push,
    Reply,
    Saw,
)
from strandlog.protocol.rehoming import append_rehoming
from strandlog.vector import VersionVector

__all__ = ["FollowedLog"]

PAGE_MESSAGES = 200
PAGE_BYTES = 65_536


class FollowedLog:
    """The state of one connection towards one followed log.

    What was received of each device is kept for each view in the cursor store,
    apart from the tops of the copy: the same tops seen through another view say
    nothing about what that view shows. The counters are those of entries, not of
    what was examined: so for each there is a digest, by which the server tells
    whether this copy has its history.

    Attributes:
        ended: The server shows nothing of this log any more.
    """

    def __init__(self, reader: Reader, user: str, *, live: bool) -> None:
        self.user = user
        self.events: list[Event] = []
        self.ended = False
        self._reader = reader
        self._live = live
        self._view: str | None = None
        self._received = VersionVector()
        self._asked = VersionVector()
        self._comparing: dict[str, int] = {}
        self._acked = VersionVector()
        self._loaded = False
        self._greet = True
        self._waiting = False
        self._refused = False

    @property
    def waiting(self) -> bool:
        return self._waiting

    def next_frame(self) -> Steps[Hello | None]:
        """Come to the next frame to send, or ``None`` while there is nothing to say."""
        if self._waiting or self.ended or not self._greet:
            return None
        if not self._loaded:
            yield from self._load()
        have = {d: n for d, n in self._received.items() if d not in self._comparing}
        digests = yield from calls.Digests(self.user, have)
        tips = {d: digest for d, digest in digests.items() if digest is not None}
        # What is not held after all (the copy was set back, the cursor was not) comes again.
        self._received = self._received.replace(dict.fromkeys(have.keys() - tips.keys(), 0))
        self._greet, self._waiting = False, True
        self._acked = self._received
        self._asked = VersionVector({d: have[d] for d in tips} | self._comparing)
        return Hello(
            v=PROTOCOL_VERSION,
            user=self.user,
            have=self._asked,
            tips=tips,
            view=self._view,
            limit=PageLimit(PAGE_MESSAGES, PAGE_BYTES),
            live=self._live,
        )

    def receive_reply(self, reply: Reply) -> Steps[None]:
        """Take one page: log first, then what was received."""
        self._waiting = self._refused = False
        if reply.upto is None or reply.view is None:
            raise RemoteProtocolError(f"the answer about {self.user} lacks upto or view")
        if reply.view != self._view:
            yield from self._change_view(reply.view)
        yield from self._store(reply, reply.upto, reply.floor)
        self._greet = reply.more or bool(reply.diverged)
        for device in reply.diverged:
            # Its entries are compared from the first on; where they differ, the
            # branch that is held here moves out of the way.
            if device not in self._comparing:
                self.events.append(Diverged(self.user, device))
            self._comparing[device] = 0
        for device in [d for d in self._comparing if d not in reply.diverged]:
            self._comparing[device] = max(
                (e.counter for e in reply.messages if e.device == device),
                default=self._comparing[device],
            )
            if not reply.more or self._comparing[device] >= self._received[device]:
                self._received = self._received.replace({device: self._comparing.pop(device)})
        if not reply.more:
            # The server lost data, and what it has of such a device may be another
            # history, too short for the tip to show it.
            for device, counter in self._asked.items():
                if reply.upto[device] < counter and device not in self._comparing:
                    self._comparing[device] = 0
                    self._greet = True

    def receive_push(self, push: Push) -> Steps[None]:
        """Take live entries; those of another view come again with the next hello."""
        if push.upto is None or push.view != self._view:
            return
        yield from self._store(push, push.upto, VersionVector())

    def receive_refusal(self, error: ErrorFrame) -> Steps[None]:
        """Take an error about this log, be it an answer or word of a revocation."""
        answered, self._waiting = self._waiting, False
        if error.code == "erased":
            self.ended = True
            # In a store that this user writes to as well, the log is not a copy.
            readers = yield from calls.Readers(self.user)
            if not any(name.startswith("~") for name in readers):
                yield from calls.Discard(self.user)
            self.events.append(Erased(self.user))
        elif answered or self._refused:
            self.ended = True
            self.events.append(Forbidden(self.user, error.message))
        else:
            # The live view ended; a new hello shows what is left to see.
            self._refused = self._greet = True

    def ack(self) -> Saw | None:
        """Come to the ack of what was stored since the last one."""
        news = {d: n for d, n in self._received.items() if n > self._acked[d]}
        if not news or self._view is None:
            return None
        self._acked = self._received
        return Saw(have=VersionVector(news), user=self.user, view=self._view)

    def _load(self) -> Steps[None]:
        found = yield from calls.Readers(self.user)
        prefix = f"{self._reader}#"
        for name in sorted(found):
            if name.startswith(prefix):
                self._view, self._received = name.removeprefix(prefix), found[name]
        self._loaded = True

    def _change_view(self, view: str) -> Steps[None]:
        if self._view is not None:
            yield from calls.Forget(self.user, f"{self._reader}#{self._view}")
        self._view, self._received = view, VersionVector()
        self._comparing.clear()

    def _store(self, frame: Reply | Push, upto: VersionVector, floor: VersionVector) -> Steps[None]:
        before = yield from calls.Tops(self.user)
        seen = self._received
        if frame.messages or floor:
            appended, moves = yield from append_rehoming(
                self.user, frame.messages, upto=before.merge(upto), floor=floor or None
            )
            self.events += moves
            # What a moved branch had covered is not covered any more.
            seen = seen.replace({move.from_device: move.from_counter - 1 for move in moves})
            news = [e for e in frame.messages if e.counter > seen[e.device]]
            if news and appended.added:
                self.events.append(Arrived(self.user, news))
        received = seen.merge({e.device: e.counter for e in frame.messages})
        if received != self._received:
            self._received = received
            yield from calls.ResetCursor(self.user, f"{self._reader}#{self._view}", received)
