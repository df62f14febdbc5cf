"""Renews ``constraints.txt``: one version for every package that any tox environment needs.

The resolve covers Python 3.11 to 3.13 on all platforms at once. The file holds
``name==version`` lines and nothing else: no address, no marker, no room of ours.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_PIN = re.compile(r"([a-z0-9.-]+==[^\s;]+)(?:\s*;.*)?")


def main() -> None:
    """Resolve everything anew and write the file."""
    rooms = [_ROOT / "core", *sorted(_ROOT.glob("plugins/*/")), _ROOT / "conformance"]
    # hatchling asks for editables only while it builds an editable install.
    wanted = ["editables", "tox-uv"]
    for room in rooms:
        project = tomllib.loads((room / "pyproject.toml").read_text())
        extras = ",".join(project["project"].get("optional-dependencies", {}))
        wanted.append(f"-e {room.relative_to(_ROOT)}[{extras}]")
        wanted.extend(project["build-system"]["requires"])
    workspace = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    groups = [f"--group={name}" for name in workspace["dependency-groups"]]
    resolved = subprocess.run(
        [
            *("uv", "pip", "compile", "-", *groups),
            *("--universal", "--python-version=3.11", "--fork-strategy=fewest"),
            *("--no-header", "--no-annotate", "--upgrade"),
        ],
        input="\n".join(wanted),
        cwd=_ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    pins = [pin[1] for line in resolved.splitlines() if (pin := _PIN.fullmatch(line))]
    names = [pin.partition("==")[0] for pin in pins]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SystemExit(f"constraints: two versions of {', '.join(sorted(twice))}")
    (Path(__file__).parent / "constraints.txt").write_text("\n".join(pins) + "\n")


if __name__ == "__main__":
    main()
