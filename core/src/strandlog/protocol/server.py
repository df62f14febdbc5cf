"""What a server does on each frame of one connection.

The driver hands in a decoded frame, carries out the calls that come
(:mod:`.calls`) and writes the frames that are returned::

    frames = yield from session.receive(frame)      one frame, one answer, in order
    frames = yield from session.push(user)          a log has changed: what is due?

A session follows the reader's own log and any number of others, with a
:class:`~.feed.Feed` for each. After an error frame it goes on. Nothing here
knows content: it is bytes with a digest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from strandlog.errors import (
    BadFrameError,
    ErasedError,
    ForbiddenError,
    ForkError,
    GapError,
    InvalidSeqError,
    RejectedError,
    StoreError,
    StoreUnavailableError,
    StrandlogError,
    TooLargeError,
    VersionError,
)
from strandlog.model import Entry, Identity, Reader, Seq
from strandlog.page import Page
from strandlog.protocol import calls
from strandlog.protocol.calls import Steps
from strandlog.protocol.feed import NOTHING, Feed, view_name
from strandlog.protocol.frames import (
    PROTOCOL_VERSION,
    Ack,
    Add,
    ClientFrame,
    Hello,
    Push,
    Reply,
    Saw,
    ServerFrame,
    error_frame,
)
from strandlog.protocol.limits import Limits
from strandlog.vector import VersionVector

__all__ = ["ServerSession"]

_UNCONFIRMED_MAX = 1_000


class ServerSession:
    """The server's half of one connection, or of one POST.

    Args:
        reader: Who is connected.
        limits: What is taken and given at most.
        epoch: The store's, shown to the client.
        stream: Whether there is a connection: a POST is answered by one frame.
    """

    def __init__(self, reader: Reader, *, limits: Limits, epoch: str, stream: bool = True) -> None:
        self.reader = reader
        self._limits = limits
        self._epoch = epoch
        self._stream = stream
        self._feeds: dict[str, Feed] = {}
        self._version = 0

    @property
    def live_logs(self) -> set[str]:
        """The logs whose changes have to be told to the reader, by :meth:`push`."""
        return {user for user, feed in self._feeds.items() if feed.live}

    def receive(self, frame: ClientFrame) -> Steps[list[ServerFrame]]:
        """Take one frame; come to its answer, which may be an error frame."""
        user = self.reader.user
        if isinstance(frame, Hello | Saw) and frame.user:
            user = frame.user
        try:
            match frame:
                case Hello() if user == self.reader.user:
                    return [(yield from self._hello(frame))]
                case Hello():
                    return [(yield from self._hello_of_another(frame, user))]
                case Add():
                    return [(yield from self._add(frame))]
                case Saw():
                    yield from self._saw(frame, user)
            return []
        except StrandlogError as error:
            ref = frame.id if isinstance(frame, Hello | Add) else None
            return [error_frame(error, user=self._named(user), ref=ref)]

    # -- hello to the own log ----------------------------------------------------

    def _hello(self, hello: Hello) -> Steps[Reply]:
        user, own = self.reader
        self._take_version(hello)
        seq = self._own_top(hello)
        self._check_slice(hello.messages, own)
        if hello.messages and hello.messages[-1].counter > seq:
            raise InvalidSeqError(
                f"counter {hello.messages[-1].counter} lies above the seq {seq} of this hello"
            )
        if self._version and hello.have is None:
            raise BadFrameError("a version 1 hello says what it has")

        feed = self._feed(user)
        have = (hello.have or NOTHING).replace({own: seq})
        if self._version:
            yield from self._check_base(hello)
            yield from feed.compare(hello, have)
        # Append comes before read, so that the page reflects it and the answer is its ack.
        durable = None
        if hello.messages:
            durable = yield from self._append_own(hello.messages, hello.floor or NOTHING)
        self._agree_page(feed, hello)
        try:
            if hello.have is None:
                have = yield from self._remembered(feed, have)
            page, own_only = yield from self._read(feed, have)
            yield from self._check_erased(user, page)
            if hello.have is not None:
                yield from self._set_cursor(feed, have.clamp(page.tops))
        except StoreError:
            if durable is None:
                raise
            # What was stored is acknowledged although nothing can be read just now.
            page, own_only = Page((), have, True, have.replace(durable), NOTHING), False
        if not self._version:
            page = feed.cut(page, have, Reply(messages=(), seq=page.tops[own]))
            return self._reply_v0(feed, page, own_only=own_only)

        floor = hello.floor or NOTHING
        more = page.more or own_only
        want = {} if more else feed.want(have, page.tops, floor)
        draft = Reply(
            messages=(),
            seq=page.tops[own],
            upto=page.upto,
            more=more,
            v=PROTOCOL_VERSION,
            epoch=self._epoch,
            diverged=sorted(feed.diverged),
            want=want,
            floor=page.floor,
            ref=hello.id,
        )
        page = feed.cut(page, have, draft)
        if page.more and not more:
            more, want = True, {}
        feed.begin(page, live=self._stream and bool(hello.live) and not more)
        feed.note_wanted(want, page.tops, floor)
        return replace(draft, messages=page.entries, upto=page.upto, more=more, want=want)

    def _take_version(self, hello: Hello) -> None:
        if hello.v is not None and not 0 <= hello.v <= PROTOCOL_VERSION:
            raise VersionError(f"version {hello.v} is not spoken here", v=PROTOCOL_VERSION, vmin=0)
        self._version = hello.v or 0

    def _own_top(self, hello: Hello) -> int:
        if hello.seq is None:
            raise BadFrameError("a hello to the own log says its seq, the own top")
        if isinstance(hello.seq, Seq):
            if hello.seq.device != self.reader.device:
                raise InvalidSeqError(f"{hello.seq} is not a seq of {self.reader.device}")
            return hello.seq.counter
        return hello.seq

    def _check_base(self, hello: Hello) -> Steps[None]:
        if hello.base is None:
            return
        user, own = self.reader
        held = yield from calls.Digests(user, {own: hello.base.counter})
        if held[own] not in (None, hello.base.digest):
            raise ForkError(own, hello.base.counter)

    def _remembered(self, feed: Feed, have: VersionVector) -> Steps[VersionVector]:
        """Return what a version 0 reader holds: the server remembers it."""
        user, own = self.reader
        cursor = yield from calls.LoadCursor(user, feed.cursor_name)
        tops = yield from calls.Tops(user)
        if have[own] < tops[own]:
            # It lost data, so what was recorded of it counts no more.
            cursor = NOTHING
            yield from self._set_cursor(feed, cursor)
        return cursor.replace({own: have[own]})

    def _read(self, feed: Feed, have: VersionVector) -> Steps[tuple[Page, bool]]:
        """Read one page; say whether it is of the reader's own lost entries only."""
        page = yield from feed.read(have)
        own = self.reader.device
        if page.tops[own] <= have[own] or not (self._version or self._stream):
            return page, False
        # The reader lost entries of its own. It gets these first, and them
        # alone: until it has them it must not assign a new counter.
        return (yield from feed.read(have, own_only=True)), True

    def _reply_v0(self, feed: Feed, page: Page, *, own_only: bool) -> Reply:
        # Without entries it only says that nothing could be read; the ack stands.
        if page.more and page.entries and not self._stream:
            raise TooLargeError(
                "the backlog does not fit one answer: send 'v': 1 and 'have' to page through it",
                limit=self._limits.frame_bytes,
            )
        feed.begin(page, live=self._stream)
        feed.backlog = page.more or own_only
        feed.own_first = own_only and page.more
        self._await_confirmation(feed, page)
        return Reply(messages=page.entries, seq=page.tops[self.reader.device])

    # -- hello to another's log --------------------------------------------------

    def _hello_of_another(self, hello: Hello, user: str) -> Steps[Reply]:
        self._take_version(hello)
        if not self._version:
            raise BadFrameError("another's log takes a version 1 hello")
        if hello.seq is not None or hello.messages or hello.base is not None:
            raise ForbiddenError(f"{self.reader} does not write the log of {user}")
        scopes = yield from calls.Visible(self.reader, user)
        if scopes is not None and not scopes:
            self._feeds.pop(user, None)
            raise ForbiddenError(f"{self.reader} may see nothing of the log of {user}")
        self._check_room(user)
        feed = self._feed(user)
        feed.live = False
        if feed.view != (view := view_name(scopes)):
            feed.cursor = None  # each view has its own
        feed.scopes, feed.view = scopes, view
        # What was held through another view says nothing about what this one shows.
        have = hello.have if hello.have is not None and hello.view == feed.view else NOTHING
        yield from feed.compare(hello, have)
        self._agree_page(feed, hello)
        page = yield from feed.read(have)
        yield from self._check_erased(user, page)
        yield from self._set_cursor(feed, have.clamp(page.tops))
        draft = Reply(
            messages=(),
            upto=page.upto,
            more=page.more,
            v=PROTOCOL_VERSION,
            epoch=self._epoch,
            user=user,
            view=feed.view,
            diverged=sorted(feed.diverged),
            floor=page.floor,
            ref=hello.id,
        )
        page = feed.cut(page, have, draft)
        feed.begin(page, live=self._stream and bool(hello.live) and not page.more)
        return replace(draft, messages=page.entries, upto=page.upto, more=page.more)

    def _check_erased(self, user: str, page: Page) -> Steps[None]:
        # An erased log reads like one that never was; appends alone tell them apart.
        if page.tops:
            return
        try:
            yield from calls.Append(user, ())
        except ErasedError:
            raise
        except StoreError:
            return  # a store that cannot be written can still be read

    # -- add and ack -------------------------------------------------------------

    def _add(self, add: Add) -> Steps[Ack]:
        user, own = self.reader
        device = add.device or own
        if not add.messages:
            raise BadFrameError("an add has messages")
        self._check_slice(add.messages, device)
        feed = self._feeds.get(user)
        trimmed = feed.wanted.get(device, 0) if feed else 0
        floor = VersionVector({device: trimmed}) if trimmed else None
        durable = yield from self._append(add.messages, floor=floor)
        if feed is not None:
            first, last = add.messages[0].counter, add.messages[-1].counter
            feed.note_upload(device, first=first, last=last)
        if add.device is None:
            return Ack(seq=durable[own], ref=add.id)
        return Ack(tops=VersionVector({device: durable[device]}), ref=add.id)

    def _saw(self, saw: Saw, user: str) -> Steps[None]:
        feed = self._feeds.get(user)
        # An ack has no answer, so one that comes before any hello is passed over,
        # as is a late one from before the view changed.
        if feed is None or (saw.view is not None and saw.view != feed.view):
            return
        vector = saw.have
        if vector is None and not self._version and feed.unconfirmed:
            vector = feed.unconfirmed.popleft()
        if vector is None:
            return
        # No cursor rises above what was sent, whatever a client claims to have seen.
        vector = vector.clamp(feed.sent)
        if feed.cursor is None or not feed.cursor.covers(vector):
            feed.cursor = yield from calls.AdvanceCursor(user, feed.cursor_name, vector)

    # -- live --------------------------------------------------------------------

    def push(self, user: str) -> Steps[list[ServerFrame]]:
        """Come to the frame that is due because *user*'s log may have changed.

        One page at most; call again until nothing comes. What is unsent is
        found by reading after what was sent: so a slow reader costs no memory,
        and a lost or doubled wake-up does no harm.

        Raises:
            StoreUnavailableError: Nothing was read; call again later. Nobody
                asked, so nobody is told: the reader would take an error for the
                answer to its own frame.
        """
        feed = self._feeds.get(user)
        if feed is None or not feed.live:
            return []
        try:
            return (yield from self._push(feed))
        except StoreUnavailableError:
            raise
        except StrandlogError as error:
            feed.live = False
            return [error_frame(error, user=self._named(user))]

    def _push(self, feed: Feed) -> Steps[list[ServerFrame]]:
        if not feed.own:
            now = yield from calls.Visible(self.reader, feed.user)
            if now is not None and (feed.scopes is None or not feed.scopes <= now):
                # Part of the view was revoked. To push the rest would raise what
                # the reader covers above entries that a later grant shows again,
                # so it has to greet anew and is given a new view.
                raise ForbiddenError(f"the view of {self.reader} on {feed.user} has changed")
        if feed.pending:
            yield from feed.compare_pending()
        own_first, backlog = feed.own_first, feed.backlog
        page = yield from feed.read(feed.sent, own_only=own_first)
        draft: Push | Reply = Push(messages=(), user=self._named(feed.user), view=feed.view or None)
        if self._version:
            draft = replace(draft, upto=NOTHING)
        elif backlog:
            draft = Reply(messages=(), seq=page.tops[self.reader.device])
        page = feed.cut(page, feed.sent, draft)
        feed.own_first = own_first and page.more
        feed.backlog = backlog and (page.more or own_first)
        news = feed.advance(page)
        if not page.entries:
            return []
        if self._version:
            return [replace(draft, messages=page.entries, upto=news)]
        self._await_confirmation(feed, page)
        return [replace(draft, messages=page.entries)]

    # -- shared ------------------------------------------------------------------

    def _check_slice(self, messages: Sequence[Entry], device: str) -> None:
        """Check what can be told of an upload from its messages alone."""
        if len(messages) > self._limits.frame_messages:
            raise TooLargeError(
                f"{len(messages)} messages are more than {self._limits.frame_messages} a frame",
                limit=self._limits.frame_messages,
            )
        for expected, entry in enumerate(messages, messages[0].counter if messages else 0):
            if entry.device != device:
                raise InvalidSeqError(f"{entry.seq} is not an entry of {device}")
            if entry.wire_length > self._limits.message_bytes:
                raise TooLargeError(
                    f"counter {entry.counter} takes {entry.wire_length} bytes,"
                    f" {self._limits.message_bytes} are taken",
                    limit=self._limits.message_bytes,
                    counter=entry.counter,
                )
            # Without holes, the state that a store has to look at is no larger
            # than the frame.
            if entry.counter != expected:
                raise GapError(device, expected=expected, got=entry.counter)

    def _append_own(self, messages: Sequence[Entry], floor: VersionVector) -> Steps[VersionVector]:
        own = self.reader.device
        try:
            return (yield from self._append(messages))
        except GapError as error:
            # The store lost data, and what it takes next was trimmed at the client:
            # it is nowhere any more, so what follows joins there.
            if not error.expected <= floor[own] == messages[0].counter - 1:
                raise
        return (yield from self._append(messages, floor=VersionVector({own: floor[own]})))

    def _append(
        self, messages: Sequence[Entry], *, floor: VersionVector | None = None
    ) -> Steps[VersionVector]:
        """Append an upload; return the durable tops of its devices."""
        # What was refused comes again without its content, and is taken then.
        if judged := [entry for entry in messages if not entry.redacted]:
            yield from calls.Admit(self.reader, judged)
        yield from self._check_redactions(messages)
        user, first = self.reader.user, messages[0]
        try:
            appended = yield from calls.Append(user, messages, floor=floor)
        except ForkError as error:
            # At or below the floor nothing can be compared any more: what the batch
            # has there differs as well, for all that is known.
            page = yield from calls.Read(user=user, after=NOTHING, limit=0, max_bytes=0)
            if first.counter <= page.floor[first.device]:
                raise ForkError(first.device, first.counter) from error
            raise
        return appended.tops

    def _check_redactions(self, messages: Sequence[Entry]) -> Steps[None]:
        """Check that each redaction is seen by whoever sees its target."""
        scopes: dict[Identity, str] = {entry.identity: entry.scope for entry in messages}
        for entry in messages:
            target = entry.redacts
            if target is None:
                continue
            if target not in scopes:
                page = yield from calls.Read(
                    user=self.reader.user,
                    after=VersionVector({target.device: target.counter - 1}),
                    devices={target.device},
                    limit=1,
                    max_bytes=0,
                )
                scopes.update({found.identity: found.scope for found in page.entries})
            if scopes.get(target, entry.scope) == entry.scope:
                continue
            # What was taken before its target was known is not refused any more.
            held = yield from calls.Digests(self.reader.user, {entry.device: entry.counter})
            if held[entry.device] != entry.digest:
                raise RejectedError(entry.counter, "a redaction has the scope of its target")

    def _check_room(self, user: str) -> None:
        # Each log that is followed takes memory for as long as the connection lives.
        limit = self._limits.connection_logs
        if user not in self._feeds and len(self._feeds.keys() - {self.reader.user}) >= limit:
            raise TooLargeError(f"{limit} logs are followed here, as many as may be", limit=limit)

    def _feed(self, user: str) -> Feed:
        own = self.reader.device if user == self.reader.user else None
        return self._feeds.setdefault(user, Feed(user, self.reader, own))

    def _agree_page(self, feed: Feed, hello: Hello) -> None:
        limits = self._limits
        messages, size = limits.page_messages, limits.page_bytes
        if not (self._version or self._stream):
            messages, size = limits.frame_messages, limits.frame_bytes  # all in one answer
        if hello.limit is not None:
            messages = min(messages, hello.limit.messages or messages)
            size = min(size, hello.limit.bytes or size)
        feed.page_messages, feed.page_bytes = messages, size

    def _set_cursor(self, feed: Feed, vector: VersionVector) -> Steps[None]:
        if vector != feed.cursor:
            yield from calls.ResetCursor(feed.user, feed.cursor_name, vector)
            feed.cursor = vector

    def _await_confirmation(self, feed: Feed, page: Page) -> None:
        # Past the bound a frame goes unrecorded: its ack then moves nothing, which
        # costs a repetition later, while dropping the oldest would skip entries.
        if page.entries and len(feed.unconfirmed) < _UNCONFIRMED_MAX:
            feed.unconfirmed.append(feed.sent)

    def _named(self, user: str) -> str | None:
        return None if user == self.reader.user else user
