"""``junit.xml``: a report in the form that build servers read."""

from __future__ import annotations

import re
from collections import Counter
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from strandlog_conformance.document import CheckDoc, Document, StoreDoc
from strandlog_conformance.verdicts import Verdict

__all__ = ["junit"]

# XML cannot hold these, not even escaped; a store may well put them into a message.
_UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_SKIPPED = frozenset(
    {Verdict.UNSUPPORTED, Verdict.NA_ENV, Verdict.WAIVED, Verdict.STAND_IN, Verdict.UNDERCLAIMED}
)
_FAILED = frozenset({Verdict.FAIL, Verdict.FLAKY})
_BROKEN = frozenset({Verdict.ERROR, Verdict.NOT_RUN})


def junit(report: Document) -> bytes:
    """Return the report as XML: a suite for each store, a case for each check."""
    root = Element("testsuites", name="strandlog conformance")
    for store in report.stores:
        _suite(root, store, report)
    if report.run.invalid:
        # A server that reads no more than this file must not take the run for green.
        suite = SubElement(root, "testsuite", name="the run", tests="1", errors="1", failures="0")
        case = SubElement(suite, "testcase", classname="strandlog", name="the run is an answer")
        SubElement(case, "error", message=_text("; ".join(report.run.invalid)), type="NO ANSWER")
    indent(root)
    text: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _suite(root: Element, store: StoreDoc, report: Document) -> None:
    kinds = Counter(_kind(one) for one in store.checks)
    suite = SubElement(
        root,
        "testsuite",
        name=_text(store.store),
        tests=str(len(store.checks)),
        failures=str(kinds["failure"]),
        errors=str(kinds["error"]),
        skipped=str(kinds["skipped"]),
        time=f"{sum(one.seconds for one in store.checks):.3f}",
        timestamp=report.run.started,
    )
    properties = SubElement(suite, "properties")
    facts = {
        "suite.version": report.suite.version,
        "suite.manifest_sha256": report.suite.manifest_sha256,
        "distribution": f"{store.distribution} {store.version}".strip(),
        "level": store.level,
        **{f"driver.{name}": number for name, number in store.drivers.items()},
        **{f"capability.{name}": _value(value) for name, value in store.capabilities.items()},
    }
    for name, value in facts.items():
        SubElement(properties, "property", name=_text(name), value=_text(value))
    for one in store.checks:
        _case(suite, one, store.store)


def _case(suite: Element, check: CheckDoc, store: str) -> None:
    case = SubElement(
        suite,
        "testcase",
        classname=f"strandlog.{check.category}",
        name=_text(f"{check.id}[{store}]"),
        time=f"{check.seconds:.4f}",
    )
    kind = _kind(check)
    if kind == "skipped":
        failed = ", which is not required:" if check.verdict in _FAILED else ""
        message = " ".join(filter(None, (f"{check.verdict.value}{failed}", _told(check))))
        SubElement(case, "skipped", message=_text(message))
    elif kind:
        _problem(case, kind, check)


def _kind(check: CheckDoc) -> str:
    """Return which element tells the verdict; empty for a check that passed."""
    if check.verdict in _FAILED:
        return "failure" if check.must else "skipped"
    if check.verdict in _SKIPPED:
        return "skipped"
    return "error" if check.verdict in _BROKEN else ""


def _problem(case: Element, kind: str, check: CheckDoc) -> None:
    problem = SubElement(case, kind, message=_text(_told(check)), type=check.verdict.value)
    lines = [f"rule   {check.rule}"]
    if check.failure is not None:
        failure = check.failure
        lines += [f"call   {failure.call}", f"got    {failure.got}", f"want   {failure.want}"]
    lines += [f"like   {one.id}, a store that {one.fault}" for one in check.suspects]
    lines.append(f"again  strandlog conformance --repro '{check.repro}'")
    if check.failure is not None:
        lines += [check.failure.wire, check.failure.trace]
    problem.text = _text("\n".join(line for line in lines if line))


def _told(check: CheckDoc) -> str:
    failure = check.failure
    told = f"{failure.call}: got {failure.got}, want {failure.want}" if failure else ""
    return " ".join(filter(None, (check.reason, told)))


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "no limit" if value is None else str(value)


def _text(text: str) -> str:
    return _UNWRITABLE.sub("�", text)
