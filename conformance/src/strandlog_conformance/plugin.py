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

    from strandlog_conformance.report import Outcome
    from strandlog_conformance.suite import Check
    from strandlog_conformance.target import Target

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
    group.addoption("--store-seed", type=int, default=0, help="where chance begins")


def pytest_configure(config: pytest.Config) -> None:
    """Watch whether any check was made."""
    config.pluginmanager.register(_Watch(), _WATCH)


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
        from strandlog_conformance.pairs import of_pairs, pair_names
        from strandlog_conformance.suite import all_checks
        from strandlog_conformance.target import installed_schemes

        names: list[str] = list(self.config.getoption("--store"))
        if self.config.getoption("--all-stores"):
            names += installed_schemes()
        if not names:
            yield _NoStore.from_parent(self, name="no store")
        checks = all_checks()
        plan = dict.fromkeys(names, checks)
        if self.config.getoption("--store-pairs"):
            plan |= dict.fromkeys(pair_names(names), of_pairs(checks))
        for store, planned in ((_Store(name), planned) for name, planned in plan.items()):
            for check in planned:
                yield _CheckItem.from_parent(
                    self, name=f"{check.id}[{store.name}]", check=check, store=store
                )


class _Store:
    """One store that was named, opened once before its first check."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._target: Target | None = None
        self._problem = ""

    def outcome(self, check: Check, *, seed: int) -> Outcome:
        """Make one check, in an event loop of its own."""
        import asyncio

        return asyncio.run(self._outcome(check, seed))

    async def _outcome(self, check: Check, seed: int) -> Outcome:
        from strandlog.errors import StrandlogError
        from strandlog_conformance.bare import UnreachableError, reach, run_check
        from strandlog_conformance.pairs import is_pair, reach_pair
        from strandlog_conformance.places import Places
        from strandlog_conformance.report import Outcome, Verdict
        from strandlog_conformance.target import Target

        with Places() as places:
            if self._target is None and not self._problem:
                try:
                    if is_pair(self.name):
                        self._target = await reach_pair(self.name)
                    else:
                        self._target = await reach(Target.named(self.name), places)
                except (StrandlogError, UnreachableError) as error:
                    self._problem = str(error)
            if self._target is None:
                return Outcome(check, self.name, Verdict.NOT_RUN, seed, reason=self._problem)
            return await run_check(check, self._target, places, seed=seed)


class _NoStore(pytest.Item):
    """Stands for the checks that nobody can make: without a store nothing is tested."""

    def runtest(self) -> None:
        pytest.fail("no store was named: give --store URL, or --all-stores", pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        return self.path, None, self.name


class _CheckItem(pytest.Item):
    """One check of one store."""

    def __init__(self, *, check: Check, store: _Store, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._check = check
        self._under_test = store

    def runtest(self) -> None:
        from strandlog_conformance.report import Verdict

        outcome = self._under_test.outcome(self._check, seed=self.config.getoption("--store-seed"))
        self.config.pluginmanager.getplugin(_WATCH).took(outcome)
        if outcome.verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.NOT_RUN):
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
            lines.append(failure.trace)
        lines.append(f"again  strandlog conformance --repro '{outcome.repro}'")
        super().__init__("\n".join(lines))


class _Watch:
    """Sees to it that a run in which nothing ran is not taken for a success."""

    def __init__(self) -> None:
        self._collected = False
        self._ran = False

    def took(self, outcome: Outcome) -> None:
        from strandlog_conformance.report import Verdict

        self._ran |= outcome.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.STAND_IN)

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self._collected |= isinstance(item, (_CheckItem, _NoStore))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._collected and not self._ran and not session.config.option.collectonly:
            session.exitstatus = _INVALID
