"""What a client does on each frame of one connection.

The driver, which owns transport and stores, works in this order::

    frames = yield from session.next_frames()         what is to be sent now
    yield from session.receive(frame)                 one frame from the server
    events = session.next_events()                    what to tell the application

and asks again for frames after each frame received, whenever the local log has
got new entries, and after :meth:`ClientSession.acknowledge` was due. One frame
of this side is under way at a time, so answers need no numbers; pushes come in
between. The own log comes first: others' are followed once it has caught up.
"""

from __future__ import annotations

from collections.abc import Iterable

from strandlog.errors import (
    AuthError,
    ErasedError,
    ForbiddenError,
    RateError,
    RemoteProtocolError,
    ShuttingDownError,
    StoreUnavailableError,
    SupersededError,
    VersionError,
)
from strandlog.model import Reader
from strandlog.protocol.calls import Steps
from strandlog.protocol.events import Event
from strandlog.protocol.followed import FollowedLog
from strandlog.protocol.frames import Ack, ClientFrame, ErrorFrame, Push, Reply, ServerFrame
from strandlog.protocol.own import OwnLog

__all__ = ["ClientSession"]


class ClientSession:
    """One conversation with a server.

    Args:
        reader: Which device this is.
        session: When this client started, in milliseconds since 1970.
        live: Whether to stay and be told of changes.
        follow: Users whose logs are followed as well.

    Attributes:
        own: The conversation about the own log.
    """

    def __init__(
        self, reader: Reader, *, session: int, live: bool, follow: Iterable[str] = ()
    ) -> None:
        self.own = OwnLog(reader, session=session, live=live)
        self._followed = {user: FollowedLog(reader, user, live=live) for user in follow}
        self._settled = False
        self._greeted = False

    @property
    def greeted(self) -> bool:
        """Whether the server has answered with a page: it works."""
        return self._greeted

    @property
    def renamed_to(self) -> str | None:
        """The device under which to go on, once the own branch was re-homed."""
        return self.own.renamed_to

    @property
    def recovering(self) -> bool:
        """Whether own entries are missing here, so that no counter may be assigned."""
        return self.own.recovering

    @property
    def settled(self) -> bool:
        """Whether, when last asked, nothing was left to send and nothing awaited."""
        return self._settled

    def next_frames(self) -> Steps[list[ClientFrame]]:
        """Come to the frames to send now; none while an answer is awaited."""
        self._settled = False
        if self._waiting() or self.renamed_to is not None:
            return []
        frame = yield from self.own.next_frame()
        if frame is not None:
            return [frame]
        for log in self._followed.values():
            hello = yield from log.next_frame()
            if hello is not None:
                return [hello]
        self._settled = True
        return []

    def acknowledge(self) -> Steps[list[ClientFrame]]:
        """Come to the acks that are due; worth calling now and then, not for each push."""
        acks = [(yield from self.own.ack()), *(log.ack() for log in self._followed.values())]
        return [ack for ack in acks if ack is not None]

    def receive(self, frame: ServerFrame) -> Steps[None]:
        """Take one frame of the server.

        Raises:
            RemoteProtocolError: The server broke the rules, or refused what
                cannot be mended; the connection is of no more use.
            StoreUnavailableError, RateError, ShuttingDownError: Come back later.
            ErasedError: The own log was erased; nothing was done to the local one.
        """
        self._settled = False
        match frame:
            case Reply():
                self._greeted = True
                log = self._answering()
                if log is None:
                    yield from self.own.receive_reply(frame)
                else:
                    yield from log.receive_reply(frame)
            case Push(user=None):
                yield from self.own.receive_push(frame)
            case Push():
                followed = self._followed.get(frame.user or "")
                if followed is not None:
                    yield from followed.receive_push(frame)
            case Ack():
                yield from self.own.receive_ack(frame)
            case ErrorFrame():
                yield from self._refused(frame)

    def next_events(self) -> list[Event]:
        """Hand over, once, what there is to tell."""
        events: list[Event] = []
        queues = [self.own.events, *(log.events for log in self._followed.values())]
        for queue in queues:
            events += queue
            queue.clear()
        return events

    def _refused(self, error: ErrorFrame) -> Steps[None]:
        _raise_if_final(error, self.own.reader)
        if error.user is not None and error.user != self.own.reader.user:
            followed = self._followed.get(error.user)
            if followed is not None:
                yield from followed.receive_refusal(error)
            return
        if error.code == "erased":
            generation = error.detail.get("generation")
            raise ErasedError(
                self.own.reader.user, generation if isinstance(generation, int) else 0
            )
        if error.code == "forbidden":
            raise ForbiddenError(error.message, remote_code=error.code)
        if self._waiting() and self._answering() is None:
            yield from self.own.receive_refusal(error)
            return
        raise RemoteProtocolError(f"{error.code}: {error.message}", remote_code=error.code)

    def _waiting(self) -> bool:
        return self.own.waiting or self._answering() is not None

    def _answering(self) -> FollowedLog | None:
        return next((log for log in self._followed.values() if log.waiting), None)


def _raise_if_final(error: ErrorFrame, reader: Reader) -> None:
    """Raise what ends a connection, whatever was under way."""
    text = error.message or error.code
    after = error.detail.get("retry_after")
    seconds = float(after) if isinstance(after, int | float) else 1.0
    match error.code:
        case "store-unavailable":
            raise StoreUnavailableError(f"the server: {text}", retry_after_seconds=seconds)
        case "rate":
            raise RateError(text, retry_after_seconds=seconds)
        case "shutting-down":
            raise ShuttingDownError(text, retry_after_seconds=seconds)
        case "superseded":
            raise SupersededError(f"{reader}: {text}", remote_code=error.code)
        case "auth":
            raise AuthError(text, remote_code=error.code)
        case "version":
            v, vmin = error.detail.get("v"), error.detail.get("vmin")
            raise VersionError(
                text,
                v=v if isinstance(v, int) else 0,
                vmin=vmin if isinstance(vmin, int) else 0,
            )
    if error.fatal:
        raise RemoteProtocolError(f"{error.code}: {text}", remote_code=error.code)
