"""A third party's tests are tried against faults in its own store."""

from __future__ import annotations

from pathlib import Path

import pytest

from strandlog.backend import CursorStore, LogStore
from strandlog_conformance.against.faults import Fault, faults_of, put_in
from strandlog_conformance.against.trial import NoTrialError, Trial, Verdict, try_against
from strandlog_conformance.bare import run
from strandlog_conformance.reference import ReferenceCursorStore, ReferenceLogStore, offer
from strandlog_conformance.suite import Level, all_checks, select

STORE = "strandlog_conformance.reference.log:ReferenceLogStore"

TESTS = '''
"""What somebody thought was enough."""

import anyio

from strandlog import Entry, Seq, VersionVector
from strandlog_conformance.reference import ReferenceLogStore, Shelf

GIVEN = [Entry(Seq(n, n, "phone"), "private", b'"text"') for n in range(1, 6)]


def test_what_is_appended_is_read() -> None:
    async def main() -> None:
        store = ReferenceLogStore(Shelf())
        await store.append("alice", GIVEN)
        page = await store.read("alice", after=VersionVector(), limit=9, max_bytes=9_999)
        assert page.entries == GIVEN

    anyio.run(main)
'''


@pytest.fixture
def tests(tmp_path: Path) -> Path:
    path = tmp_path / "test_parchment.py"
    path.write_text(TESTS, encoding="utf-8")
    return path


def kind_with(name: str, kind: type) -> type:
    """Return a class of its own with the fault in it."""
    spoilt = type(kind.__name__, (kind,), {})
    put_in(spoilt, name)
    return spoilt


@pytest.mark.anyio
@pytest.mark.once
@pytest.mark.parametrize("fault", faults_of(LogStore), ids=lambda one: one.name)
async def test_every_fault_of_a_log_store_is_one(fault: Fault) -> None:
    """The suite itself notices each: so it is no fault only in name."""
    target = offer(log=kind_with(fault.name, ReferenceLogStore))
    checks = [one for one in select(all_checks(), level=Level.CORE) if one.category not in SLOW]

    assert (await run(target, checks, fast=True)).failures


@pytest.mark.anyio
@pytest.mark.once
@pytest.mark.parametrize("fault", faults_of(CursorStore), ids=lambda one: one.name)
async def test_every_fault_of_a_cursor_store_is_one(fault: Fault) -> None:
    target = offer(cursors=kind_with(fault.name, ReferenceCursorStore))

    assert (await run(target, select(all_checks(), only=["cursor.*"]), fast=True)).failures


SLOW = {"proto", "model", "format", "disk", "life"}


@pytest.mark.anyio
async def test_the_trial_says_what_the_tests_notice_and_what_they_miss(tests: Path) -> None:
    """Each fault in a process of its own: one failing run says nothing of the next."""
    trial = await try_against(STORE, [str(tests)], only=["page-reordered", "trim-nothing"])

    noticed = {one.fault.name: one.noticed_by for one in trial.verdicts}
    assert noticed["page-reordered"].endswith("::test_what_is_appended_is_read")
    assert [one.name for one in trial.missed] == ["trim-nothing"]


@pytest.fixture
def failing_tests(tmp_path: Path) -> Path:
    path = tmp_path / "test_never.py"
    path.write_text("def test_never(): assert False\n", encoding="utf-8")
    return path


@pytest.mark.anyio
async def test_tests_that_fail_without_a_fault_cannot_be_tried(failing_tests: Path) -> None:
    with pytest.raises(NoTrialError, match=r"do not pass without a fault: .*::test_never"):
        await try_against(STORE, [str(failing_tests)])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("store", "why"),
    [
        ("strandlog_conformance.reference", "give MODULE:CLASS"),
        ("strandlog_nowhere:Store", "No module named"),
        ("strandlog_conformance.reference.log:CAPABILITIES", "is no class"),
        ("strandlog_conformance.report:Verdict", "neither a LogStore nor a CursorStore"),
    ],
)
async def test_what_is_no_store_is_refused(store: str, why: str) -> None:
    with pytest.raises(NoTrialError, match=why):
        await try_against(store, [])


def test_the_report_names_what_was_missed() -> None:
    first, second = faults_of(LogStore)[:2]
    trial = Trial(STORE, [Verdict(first, "test_a.py::test_b"), Verdict(second, "")])

    told = trial.as_json()

    assert (told["store"], told["missed"]) == (STORE, [second.name])
    assert told["faults"][0]["noticed_by"] == "test_a.py::test_b"
