"""The documentation is whole: pages are found, links lead somewhere, signatures are right."""

from __future__ import annotations

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import strandlog
import strandlog.backend
import strandlog.client
import strandlog.testing
from strandlog import Log, errors
from strandlog.backend import CursorStore, LogStore, hookspecs
from strandlog.client import Replica, Transport

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ERRORS = DOCS / "reference/errors.md"
PAGES = sorted(DOCS.glob("**/*.md"))


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize(
    ("page", "section", "place"),
    [
        ("stores.md", "Hooks", hookspecs),
        ("stores.md", "LogStore", LogStore),
        ("stores.md", "CursorStore", CursorStore),
        ("stores.md", "What a store need not write itself", strandlog.backend),
        ("replica.md", "strandlog.client", strandlog.client),
        ("replica.md", "Replica", Replica),
        ("replica.md", "Transport", Transport),
        ("replica.md", "Log", Log),
        ("replica.md", "strandlog.testing", strandlog.testing),
    ],
    ids=str,
)
def test_headings_show_the_signatures(page: str, section: str, place: Any) -> None:
    """A reference that was true once is worse than none."""
    text = (DOCS / "reference" / page).read_text()
    [part] = re.findall(
        rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE
    )
    shown = re.findall(r"^### (.*)$", part, re.MULTILINE)

    for heading in shown:
        name = heading.partition("(")[0]
        subject = getattr(place, name, None) or getattr(strandlog, name, None) or place
        assert heading in (_signature(name, subject), _signature(name, subject, returns=False))
    if isinstance(place, type):
        public = {name for name in dir(place) if not name.startswith("_")}
        named = {heading.partition("(")[0] for heading in shown}
        assert {name for name in public if inspect.isfunction(getattr(place, name))} <= named


def _signature(name: str, subject: Any, *, returns: bool = True) -> str:
    found = inspect.signature(subject)
    parts: list[str] = []
    for one in found.parameters.values():
        if one.name == "self":
            continue
        if one.kind is one.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        default = getattr(one.default, "__name__", repr(one.default))
        parts.append(one.name if one.default is one.empty else f"{one.name}={default}")
    text = f"{name}({', '.join(parts).replace(', /', '')})"
    return f"{text} -> {found.return_annotation}" if returns else text


def test_every_error_code_is_explained() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]
    codes = {(one.code, one.__name__) for one in classes if one.code}
    rows = re.findall(
        r"^\| `([a-z-]+)` \|.*?\|.*?\| `(\w+)` \|",
        ERRORS.read_text(),
        re.MULTILINE,
    )

    assert set(rows) == codes


def test_the_tree_of_errors_is_that_of_the_code() -> None:
    tree = textwrap.dedent((errors.__doc__ or "").partition("::\n\n")[2]).strip()

    assert tree in ERRORS.read_text()


def test_every_page_is_reached_from_the_index() -> None:
    """By the list of its section, which takes in a whole directory, or by a link."""
    sections = re.findall(r"^(\w+)/index$", (DOCS / "index.md").read_text(), re.MULTILINE)
    globbing = [name for name in sections if "\n*\n" in (DOCS / name / "index.md").read_text()]
    reached = {DOCS / "index.md"}
    new = {page for name in globbing for page in DOCS.glob(f"{name}/*.md")}
    while new:
        reached |= new
        new = {page for found in new for page in _linked_files(found)} & set(PAGES) - reached

    assert [_name(page) for page in PAGES if page not in reached] == []


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_lead_to_files(page: Path) -> None:
    missing = [_name(target) for target in _linked_files(page) if not target.exists()]

    assert missing == []


def _linked_files(page: Path) -> list[Path]:
    text = re.sub(r"^(`{3,}).*?^\1", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    return [
        (page.parent / target).resolve()
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target
    ]
