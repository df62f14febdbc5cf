"""One device's copy of the log: it takes entries offline and syncs when it can."""

from __future__ import annotations

import math
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress

import anyio
import stamina
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from strandlog.backend.registry import open_stores
from strandlog.backend.store import CursorStore, LogStore
from strandlog.client.local import Draft, LocalLog, Status, wall_clock
from strandlog.client.transport import Connect, Transport
from strandlog.clock import MAX_SKEW_MILLIS
from strandlog.driver import Driver
from strandlog.errors import (
    ConnectionLostError,
    InvalidArgumentError,
    RateError,
    ShuttingDownError,
    StoreUnavailableError,
    StrandlogError,
    SupersededError,
)
from strandlog.log import Log
from strandlog.model import Entry, Identity, Reader, check_device, check_user
from strandlog.protocol.client import ClientSession
from strandlog.protocol.codec import decode_server_frame, encode_frame
from strandlog.protocol.events import Arrived, Event

__all__ = ["Replica", "open_replica"]

# How long a live connection waits for more before it acknowledges: one ack then
# covers a burst of pushes, and each costs the server a write.
ACK_DELAY_SECONDS = 0.05

# A server that answers again should soon be found, and one that does not should
# be left alone: half a minute at most is what a person still waits for.
RECONNECT_SECONDS = 0.25
RECONNECT_MAX_SECONDS = 30.0

_SUPERSEDED_MAX = 3  # the protocol page, fencing
_INBOX = 16  # frames read ahead of the store

_Item = bytes | str | None | ConnectionLostError
"""What wakes a live connection: a frame, news in the local log (``None``), its end."""


class Replica:
    """The log of *user* as the device holds it, and its way to the server.

    :meth:`add` needs no network: what it returns is durable in the local store.
    :meth:`sync` exchanges once, :meth:`run` stays connected. All methods may be
    called from several tasks of one event loop; of :meth:`sync` and :meth:`run`
    one at a time does the work.

    The stores belong to the caller, who closes them; :func:`open_replica` does both.

    Args:
        user: Whose log.
        device: Which device writes here. If a fork was re-homed earlier, the
            replica goes on under the name it was given then: see :attr:`reader`.
        log: Where entries are kept; must declare ``sparse`` and ``rehome``.
        cursors: Where it is kept what the server and each view cover.
        follow: Users whose logs are copied too, as far as they may be seen.
        now: Returns the wall clock in milliseconds since 1970.
        max_skew_millis: How far ahead another device's clock is still believed.

    Raises:
        InvalidNameError: A name is outside its grammar.
        InvalidArgumentError: The store cannot keep a replica.
    """

    def __init__(
        self,
        user: str,
        device: str,
        *,
        log: LogStore,
        cursors: CursorStore,
        follow: Iterable[str] = (),
        now: Callable[[], int] = wall_clock,
        max_skew_millis: int = MAX_SKEW_MILLIS,
    ) -> None:
        if not (log.capabilities.sparse and log.capabilities.rehome):
            raise InvalidArgumentError(
                "this store cannot keep a replica: it does not declare sparse and rehome"
            )
        self._local = LocalLog(
            Reader(check_user(user), check_device(device)),
            Driver(log, cursors),
            now=now,
            max_skew_millis=max_skew_millis,
        )
        self._follow = tuple(check_user(name) for name in follow)
        self._started = now()
        self._busy = anyio.Lock()
        self._subscribers: list[MemoryObjectSendStream[Event]] = []
        self._wake: Callable[[], None] | None = None

    @property
    def reader(self) -> Reader:
        """Under which name this device writes: ``user/device``."""
        return self._local.reader

    @property
    def log(self) -> Log:
        """The local log, for reading: complete for the own user, sparse for those followed."""
        return self._local.log

    # -- writing -----------------------------------------------------------------

    async def add(
        self,
        content: bytes,
        *,
        scope: str = "private",
        redacts: Identity | None = None,
        meta: bytes | None = None,
    ) -> Entry:
        """Append one entry of this device; it is durable on return, online or not.

        Args:
            content: The UTF-8 text of exactly one JSON value, kept byte for byte.
            scope: Who may see it.
            redacts: The entry whose content this one takes away.
            meta: One JSON object, kept byte for byte.

        Raises:
            InvalidContentError, InvalidNameError: Nothing was added.
            InvalidArgumentError: It redacts an entry of another scope; nothing was added.
            StoreError: Nothing was added, or, if cancelled meanwhile, perhaps.
        """
        return (await self.add_many([Draft(content, scope, redacts, meta)]))[0]

    async def add_many(self, drafts: Sequence[Draft]) -> list[Entry]:
        """Append several entries, all or none; see :meth:`add`."""
        entries = await self._local.add(drafts)
        if self._wake is not None:
            self._wake()
        return entries

    # -- reading -----------------------------------------------------------------

    async def status(self) -> Status:
        """Return where the replica stands, from what the stores hold."""
        return await self._local.status()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[MemoryObjectReceiveStream[Event]]:
        """Give a stream of what happens from now on: arrivals and every repair.

        What is not taken from it waits in memory until the context ends.
        """
        send: MemoryObjectSendStream[Event]
        send, receive = anyio.create_memory_object_stream[Event](math.inf)
        self._subscribers.append(send)
        try:
            with receive:
                yield receive
        finally:
            self._subscribers.remove(send)
            send.close()

    @asynccontextmanager
    async def arrivals(self) -> AsyncIterator[AsyncIterator[Entry]]:
        """Give an iterator over the entries of others that arrive from now on."""
        async with self.events() as events:

            async def entries() -> AsyncGenerator[Entry, None]:
                async for event in events:
                    if isinstance(event, Arrived):
                        for entry in event.entries:
                            yield entry

            iterator = entries()
            try:
                yield iterator
            finally:
                await iterator.aclose()

    # -- syncing -----------------------------------------------------------------

    async def sync(self, connect: Connect) -> None:
        """Exchange with the server until neither side has anything left for the other.

        Cancelled or failed, it may be repeated: it goes on where it stopped.

        Raises:
            ConnectionLostError: The server cannot be reached or went away.
            RemoteProtocolError: The server refuses or misbehaves.
            ErasedError: The log was erased on the server; the local one stays.
        """
        async with self._busy:
            renamed = True
            while renamed:
                session = await self._session(live=False)
                async with connect(self.reader) as transport:
                    try:
                        await self._exchange(session, transport)
                    finally:
                        self._local.note_recovering(False)
                renamed = session.renamed_to is not None

    async def run(self, connect: Connect, *, superseded_wait_seconds: float = 30.0) -> None:
        """Stay connected until cancelled: upload what is added, take what is pushed.

        A lost connection is opened again, after a wait that grows and is jittered.

        Raises:
            SupersededError: For the third time another connection of this device
                took this one's place: there are two writers of one device.
            AuthError, ForbiddenError, VersionError, ErasedError, RemoteProtocolError:
                Trying again would not help.
        """
        async with self._busy:
            superseded = 0
            while True:
                try:
                    await self._connect_until_greeted(connect)
                except SupersededError:
                    superseded += 1
                    if superseded == _SUPERSEDED_MAX:
                        raise
                    await anyio.sleep(superseded_wait_seconds)
                else:
                    # Spread: after a restart of the server all its clients come at once.
                    await anyio.sleep(random.uniform(0, RECONNECT_SECONDS))  # noqa: S311

    async def _connect_until_greeted(self, connect: Connect) -> None:
        """Live on one connection; one that never got an answer is tried again, less and less."""
        async for attempt in stamina.retry_context(
            on=_worth_another_try,
            attempts=None,
            timeout=None,
            wait_initial=RECONNECT_SECONDS,
            wait_max=RECONNECT_MAX_SECONDS,
            wait_jitter=RECONNECT_SECONDS,
        ):
            with attempt:
                session = await self._session(live=True)
                try:
                    async with connect(self.reader) as transport:
                        await self._stay(session, transport)
                except ConnectionLostError:
                    if not session.greeted:
                        raise
                finally:
                    self._local.note_recovering(False)

    # -- one connection ----------------------------------------------------------

    async def _session(self, *, live: bool) -> ClientSession:
        reader = await self._local.load()
        return ClientSession(reader, session=self._started, live=live, follow=self._follow)

    async def _exchange(self, session: ClientSession, transport: Transport) -> None:
        while True:
            await self._send(session, transport)
            if session.settled or session.renamed_to is not None:
                break
            await self._take(session, await transport.receive())
        if session.renamed_to is None:
            await self._acknowledge(session, transport)

    async def _stay(self, session: ClientSession, transport: Transport) -> None:
        """Exchange live until the connection ends or the device got another name.

        Raises:
            StrandlogError: Why the connection is of no more use.
        """
        post, inbox = anyio.create_memory_object_stream[_Item](_INBOX)

        async def listen() -> None:
            try:
                while True:
                    await post.send(await transport.receive())
            except ConnectionLostError as error:
                await post.send(error)

        def wake() -> None:
            # A full inbox needs no waking: who empties it looks for news anyway.
            with suppress(anyio.WouldBlock):
                post.send_nowait(None)

        failure: StrandlogError | None = None
        with post, inbox:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(listen)
                self._wake = wake
                try:
                    await self._answer(session, transport, inbox)
                except StrandlogError as error:
                    failure = error  # raised below: in here it would come out in a group
                finally:
                    self._wake = None
                    tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _answer(
        self, session: ClientSession, transport: Transport, inbox: MemoryObjectReceiveStream[_Item]
    ) -> None:
        unacknowledged = False
        await self._send(session, transport)
        while session.renamed_to is None:
            item: _Item = None
            with anyio.move_on_after(ACK_DELAY_SECONDS if unacknowledged else None) as pause:
                item = await inbox.receive()
            if pause.cancelled_caught:
                await self._acknowledge(session, transport)
                unacknowledged = False
                continue
            if isinstance(item, ConnectionLostError):
                raise item
            if item is not None:
                await self._take(session, item)
                unacknowledged = True
            await self._send(session, transport)

    async def _send(self, session: ClientSession, transport: Transport) -> None:
        async with self._local.held():
            frames = await self._local.driver.run(session.next_frames())
        for frame in frames:
            await transport.send(encode_frame(frame))

    async def _take(self, session: ClientSession, data: bytes | str) -> None:
        """Work one frame in; the session's events are told even if it ends in an error."""
        frame = decode_server_frame(data)
        async with self._local.held():
            try:
                await self._local.driver.run(session.receive(frame))
            finally:
                events = session.next_events()
            if session.renamed_to is not None:
                await self._local.rename(session.renamed_to)
        self._local.note_recovering(session.recovering)
        for event in events:
            if isinstance(event, Arrived):
                self._local.observe(max(entry.seq.timestamp for entry in event.entries))
            for subscriber in self._subscribers:
                subscriber.send_nowait(event)

    async def _acknowledge(self, session: ClientSession, transport: Transport) -> None:
        for ack in await self._local.driver.run(session.acknowledge()):
            await transport.send(encode_frame(ack))


def _worth_another_try(error: Exception) -> bool | float:
    """Return whether, or after how many seconds, to connect again."""
    if isinstance(error, StoreUnavailableError | RateError | ShuttingDownError):
        return error.retry_after_seconds
    return isinstance(error, ConnectionLostError)


@asynccontextmanager
async def open_replica(
    user: str,
    device: str,
    store: str,
    *,
    cursors: str | None = None,
    follow: Iterable[str] = (),
) -> AsyncIterator[Replica]:
    """Open a replica and the stores that it needs, such as ``sqlite:///phone.db``.

    Raises:
        StoreUrlError, BackendError, StoreError: The message says the next step.
    """
    async with open_stores(store, cursors) as (log_store, cursor_store):
        yield Replica(user, device, log=log_store, cursors=cursor_store, follow=follow)
