"""What the README shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

from strandlog_conformance.suite import all_checks

README = Path(__file__).parents[1] / "README.md"


def test_the_python_of_the_readme_runs_and_finds_nothing_wrong() -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    page = ModuleType("readme")

    exec(compile("\n".join(blocks), str(README), "exec"), vars(page))  # noqa: S102  # our own page

    assert page.report.failures == []
    assert page.report.invalid() == ""


def test_the_checks_that_the_readme_names_exist() -> None:
    """``log.range.bounds`` and the like: a page that names what is gone helps nobody."""
    named = set(re.findall(r"log\.[a-z]+\.[a-z_]+", README.read_text("utf-8")))

    assert named <= {check.id for check in all_checks()}
