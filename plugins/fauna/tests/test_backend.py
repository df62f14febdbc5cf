"""What the plugin says of itself, and what it makes of its URL, before anything is opened."""

from __future__ import annotations

import subprocess
import sys

import pytest

from strandlog.backend import StoreUrl
from strandlog.backend.registry import open_log_store, plugin
from strandlog.errors import StoreUrlError
from strandlog_conformance import bare
from strandlog_conformance.report import Verdict
from strandlog_conformance.suite import all_checks, select
from strandlog_conformance.target import Target
from strandlog_fauna.testing import ENDPOINT, SECRET

from .conftest import url_of
from .standin.http import StandIn


def _run(program: str) -> str:
    return subprocess.run(  # noqa: S603
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout


def test_it_is_listed_without_its_driver() -> None:
    """``strandlog stores`` asks every plugin; the slow import waits for the first opening."""
    found = _run(
        "import sys, strandlog_fauna as plugin\n"
        "plugin.strandlog_log_store(), plugin.strandlog_cursor_store()\n"
        "print(*{'faunadb', 'requests', 'stamina', 'asyncio'} & {*sys.modules})"
    )

    assert found.split() == []


def test_the_driver_is_imported_in_silence() -> None:
    """It warns that its service is gone, which a program with ``-W error`` would die of."""
    assert _run("import strandlog_fauna._log; print('imported')") == "imported\n"


def test_it_says_that_it_was_checked_against_a_stand_in() -> None:
    backend = plugin("fauna").log
    assert backend is not None

    assert backend.capabilities.stand_in
    assert "network" in backend.capabilities.needs


@pytest.mark.anyio
@pytest.mark.parametrize(("says_so", "verdict"), [(True, Verdict.STAND_IN), (False, Verdict.PASS)])
async def test_a_server_that_is_no_stand_in_is_told_from_one(
    monkeypatch: pytest.MonkeyPatch, *, says_so: bool, verdict: Verdict
) -> None:
    """On a server of their own people learn PASS or FAIL; ours says that it is an imitation."""
    checks = select(all_checks(), only=["log.append.roundtrip"])
    with StandIn("s3cret", says_so=says_so) as server:
        monkeypatch.setenv(ENDPOINT, f"http://127.0.0.1:{server.port}")
        monkeypatch.setenv(SECRET, server.secret)
        report = await bare.run(Target.installed("fauna"), checks, fast=True)

    assert [outcome.verdict for outcome in report.outcomes] == [verdict]


@pytest.mark.parametrize(
    "query", ["prefix=a-b", "prefix=", "timeout=0", "timeout=soon", "busy_pause=-1", "tls=1"]
)
def test_options_are_checked(query: str) -> None:
    backend = plugin("fauna").log
    assert backend is not None

    with pytest.raises(StoreUrlError, match=query.partition("=")[0]):
        StoreUrl.parse(f"fauna+http://s@127.0.0.1/?{query}").options(backend.options)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("fauna://s@127.0.0.1:1/", "fauna\\+http"),
        ("fauna+http://127.0.0.1:1/", "secret"),
        ("fauna+http://s@127.0.0.1:1/database", "takes no path"),
    ],
)
async def test_a_url_that_cannot_be_used_says_what_to_write(url: str, hint: str) -> None:
    with pytest.raises(StoreUrlError, match=hint):
        async with open_log_store(url):
            pass


@pytest.mark.anyio
async def test_the_secret_may_come_from_the_environment(
    server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAUNA_KEY", "s3cret")
    url = f"fauna+http://127.0.0.1:{server.port}/?secret_env=FAUNA_KEY"

    async with open_log_store(url) as store:
        assert await store.tops("alice") == {}


@pytest.mark.anyio
async def test_two_prefixes_are_two_locations(server: StandIn) -> None:
    async with (
        open_log_store(url_of(server, query="?prefix=one_")) as one,
        open_log_store(url_of(server, query="?prefix=two_")) as two,
    ):
        assert (await one.info()).epoch != (await two.info()).epoch
