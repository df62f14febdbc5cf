"""Builds every room, installs the wheels into an empty environment and tries them.

Nothing of the checkout is on the path of what is tried here, so a file that was
left out of a wheel, or an entry point that names nothing, shows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_CONSTRAINTS = Path(__file__).parent / "constraints.txt"

# Each runs in an empty folder and must exit with status 0.
_COMMANDS = (
    "python -W error -c 'import strandlog'",
    "strandlog --version",
    "strandlog stores",
    "strandlog demo",
    "strandlog conformance memory:// --fast",
    "strandlog conformance leveldb:///conformance --fast",
    "strandlog conformance sqlite:///conformance.db --fast",
)


def main(folder: Path) -> None:
    """Build, install and try; *folder* is empty, or is emptied by the caller."""
    built = folder / "dist"
    rooms = [_ROOT / "core", *sorted(_ROOT.glob("plugins/*/")), _ROOT / "conformance"]
    for room in rooms:
        _run("uv", "build", "--quiet", "--out-dir", str(built), str(room))
    wheels = sorted(built.glob("*.whl"))
    if len(wheels) != len(rooms):
        raise SystemExit(f"wheels: {len(rooms)} rooms, {len(wheels)} wheels in {built}")
    for wheel in wheels:
        _check_contents(wheel)
    core = next(wheel for wheel in wheels if wheel.name.startswith("strandlog-"))
    place = folder / "environment"
    _run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(place))
    _install(place, str(core))
    _check_hint(place, folder)
    _install(place, f"{core}[cli,crypto]", *(str(wheel) for wheel in wheels if wheel != core))
    for command in _COMMANDS:
        print(f"wheels> {command}", flush=True)
        subprocess.run(command, cwd=folder, env=_inside(place), shell=True, check=True)  # noqa: S602 – from the list above


def _check_contents(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("py.typed", "LICENSE", "METADATA"):
        if not any(Path(name).name == needed for name in names):
            raise SystemExit(f"wheels: {wheel.name} has no {needed}")
    if stray := [name for name in names if "tests" in Path(name).parts]:
        raise SystemExit(f"wheels: {wheel.name} holds tests: {stray[0]}")


def _check_hint(place: Path, folder: Path) -> None:
    """Without the ``cli`` extra, the command says in one line what to install."""
    bare = subprocess.run(
        ["strandlog"], cwd=folder, env=_inside(place), capture_output=True, text=True, check=False
    )
    if bare.returncode == 0 or 'pip install "strandlog[cli]"' not in bare.stderr:
        raise SystemExit(f"wheels: strandlog without its extra: {bare.returncode} {bare.stderr}")


def _install(place: Path, *requirements: str) -> None:
    into = ("--python", str(place), "--constraints", str(_CONSTRAINTS))
    _run("uv", "pip", "install", "--quiet", *into, *requirements)


def _inside(place: Path) -> dict[str, str]:
    path = os.pathsep.join([str(place / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(place)}


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
