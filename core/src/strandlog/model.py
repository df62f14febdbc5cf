"""The values of the protocol: names, seqs, entries and their digest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import NamedTuple

from strandlog.errors import (
    InvalidArgumentError,
    InvalidContentError,
    InvalidNameError,
    InvalidSeqError,
)

__all__ = [
    "CONTENT_DEPTH_MAX",
    "COUNTER_MAX",
    "TIMESTAMP_MAX",
    "Entry",
    "Identity",
    "Reader",
    "Seq",
    "check_content",
    "check_device",
    "check_scope",
    "check_user",
    "far_ahead",
    "trusted_entry",
]

TIMESTAMP_MAX = 999_999_999_999_999  # 15 digits: the protocol page, seq
COUNTER_MAX = 999_999_999_999  # 12 digits
CONTENT_DEPTH_MAX = 128  # the protocol page, content

_DEVICE = re.compile(r"[A-Za-z0-9._~-]{1,64}", re.ASCII)
_USER = re.compile(r"[!-~]{1,256}", re.ASCII)
_USER_EXCLUDED = frozenset("/#")
_SCOPE = re.compile(r"[a-z0-9._-]{1,32}", re.ASCII)
# int() takes '+1', ' 1', '1_0' and other alphabets' digits; a seq does not.
_SEQ = re.compile(r"([0-9]{1,15}):([0-9]{1,12}):(.*)", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{32}", re.ASCII)

_SHOWN_MAX = 80  # a line of a terminal


def _shown(text: str) -> str:
    """Quote *text* for a message, cut: a peer may send any length, and gets it back."""
    return repr(text) if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]!r}…"


def check_device(name: str) -> str:
    """Return *name* if it can name a device: ``[A-Za-z0-9._~-]{1,64}``, not ``.`` or ``..``.

    Raises:
        InvalidNameError: It cannot.
    """
    if not _DEVICE.fullmatch(name) or name in (".", ".."):
        raise InvalidNameError(
            f"{_shown(name)} cannot name a device: 1 to 64 of A-Z a-z 0-9 . _ ~ -, not '.' or '..'"
        )
    return name


def check_user(name: str) -> str:
    """Return *name* if it can name a user: 1-256 printable ASCII without space, ``/``, ``#``.

    Raises:
        InvalidNameError: It cannot.
    """
    if not _USER.fullmatch(name) or name in (".", "..") or _USER_EXCLUDED & set(name):
        raise InvalidNameError(
            f"{_shown(name)} cannot name a user: 1 to 256 printable ASCII characters"
            " except space, '/' and '#', not '.' or '..'"
        )
    return name


def check_scope(name: str) -> str:
    """Return *name* if it can name a scope: ``[a-z0-9._-]{1,32}``.

    Raises:
        InvalidNameError: It cannot.
    """
    if not _SCOPE.fullmatch(name):
        raise InvalidNameError(f"{_shown(name)} cannot name a scope: 1 to 32 of a-z 0-9 . _ -")
    return name


class Reader(NamedTuple):
    """Who reads: one device of one user, written ``user/device``."""

    user: str
    device: str

    def __str__(self) -> str:
        return f"{self.user}/{self.device}"

    @classmethod
    def parse(cls, text: str) -> Reader:
        """Read ``user/device``.

        Raises:
            InvalidNameError: There is no ``/``, or a part is outside its grammar.
        """
        user, slash, device = text.partition("/")
        if not slash:
            raise InvalidNameError(f"{_shown(text)} is not USER/DEVICE, such as alice/laptop")
        return cls(check_user(user), check_device(device))


class Identity(NamedTuple):
    """Which entry of a log: who wrote it, and its number among that device's entries."""

    device: str
    counter: int


@dataclass(frozen=True, slots=True, order=True)
class Seq:
    """The place of an entry in the order of its log.

    Seqs compare by timestamp (milliseconds since 1970), then counter, then
    device; :meth:`encode` gives a string whose bytes compare the same way.

    Raises:
        InvalidSeqError: A number is negative or too large, or the counter is 0.
        InvalidNameError: The device is outside its grammar.
    """

    timestamp: int
    counter: int
    device: str

    def __post_init__(self) -> None:
        if type(self.timestamp) is not int or not 0 <= self.timestamp <= TIMESTAMP_MAX:
            raise InvalidSeqError(
                f"{self.timestamp!r} is not a timestamp: 0 to {TIMESTAMP_MAX} milliseconds"
            )
        if type(self.counter) is not int or not 1 <= self.counter <= COUNTER_MAX:
            raise InvalidSeqError(f"{self.counter!r} is not a counter: 1 to {COUNTER_MAX}")
        check_device(self.device)

    def encode(self) -> str:
        """Return the canonical, zero-padded form."""
        return f"{self.timestamp:015d}:{self.counter:012d}:{self.device}"

    __str__ = encode

    @property
    def identity(self) -> Identity:
        return Identity(self.device, self.counter)

    @classmethod
    def parse(cls, text: str) -> Seq:
        """Read a seq; numbers may be unpadded, as in ``1710763200000:3:laptop``.

        Raises:
            InvalidSeqError: *text* is anything else.
        """
        match = _SEQ.fullmatch(text)
        if match is None:
            raise InvalidSeqError(f"{_shown(text)} is not a seq: timestamp:counter:device")
        timestamp, counter, device = match.groups()
        try:
            return cls(int(timestamp), int(counter), device)
        except InvalidNameError as error:
            raise InvalidSeqError(f"{_shown(text)} is not a seq: {error}") from error


@dataclass(frozen=True, slots=True)
class Entry:
    """One immutable record of a log.

    Attributes:
        seq: Its place in the order, which includes who wrote it.
        scope: Who may see it; never encrypted.
        content: Bytes that are never looked into; ``None`` once redacted or
            withdrawn, and then *digest* is still that of the original.
        redacts: The entry whose content this one takes away.
        meta: One JSON object, kept byte for byte.
        digest: 32 hex digits; computed. It must be given, and is believed, for
            an entry without content.

    Content and meta may come in any buffer; the entry keeps bytes of its own.

    Raises:
        InvalidNameError: The scope or the redacted device is outside its grammar.
        InvalidSeqError: The redacted counter is outside its range.
        InvalidArgumentError: Without content: no digest, or a malformed one.
            With content: a digest that is not that of the entry.
    """

    seq: Seq
    scope: str
    content: bytes | None
    redacts: Identity | None = field(default=None, kw_only=True)
    meta: bytes | None = field(default=None, kw_only=True)
    digest: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        check_scope(self.scope)
        if self.redacts is not None:
            Seq(0, self.redacts.counter, self.redacts.device)
        for name, value in (("content", self.content), ("meta", self.meta)):
            if value is not None and type(value) is not bytes:
                # By way of a view: bytes() alone would make seven zeros of a 7.
                object.__setattr__(self, name, bytes(memoryview(value)))
        if self.content is None:
            if not _DIGEST.fullmatch(self.digest):
                raise InvalidArgumentError(
                    f"{self.seq}: an entry without content needs a digest, 32 of 0-9 a-f"
                )
            return
        digest = _digest(self)
        # One that was carried over, say by dataclasses.replace, would hide a fork.
        if self.digest not in ("", digest):
            raise InvalidArgumentError(f"{self.seq}: the digest given is that of another entry")
        object.__setattr__(self, "digest", digest)

    @property
    def device(self) -> str:
        return self.seq.device

    @property
    def counter(self) -> int:
        return self.seq.counter

    @property
    def identity(self) -> Identity:
        return self.seq.identity

    @property
    def redacted(self) -> bool:
        """Whether the content is gone (redacted) or was never shared (withdrawn)."""
        return self.content is None

    def without_content(self) -> Entry:
        """Return the redacted form: the envelope and the digest stay, and so does *redacts*."""
        return replace(self, content=None, meta=None)

    def withdrawn(self) -> Entry:
        """Return the form that a client uploads of an entry refused for good.

        Unlike a redacted one it carries no *redacts*, so it masks nothing.
        """
        return replace(self, content=None, meta=None, redacts=None)

    @property
    def wire_length(self) -> int:
        """How many bytes the entry takes as a message of a frame."""
        length = _ENVELOPE_LENGTH + len(self.device) + len(self.scope)
        if self.content is None:
            length += _REDACTED_LENGTH
        else:
            length += _CONTENT_LENGTH + len(self.content)
        if self.meta is not None:
            length += _META_LENGTH + len(self.meta)
        if self.redacts is not None:
            length += _REDACTS_LENGTH + len(self.redacts.device) + len(str(self.redacts.counter))
        return length


def trusted_entry(
    *,
    timestamp: int,
    counter: int,
    device: str,
    scope: str,
    content: bytes | None,
    redacts: Identity | None,
    meta: bytes | None,
    digest: str,
) -> Entry:
    """Return an entry of values that a constructor once checked; checks nothing.

    For reading back what was stored: the checks and the digest of the
    constructors would make up two thirds of the time it takes.
    """
    new, put = object.__new__, object.__setattr__
    seq = new(Seq)
    put(seq, "timestamp", timestamp)
    put(seq, "counter", counter)
    put(seq, "device", device)
    entry = new(Entry)
    put(entry, "seq", seq)
    put(entry, "scope", scope)
    put(entry, "content", content)
    put(entry, "redacts", redacts)
    put(entry, "meta", meta)
    put(entry, "digest", digest)
    return entry


# The bytes that the names and quotes of a message take; a test holds these
# against the codec. They live here since a store cuts pages by them.
_ENVELOPE_LENGTH = len('{"seq":"","scope":""}') + 15 + 1 + 12 + 1
_CONTENT_LENGTH = len(',"content":')
_REDACTED_LENGTH = len(',"digest":"","redacted":true') + 32
_META_LENGTH = len(',"meta":')
_REDACTS_LENGTH = len(',"redacts":["",]')


def _digest(entry: Entry) -> str:
    """Hash what makes an entry the same entry (the protocol page, digest)."""
    seq, redacts = entry.seq, entry.redacts
    parts: tuple[bytes | None, ...] = (
        seq.device.encode(),
        seq.counter.to_bytes(8, "big"),
        seq.timestamp.to_bytes(8, "big"),
        entry.scope.encode(),
        f"{redacts.counter:012d}:{redacts.device}".encode() if redacts else None,
        entry.content,
        entry.meta,
    )
    # A length before each part: without it ("ab", "c") and ("a", "bc") would be equal.
    return blake2b(
        b"".join(
            b"\xff\xff\xff\xff" if part is None else len(part).to_bytes(4, "big") + part
            for part in parts
        ),
        digest_size=16,
    ).hexdigest()


def check_content(content: bytes, *, what: str = "content") -> bytes:
    """Return *content* if it is the strict UTF-8 text of exactly one JSON value.

    Called where content enters (an application's append, the codec); after
    that it is never looked into again. White space around the value is
    refused, since it would not survive a frame and so change the digest.

    Raises:
        InvalidContentError: It is not, or it nests deeper than 128 levels.
    """
    # Here, for "import strandlog" takes a third less time without it.
    import msgspec

    try:
        content.decode("utf-8")
        # A Raw is held against the grammar, escapes included, and is the value
        # without the white space around it; but any bytes pass inside strings.
        value = msgspec.json.decode(content, type=msgspec.Raw)
    except UnicodeDecodeError as error:
        raise InvalidContentError(f"{what} is not UTF-8 at byte {error.start}") from error
    except msgspec.DecodeError as error:
        raise InvalidContentError(f"{what} is not one JSON value: {error}") from error
    # msgspec counts levels on the interpreter's stack, hundreds more than are allowed.
    except RecursionError as error:
        raise _too_deep(what) from error
    if len(bytes(value)) != len(content):
        raise InvalidContentError(f"{what} has white space around its JSON value")
    # Counting all brackets is enough for nearly every entry, and fast.
    if (
        content.count(b"[") + content.count(b"{") > CONTENT_DEPTH_MAX
        and _depth(content) > CONTENT_DEPTH_MAX
    ):
        raise _too_deep(what)
    return content


def _too_deep(what: str) -> InvalidContentError:
    return InvalidContentError(f"{what} nests deeper than {CONTENT_DEPTH_MAX} levels")


_AS_SQUARE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _depth(content: bytes) -> int:
    """Return how many levels a JSON text nests; beyond the most allowed, one more than that."""
    # Without escaped backslashes and then escaped quotes, every second piece
    # between quotes is a string.
    pieces = content.replace(rb"\\", b"").replace(rb"\"", b"").split(b'"')[::2]
    brackets = b"".join(pieces).translate(_AS_SQUARE, _NO_BRACKETS)
    depth = 0
    while brackets and depth <= CONTENT_DEPTH_MAX:
        brackets = brackets.replace(b"[]", b"")  # takes away the innermost level, all over
        depth += 1
    return depth


def far_ahead(entry: Entry, *, now_millis: int, max_skew_millis: int) -> bool:
    """Return whether the entry's stamp lies implausibly far in the future.

    Such an entry is kept like any other and only flagged.
    """
    return entry.seq.timestamp > now_millis + max_skew_millis
