"""``strandlog stores``, with plugins made for the occasion."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from strandlog.cli import program

GOOD = """
    from contextlib import asynccontextmanager
    from strandlog.backend import Backend, Capabilities, Durability, Location, hookimpl

    @hookimpl
    def strandlog_log_store():
        return Backend(
            "reel", None, Capabilities(durability=Durability.OS, sparse=True), Location.NAME
        )
"""
BROKEN = "raise RuntimeError('the tape\\n is torn')"


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two more distributions on the path: one is as it should be, one cannot be imported."""
    for scheme, source in (("reel", GOOD), ("tape", BROKEN)):
        (tmp_path / f"strandlog_{scheme}.py").write_text(dedent(source))
        record = tmp_path / f"strandlog_{scheme}-7.0.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Name: strandlog-{scheme}\nVersion: 7.0\n")
        (record / "entry_points.txt").write_text(
            f"[strandlog.stores]\n{scheme} = strandlog_{scheme}\n"
        )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("plugins")
def test_broken_plugin_is_listed_with_its_error_and_disturbs_no_other() -> None:
    result = CliRunner().invoke(program, ["stores", "--json"])

    assert (result.exit_code, result.stderr) == (0, "")
    listed = {one["scheme"]: one for one in json.loads(result.stdout)}
    assert listed["reel"]["distribution"] == "strandlog-reel 7.0"
    assert (listed["reel"]["logs"], listed["reel"]["cursors"]) == (True, False)
    assert listed["reel"]["capabilities"]["durability"] == "os"
    assert listed["reel"]["capabilities"]["loops"] == ["asyncio"]
    assert listed["reel"]["error"] is None
    assert listed["tape"]["distribution"] == "strandlog-tape 7.0"
    assert listed["tape"]["capabilities"] is None
    assert "RuntimeError: the tape" in listed["tape"]["error"]


@pytest.mark.usefixtures("plugins")
def test_table_for_people_has_one_line_for_each_plugin() -> None:
    result = CliRunner().invoke(program, ["stores"])

    lines = {line.split("   ")[0]: line for line in result.stdout.splitlines()}
    assert result.exit_code == 0
    assert lines["reel://"].endswith(
        "durability=os handles=one cancel=rollback sparse loops=asyncio"
    )
    assert "broken: the plugin tape (strandlog-tape 7.0) cannot be imported" in lines["tape://"]
