"""Frames to and from JSON text.

Content and meta are spliced: their bytes are checked once on the way in and
never decoded or encoded again. The envelope around them is always written anew,
so nothing that a peer put there (a second ``seq``, say) is relayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from strandlog.errors import (
    BadFrameError,
    InvalidArgumentError,
    InvalidContentError,
    InvalidNameError,
    InvalidSeqError,
    StrandlogError,
    TooLargeError,
    UnknownTypeError,
)
from strandlog.model import (
    COUNTER_MAX,
    Entry,
    Identity,
    Seq,
    check_content,
    check_device,
    check_user,
)
from strandlog.protocol.frames import (
    Ack,
    Add,
    Base,
    ClientFrame,
    ErrorFrame,
    Hello,
    PageLimit,
    Push,
    Ref,
    Reply,
    Saw,
    ServerFrame,
)
from strandlog.vector import VersionVector

__all__ = [
    "DEFAULT_SCOPE",
    "decode_client_frame",
    "decode_entry",
    "decode_server_frame",
    "encode_entry",
    "encode_frame",
    "frame_length",
]

DEFAULT_SCOPE = "private"

_NOTHING = msgspec.Raw(b"")


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    seq: str
    scope: str = DEFAULT_SCOPE
    content: msgspec.Raw = _NOTHING
    redacts: tuple[str, int] | None = None
    meta: msgspec.Raw = _NOTHING
    digest: str | None = None
    redacted: bool = False


class _Limit(msgspec.Struct):
    messages: int | None = None
    bytes: int | None = None


class _Hello(msgspec.Struct):
    """The body of a hello, whichever side sent it; the sides read different fields."""

    seq: int | str | None = None
    messages: list[msgspec.Raw] = []
    v: int | None = None
    base: tuple[int, str] | None = None
    have: dict[str, int] | None = None
    tips: dict[str, str] | None = None
    user: str | None = None
    view: str | None = None
    floor: dict[str, int] | None = None
    limit: _Limit | None = None
    live: bool | None = None
    session: int | None = None
    id: Ref | None = None
    upto: dict[str, int] | None = None
    more: bool = False
    epoch: str | None = None
    want: dict[str, tuple[int, int]] = {}
    diverged: list[str] = []
    ref: Ref | None = None


class _Add(msgspec.Struct):
    messages: list[msgspec.Raw]
    device: str | None = msgspec.field(default=None, name="for")
    upto: dict[str, int] | None = None
    user: str | None = None
    view: str | None = None
    id: Ref | None = None


class _Ack(msgspec.Struct):
    have: dict[str, int] | None = None
    user: str | None = None
    view: str | None = None
    seq: int | None = None
    tops: dict[str, int] | None = None
    ref: Ref | None = None


class _Error(msgspec.Struct):
    code: str
    message: str = ""
    fatal: bool = False
    user: str | None = None
    ref: Ref | None = None


_frames = msgspec.json.Decoder(tuple[str, msgspec.Raw])
_messages = msgspec.json.Decoder(_Message)
_hellos = msgspec.json.Decoder(_Hello)
_adds = msgspec.json.Decoder(_Add)
_acks = msgspec.json.Decoder(_Ack)
_errors = msgspec.json.Decoder(_Error)
_raws = msgspec.json.Decoder(msgspec.Raw)
_objects = msgspec.json.Decoder(dict[str, object])

BodyT = TypeVar("BodyT")


def decode_client_frame(data: bytes | str, *, frame_messages: int | None = None) -> ClientFrame:
    """Read a frame that a client sent.

    Args:
        data: The frame.
        frame_messages: How many messages it may have; more are not even looked at.

    Raises:
        TooLargeError: It has more messages.
        InvalidContentError: It is no JSON text in strict UTF-8, or content nests too deep.
        BadFrameError: It is JSON of another shape.
        UnknownTypeError: Its type is not one that clients send.
        InvalidSeqError, InvalidNameError: A message or vector is outside its grammar.
            All of these carry the frame's ``id`` as ``ref`` if it could be read.
    """
    kind, raw = _split(data)
    match kind:
        case "hello":
            hello = _body(_hellos, raw)
            with _Answering(hello.id):
                return Hello(
                    seq=Seq.parse(hello.seq) if isinstance(hello.seq, str) else _count(hello.seq),
                    messages=_entries(hello.messages, at_most=frame_messages),
                    v=hello.v,
                    base=_base(hello.base),
                    have=_vector(hello.have),
                    tips=hello.tips,
                    user=None if hello.user is None else check_user(hello.user),
                    view=hello.view,
                    floor=_vector(hello.floor),
                    limit=_limit(hello.limit),
                    live=hello.live,
                    session=hello.session,
                    id=hello.id,
                )
        case "add":
            add = _body(_adds, raw)
            with _Answering(add.id):
                return Add(
                    messages=_entries(add.messages, at_most=frame_messages),
                    device=None if add.device is None else check_device(add.device),
                    id=add.id,
                )
        case "ack":
            ack = _body(_acks, raw)
            return Saw(have=_vector(ack.have), user=ack.user, view=ack.view)
        case "error":
            return _error(raw)
    raise UnknownTypeError(f"{kind!r} is not a frame that clients send: hello, add, ack, error")


def decode_server_frame(data: bytes | str) -> ServerFrame:
    """Read a frame that a server sent; raises as :func:`decode_client_frame` does."""
    kind, raw = _split(data)
    match kind:
        case "hello":
            hello = _body(_hellos, raw)
            if isinstance(hello.seq, str):
                raise BadFrameError("the seq of a server's hello is a number")
            return Reply(
                messages=_entries(hello.messages),
                seq=_count(hello.seq),
                upto=_vector(hello.upto),
                more=hello.more,
                v=hello.v,
                epoch=hello.epoch,
                user=hello.user,
                view=hello.view,
                want={check_device(device): _span(span) for device, span in hello.want.items()},
                diverged=[check_device(device) for device in hello.diverged],
                floor=_vector(hello.floor) or VersionVector(),
                ref=hello.ref,
            )
        case "add":
            add = _body(_adds, raw)
            return Push(
                messages=_entries(add.messages),
                upto=_vector(add.upto),
                user=add.user,
                view=add.view,
            )
        case "ack":
            ack = _body(_acks, raw)
            return Ack(seq=_count(ack.seq), tops=_vector(ack.tops), ref=ack.ref)
        case "error":
            return _error(raw)
    raise UnknownTypeError(f"{kind!r} is not a frame that servers send: hello, add, ack, error")


def decode_entry(data: bytes | str | msgspec.Raw) -> Entry:
    """Read one message of a frame.

    Raises:
        BadFrameError: An unknown field, a missing one, or two that exclude each other.
        InvalidSeqError, InvalidNameError, InvalidContentError: A field is outside its grammar.
    """
    message = _body(_messages, data)
    content, meta = bytes(message.content), bytes(message.meta)
    if message.redacted:
        if content or meta or message.digest is None:
            raise BadFrameError(f"{message.seq}: a redacted message has a digest and no content")
    elif not content:
        raise BadFrameError(f"{message.seq}: a message has content, or is redacted")
    elif message.digest is not None:
        raise BadFrameError(f"{message.seq}: the digest of a message with content is not sent")
    if meta and not meta.startswith(b"{"):
        raise BadFrameError(f"{message.seq}: meta is a JSON object")
    seq = Seq.parse(message.seq)
    try:
        return Entry(
            seq,
            message.scope,
            check_content(content) if content else None,
            redacts=Identity(*message.redacts) if message.redacts else None,
            meta=check_content(meta, what="meta") if meta else None,
            digest=message.digest or "",
        )
    except (InvalidNameError, InvalidContentError, InvalidSeqError):
        raise
    except InvalidArgumentError as error:
        raise BadFrameError(str(error)) from error


def encode_entry(entry: Entry) -> bytes:
    """Return *entry* as the message of a frame: ``Entry.wire_length`` bytes."""
    # Names need no escapes: their grammar has neither quotes nor backslashes.
    parts = [b'{"seq":"%b","scope":"%b"' % (entry.seq.encode().encode(), entry.scope.encode())]
    if entry.content is None:
        parts.append(b',"digest":"%b","redacted":true' % entry.digest.encode())
    else:
        parts += [b',"content":', entry.content]
    if entry.redacts is not None:
        device, counter = entry.redacts
        parts.append(b',"redacts":["%b",%d]' % (device.encode(), counter))
    if entry.meta is not None:
        parts += [b',"meta":', entry.meta]
    parts.append(b"}")
    return b"".join(parts)


def encode_frame(frame: ClientFrame | ServerFrame) -> bytes:
    """Return *frame* as UTF-8 JSON text on one line."""
    kind, body = _parts(frame)
    if isinstance(frame, Hello | Reply | Add | Push) and "messages" in body:
        body["messages"] = [msgspec.Raw(encode_entry(entry)) for entry in frame.messages]
    return msgspec.json.encode([kind, body])


def frame_length(frame: Reply | Push) -> int:
    """Return how long the encoded frame would be with no messages in it."""
    kind, body = _parts(frame)
    return len(msgspec.json.encode([kind, {**body, "messages": []}]))


def _parts(frame: ClientFrame | ServerFrame) -> tuple[str, dict[str, object]]:
    """Return a frame's type and its body without what is absent, messages still to be spliced."""
    match frame:
        case Hello():
            body: dict[str, object] = {
                "seq": str(frame.seq) if isinstance(frame.seq, Seq) else frame.seq,
                "messages": frame.messages or None,
                "v": frame.v,
                "base": frame.base and [frame.base.counter, frame.base.digest],
                "have": _plain(frame.have),
                "tips": frame.tips,
                "user": frame.user,
                "view": frame.view,
                "floor": _plain(frame.floor),
                "limit": frame.limit
                and _present({"messages": frame.limit.messages, "bytes": frame.limit.bytes}),
                "live": frame.live,
                "session": frame.session,
                "id": frame.id,
            }
            return "hello", _present(body)
        case Reply(v=None):
            return "hello", _present({"messages": [], "seq": frame.seq, "ref": frame.ref})
        case Reply():
            body = {
                "messages": [],
                "seq": frame.seq,
                "upto": _plain(frame.upto),
                "more": frame.more,
                "v": frame.v,
                "epoch": frame.epoch,
                "user": frame.user,
                "view": frame.view,
                "want": frame.want or None,
                "diverged": frame.diverged or None,
                "floor": _plain(frame.floor) or None,
                "ref": frame.ref,
            }
            return "hello", _present(body)
        case Add():
            return "add", _present({"for": frame.device, "messages": [], "id": frame.id})
        case Push():
            body = {
                "messages": [],
                "upto": _plain(frame.upto),
                "user": frame.user,
                "view": frame.view,
            }
            return "add", _present(body)
        case Saw():
            body = {"have": _plain(frame.have), "user": frame.user, "view": frame.view}
            return "ack", _present(body)
        case Ack():
            body = {"seq": frame.seq, "tops": _plain(frame.tops), "ref": frame.ref}
            return "ack", _present(body)
        case ErrorFrame():
            body = {"code": frame.code, "message": frame.message, "fatal": frame.fatal}
            body |= {"user": frame.user, "ref": frame.ref, **frame.detail}
            return "error", _present(body)


def _present(body: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in body.items() if value is not None}


def _plain(vector: VersionVector | None) -> dict[str, int] | None:
    return None if vector is None else dict(vector)


def _split(data: bytes | str) -> tuple[str, msgspec.Raw]:
    try:
        if isinstance(data, bytes):
            # msgspec skips over what it does not decode, invalid UTF-8 included.
            data.decode("utf-8")
        return _frames.decode(data)
    except UnicodeError as error:
        raise InvalidContentError(f"the frame is not UTF-8: {error}") from error
    except msgspec.ValidationError as error:
        # Raised at the first wrong type, whatever stands behind it.
        if not _is_json(data):
            raise InvalidContentError("the frame is not JSON") from error
        raise BadFrameError(f"a frame is [type, body]: {error}") from error
    except msgspec.DecodeError as error:
        raise InvalidContentError(f"the frame is not JSON: {error}") from error
    # msgspec counts levels on the interpreter's stack and gives up by this error.
    except RecursionError as error:
        raise InvalidContentError("the frame nests too deep") from error


def _is_json(data: bytes | str) -> bool:
    try:
        _raws.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def _body(decoder: msgspec.json.Decoder[BodyT], raw: bytes | str | msgspec.Raw) -> BodyT:
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise BadFrameError(str(error)) from error
    except RecursionError as error:
        raise InvalidContentError("the frame nests too deep") from error


def _entries(messages: Sequence[msgspec.Raw], *, at_most: int | None = None) -> list[Entry]:
    # Before anything else: to read one takes some 20 microseconds, and a megabyte
    # holds 40,000.
    if at_most is not None and len(messages) > at_most:
        raise TooLargeError(
            f"{len(messages)} messages are more than {at_most} a frame", limit=at_most
        )
    return [decode_entry(message) for message in messages]


def _vector(counters: dict[str, int] | None) -> VersionVector | None:
    if counters is None:
        return None
    for device in counters:
        check_device(device)
    try:
        return VersionVector(counters)
    except InvalidArgumentError as error:
        raise BadFrameError(str(error)) from error


def _count(number: int | None) -> int | None:
    if number is not None and not 0 <= number <= COUNTER_MAX:
        raise InvalidSeqError(f"{number} is not a counter: 0 to {COUNTER_MAX}")
    return number


def _base(base: tuple[int, str] | None) -> Base | None:
    if base is None:
        return None
    if not 1 <= base[0] <= COUNTER_MAX:
        raise InvalidSeqError(f"{base[0]} is not a counter: base is left out at 0")
    return Base(*base)


def _span(span: tuple[int, int]) -> tuple[int, int]:
    first, last = span
    if not 1 <= first <= last <= COUNTER_MAX:
        raise InvalidSeqError(f"{first} to {last} is not a range of counters")
    return span


def _limit(limit: _Limit | None) -> PageLimit | None:
    if limit is None:
        return None
    if (limit.messages is not None and limit.messages < 1) or (
        limit.bytes is not None and limit.bytes < 1
    ):
        raise BadFrameError("limit is at least 1 message and 1 byte")
    return PageLimit(limit.messages, limit.bytes)


def _error(raw: msgspec.Raw) -> ErrorFrame:
    error = _body(_errors, raw)
    detail = _body(_objects, raw)
    for name in _Error.__struct_fields__:
        detail.pop(name, None)
    return ErrorFrame(
        code=error.code,
        message=error.message,
        fatal=error.fatal,
        detail=detail,
        user=error.user,
        ref=error.ref,
    )


class _Answering:
    """Notes on an error that passes through which frame it belongs to."""

    def __init__(self, ref: Ref | None) -> None:
        self._ref = ref

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, StrandlogError):
            error.ref = self._ref
