"""Shows a process the calls by which another one changes files, before they are made.

Linux has a way of its own for that (seccomp notifications): a process asks for
some of its calls to be held until somebody else has said what is to become of
them. No right is needed, no program has to be installed, and all threads of the
process count as one.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["NAME", "SYNC", "WRITE", "Call", "Listener", "install", "unwatchable"]

WRITE: Final = "write"
SYNC: Final = "sync"
NAME: Final = "name"

_AT_CWD = -100
_MAKES_OR_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_DSYNC = getattr(os, "O_DSYNC", 0)
_RWF_DSYNC_OR_SYNC = 0x2 | 0x4
_EVERYTHING = ("msync", "sync", "syncfs")


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the arguments of a call mean: which of them is what, -1 for none."""

    kind: str
    fd: int = -1
    path: int = -1
    directory: int = -1
    flags: int = -1
    offset: int = -1
    length: int = -1
    vectors: int = -1


_SHAPES: Mapping[str, _Shape] = {
    "write": _Shape(WRITE, fd=0, length=2),
    "pwrite64": _Shape(WRITE, fd=0, length=2, offset=3),
    "writev": _Shape(WRITE, fd=0, vectors=1),
    "pwritev": _Shape(WRITE, fd=0, vectors=1, offset=3),
    "pwritev2": _Shape(WRITE, fd=0, vectors=1, offset=3, flags=5),
    "ftruncate": _Shape(WRITE, fd=0, offset=1),
    "fallocate": _Shape(WRITE, fd=0, offset=2, length=3),
    "sendfile": _Shape(WRITE, fd=0, length=3),
    "copy_file_range": _Shape(WRITE, fd=2, length=4),
    "fsync": _Shape(SYNC, fd=0),
    "fdatasync": _Shape(SYNC, fd=0),
    "msync": _Shape(SYNC),
    "sync": _Shape(SYNC),
    "syncfs": _Shape(SYNC),
    "open": _Shape(NAME, path=0, flags=1),
    "openat": _Shape(NAME, directory=0, path=1, flags=2),
    "rename": _Shape(NAME, path=0),
    "renameat": _Shape(NAME, directory=0, path=1),
    "renameat2": _Shape(NAME, directory=0, path=1),
    "link": _Shape(NAME, path=0),
    "linkat": _Shape(NAME, directory=0, path=1),
    "unlink": _Shape(NAME, path=0),
    "unlinkat": _Shape(NAME, directory=0, path=1),
    "mkdir": _Shape(NAME, path=0),
    "mkdirat": _Shape(NAME, directory=0, path=1),
}

_NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {
        "write": 1,
        "open": 2,
        "pwrite64": 18,
        "writev": 20,
        "msync": 26,
        "sendfile": 40,
        "fsync": 74,
        "fdatasync": 75,
        "ftruncate": 77,
        "rename": 82,
        "mkdir": 83,
        "link": 86,
        "unlink": 87,
        "sync": 162,
        "openat": 257,
        "mkdirat": 258,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "fallocate": 285,
        "pwritev": 296,
        "syncfs": 306,
        "renameat2": 316,
        "copy_file_range": 326,
        "pwritev2": 328,
    },
    "aarch64": {
        "mkdirat": 34,
        "unlinkat": 35,
        "linkat": 37,
        "renameat": 38,
        "ftruncate": 46,
        "fallocate": 47,
        "openat": 56,
        "write": 64,
        "writev": 66,
        "pwrite64": 68,
        "pwritev": 70,
        "sendfile": 71,
        "sync": 81,
        "fsync": 82,
        "fdatasync": 83,
        "msync": 227,
        "syncfs": 267,
        "renameat2": 276,
        "copy_file_range": 285,
        "pwritev2": 287,
    },
}
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_URING_SETUP = 425

_SET_NO_NEW_PRIVILEGES = 38
_SET_FILTER = 1
_NEW_LISTENER = 8
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_REQUEST, _ANSWER = struct.Struct("QIIiIQ6Q"), struct.Struct("QqiI")
_GO_ON = 1

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _NOTIFY, _REFUSE = 0x7FFF0000, 0x7FC00000, 0x00050000
_ARGUMENTS = 16


def unwatchable() -> str:
    """Return why calls cannot be watched here, as far as that can be told; empty if they can."""
    if sys.platform != "linux":
        return "only Linux shows the calls of one process to another"
    if platform.machine() not in _NUMBERS:
        return f"the calls of {platform.machine()} are not known to the suite"
    return ""


def install() -> int:
    """Have the calls of this process held from now on; return what a listener listens to.

    Raises:
        OSError: The system does not allow it.
    """
    machine = platform.machine()
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(_program(machine))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    program = Program(len(code) // 8, ctypes.cast(code, ctypes.c_void_p))
    if libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0:
        fd: int = libc.syscall(_SECCOMP[machine], _SET_FILTER, _NEW_LISTENER, ctypes.byref(program))
        if fd >= 0:
            return fd
    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


def _program(machine: str) -> bytes:
    """Return what the kernel runs at each call to find out whether it is one of ours."""

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    steps = [
        step(_LOAD, 4),
        step(_EQUAL, _ARCHITECTURES[machine], yes=1),
        step(_RETURN, _ALLOW),
        step(_LOAD, 0),
        # What goes to the disk by a ring is not seen: there are no rings.
        step(_EQUAL, _URING_SETUP, no=1),
        step(_RETURN, _REFUSE | errno.ENOSYS),
    ]
    for name, number in _NUMBERS[machine].items():
        shape = _SHAPES[name]
        if shape.kind == NAME and shape.flags >= 0:
            steps += [
                step(_EQUAL, number, no=4),
                step(_LOAD, _ARGUMENTS + 8 * shape.flags),
                step(_ANY_BIT, _MAKES_OR_WRITES, no=1),
                step(_RETURN, _NOTIFY),
                step(_RETURN, _ALLOW),
            ]
        else:
            steps += [step(_EQUAL, number, no=1), step(_RETURN, _NOTIFY)]
    return b"".join([*steps, step(_RETURN, _ALLOW)])


@dataclass(frozen=True, slots=True)
class Call:
    """One call that is held.

    Attributes:
        id: By which it is answered.
        thread: The thread that makes it.
        name: What the system calls it.
        kind: Whether it writes, syncs, or makes and removes names.
        path: The file or directory that it is about; empty if that cannot be told.
        handle: A path by which the open file itself can be opened, if it is about one.
        first: Where a write begins.
        length: How much is written.
        through: Whether the write is on the disk when the call returns.
        everything: Whether a sync is not about one file, but all.
    """

    id: int
    thread: int
    name: str
    kind: str
    path: str = ""
    handle: str = ""
    first: int = 0
    length: int = 0
    through: bool = False
    everything: bool = False


class Listener:
    """The other end: hears of each call and decides what becomes of it."""

    def __init__(self, fd: int) -> None:
        # Not at the top: other systems do not have it.
        from fcntl import ioctl

        self.fd = fd
        self._ioctl: Callable[..., object] = ioctl
        self._names = {number: name for name, number in _NUMBERS[platform.machine()].items()}

    def next(self) -> Call | None:
        """Return the call that is waiting; ``None`` if who made it is gone."""
        request = bytearray(_REQUEST.size)
        try:
            self._ioctl(self.fd, _RECEIVE, request)
            key, thread, _, number, _, _, *arguments = _REQUEST.unpack(request)
            return _understood(key, thread, self._names[number], arguments)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR, errno.ESRCH):
                return None
            raise

    def go_on(self, call: Call) -> None:
        """Let the call be made."""
        self._answer(_ANSWER.pack(call.id, 0, 0, _GO_ON))

    def refuse(self, call: Call, number: int) -> None:
        """Let the call fail with an error, and do nothing."""
        self._answer(_ANSWER.pack(call.id, 0, -number, 0))

    def _answer(self, answer: bytes) -> None:
        try:
            self._ioctl(self.fd, _SEND, bytearray(answer))
        except OSError as error:
            if error.errno != errno.ENOENT:  # who made it is gone
                raise


def _understood(key: int, thread: int, name: str, arguments: list[int]) -> Call:
    shape = _SHAPES[name]
    if shape.path >= 0:
        path = _path(thread, arguments, shape)
        return Call(key, thread, name, shape.kind, path)
    if shape.fd < 0 or name in _EVERYTHING:
        return Call(key, thread, name, shape.kind, everything=True)
    fd = arguments[shape.fd] & 0xFFFFFFFF
    handle = f"/proc/{thread}/fd/{fd}"
    try:
        path = str(Path(handle).readlink())
    except FileNotFoundError:  # not an open file: the system will say so
        return Call(key, thread, name, shape.kind)
    if shape.kind == SYNC or not path.startswith("/"):
        return Call(key, thread, name, shape.kind, path, handle)
    position, flags = _position(thread, fd)
    size = Path(handle).stat().st_size
    first = size if flags & os.O_APPEND else position
    length = arguments[shape.length] if shape.length >= 0 else 0
    if shape.offset >= 0:
        first = arguments[shape.offset]
    if shape.vectors >= 0:
        length = _length(thread, arguments[shape.vectors], arguments[shape.vectors + 1])
    if name == "ftruncate":
        first, length = min(first, size), abs(size - first)
    through = bool(flags & _DSYNC) or (
        name == "pwritev2" and bool(arguments[shape.flags] & _RWF_DSYNC_OR_SYNC)
    )
    return Call(key, thread, name, shape.kind, path, handle, first, length, through)


def _path(thread: int, arguments: list[int], shape: _Shape) -> str:
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        address = arguments[shape.path]
        # To the end of the page at most: what follows may not be there.
        memory.seek(address)
        text = memory.read(4096 - address % 4096)
        if b"\0" not in text:
            text += memory.read(4096)
    name = os.fsdecode(text.partition(b"\0")[0])
    beneath = f"/proc/{thread}/cwd"
    if shape.directory >= 0:
        fd = ctypes.c_int(arguments[shape.directory] & 0xFFFFFFFF).value
        if fd != _AT_CWD:
            beneath = f"/proc/{thread}/fd/{fd}"
    return name if name.startswith("/") else str(Path(beneath).readlink() / name)


def _position(thread: int, fd: int) -> tuple[int, int]:
    """Return where an open file stands, and how it was opened."""
    with Path(f"/proc/{thread}/fdinfo/{fd}").open(encoding="ascii") as info:
        told = dict(line.split(":", 1) for line in info if ":" in line)
    return int(told["pos"]), int(told["flags"], 8)


def _length(thread: int, address: int, count: int) -> int:
    """Return how much the pieces of a call hold that writes several at once."""
    with Path(f"/proc/{thread}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        pieces = memory.read(16 * min(count, 1024))
    return sum(length for _, length in struct.iter_unpack("QQ", pieces[: len(pieces) // 16 * 16]))
