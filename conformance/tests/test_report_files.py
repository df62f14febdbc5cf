"""Reports as files: the same run for programs, for build servers and for people."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import msgspec
import pytest

from strandlog.backend import Capabilities, Durability
from strandlog_conformance.bare import run
from strandlog_conformance.document import (
    Document,
    DocumentError,
    document,
    read_document,
    to_json,
)
from strandlog_conformance.junit import junit
from strandlog_conformance.manifest import SCHEMA_FILE, schema_text
from strandlog_conformance.measuring import Latency
from strandlog_conformance.page import page
from strandlog_conformance.report import (
    Failure,
    Outcome,
    Report,
    RunFacts,
    StoreReport,
    Verdict,
)
from strandlog_conformance.report_files import write_report
from strandlog_conformance.saboteurs.registry import all_saboteurs
from strandlog_conformance.session import find_check
from strandlog_conformance.suite import Level, all_checks

SUITE = all_checks()[:6]
CLAIMS = Capabilities(durability=Durability.POWER, max_entry=9, needs=frozenset({"fs", "a"}))
NASTY = "</script><script>alert(1)</script> & \x00\x1b[31m \u2028 <!-- 'quoted\""
VERDICTS = (
    Verdict.PASS,
    Verdict.FAIL,
    Verdict.UNSUPPORTED,
    Verdict.WAIVED,
    Verdict.ERROR,
    Verdict.NA_ENV,
)


def a_report(*, nasty: str = "that") -> Report:
    outcomes = [
        Outcome(
            check,
            "sqlite",
            verdict,
            7,
            0.25,
            "a reason" if verdict not in (Verdict.PASS, Verdict.FAIL) else "",
            Failure("a call", "this", nasty, "a trace", "1 alice/phone → []")
            if verdict is Verdict.FAIL
            else None,
        )
        for check, verdict in zip(SUITE, VERDICTS, strict=True)
    ]
    store = StoreReport(
        "sqlite",
        SUITE,
        outcomes,
        "strandlog-sqlite 0.1.0",
        capabilities=CLAIMS,
        scheme="sqlite",
        latency=Latency(1.0, 2.0, 3.0, 4.0),
    )
    facts = RunFacts("2026-01-02T03:04:05+00:00", 1.5, ["strandlog"], Level.ALL)
    return Report(SUITE, [store], 7, facts=facts)


def a_document(**other: str) -> Document:
    return document(a_report(**other))


# -- report.json --------------------------------------------------------------------


def test_the_json_counts_like_the_report() -> None:
    data = json.loads(to_json(a_document()))

    [store] = data["stores"]
    assert store["totals"] == {
        "planned": 6,
        "PASS": 1,
        "FAIL": 1,
        "ERROR": 1,
        "UNSUPPORTED": 1,
        "NA-ENV": 1,
        "WAIVED": 1,
    }
    assert [one["verdict"] for one in store["checks"]] == [one.value for one in VERDICTS]
    assert sum(store["totals"].values()) == 2 * store["totals"]["planned"]


def test_the_json_tells_which_suite_run_and_store_it_was() -> None:
    data = json.loads(to_json(a_document()))

    assert data["schema"] == 1
    assert data["suite"]["checks"] == 6
    assert re.fullmatch("[0-9a-f]{64}", data["suite"]["manifest_sha256"])
    assert (data["run"]["seed"], data["run"]["level"], data["run"]["exit_code"]) == (7, "all", 3)
    [store] = data["stores"]
    assert (store["entry_point"], store["distribution"], store["version"]) == (
        "sqlite",
        "strandlog-sqlite",
        "0.1.0",
    )
    assert {"aiosqlite", "strandlog"} <= set(store["drivers"])
    assert store["capabilities"]["durability"] == "power"
    assert store["capabilities"]["needs"] == ["a", "fs"]
    assert store["measured"]["latency_millis"]["append_p99"] == 2.0


def test_a_failure_is_told_with_its_likely_fault_and_how_to_see_it_again() -> None:
    failed = a_document().stores[0].checks[1]

    assert failed.failure is not None
    assert (failed.failure.call, failed.failure.wire) == ("a call", "1 alice/phone → []")
    assert failed.repro == f"sqlite#{SUITE[1].id}#7"
    assert [one.id for one in failed.suspects] == list(SUITE[1].kills)


def test_the_json_is_read_again_as_it_was(tmp_path: Path) -> None:
    written = a_document()

    write_report(written, tmp_path)

    assert read_document(tmp_path / "report.json") == written


def test_the_schema_is_in_step() -> None:
    """It is written by python -m strandlog_conformance.manifest."""
    assert SCHEMA_FILE.read_text("utf-8") == schema_text()


def test_a_field_is_not_lost_in_silence() -> None:
    """Whoever reads with the schema of this version finds every field that it names."""
    required = set(json.loads(schema_text())["$defs"]["CheckDoc"]["required"])

    assert required == set(json.loads(to_json(a_document()))["stores"][0]["checks"][0])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not a report.json"),
        ("{}", "is not a report.json"),
        (None, "is not a report.json"),
        (to_json(msgspec.structs.replace(a_document(), schema=99)), "has the form 99"),
    ],
)
def test_what_is_no_report_is_refused(content: str | None, said: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    if content is not None:
        path.write_text(content)

    with pytest.raises(DocumentError, match=said):
        read_document(path)


# -- junit.xml ----------------------------------------------------------------------


def cases(report: Document) -> list[Element]:
    return list(fromstring(junit(report)).iter("testcase"))  # noqa: S314  # our own text


def test_each_check_is_a_case_that_tells_its_verdict() -> None:
    told = [
        (one.get("classname"), one.get("name"), [child.tag for child in one])
        for one in cases(a_document())
    ]

    kinds: list[list[str]] = [[], ["failure"], ["skipped"], ["skipped"], ["error"], ["skipped"]]
    assert told[:-1] == [
        (f"strandlog.{check.category}", f"{check.id}[sqlite]", kind)
        for check, kind in zip(SUITE, kinds, strict=True)
    ]


def test_a_run_that_is_no_answer_is_an_error_of_its_own() -> None:
    last = cases(a_document())[-1]

    assert (last.get("name"), [child.tag for child in last]) == (
        "the run is an answer",
        ["error"],
    )


def test_what_was_left_out_says_why() -> None:
    skipped = [one.get("message") for case in cases(a_document()) for one in case.iter("skipped")]

    assert skipped == ["UNSUPPORTED a reason", "WAIVED a reason", "NA-ENV a reason"]


def test_a_suite_counts_and_has_the_capabilities_as_properties() -> None:
    [suite, _] = fromstring(junit(a_document())).iter("testsuite")  # noqa: S314

    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert counts == ["6", "1", "1", "3"]
    assert properties["capability.durability"] == "power"
    assert properties["capability.max_batch"] == "no limit"
    assert properties["capability.needs"] == "a, fs"


def test_a_failure_that_is_not_required_is_no_failure_for_a_build_server() -> None:
    report = a_report()
    [store] = report.stores
    soft = [
        replace(one, check=replace(one.check, must=False)) if one.verdict is Verdict.FAIL else one
        for one in store.outcomes
    ]

    told = cases(document(replace(report, stores=[replace(store, outcomes=soft)])))[1]

    assert [child.tag for child in told] == ["skipped"]


def test_xml_can_be_read_whatever_a_store_says() -> None:
    [problem] = [one for case in cases(a_document(nasty=NASTY)) for one in case.iter("failure")]

    assert "</script>" in (problem.get("message") or "")
    assert "�" in (problem.get("message") or "")  # in the place of what XML cannot hold


# -- report.html --------------------------------------------------------------------


class _Page(HTMLParser):
    """Finds what a page would load, and its scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""


def read_page(text: str) -> _Page:
    found = _Page()
    found.feed(text)
    return found


def test_the_page_needs_no_other_file() -> None:
    text = page(a_document())

    assert read_page(text).loads == []
    assert not re.search(r"@import|url\(|fetch\(|https?://", text)


def test_the_page_holds_the_whole_report() -> None:
    written = a_document(nasty=NASTY)

    [script] = read_page(page(written)).scripts

    [data] = re.findall(r"^const report = (.*);$", script, re.MULTILINE)
    assert msgspec.json.decode(data, type=Document) == written


def test_nothing_that_a_store_says_becomes_a_part_of_the_page() -> None:
    text = page(a_document(nasty=NASTY))

    assert text.count("</script>") == 1
    assert "alert(1)</" not in text
    assert "innerHTML" not in text  # texts are put in as texts


# -- what a real run leaves -----------------------------------------------------------


@pytest.mark.anyio
async def test_a_failed_story_tells_what_had_travelled() -> None:
    [faulty] = [one for one in all_saboteurs() if one.id == "M306"]

    report = await run(faulty.target, [find_check("proto.partial_reply_then_cut")], fast=True)

    [outcome] = report.outcomes
    assert outcome.failure is not None
    lines = outcome.failure.wire.splitlines()
    assert re.match(r'1 alice/\w+ → \["hello",', lines[0])
    assert re.match(r'2 alice/\w+ ← \["hello",', lines[1])
    assert lines[0] not in outcome.failure.trace
