"""Section A: what was refused has left no trace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from strandlog import Entry, Identity, VersionVector
from strandlog.backend import LogStore
from strandlog.errors import AppendError, ForkError, GapError, SeqError, TrimmedError
from strandlog_conformance.case import Case
from strandlog_conformance.expect import refused, same
from strandlog_conformance.samples import entry, rows, series, state
from strandlog_conformance.suite import check, declared

__all__ = ["refused_as_fork"]

_RULE = "LogStore.append: all or none"


async def refused_as_fork(store: LogStore, user: str, other: Entry) -> None:
    """Demand that *other* is refused since its place is taken."""
    call = f"append of another {other.device} {other.counter}"
    await refused(
        store.append(user, [other]), ForkError, call, device=other.device, counter=other.counter
    )


_Bad = tuple[str, type[AppendError], dict[str, int], list[Entry]]


def _bad(log: Sequence[Entry]) -> Iterator[_Bad]:
    """Yield what no log that begins with these takes, by the error that says so."""
    yield "a fork", ForkError, {"counter": 5}, [entry("mid", 5, content=b'"another"')]
    yield "a gap", GapError, {"expected": 7, "got": 9}, [entry("mid", 9)]
    falling = {"counter": 7, "least": 60, "previous": 6}
    yield "a falling timestamp", SeqError, falling, [entry("mid", 7, at=1)]
    yield "trimmed entries only", TrimmedError, {}, [log[0], log[1]]


@check("log.append.refused_leaves_no_trace", rule=_RULE, kills=("M296", "M297"))
async def refused_leaves_no_trace(case: Case) -> None:
    """Neither entries nor redactions nor floors of a batch outlive its refusal.

    Good entries stand on both sides of the bad one, by device; they redact one
    that is held and one that is not there yet.
    """
    user = case.user()
    log = series("mid", 1, 6)
    good = [
        entry("aaa", 1, redacts=Identity("mid", 4)),
        entry("aaa", 2, redacts=Identity("new", 1)),
        *series("zzz", 1, 2),
    ]
    floor = VersionVector({"mid": 3, "far": 7})
    async with case.open_log() as store:
        await store.append(user, log)
        await store.trim(user, "mid", up_to=2)
        before = await state(store, user)
        for what, error, told, bad in _bad(log):
            for batch in ([*good, *bad], [*bad, *good]):
                call = f"append of {what} among good ones"
                await refused(store.append(user, batch), error, call, device="mid", **told)
                same(await state(store, user), before, f"the log after an {call}")
                await refused(store.append(user, batch, floor=floor), error, f"{call}, with floor")
                same(await state(store, user), before, f"the log after an {call}, with floor")
        arrived = [entry("new", 1), entry("mid", 4)]
        await store.append(user, arrived)
        want = [entry("new", 1), *log[2:]]
        same(await rows(store, user), want, "read after targets arrived that refused ones redact")
        done = await store.append(user, good)
        same(done.added, len(good), "entries added of the good ones alone")


@check(
    "sparse.refused_leaves_no_trace",
    rule=_RULE,
    requires=(declared("sparse"),),
    kills=("M298",),
)
async def refused_page_leaves_no_trace(case: Case) -> None:
    """A page with holes that is refused raises no top, of its own devices or of others."""
    user = case.user()
    upto = VersionVector({"mid": 20, "far": 30, "zzz": 9, "aaa": 5})
    async with case.open_log() as store:
        await store.append(user, series("mid", 1, 6))
        before = await state(store, user)
        for what, error, bad in (
            ("a fork", ForkError, entry("mid", 5, content=b'"another"')),
            ("an entry above upto", GapError, entry("mid", 21)),
            ("a falling timestamp", SeqError, entry("mid", 15, at=1)),
            ("a device that upto does not name", GapError, entry("new", 1)),
        ):
            for batch in ([entry("zzz", 4), bad], [bad, entry("aaa", 1)]):
                call = f"append of {what}, with upto"
                await refused(store.append(user, batch, upto=upto), error, call)
                same(await state(store, user), before, f"the log after an {call}")
