"""The pytest side: each check of each store as one test.

    pytest --pyargs strandlog_conformance --store sqlite:///x.db

pytest imports this module in every environment that has the distribution, also
when it runs somebody else's tests; so the top imports pytest and no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr

    from strandlog_conformance.report import Outcome, Report
    from strandlog_conformance.suite import Check
    from strandlog_conformance.tested import Tested, TestRun

# The file that stands for the suite when pytest walks through the package.
_SUITE = Path(__file__).with_name("suite.py")

_WATCH = "strandlog-conformance-watch"

_INVALID = 3
"""The exit status of a run that is no answer, as of the command line."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    group = parser.getgroup("strandlog conformance")
    group.addoption(
        "--store", action="append", default=[], help="a store URL to check (repeatable)"
    )
    group.addoption("--all-stores", action="store_true", help="check every installed store plugin")
    group.addoption(
        "--store-pairs",
        action="store_true",
        help="play the protocol's stories on every pair of the stores, devices' and server's",
    )
    group.addoption(
        "--store-level",
        choices=["core", "durable", "all"],
        help="how much to check; core unless told, with --all-stores everything",
    )
    group.addoption("--store-seed", type=int, default=0, help="where chance begins")
    group.addoption("--store-waivers", type=Path, help="a TOML file of failures that are known")
    group.addoption(
        "--store-report", type=Path, help="a directory for report.json, junit.xml and report.html"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Watch whether any check was made."""
    config.pluginmanager.register(_Watch(config), _WATCH)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Take the suite for a file of tests."""
    if file_path != _SUITE or not _asked_for(parent.config):
        return None
    return _Suite.from_parent(parent, path=file_path)


def _asked_for(config: pytest.Config) -> bool:
    """Return whether the suite was named, or a store for it.

    Otherwise pytest only walks by, on its way through this workspace.
    """
    if config.getoption("--store") or config.getoption("--all-stores"):
        return True
    return config.option.pyargs and any(
        arg.partition("::")[0].partition(".")[0] == __package__ for arg in config.args
    )


class _Suite(pytest.File):
    """All checks of all stores that were named."""

    def collect(self) -> Iterator[pytest.Item]:
        run = _watch(self.config).begin()
        for store in run.stores:
            for check in store.planned:
                yield _CheckItem.from_parent(
                    self, name=f"{check.id}[{store.name}]", check=check, store=store
                )
        if not run.stores:
            yield _NoStore.from_parent(self, name="no store")


class _NoStore(pytest.Item):
    """Stands for the checks that nobody can make: without a store nothing is tested."""

    def runtest(self) -> None:
        pytest.fail("no store was named: give --store URL, or --all-stores", pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class _CheckItem(pytest.Item):
    """One check of one store."""

    def __init__(self, *, check: Check, store: Tested, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check
        self.store = store

    def runtest(self) -> None:
        from strandlog_conformance.report import Verdict

        outcome = self.store.made(self.check)
        if outcome.verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.NOT_RUN):
            if outcome.verdict is Verdict.FAIL and not self.check.must:
                pytest.skip(f"FAIL, which is not required: {outcome.failure}")
            raise _NotPassedError(outcome)
        if outcome.verdict is not Verdict.PASS:
            pytest.skip(f"{outcome.verdict.value}: {outcome.reason}")

    def repr_failure(
        self, excinfo: ExceptionInfo[BaseException], style: Any = None
    ) -> str | TerminalRepr:
        if isinstance(excinfo.value, _NotPassedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class _NotPassedError(Exception):
    """A check did not pass; the text says all that is known."""

    def __init__(self, outcome: Outcome) -> None:
        failure, check = outcome.failure, outcome.check
        lines = [f"{outcome.verdict.value} {check.id} of {outcome.store}", f"rule   {check.rule}"]
        if outcome.reason:
            lines.append(f"reason {outcome.reason}")
        if failure is not None:
            lines += [f"call   {failure.call}", f"got    {failure.got}", f"want   {failure.want}"]
            lines += [failure.wire, failure.trace]
        lines.append(f"again  strandlog conformance --repro '{outcome.repro}'")
        super().__init__("\n".join(line for line in lines if line))


class _Watch:
    """Sees to it that a run that is no answer is not taken for a success."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._run: TestRun | None = None
        self._report: Report | None = None

    def begin(self) -> TestRun:
        """Return the run, which begins when the suite is collected."""
        from strandlog_conformance.tested import TestRun
        from strandlog_conformance.waivers import WaiverFileError

        option = self._config.getoption
        if self._run is None:
            try:
                self._run = TestRun(
                    names=option("--store"),
                    all_installed=option("--all-stores"),
                    pairs=option("--store-pairs"),
                    level=option("--store-level"),
                    seed=option("--store-seed"),
                    waivers=option("--store-waivers"),
                )
            except WaiverFileError as error:
                raise pytest.UsageError(str(error)) from error
        return self._run

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Take what was selected for what is planned."""
        if self._run is not None:
            chosen = [item for item in session.items if isinstance(item, _CheckItem)]
            for store in self._run.stores:
                store.planned = [item.check for item in chosen if item.store is store]

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge the whole: a run that is no answer ends with 3."""
        if self._run is None or self._config.option.collectonly:
            return
        self._report = self._run.report()
        if directory := self._config.getoption("--store-report"):
            from strandlog_conformance.document import document
            from strandlog_conformance.report_files import write_report

            write_report(document(self._report), directory)
        judged = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if self._report.invalid() and session.exitstatus in (
            *judged,
            pytest.ExitCode.NO_TESTS_COLLECTED,
        ):
            session.exitstatus = _INVALID

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say which level each store has earned, and why a run is no answer."""
        if self._report is None:
            return
        terminalreporter.section("strandlog conformance")
        for store in self._report.stores:
            sums = " + ".join(f"{n} {verdict.value}" for verdict, n in store.totals.items())
            level = self._report.level(store)
            told = f", level {level}" if level else ""
            terminalreporter.line(
                f"{store.store}: {len(store.planned)} planned = {sums or 0}{told}"
            )
        for reason in self._report.invalid():
            terminalreporter.line(f"the run is no answer: {reason}", yellow=True)


def _watch(config: pytest.Config) -> _Watch:
    found = config.pluginmanager.getplugin(_WATCH)
    assert isinstance(found, _Watch)  # noqa: S101  # registered above
    return found
