"""What has changed since an earlier report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from strandlog_conformance.document import CheckDoc, Document, StoreDoc
from strandlog_conformance.verdicts import Verdict

__all__ = ["Change", "compare"]

_GOOD = (Verdict.PASS, Verdict.STAND_IN)
_BAD = (Verdict.FAIL, Verdict.FLAKY, Verdict.ERROR)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two reports.

    Attributes:
        store: The store that it is about.
        what: The check, or ``level`` or ``suite``.
        before: What it was.
        now: What it is.
        worse: Whether something was lost: then the comparison fails.
    """

    store: str
    what: str
    before: str
    now: str
    worse: bool


def compare(old: Document, new: Document) -> list[Change]:
    """Return every difference, the losses first."""
    before = {one.store: one for one in old.stores}
    now = {one.store: one for one in new.stores}
    found = [*_suites(old, new)]
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            found.append(Change(name, "store", "checked", "not checked", worse=True))
        elif name not in before:
            found.append(Change(name, "store", "not checked", "checked", worse=False))
        else:
            found += _stores(before[name], now[name])
    return sorted(found, key=lambda one: not one.worse)


def _suites(old: Document, new: Document) -> Iterator[Change]:
    if old.suite.manifest_sha256 != new.suite.manifest_sha256:
        before, now = (f"{one.suite.version}, {one.suite.checks} checks" for one in (old, new))
        yield Change("", "suite", before, now, worse=new.suite.checks < old.suite.checks)


def _stores(old: StoreDoc, new: StoreDoc) -> Iterator[Change]:
    lost = set(old.marks) - set(new.marks)
    if old.level != new.level:
        yield Change(new.store, "level", old.level or "none", new.level or "none", worse=bool(lost))
    before, now = _by_id(old), _by_id(new)
    for name in dict.fromkeys([*before, *now]):
        if name not in now:
            # Whether it was not chosen or is not there any more: nobody looks at it now.
            yield Change(new.store, name, before[name].verdict.value, "missing", worse=True)
        elif name not in before:
            verdict = now[name].verdict
            yield Change(new.store, name, "missing", verdict.value, worse=verdict in _BAD)
        elif before[name].verdict != now[name].verdict:
            was, is_ = before[name].verdict, now[name].verdict
            worse = is_ in _BAD or (was in _GOOD and is_ not in _GOOD)
            yield Change(new.store, name, was.value, is_.value, worse=worse)


def _by_id(store: StoreDoc) -> Mapping[str, CheckDoc]:
    return {one.id: one for one in store.checks}
