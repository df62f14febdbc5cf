"""What a check demands of an answer, and how a failure reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields, is_dataclass
from hashlib import blake2b
from operator import is_
from typing import TypeVar

from strandlog import Entry, VersionVector
from strandlog.errors import StrandlogError

__all__ = [
    "CheckFailed",
    "NotApplicable",
    "Underclaimed",
    "attempt",
    "beside",
    "fail",
    "plain",
    "refused",
    "same",
    "together",
    "until_done",
]

ErrorT = TypeVar("ErrorT", bound=StrandlogError)
ResultT = TypeVar("ResultT")

_SHOWN_BYTES = 40
_SHOWN_ITEMS = 4
_SHOWN_CHARACTERS = 600


class CheckFailed(AssertionError):  # noqa: N818  # a verdict, not an error of the suite
    """A store gave another answer than the contract says.

    Attributes:
        call: What was asked, in words.
        got: What came.
        want: What the contract says.
    """

    def __init__(self, call: str, got: str, want: str) -> None:
        super().__init__(f"{call}: got {got}, want {want}")
        self.call = call
        self.got = got
        self.want = want


class NotApplicable(Exception):  # noqa: N818  # a verdict, not an error of the suite
    """The check cannot be made in this environment; the message says what it lacks."""


class Underclaimed(Exception):  # noqa: N818  # a verdict, not an error of the suite
    """The store does what it does not declare; the message says what."""


def fail(call: str, *, got: str, want: str) -> None:
    """Fail the check in words."""
    raise CheckFailed(call, got, want)


def same(got: object, want: object, call: str) -> None:
    """Demand that *got* is *want*, types included.

    Values are compared as a whole; the failure shows the first place where
    they differ. A list and a tuple count as equal, ``1`` and ``True`` do not.
    """
    if _identical(got, want):
        return
    left, right = plain(got), plain(want)
    if left != right:
        path, got_part, want_part = _first_difference(left, right, "")
        where = f"at {path}: " if path else ""
        raise CheckFailed(call, where + _show(got_part), where + _show(want_part))


async def attempt(action: Awaitable[ResultT]) -> ResultT | BaseException:
    """Return what *action* returns, or the error that it raises."""
    [outcome] = await asyncio.gather(action, return_exceptions=True)
    return outcome


async def together(*actions: Awaitable[ResultT]) -> list[ResultT]:
    """Run all at once, wait for every one, then raise the first error there was."""
    outcomes = await asyncio.gather(*actions, return_exceptions=True)
    results: list[ResultT] = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        results.append(outcome)
    return results


@asynccontextmanager
async def beside(action: Coroutine[object, object, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run *action* as a task that ends with the context at the latest."""
    task = asyncio.create_task(action)
    try:
        yield task
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_done(task: asyncio.Task[None]) -> AsyncIterator[None]:
    """Yield as long as *task* runs, and once more after it has ended.

    Other tasks run in between: a store that never awaits would otherwise keep
    the loop, and with it the clock of the check, to itself.
    """
    done = False
    while not done:
        await asyncio.sleep(0)
        done = task.done()
        yield


async def refused(
    action: Awaitable[object], error: type[ErrorT], call: str, **attributes: object
) -> ErrorT:
    """Demand that *action* raises *error* with these attributes; return it."""
    want = f"{error.__name__} {attributes}" if attributes else error.__name__
    outcome = await attempt(action)
    if not isinstance(outcome, BaseException):
        raise CheckFailed(call, f"no error, but {_show(plain(outcome))}", want)
    if not isinstance(outcome, error):
        raise CheckFailed(call, f"{type(outcome).__name__}: {outcome}", want) from outcome
    same(
        {name: getattr(outcome, name, None) for name in attributes},
        attributes,
        f"{call}: attributes of {error.__name__}",
    )
    return outcome


def _identical(got: object, want: object) -> bool:
    """Return whether these are the very same values: then nobody has to look inside."""
    if isinstance(got, (list, tuple)) and isinstance(want, (list, tuple)):
        return len(got) == len(want) and all(map(is_, got, want))
    return got is want


def plain(value: object) -> object:
    """Return *value* in a form that compares with its types and reads well."""
    if isinstance(value, Entry):
        return _entry_text(value)
    if isinstance(value, VersionVector):
        return {"VersionVector": dict(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {
            type(value).__name__: {
                one.name: plain(getattr(value, one.name)) for one in fields(value)
            }
        }
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return _bytes_text(value)
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    return value


def _entry_text(entry: Entry) -> str:
    parts = [f"{entry.seq.timestamp}:{entry.counter}:{entry.device}", entry.scope]
    parts.append("no content" if entry.content is None else _bytes_text(entry.content))
    if entry.redacts is not None:
        parts.append(f"redacts {entry.redacts.device} {entry.redacts.counter}")
    if entry.meta is not None:
        parts.append(f"meta {_bytes_text(entry.meta)}")
    return f"<{' '.join(parts)} #{entry.digest}>"


def _bytes_text(data: bytes) -> str:
    # The type shows: a store that hands out its driver's buffer is found.
    kind = "" if type(data) is bytes else f"{type(data).__name__} "
    data = bytes(data)
    if len(data) <= _SHOWN_BYTES:
        return f"{kind}{data!r}"
    mark = blake2b(data, digest_size=6).hexdigest()
    return f"{kind}{data[:_SHOWN_BYTES]!r}… {len(data)} bytes, hash {mark}"


def _first_difference(got: object, want: object, path: str) -> tuple[str, object, object]:
    """Return the path to the first difference and the two parts there."""
    if isinstance(got, dict) and isinstance(want, dict):
        if got.keys() == want.keys():
            for key, part in got.items():
                if part != want[key]:
                    return _first_difference(part, want[key], f"{path}.{key}".lstrip("."))
        return path, got, want
    if isinstance(got, list) and isinstance(want, list):
        if len(got) != len(want):
            at = next(
                (i for i, (a, b) in enumerate(zip(got, want, strict=False)) if a != b),
                min(len(got), len(want)),
            )
            return path, _excerpt(got, at), _excerpt(want, at)
        for index, (left, right) in enumerate(zip(got, want, strict=True)):
            if left != right:
                return _first_difference(left, right, f"{path}[{index}]")
    return path, got, want


def _excerpt(items: list[object], at: int) -> object:
    """Return a list that differs in length as text around the first difference."""
    if len(items) <= _SHOWN_ITEMS:
        return items
    there = str(items[at]) if at < len(items) else "the end"
    return f"{len(items)} items, at {at} {there}"


def _show(value: object) -> str:
    text = value if isinstance(value, str) else _joined(value)
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    return f"{text[:_SHOWN_CHARACTERS]}… ({len(text)} characters)"


def _joined(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_show(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_joined_items(value)) + "]"
    return repr(value)


def _joined_items(items: Iterable[object]) -> list[str]:
    return [_show(item) for item in items]
