"""A client's own log: what is sent of it, what comes back, and how the two are mended."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from strandlog.errors import GapError, RemoteProtocolError
from strandlog.model import Entry, Identity, Reader
from strandlog.protocol import calls
from strandlog.protocol.calls import Steps
from strandlog.protocol.events import (
    Arrived,
    Diverged,
    Event,
    Recovered,
    Rehomed,
    ServerLostData,
    Supplied,
    UploadBlocked,
    Uploaded,
    Withdrawn,
)
from strandlog.protocol.frames import (
    PROTOCOL_VERSION,
    Ack,
    Add,
    Base,
    ErrorFrame,
    Hello,
    PageLimit,
    Push,
    Reply,
    Saw,
)
from strandlog.protocol.rehoming import append_rehoming, rehome_branch
from strandlog.vector import VersionVector

__all__ = ["SERVER", "OwnLog"]

SERVER = "~server"
"""The reader under which a client keeps its ``last_synced``."""

UPLOAD_MESSAGES = 200  # as large as a page: bench/README.md
UPLOAD_BYTES = 65_536

# Refusals in a row that each change what is sent next. Stepping back doubles, so
# the longest log takes 40; a server that goes on refusing is broken.
_REFUSALS_MAX = 100


class _Sent(enum.Enum):
    """Which frame is being answered."""

    HELLO = "hello"
    ADD = "add"
    SUPPLY = "supply"


@dataclass(slots=True)
class _Asked:
    """The one frame that is under way."""

    kind: _Sent
    seq: int = 0
    messages: Sequence[Entry] = ()
    base: Base | None = None
    device: str = ""


class OwnLog:
    """The state of one connection towards the reader's own log.

    One frame is under way at a time; :meth:`next_frame` says which comes next.

    Attributes:
        renamed_to: Set once this device's own branch was re-homed: the session
            is over, and goes on under this name.
        recovering: The server holds own entries that were lost here; until they
            are back, no new counter may be assigned.
    """

    def __init__(self, reader: Reader, *, session: int, live: bool) -> None:
        self.reader = reader
        self.events: list[Event] = []
        self.renamed_to: str | None = None
        self.recovering = False
        self.epoch: str | None = None
        self._session = session
        self._live = live
        self._asked: _Asked | None = None
        self._greet = True
        self._caught_up = False
        self._synced = -1  # not loaded
        self._told = VersionVector()  # what the server's last upto said
        self._first = True
        self._compared = False
        self._comparing: dict[str, int] = {}
        self._retip: set[str] = set()
        self._wants: dict[str, tuple[int, int]] = {}
        self._withdrawn: set[Identity] = set()
        self._blocked = False
        self._verify = False
        self._step = 0
        self._skipped_from: int | None = None
        self._refusals = 0
        self._upload_limit = UPLOAD_MESSAGES
        self._acked = VersionVector()

    @property
    def waiting(self) -> bool:
        """Whether a frame of this log is being answered."""
        return self._asked is not None

    @property
    def live(self) -> bool:
        """Whether the server now pushes changes."""
        return self._live and self._caught_up

    def greet_again(self) -> None:
        """Start over with a hello, which finds out what is amiss."""
        self._greet = True

    # -- sending -----------------------------------------------------------------

    def next_frame(self) -> Steps[Hello | Add | None]:
        """Come to the next frame to send, or ``None`` while there is nothing to say."""
        if self._asked is not None or self.renamed_to is not None:
            return None
        yield from self._load()
        if self._greet:
            return (yield from self._hello())
        while self._wants:
            supply = yield from self._supply()
            if supply is not None:
                return supply
        if self._blocked:
            return None
        messages = yield from self._slice(self.reader.device, self._synced)
        if not messages:
            return None
        if not self._sendable(messages):
            return (yield from self._hello())  # which compares what they redact
        messages = self._sendable(messages)
        if not self._live:
            return (yield from self._hello())
        self._asked = _Asked(_Sent.ADD, messages=messages)
        return Add(messages=self._as_sent(messages))

    def _load(self) -> Steps[None]:
        if self._synced < 0:
            cursor = yield from calls.LoadCursor(self.reader.user, SERVER)
            self._synced = cursor[self.reader.device]

    def _hello(self) -> Steps[Hello]:
        user, own = self.reader
        # Nothing is read: tops and floors of one snapshot are what is wanted here.
        page = yield from calls.Read(user=user, after=VersionVector(), limit=0, max_bytes=0)
        tops, floor = page.tops, page.floor
        self._synced = min(self._synced, tops[own])
        verify, self._verify = self._verify, False
        silent = self._blocked or verify
        messages = [] if silent else self._sendable((yield from self._slice(own, self._synced)))
        base_counter = messages[0].counter - 1 if messages else tops[own]
        have = {d: n for d, n in tops.items() if d != own} | self._comparing
        tipped = {
            d: n
            for d, n in have.items()
            if n
            and d not in self._comparing
            and (self._first or n > self._told[d] or d in self._retip)
        }
        at = tipped | ({own: base_counter} if base_counter else {})
        digests = yield from calls.Digests(user, at)
        base_digest = digests.get(own)
        base = Base(base_counter, base_digest) if base_digest else None
        self._asked = _Asked(_Sent.HELLO, tops[own], messages, base)
        self._greet = self._first = False
        self._retip.clear()
        self._acked = tops.replace(self._comparing)
        return Hello(
            seq=tops[own],
            messages=self._as_sent(messages),
            v=PROTOCOL_VERSION,
            base=base,
            have=VersionVector(have),
            tips={d: digest for d in tipped if (digest := digests[d])},
            floor=floor or None,
            limit=PageLimit(UPLOAD_MESSAGES, UPLOAD_BYTES),
            live=self._live,
            session=self._session,
        )

    def _slice(self, device: str, after: int) -> Steps[list[Entry]]:
        page = yield from calls.Read(
            user=self.reader.user,
            after=VersionVector({device: after}),
            devices={device},
            limit=self._upload_limit,
            max_bytes=UPLOAD_BYTES,
        )
        entries = list(page.entries)
        # Up to the first hole only (below a floor there is nothing to send).
        for place, entry in enumerate(entries):
            if entry.counter != entries[0].counter + place:
                return entries[:place]
        return entries

    def _sendable(self, messages: list[Entry]) -> list[Entry]:
        """Return the messages up to the first that has to wait.

        A redaction names its target by device and counter. Until it is known that
        the server has the same history of that device, it might take the content
        of another entry there; once it was sent, nothing could be done about it.
        """
        if self._compared:
            return messages
        for place, entry in enumerate(messages):
            if entry.redacts is not None and entry.redacts.device != self.reader.device:
                return messages[:place]
        return messages

    def _as_sent(self, messages: Sequence[Entry]) -> list[Entry]:
        return [e.withdrawn() if e.identity in self._withdrawn else e for e in messages]

    def _supply(self) -> Steps[Add | None]:
        device = min(self._wants)
        first, last = self._wants[device]
        messages = [e for e in (yield from self._slice(device, first - 1)) if e.counter <= last]
        if not messages or messages[0].counter != first:
            # Another device may have it: silence, not an error.
            del self._wants[device]
            return None
        self._asked = _Asked(_Sent.SUPPLY, messages=messages, device=device)
        return Add(messages=self._as_sent(messages), device=device)

    def ack(self) -> Steps[Saw | None]:
        """Come to the ack of what was stored since the last one."""
        tops = yield from calls.Tops(self.reader.user)
        news = {d: n for d, n in tops.items() if n > self._acked[d] and d not in self._comparing}
        if not news:
            return None
        self._acked = self._acked.merge(news)
        return Saw(have=VersionVector(news))

    # -- answers -----------------------------------------------------------------

    def receive_reply(self, reply: Reply) -> Steps[None]:
        """Take the answer to a hello: store the page, then note what the server holds."""
        asked = self._answered(_Sent.HELLO)
        if reply.seq is None or reply.upto is None:
            raise RemoteProtocolError("the answer to a hello lacks seq or upto")
        own = self.reader.device
        self.epoch = reply.epoch
        self._refusals = self._step = 0
        messages, proven = reply.messages, self._proven(asked, reply)
        if proven < asked.seq and not self._blocked:
            # The server's own entries go on where ours end only if ours are the
            # server's up to there, and a slice that is still unsent may show a fork.
            messages = [entry for entry in messages if entry.device != own]
        tops = yield from self._store(messages, reply.floor, sent=proven)
        if self.renamed_to is not None:
            return
        yield from self._note_synced(asked, reply, proven=min(proven, tops[own]))
        self._told = reply.upto
        for device in reply.diverged:
            if device not in self._comparing:
                self.events.append(Diverged(self.reader.user, device))
            self._comparing[device] = 0
        for device in [d for d in self._comparing if d not in reply.diverged]:
            self._comparing[device] = reply.upto[device]
            if reply.upto[device] >= tops[device] or not reply.more:
                del self._comparing[device]
        for device, (first, last) in reply.want.items():
            self._wants[device] = (first, last)
            self._retip.add(device)
        self.recovering = reply.seq > tops[own]
        self._compared = not (reply.more or reply.diverged or self._wants)
        self._caught_up = not (reply.more or reply.diverged)
        self._greet = self._greet or not self._caught_up

    def _proven(self, asked: _Asked, reply: Reply) -> int:
        """Return up to which own counter the server is now known to hold the same entries."""
        assert reply.seq is not None  # noqa: S101  # checked by the caller
        base, synced = asked.base, self._synced
        if base and reply.seq >= base.counter > reply.floor[self.reader.device]:
            synced = max(synced, base.counter)
        if asked.messages:
            synced = max(synced, asked.messages[-1].counter)
        # A higher seq alone proves nothing about the bytes that are held here.
        return min(synced, reply.seq)

    def _note_synced(self, asked: _Asked, reply: Reply, *, proven: int) -> Steps[None]:
        assert reply.seq is not None  # noqa: S101  # checked by the caller
        before = self._synced
        if reply.seq < before:
            self.events.append(ServerLostData(before, reply.seq))
            self._greet = True
        yield from self._set_synced(proven)
        if asked.messages and self._synced > before:
            self.events.append(Uploaded(self._synced - before, self._synced))

    def _set_synced(self, counter: int) -> Steps[None]:
        if counter != self._synced:
            self._synced = counter
            vector = VersionVector({self.reader.device: counter})
            yield from calls.ResetCursor(self.reader.user, SERVER, vector)

    def receive_push(self, push: Push) -> Steps[None]:
        """Take live entries."""
        under_way = self._asked.messages if self._asked else ()
        sent = max((e.counter for e in under_way if e.device == self.reader.device), default=0)
        try:
            yield from self._store(push.messages, VersionVector(), sent=sent)
        except GapError:
            self._greet = True  # something before them was missed
            return
        if push.upto is not None:
            self._told = self._told.merge(push.upto)

    def _store(
        self, entries: Sequence[Entry], floor: VersionVector, *, sent: int
    ) -> Steps[VersionVector]:
        """Store what came, dense as the own log is; return the tops thereafter.

        *sent* is up to which own counter the server may hold what was sent since.
        """
        user, own = self.reader
        before = yield from calls.Tops(user)
        if entries or floor:
            _, moves = yield from append_rehoming(
                user,
                entries,
                floor=floor or None,
                unsent_after={own: max(self._synced, sent)},
            )
            for move in moves:
                self._note_rehomed(move)
            news = [e for e in entries if e.counter > before[e.device] or moves]
            if lost := [e for e in news if e.device == own]:
                self.events.append(Recovered(lost))
                # The next hello has its base at the own top. That it is the server's
                # shows what came from there to be there, without sending it back.
                self._verify = True
            if arrived := [e for e in news if e.device != own]:
                self.events.append(Arrived(user, arrived))
        return (yield from calls.Tops(user))

    def _note_rehomed(self, move: Rehomed) -> None:
        self.events.append(move)
        self._comparing.pop(move.from_device, None)
        self._wants.pop(move.from_device, None)
        self._greet = True
        self._compared = False
        # A branch that moved in parts goes on under the name of its end, which moves first.
        if move.from_device == self.reader.device and self.renamed_to is None:
            self.renamed_to = move.to_device

    def receive_ack(self, ack: Ack) -> Steps[None]:
        """Take the answer to an add."""
        asked = self._asked
        if asked is None or asked.kind is _Sent.HELLO:
            raise RemoteProtocolError("an ack came that nothing was sent for")
        self._asked = None
        self._refusals = 0
        last = asked.messages[-1].counter
        if asked.kind is _Sent.SUPPLY:
            first_wanted, last_wanted = self._wants.pop(asked.device, (0, 0))
            self.events.append(Supplied(asked.device, asked.messages[0].counter, last))
            if first_wanted and last < last_wanted:
                self._wants[asked.device] = (last + 1, last_wanted)
            return
        if ack.seq is None or ack.seq < last:
            raise RemoteProtocolError(f"the ack of {last} says {ack.seq}")
        count = last - self._synced
        yield from self._set_synced(max(self._synced, last))
        self.events.append(Uploaded(count, self._synced))

    # -- refusals ----------------------------------------------------------------

    def receive_refusal(self, error: ErrorFrame) -> Steps[None]:
        """Take the error that answers the frame under way, and mend what can be mended.

        Raises:
            RemoteProtocolError: The server refuses what no client could mend.
        """
        asked, self._asked = self._asked, None
        if asked is None:
            return
        self._refusals += 1
        if self._refusals > _REFUSALS_MAX and (asked.kind is _Sent.SUPPLY or not asked.messages):
            raise RemoteProtocolError(
                f"the server goes on refusing: {error.code}: {error.message}",
                remote_code=error.code,
            )
        if asked.kind is _Sent.SUPPLY:
            self._refused_supply(asked, error)
            return
        self._greet = True
        if self._refusals > _REFUSALS_MAX:
            self._block(error)  # reading has to go on
            return
        own_top = (yield from calls.Tops(self.reader.user))[self.reader.device]
        counter = _number(error, "counter")
        match error.code:
            case "gap":
                yield from self._lost(min((_number(error, "expected") or 1) - 1, own_top), error)
            case "fork" if counter is not None:
                yield from self._forked(asked, counter)
            case "trimmed":
                floor = _number(error, "floor") or 0
                if self._skipped_from is None:
                    self._skipped_from = self._synced + 1
                if own_top > floor:
                    yield from self._set_synced(floor)
                else:
                    yield from self._rehome_own(self._skipped_from)
            case "bad-seq" if counter is not None and counter > 1:
                yield from self._rehome_own(counter)
            case "rejected" | "too-large" | "bad-seq" if asked.messages:
                self._withdraw(asked, counter, error)
            case _ if asked.messages:
                self._block(error)
            case _:
                raise RemoteProtocolError(f"{error.code}: {error.message}", remote_code=error.code)

    def _lost(self, held: int, error: ErrorFrame) -> Steps[None]:
        if held < self._synced:
            self.events.append(ServerLostData(self._synced, held))
        elif held == self._synced:
            self._block(error)  # what the server takes next was trimmed here
        yield from self._set_synced(max(0, held))

    def _forked(self, asked: _Asked, counter: int) -> Steps[None]:
        base = asked.base
        if base is None or counter != base.counter:
            # What stands before the messages is the same, so here is where they part.
            start = counter
            if self._skipped_from is not None:
                start = min(start, self._skipped_from)
            yield from self._rehome_own(start)
            return
        # The base itself differs: step back, twice as far each time, until one is
        # the same; the messages after it then show where the histories part.
        self._step = max(1, self._step * 2)
        yield from self._set_synced(max(0, counter - self._step))
        self._blocked = False

    def _rehome_own(self, counter: int) -> Steps[None]:
        moves = yield from rehome_branch(self.reader.user, self.reader.device, counter)
        if not moves:
            raise RemoteProtocolError(f"the server names {counter}, which is not held here")
        for move in moves:
            self._note_rehomed(move)

    def _withdraw(self, asked: _Asked, counter: int | None, error: ErrorFrame) -> None:
        if counter is None and len(asked.messages) > 1:
            self._upload_limit = max(1, len(asked.messages) // 2)  # the frame is too large
            return
        at = counter if counter is not None else asked.messages[0].counter
        identity = Identity(asked.messages[0].device, at)
        if identity in self._withdrawn:
            self._block(error)
            return
        self._withdrawn.add(identity)
        self._refusals = 0  # one less to be refused
        self.events.append(Withdrawn(identity, error.code, error.message))

    def _block(self, error: ErrorFrame) -> None:
        self._blocked = True
        self.events.append(UploadBlocked(error.code, error.message))

    def _refused_supply(self, asked: _Asked, error: ErrorFrame) -> None:
        device = asked.device
        _, last = self._wants.pop(device, (0, 0))
        expected = _number(error, "expected")
        if error.code == "fork":
            self._comparing[device] = 0
            self._greet = True
            self.events.append(Diverged(self.reader.user, device))
        elif error.code == "gap" and expected is not None and expected <= last:
            self._wants[device] = (expected, last)
        elif error.code in ("rejected", "too-large"):
            before = len(self._withdrawn)
            self._withdraw(asked, _number(error, "counter"), error)
            if len(self._withdrawn) > before or self._upload_limit < len(asked.messages):
                self._wants[device] = (asked.messages[0].counter, last)

    def _answered(self, kind: _Sent) -> _Asked:
        asked, self._asked = self._asked, None
        if asked is None or asked.kind is not kind:
            raise RemoteProtocolError(f"an answer to a {kind.value} came that was not sent")
        return asked


def _number(error: ErrorFrame, name: str) -> int | None:
    value = error.detail.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
