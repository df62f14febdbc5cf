"""``report.json``: what a run found out, as data of a versioned form."""

from __future__ import annotations

import enum
import os
import platform
import re
from collections.abc import Sequence
from dataclasses import astuple, fields
from importlib.metadata import PackageNotFoundError, requires, version
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal

import msgspec

from strandlog.backend import Capabilities
from strandlog_conformance.levels import Mark, measured_durability
from strandlog_conformance.pairs import is_pair
from strandlog_conformance.report import Outcome, Report, StoreReport, Verdict
from strandlog_conformance.saboteurs.registry import suspects
from strandlog_conformance.suite import Check, manifest_hash
from strandlog_conformance.untested import UNTESTED
from strandlog_conformance.waivers import Waiver

__all__ = [
    "SCHEMA",
    "CheckDoc",
    "Document",
    "DocumentError",
    "StoreDoc",
    "document",
    "json_schema",
    "read_document",
    "spec_of",
    "to_json",
]

SCHEMA = 1
"""The version of the form. A field may be added to it; another meaning takes a new one."""


# The name at the beginning of a requirement.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class DocumentError(ValueError):
    """A file is no report, or one of a form that this version does not read."""


class SuiteDoc(msgspec.Struct, frozen=True):
    """Which suite it was."""

    version: str
    spec: str
    checks: int
    manifest_sha256: str


class RunDoc(msgspec.Struct, frozen=True):
    """How the run was made, and what it came to."""

    started: str
    seconds: float
    seed: int
    level: str
    only: list[str]
    fast: bool
    timeout_seconds: float
    retries: int
    soak_rounds: int
    host: str
    python: str
    argv: list[str]
    exit_code: int
    invalid: list[str]


class LatencyDoc(msgspec.Struct, frozen=True):
    """Milliseconds of a call; not compared with anything."""

    append_p50: float
    append_p99: float
    read_p50: float
    read_p99: float


class MeasuredDoc(msgspec.Struct, frozen=True):
    """What was found, whatever the store declares."""

    durability: str
    latency_millis: LatencyDoc | None


class FailureDoc(msgspec.Struct, frozen=True):
    """How a check failed."""

    call: str
    got: str
    want: str
    trace: str
    wire: str


class SuspectDoc(msgspec.Struct, frozen=True):
    """A faulty store that fails this check too."""

    id: str
    fault: str


class CheckDoc(msgspec.Struct, frozen=True):
    """One check of one store."""

    id: str
    category: str
    rule: str
    must: bool
    verdict: Verdict
    seconds: float
    reason: str
    failure: FailureDoc | None
    suspects: list[SuspectDoc]
    seed: int
    repro: str


class StoreDoc(msgspec.Struct, frozen=True):
    """One store, or one pair of stores."""

    store: str
    kind: Literal["store", "pair"]
    entry_point: str
    distribution: str
    version: str
    drivers: dict[str, str]
    capabilities: dict[str, Any]
    measured: MeasuredDoc
    level: str
    marks: list[Mark]
    withheld: dict[str, str]
    problem: str
    totals: dict[str, int]
    checks: list[CheckDoc]
    waivers: list[Waiver]


class UntestedDoc(msgspec.Struct, frozen=True):
    """A rule that no check holds a store to."""

    rule: str
    why: str


class Document(msgspec.Struct, frozen=True):
    """A whole report."""

    schema: int
    suite: SuiteDoc
    run: RunDoc
    stores: list[StoreDoc]
    untested: list[UntestedDoc]


def document(report: Report) -> Document:
    """Return the report as data; there is no secret in it."""
    facts = report.facts
    return Document(
        SCHEMA,
        SuiteDoc(
            version("strandlog-conformance"),
            spec_of(report.suite),
            len(report.suite),
            manifest_hash(report.suite),
        ),
        RunDoc(
            facts.started,
            round(facts.seconds, 3),
            report.seed,
            facts.level.value,
            list(facts.only),
            facts.fast,
            facts.timeout_seconds,
            facts.retries,
            facts.soak_rounds,
            # Not its name, which is nobody's business where reports are published.
            f"{platform.platform()}, {os.cpu_count()} processors",
            f"{platform.python_implementation()} {platform.python_version()}",
            list(facts.argv),
            int(report.exit_code()),
            report.invalid(),
        ),
        [_store(one, report) for one in report.stores],
        [UntestedDoc(one.rule, one.why) for one in UNTESTED],
    )


def read_document(path: Path) -> Document:
    """Read a report that was written before.

    Raises:
        DocumentError: It cannot be read, or is of another form.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Document)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise DocumentError(f"{path} is not a report.json: {error}") from error
    if found.schema != SCHEMA:
        raise DocumentError(f"{path} has the form {found.schema}; this version reads {SCHEMA}")
    return found


def to_json(report: Document) -> str:
    """Return the report as it stands in the file."""
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the form."""
    schema = msgspec.json.schema(Document)
    for described in schema["$defs"].values():
        if "description" in described:
            # Python 3.13 takes the indentation out of docstrings, and others leave it.
            described["description"] = cleandoc(described["description"])
    return schema


def spec_of(suite: Sequence[Check]) -> str:
    """Return the version of the rules that *suite* checks: the newest in which one was added."""
    return max((one.since for one in suite), key=_numbers, default="")


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _store(store: StoreReport, report: Report) -> StoreDoc:
    # A pair comes from two distributions; the first word of both would say nothing.
    name, _, number = store.distribution.partition(" ")
    pair = is_pair(store.store)
    standing = report.standing(store)
    shown = measured_durability(report.suite, store.outcomes)
    return StoreDoc(
        store.store,
        "pair" if pair else "store",
        store.scheme,
        store.distribution if pair else name,
        "" if pair else number,
        {} if pair or not name else _drivers(name),
        _plain(store.capabilities) if store.capabilities else {},
        MeasuredDoc(
            shown.value if shown else "",
            LatencyDoc(*astuple(store.latency)) if store.latency else None,
        ),
        standing.level if standing else "",
        [one.mark for one in standing.grades if one.earned] if standing else [],
        dict(standing.withheld) if standing else {},
        store.problem,
        {
            "planned": len(store.planned),
            **{verdict.value: count for verdict, count in store.totals.items()},
        },
        [_check(one) for one in store.outcomes],
        list(store.waived),
    )


def _drivers(distribution: str) -> dict[str, str]:
    """Return the versions of what a distribution requires and has in this environment."""
    try:
        required = requires(distribution) or []
    except PackageNotFoundError:
        return {}
    found = {}
    for requirement in required:
        name = _NAME.match(requirement)
        # Extras are not asked for, so what they would bring is not the driver.
        if name is None or "extra ==" in requirement:
            continue
        try:
            found[name.group()] = version(name.group())
        except PackageNotFoundError:
            continue
    return found


def _plain(capabilities: Capabilities) -> dict[str, Any]:
    found = {one.name: getattr(capabilities, one.name) for one in fields(capabilities)}
    return {
        name: value.value
        if isinstance(value, enum.Enum)
        else sorted(value)
        if isinstance(value, frozenset)
        else value
        for name, value in found.items()
    }


def _check(outcome: Outcome) -> CheckDoc:
    check, failure = outcome.check, outcome.failure
    suspected = suspects(check.kills) if failure else []
    return CheckDoc(
        check.id,
        check.category,
        check.rule,
        check.must,
        outcome.verdict,
        round(outcome.seconds, 4),
        outcome.reason,
        FailureDoc(*astuple(failure)) if failure else None,
        [SuspectDoc(one.id, one.fault) for one in suspected],
        outcome.seed,
        outcome.repro,
    )
