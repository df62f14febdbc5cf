"""The page of limits says what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from strandlog.server import Limits

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "limits.md"


def test_page_names_every_limit_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([0-9.]+) \|", PAGE.read_text(), re.MULTILINE)

    assert rows == [(one.name, str(one.default)) for one in fields(Limits)]
