"""Waivers: failures that are known, each with its reason and the day on which it ends.

A waiver lets one failing check of one store pass by without hiding it: the
verdict is ``WAIVED``, and nothing that takes the check is earned. A waiver that
does not hold any more is worse than none, so it makes the run no answer.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from strandlog_conformance.suite import Check, select
from strandlog_conformance.verdicts import Outcome, Verdict

__all__ = ["Waiver", "WaiverFileError", "Waivers", "read_waivers"]


class WaiverFileError(ValueError):
    """The file cannot be read, or is no waiver file."""


class Waiver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One known failure.

    Attributes:
        id: The check that fails.
        store: The store that fails it: its scheme, or its name in the run.
        kind: ``store`` if the store is to be mended, ``check`` if its author
            holds the check to be wrong, ``environment`` if it is the machine.
        reason: Why it fails, for whoever reads the report.
        link: Where it is followed up.
        expires: The last day on which the waiver holds.
        error: A piece of the text of the failure; any other failure is not waived.
    """

    id: str
    store: str
    kind: Literal["store", "check", "environment"]
    reason: str
    link: str
    expires: dt.date
    error: str

    @property
    def name(self) -> str:
        return f"the waiver of {self.id} for {self.store}"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    waiver: list[Waiver]


def read_waivers(path: Path) -> list[Waiver]:
    """Read a waiver file.

    Raises:
        WaiverFileError: It is not there, is no TOML, or lacks or invents a field.
    """
    try:
        found = msgspec.toml.decode(path.read_bytes(), type=_File).waiver
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise WaiverFileError(f"{path} is not a waiver file: {error}") from error
    for one in found:
        for field in ("id", "store", "reason", "link", "error"):
            # Of every text the empty one is a piece: it would waive whatever comes.
            if not getattr(one, field).strip():
                raise WaiverFileError(f"{path}: {one.name} has an empty {field}")
    return found


@dataclass(frozen=True, slots=True)
class Waivers:
    """The waivers of a run, and the day on which it is made."""

    waivers: Sequence[Waiver] = ()
    today: dt.date = dt.date.max

    def problems(self, suite: Iterable[Check]) -> list[str]:
        """Return what is wrong with the waivers themselves, a sentence each."""
        checks = list(suite)
        found = []
        for one in self.waivers:
            fitting = [check.id for check in select(checks, only=[one.id])]
            if not fitting:
                found.append(f"{one.name}: there is no such check")
            elif len(fitting) > 1:
                found.append(f"{one.name} fits {len(fitting)} checks: {', '.join(fitting[:3])} …")
            elif fitting != [one.id]:
                found.append(f"{one.name} is a pattern: write {fitting[0]}")
            if one.expires < self.today:
                found.append(f"{one.name} expired on {one.expires}")
        keys = [(one.id, one.store) for one in self.waivers]
        found += [
            f"two waivers name {check} for {store}"
            for check, store in dict.fromkeys(keys)
            if keys.count((check, store)) > 1
        ]
        return found

    def applied(
        self, outcomes: Sequence[Outcome], scheme: str
    ) -> tuple[list[Outcome], list[str], list[Waiver]]:
        """Return the outcomes of a store with what is waived, what is wrong, and what was used.

        Only what fails as the waiver says is waived. A check that passes, is not
        made of such a store, or fails with other words has a waiver that is stale.
        """
        found, problems, used = [], [], []
        for outcome in outcomes:
            waiver = self._of(outcome, scheme)
            if waiver is None:
                found.append(outcome)
                continue
            problem = _stale(waiver, outcome)
            if problem:
                problems.append(f"{waiver.name} {problem}")
                found.append(outcome)
                continue
            if outcome.verdict is Verdict.FAIL:
                reason = f"{waiver.reason} ({waiver.link}, until {waiver.expires})"
                outcome = replace(outcome, verdict=Verdict.WAIVED, reason=reason)  # noqa: PLW2901
                used.append(waiver)
            found.append(outcome)
        return found, problems, used

    def _of(self, outcome: Outcome, scheme: str) -> Waiver | None:
        fitting = [
            one
            for one in self.waivers
            if one.id == outcome.check.id
            and one.store in (outcome.store, scheme)
            and one.expires >= self.today
        ]
        # Of two for one check neither holds.
        return fitting[0] if len(fitting) == 1 else None


def _stale(waiver: Waiver, outcome: Outcome) -> str:
    """Return why a waiver does not fit what came of its check; empty if it does."""
    if outcome.verdict is Verdict.FAIL:
        text = outcome.failure.text if outcome.failure else ""
        if waiver.error in text:
            return ""
        return f"expects {waiver.error!r}, but the check failed with: {text}"
    if outcome.verdict is Verdict.FLAKY:
        return "is for a check that passed when it was repeated"
    if outcome.verdict in (Verdict.NA_ENV, Verdict.NOT_RUN, Verdict.ERROR):
        return ""  # it says nothing about the failure
    return f"is not needed: the check came to {outcome.verdict.value}"
