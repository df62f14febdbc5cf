"""Section I: files that are damaged while nobody has them open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from strandlog import Entry, Identity, Page, VersionVector
from strandlog.backend import CursorStore, Durability, LogStore
from strandlog.errors import StoreCorruptError, StoreError, StoreVersionError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import NotApplicable, attempt, fail, plain, same
from strandlog_conformance.samples import ALL, NOTHING, UNBOUNDED, entry, everything, series
from strandlog_conformance.suite import Level, check, declared, durability

_Answers = Mapping[str, object]
_Files = dict[Path, bytes]
_NO_FILES = "it keeps no files in the directory that it was given"
_ZEROS = 512
_KINDS = ("flip", "flip", "truncate", "zeros", "delete")


@check(
    "corrupt.flip_truncate_delete",
    rule="Capabilities.integrity: damaged files give StoreCorruptError or right data",
    requires=(declared("integrity"),),
    level=Level.DURABLE,
    kills=("M220", "M221"),
)
async def flip_truncate_delete(case: Case) -> None:
    """One bit turned, a file cut off, a piece zeroed or a file gone: never a wrong answer."""
    users = [case.user() for _ in range(3)]
    url, root = await case.new_site()
    await _written(case, url, users)
    sound = await _answers(case, url, users)
    files = _files(root)
    for turn in range(case.scale(60, 25)):
        what = _damage(case, root, files, _KINDS[turn % len(_KINDS)])
        damaged = await _answers(case, url, users)
        for call, answer in damaged.items():
            if isinstance(answer, (StoreCorruptError, StoreVersionError)):
                continue
            if isinstance(answer, BaseException) or plain(answer) != plain(sound.get(call)):
                same(answer, sound.get(call, "StoreCorruptError"), f"{call} {what}")
        _put_back(root, files)


@check(
    "corrupt.flipped_byte_is_never_returned",
    rule="a record is checked against its checksum before it is returned",
    requires=(durability(Durability.PROCESS),),
    level=Level.DURABLE,
    kills=("M223",),
)
async def flipped_byte_is_never_returned(case: Case) -> None:
    """Entries come as they were written, whatever else a damage of the files has done."""
    users = [case.user() for _ in range(2)]
    url, root = await case.new_site()
    await _written(case, url, users)
    sound = await _answers(case, url, users)
    known = {str(plain(one)) for answer in sound.values() for one in _entries(answer)}
    files = _files(root)
    for _ in range(case.scale(60, 25)):
        what = _damage(case, root, files, "flip")
        for call, answer in (await _answers(case, url, users)).items():
            if isinstance(answer, BaseException) and not isinstance(answer, StoreError):
                fail(
                    f"{call} {what}", got=f"{type(answer).__name__}: {answer}", want="a StoreError"
                )
            for one in _entries(answer):
                if str(plain(one)) not in known:
                    fail(f"{call} {what}", got=str(plain(one)), want="no entry that nobody wrote")
        _put_back(root, files)


@check(
    "corrupt.one_log_does_not_hide_others",
    rule="Capabilities.integrity: damage to one log takes neither sight nor use of the others",
    requires=(declared("integrity"),),
    level=Level.DURABLE,
    kills=("M222",),
)
async def one_log_does_not_hide_others(case: Case) -> None:
    """A record in the middle is damaged: other logs are right or refused, and not all refused."""
    users = [case.user() for _ in range(5)]
    marks = {user: case.random.randbytes(300).hex().encode() for user in users}
    url, root = await case.new_site()
    wanted = {}
    async with case.open_log(url) as log:
        for user in users:
            filler = case.random.randbytes(20_000).hex().encode()
            for n, text in enumerate((filler, marks[user], filler[::-1]), 1):
                await log.append(user, [entry("phone", n, content=b'"%s"' % text)])
            wanted[user] = plain(await everything(log, user))
    files = _files(root)
    hit = users[2]
    for path, data in files.items():
        # As it stands, or as a driver stores what it has compressed: by pieces of it.
        at = next(
            (i for p in range(0, 500, 60) if (i := data.find(marks[hit][p : p + 24])) >= 0), -1
        )
        if at >= 0:
            path.write_bytes(data[: at + 5] + bytes([data[at + 5] ^ 1]) + data[at + 6 :])
    if _files(root) == files:
        raise NotApplicable("no file holds the text that was written, as it was written")
    async with case.open_log(url) as log:
        listed = await attempt(log.logs(limit=ALL))
        if not isinstance(listed, StoreCorruptError):
            same(listed, sorted(users), f"logs beside a damaged record of {hit}")
        right = 0
        for user in users:
            found = await attempt(everything(log, user))
            if isinstance(found, StoreCorruptError):
                continue
            same(found if isinstance(found, BaseException) else plain(found), wanted[user], "read")
            right += user != hit
        same(right > 0, True, "some of the other logs can be read")


async def _written(case: Case, url: str, users: Sequence[str]) -> None:
    """Write logs and cursors in two sessions, and close."""
    for session in range(2):
        async with case.open_all(url) as (log, cursors):
            for user in users:
                first = session * 20 + 1
                await log.append(user, series("phone", first, first + 19))
                long = [
                    entry(
                        "desk",
                        n,
                        content=b'"%s"' % case.random.randbytes(90).hex().encode(),
                        scope="friend",
                    )
                    for n in range(first, first + 20)
                ]
                await log.append(user, long)
                target = Identity("phone", first + 3)
                await log.append(
                    user, [entry("car", session + 1, at=500 + session, redacts=target)]
                )
                if cursors is not None:
                    vector = VersionVector({"phone": first + 7})
                    await cursors.advance(user, "tablet", vector)


async def _answers(case: Case, url: str, users: Sequence[str]) -> _Answers:
    """Return what every read of the store answers, or the error that it raises."""
    answers: dict[str, object] = {}

    async def ask() -> None:
        async with case.open_all(url) as (log, cursors):
            answers["logs"] = await attempt(log.logs(limit=ALL))
            for number, user in enumerate(users):
                for name, call in _calls(log, cursors, user).items():
                    answers[f"{name} of log {number}"] = await attempt(call())

    outcome = await attempt(ask())
    if isinstance(outcome, asyncio.CancelledError):
        raise outcome
    if isinstance(outcome, BaseException):
        answers["open"] = outcome
    return answers


def _calls(
    log: LogStore, cursors: CursorStore | None, user: str
) -> dict[str, Callable[[], Coroutine[Any, Any, object]]]:
    def read(**how: Any) -> Coroutine[Any, Any, Page]:
        return log.read(user, after=NOTHING, limit=ALL, max_bytes=UNBOUNDED, **how)

    calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
        "read": read,
        "read(scopes=friend)": lambda: read(scopes=["friend"]),
        "read(devices=phone)": lambda: read(devices=["phone"]),
        "read_range": lambda: log.read_range(user, limit=ALL),
        "read_range(reverse)": lambda: log.read_range(user, reverse=True, limit=ALL),
        "tops": lambda: log.tops(user),
        "head": lambda: log.head(user),
        "digests": lambda: log.digests(user, {"phone": 7, "desk": 33}),
    }
    if cursors is not None:
        calls["readers"] = lambda: cursors.readers(user)
    return calls


def _entries(answer: object) -> Sequence[Entry]:
    return answer.entries if isinstance(answer, Page) else ()


def _files(root: Path) -> _Files:
    """Return what every file holds.

    Raises:
        NotApplicable: There is none.
    """
    found = {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
    if not any(found.values()):
        raise NotApplicable(_NO_FILES)
    return found


def _put_back(root: Path, files: _Files) -> None:
    for path in root.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()
    for path, data in files.items():
        path.write_bytes(data)


def _damage(case: Case, root: Path, files: _Files, kind: str) -> str:
    """Damage one file; return what was done, in words."""
    filled = [path for path, data in files.items() if data]
    path = case.random.choices(filled, [len(files[one]) ** 0.5 for one in filled])[0]
    data = files[path]
    at = case.random.randrange(len(data))
    name = path.relative_to(root)
    # With the only file the whole store is gone, and what is opened then is a new one.
    if kind == "delete" and len(filled) > 1:
        path.unlink()
        return f"after {name} was deleted"
    if kind == "truncate" and len(filled) > 1:
        path.write_bytes(data[:at])
        return f"after {name} was cut off at {at} of {len(data)}"
    if kind == "zeros" and any(data[at : at + _ZEROS]):
        path.write_bytes((data[:at] + bytes(_ZEROS))[: len(data)] + data[at + _ZEROS :])
        return f"after {_ZEROS} bytes of {name} from {at} were zeroed"
    bit = case.random.randrange(8)
    path.write_bytes(data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :])
    return f"after bit {bit} of byte {at} of {name} was turned"
