"""``report.html``: a report to look at, in one file that needs no other.

The page holds the report as data and builds what it shows from that, text by
text: whatever a store has put into a message stays text.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from strandlog_conformance.document import Document

__all__ = ["page"]

_TEMPLATE = Path(__file__).parent / "data" / "report.html"
_PLACE = "/*REPORT*/null"


def page(report: Document) -> str:
    """Return the report as HTML."""
    data = msgspec.json.encode(report).decode()
    # Inside a script nothing may look like its end or like the start of a comment.
    for sign, code in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        data = data.replace(sign, code)
    # These two end a line in JavaScript, and not in JSON.
    data = data.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return _TEMPLATE.read_text("utf-8").replace(_PLACE, data, 1)
