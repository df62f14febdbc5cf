"""The checks that this version of the suite has to have: a list beside the code.

A check that is no longer registered, because its module is not named any more
or its file is damaged, would be missed by nobody: what was planned is what was
found. So the list is shipped, and a run that finds less than it is no answer.

    python -m strandlog_conformance.manifest    writes it anew, and the schema of reports
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from strandlog_conformance.document import json_schema
from strandlog_conformance.suite import Check, all_checks, manifest_hash

__all__ = ["MANIFEST_FILE", "SCHEMA_FILE", "main", "manifest_text", "schema_text", "shipped_checks"]

MANIFEST_FILE = Path(__file__).parent / "data" / "manifest.txt"
SCHEMA_FILE = Path(__file__).parent / "data" / "report.schema.json"


def shipped_checks() -> list[str]:
    """Return the ids of the checks that this version was shipped with."""
    lines = MANIFEST_FILE.read_text("utf-8").splitlines()
    return [line.split("\t")[0] for line in lines if line and not line.startswith("#")]


def manifest_text(checks: Iterable[Check]) -> str:
    """Return the list as it stands in the file."""
    found = list(checks)
    lines = [f"# sha256 {manifest_hash(found)}"]
    lines += [
        "\t".join([one.id, "must" if one.must else "should", one.level.value, one.since])
        for one in found
    ]
    return "\n".join(lines) + "\n"


def schema_text() -> str:
    """Return the JSON schema of reports as it stands in its file."""
    return json.dumps(json_schema(), indent=2) + "\n"


def main() -> None:
    """Write both files anew; the tests demand that they are in step with the code."""
    MANIFEST_FILE.write_text(manifest_text(all_checks()), encoding="utf-8")
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
    sys.stdout.write(f"{MANIFEST_FILE.name}: {len(shipped_checks())} checks\n")


if __name__ == "__main__":
    main()
