"""The registry, with distributions made for the purpose on a path of their own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from strandlog.backend import Capabilities, Location, StoreUrl
from strandlog.backend.registry import (
    installed_plugins,
    open_cursor_store,
    open_log_store,
    open_stores,
    plugin,
)
from strandlog.errors import (
    BrokenBackendError,
    DuplicateBackendError,
    MissingBackendError,
    StoreUrlError,
)

# What these stores give is the kind of store and the URL that they were opened with.
PLUGIN = """
from contextlib import asynccontextmanager
from strandlog.backend import Backend, Capabilities, Location, hookimpl

@asynccontextmanager
async def open_log(url):
    yield "log", str(url)

@asynccontextmanager
async def open_cursors(url):
    yield "cursors", str(url)

@asynccontextmanager
async def open_both(url):
    yield ("log", f"{url} shared"), ("cursors", f"{url} shared")
"""
OFFERS_LOG = """
@hookimpl
def strandlog_log_store():
    return Backend("SCHEME", open_log, Capabilities(), Location.NAME)
"""
OFFERS_CURSORS = """
@hookimpl
def strandlog_cursor_store():
    return Backend("SCHEME", open_cursors, Capabilities(), Location.NAME)
"""
OFFERS_BOTH = """
@hookimpl
def strandlog_log_store():
    return Backend("SCHEME", open_log, Capabilities(), Location.NAME, open_both=open_both)
"""


@dataclass
class Site:
    """A folder on ``sys.path`` into which distributions are put."""

    folder: Path

    def install(self, scheme: str, source: str, *, distribution: str = "", name: str = "") -> None:
        """Put a distribution there with one plugin: *source*, behind what all of them share."""
        distribution = distribution or f"strandlog-{scheme}"
        module = distribution.replace("-", "_") + "_of_a_test"
        (self.folder / f"{module}.py").write_text(PLUGIN + source.replace("SCHEME", name or scheme))
        info = self.folder / f"{distribution.replace('-', '_')}-1.2.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n"
        )
        (info / "entry_points.txt").write_text(f"[strandlog.stores]\n{scheme} = {module}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield Site(tmp_path)
    for module in {*sys.modules} - before:
        if module.endswith("_of_a_test"):
            del sys.modules[module]


def test_a_plugin_offers_what_its_hooks_return(site: Site) -> None:
    site.install("good", OFFERS_LOG + OFFERS_CURSORS)

    found = plugin("good")

    assert (found.scheme, found.distribution, found.error) == ("good", "strandlog-good 1.2", "")
    assert found.log is not None
    assert found.cursors is not None
    assert (found.log.scheme, found.log.capabilities) == ("good", Capabilities())
    assert found.log.location is Location.NAME


def test_a_plugin_may_offer_one_kind_only(site: Site) -> None:
    site.install("logs", OFFERS_LOG)
    site.install(
        "nothere", OFFERS_LOG + "@hookimpl\ndef strandlog_cursor_store():\n    return None\n"
    )

    assert [plugin(scheme).cursors for scheme in ("logs", "nothere")] == [None, None]


def test_no_other_plugin_is_loaded(site: Site) -> None:
    site.install("good", OFFERS_LOG)
    site.install("other", OFFERS_LOG)

    plugin("good")

    assert "strandlog_good_of_a_test" in sys.modules
    assert "strandlog_other_of_a_test" not in sys.modules


def test_what_stands_behind_a_plus_is_up_to_the_plugin(site: Site) -> None:
    site.install("good", OFFERS_LOG)

    assert plugin("good+https").scheme == "good"


def test_a_missing_backend_says_what_to_install(site: Site) -> None:
    site.install("good", OFFERS_LOG)

    with pytest.raises(MissingBackendError) as missing:
        plugin("nosuch+http")

    assert "pip install strandlog-nosuch" in str(missing.value)
    assert "good" in str(missing.value)


BROKEN = {
    "raises": ("raise OSError('no\\n  driver')", "cannot be imported: OSError: no driver"),
    "exits": ("raise SystemExit(3)", "cannot be imported: SystemExit: 3"),
    "imports": ("import no_such_module", "No module named 'no_such_module'"),
    "misspelt": ("@hookimpl\ndef strandlog_logs_store(): ...", "strandlog_logs_store"),
    "argument": ("@hookimpl\ndef strandlog_log_store(url): ...", "url"),
    "hookraises": ("@hookimpl\ndef strandlog_log_store(): raise KeyError('driver')", "driver"),
    "hookexits": ("@hookimpl\ndef strandlog_log_store(): raise SystemExit(3)", "hooks: 3"),
    "returnsurl": ("@hookimpl\ndef strandlog_log_store(): return 'sqlite://'", "returned str"),
    "empty": ("", "neither a log store nor a cursor store"),
    "older": (OFFERS_LOG.replace("NAME)", "NAME, api=0)"), "level 0 .* install a newer plugin"),
    "newer": (OFFERS_LOG.replace("NAME)", "NAME, api=2)"), "level 2 .* install a newer strandlog"),
    "elsewhere": (OFFERS_LOG.replace("SCHEME", "sqlite"), "answers to sqlite://"),
}  # fmt: skip


@pytest.mark.parametrize("scheme", BROKEN)
def test_a_broken_plugin_says_why_and_disturbs_no_other(scheme: str, site: Site) -> None:
    source, why = BROKEN[scheme]
    site.install(scheme, source)
    site.install("good", OFFERS_LOG)

    with pytest.raises(BrokenBackendError, match=why) as broken:
        plugin(scheme)

    listed = {found.scheme: found for found in installed_plugins()}
    assert f"the plugin {scheme} (strandlog-{scheme} 1.2)" in str(broken.value)
    assert "\n" not in str(broken.value)
    assert listed[scheme].error == str(broken.value)
    assert listed[scheme].distribution == f"strandlog-{scheme} 1.2"
    assert listed["good"].error == ""


def test_ctrl_c_during_an_import_is_not_the_plugins_fault(site: Site) -> None:
    site.install("slow", "raise KeyboardInterrupt")

    with pytest.raises(KeyboardInterrupt):
        plugin("slow")


def test_two_distributions_of_one_scheme_are_both_named(site: Site) -> None:
    """Which one is meant is for the user to say, by uninstalling the other."""
    site.install("twin", OFFERS_LOG, distribution="strandlog-twin")
    site.install("twin", OFFERS_LOG, distribution="another-twin")
    site.install("good", OFFERS_LOG)

    with pytest.raises(DuplicateBackendError, match=r"another-twin 1\.2 and strandlog-twin 1\.2"):
        plugin("twin")

    listed = {found.scheme: found for found in installed_plugins()}
    assert listed["twin"].distribution == "another-twin 1.2 and strandlog-twin 1.2"
    assert listed["good"].error == ""


def test_one_distribution_found_twice_is_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when a wheel and an editable install of it are both on the path."""
    site.install("good", OFFERS_LOG)
    again = site.folder / "again"
    again.mkdir()
    Site(again).install("good", OFFERS_LOG)
    monkeypatch.syspath_prepend(again)

    assert plugin("good").distribution == "strandlog-good 1.2"


def test_tracing_prints_the_hook_calls(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install("good", OFFERS_LOG)
    plugin("good")
    silent = capsys.readouterr()
    monkeypatch.setenv("STRANDLOG_TRACE_PLUGINS", "1")

    plugin("good")

    traced = capsys.readouterr()
    assert (silent.out, silent.err, traced.out) == ("", "", "")
    assert "strandlog_log_store" in traced.err
    assert "strandlog_cursor_store" in traced.err


def _opened(*stores: object) -> tuple[object, ...]:
    """Show stores as what these plugins give for one."""
    return stores


@pytest.mark.anyio
async def test_a_log_and_a_cursor_store_are_opened_by_url(site: Site) -> None:
    site.install("good", OFFERS_LOG + OFFERS_CURSORS)

    async with (
        open_log_store("good://a") as log,
        open_cursor_store(StoreUrl("good", host="b")) as cursors,
    ):
        assert _opened(log, cursors) == (("log", "good://a"), ("cursors", "good://b"))


@pytest.mark.anyio
async def test_a_kind_that_is_not_offered_is_missing(site: Site) -> None:
    site.install("good", OFFERS_LOG)

    with pytest.raises(MissingBackendError, match="good:// does not store cursors"):
        async with open_cursor_store("good://"):
            pass


@pytest.mark.anyio
@pytest.mark.parametrize("url", ["good:///path", "good://?pool=1"])
async def test_location_and_options_are_checked_before_a_store_is_opened(
    url: str, site: Site
) -> None:
    site.install("good", OFFERS_LOG.replace("open_log", "lambda url: 1 / 0"))

    with pytest.raises(StoreUrlError):
        async with open_log_store(url):
            pass


@pytest.mark.anyio
@pytest.mark.parametrize("cursors_url", [None, "good://a"])
async def test_one_url_for_both_shares_a_connection(cursors_url: str | None, site: Site) -> None:
    site.install("good", OFFERS_BOTH + OFFERS_CURSORS)

    async with open_stores("good://a", cursors_url) as both:
        assert _opened(*both) == (("log", "good://a shared"), ("cursors", "good://a shared"))


@pytest.mark.anyio
async def test_one_url_for_both_without_sharing_is_opened_twice(site: Site) -> None:
    site.install("good", OFFERS_LOG + OFFERS_CURSORS)

    async with open_stores("good://a") as both:
        assert _opened(*both) == (("log", "good://a"), ("cursors", "good://a"))


@pytest.mark.anyio
async def test_log_and_cursors_may_be_in_different_backends(site: Site) -> None:
    site.install("logs", OFFERS_BOTH)
    site.install("cursors", OFFERS_CURSORS)

    async with open_stores("logs://a", "cursors://b") as both:
        assert _opened(*both) == (("log", "logs://a"), ("cursors", "cursors://b"))
