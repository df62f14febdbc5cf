"""A report as files: for programs, for build servers, for people."""

from __future__ import annotations

from pathlib import Path

from strandlog_conformance.document import Document, to_json
from strandlog_conformance.junit import junit
from strandlog_conformance.page import page

__all__ = ["write_report"]


def write_report(report: Document, directory: Path) -> list[Path]:
    """Write ``report.json``, ``junit.xml`` and ``report.html``; return their paths.

    Raises:
        OSError: The directory cannot be made or written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    contents = {
        "report.json": f"{to_json(report)}\n".encode(),
        "junit.xml": junit(report),
        "report.html": page(report).encode(),
    }
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return [directory / name for name in contents]
