"""Another user's log, as a client follows it: a sparse copy through one view."""

from __future__ import annotations

from strandlog.errors import RemoteProtocolError
from strandlog.model import Reader
from strandlog.protocol import calls
from strandlog.protocol.calls import Steps
from strandlog.protocol.events import Arrived, Erased, Event, Forbidden
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

    What the reader covers is kept for each view in the cursor store, apart from
    the tops of the copy: the same tops seen through another view say nothing
    about what that view shows.

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
        self._covered = VersionVector()
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
        self._greet, self._waiting = False, True
        self._acked = self._covered
        return Hello(
            v=PROTOCOL_VERSION,
            user=self.user,
            have=self._covered,
            view=self._view,
            limit=PageLimit(PAGE_MESSAGES, PAGE_BYTES),
            live=self._live,
        )

    def receive_reply(self, reply: Reply) -> Steps[None]:
        """Take one page: log first, then what it covers."""
        self._waiting = self._refused = False
        if reply.upto is None or reply.view is None:
            raise RemoteProtocolError(f"the answer about {self.user} lacks upto or view")
        if reply.view != self._view:
            yield from self._change_view(reply.view)
        yield from self._store(reply, reply.upto, reply.floor)
        self._greet = reply.more

    def receive_push(self, push: Push) -> Steps[None]:
        """Take live entries; those of another view come again with the next hello."""
        if push.upto is None or push.view != self._view:
            return
        yield from self._store(push, push.upto, VersionVector())

    def receive_refusal(self, error: ErrorFrame) -> None:
        """Take an error about this log, be it an answer or word of a revocation."""
        answered, self._waiting = self._waiting, False
        if error.code == "erased":
            self.ended = True
            self.events.append(Erased(self.user))
        elif answered or self._refused:
            self.ended = True
            self.events.append(Forbidden(self.user, error.message))
        else:
            # The live view ended; a new hello shows what is left to see.
            self._refused = self._greet = True

    def ack(self) -> Saw | None:
        """Come to the ack of what was stored since the last one."""
        news = {d: n for d, n in self._covered.items() if n > self._acked[d]}
        if not news or self._view is None:
            return None
        self._acked = self._covered
        return Saw(have=VersionVector(news), user=self.user, view=self._view)

    def _load(self) -> Steps[None]:
        found = yield from calls.Readers(self.user)
        prefix = f"{self._reader}#"
        for name in sorted(found):
            if name.startswith(prefix):
                # The copy may have been set back and the cursor not: it covers no more
                # than the copy does.
                tops = yield from calls.Tops(self.user)
                self._view, self._covered = name.removeprefix(prefix), found[name].clamp(tops)
        self._loaded = True

    def _change_view(self, view: str) -> Steps[None]:
        if self._view is not None:
            yield from calls.Forget(self.user, f"{self._reader}#{self._view}")
        self._view, self._covered = view, VersionVector()

    def _store(self, frame: Reply | Push, upto: VersionVector, floor: VersionVector) -> Steps[None]:
        before = yield from calls.Tops(self.user)
        seen = self._covered
        if frame.messages or floor:
            appended, moves = yield from append_rehoming(
                self.user, frame.messages, upto=before.merge(upto), floor=floor or None
            )
            self.events += moves
            news = [e for e in frame.messages if e.counter > seen[e.device]]
            if news and appended.added:
                self.events.append(Arrived(self.user, news))
        covered = self._covered.merge(upto) if isinstance(frame, Push) else upto
        if covered != self._covered:
            self._covered = covered
            yield from calls.ResetCursor(self.user, f"{self._reader}#{self._view}", covered)
