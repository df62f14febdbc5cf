"""Builds every room, installs the wheels into an empty environment and tries them.

Nothing of the checkout is on the path of what is tried here, so a file that was
left out of a wheel, or an entry point that names nothing, shows. Then a store is
written as the tutorial says, word for word, and tried as one more wheel.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_CONSTRAINTS = Path(__file__).parent / "constraints.txt"
_TUTORIAL = _ROOT / "docs" / "tutorial" / "write-a-store.md"

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
    place = _environment(folder / "environment")
    _install(place, str(core))
    _check_hint(place, folder)
    _install(place, f"{core}[cli,crypto]", *(str(wheel) for wheel in wheels if wheel != core))
    for command in _COMMANDS:
        print(f"wheels> {command}", flush=True)
        subprocess.run(command, cwd=folder, env=_inside(place), shell=True, check=True)  # noqa: S602 – from the list above
    _follow_tutorial(folder / "author", wheels)


def _check_contents(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("py.typed", "LICENSE", "METADATA"):
        if not any(Path(name).name == needed for name in names):
            raise SystemExit(f"wheels: {wheel.name} has no {needed}")
    # Beside the package or right inside it: the template of a plugin has tests, too.
    if stray := [name for name in names if "tests" in Path(name).parts[:2]]:
        raise SystemExit(f"wheels: {wheel.name} holds tests: {stray[0]}")


def _check_hint(place: Path, folder: Path) -> None:
    """Without the ``cli`` extra, the command says in one line what to install."""
    bare = subprocess.run(
        ["strandlog"], cwd=folder, env=_inside(place), capture_output=True, text=True, check=False
    )
    if bare.returncode == 0 or 'pip install "strandlog[cli]"' not in bare.stderr:
        raise SystemExit(f"wheels: strandlog without its extra: {bare.returncode} {bare.stderr}")


def _follow_tutorial(folder: Path, wheels: list[Path]) -> None:
    """Do what the tutorial says; what comes of it is red, then green, from a wheel as well."""
    began = time.monotonic()
    author = _Author(folder, wheels)
    written: set[Path] = set()
    for kind, text in re.findall(
        r"^```(python|console) no-run\n(.*?)^```$", _TUTORIAL.read_text(), re.DOTALL | re.MULTILINE
    ):
        if kind == "console":
            for command, shown in _commands(text):
                author.types(command, shown)
            continue
        if not written:
            author.tries_wheel(is_green=False)
        first, _, code = text.partition("\n")
        path = author.place / first.removeprefix("# ")
        path.write_text((path.read_text() if path in written else "") + code)
        written.add(path)
    author.tries_wheel(is_green=True)
    print(f"wheels> followed {_TUTORIAL.name} in {time.monotonic() - began:.0f} s", flush=True)


def _commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield what is typed in a block, each with what is shown below it."""
    for typed in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = typed.partition("\n")
        yield command, shown


class _Author:
    """Somebody at a terminal, with the wheels and nothing of the checkout."""

    def __init__(self, folder: Path, wheels: list[Path]) -> None:
        self.place = folder / "desk"
        self.place.mkdir(parents=True)
        self._folder = folder
        self._wheels = wheels
        self._environment = _environment(folder / "environment")

    def types(self, command: str, shown: str) -> None:
        """Run a command, and compare what it prints with what the page shows."""
        print(f"tutorial> {command}", flush=True)
        if command.startswith("cd "):
            self.place /= command.removeprefix("cd ")
        elif command.startswith("pip install "):
            # These are not published yet; the rest comes from where it always does.
            ours = [f"--find-links={self._wheels[0].parent}", *self._series]
            command = command.removeprefix("pip install ").replace('"', "")
            _install(self._environment, *ours, *command.split(), folder=self.place)
        else:
            status, printed = _told(command, self._environment, self.place)
            wanted = re.escape(_squeezed(shown)).replace(r"\.\.\.", ".*")
            if re.fullmatch(wanted, _squeezed(printed), re.DOTALL) is None:
                raise SystemExit(f"wheels: the tutorial shows\n{shown}\nand this is\n{printed}")
            fails = "no answer" in shown or "checks failed" in shown
            if fails != (status != 0):
                raise SystemExit(f"wheels: {command} ended with {status}\n{printed}")

    def tries_wheel(self, *, is_green: bool) -> None:
        """Build the plugin and check it in an environment of wheels alone."""
        built = self._folder / ("green" if is_green else "red")
        _run("uv", "build", "--quiet", "--wheel", "--out-dir", str(built), str(self.place))
        [plugin] = built.glob("*.whl")
        place = _environment(built / "environment")
        extras = {"strandlog": "[cli]", "strandlog_conformance": "[pytest]"}
        _install(place, str(plugin), *(f"{w}{extras.get(_name(w), '')}" for w in self._wheels))
        for command in (
            "strandlog conformance journal",
            "pytest -q --pyargs strandlog_conformance --store journal",
        ):
            print(f"tutorial> {command}: {'green' if is_green else 'red'}", flush=True)
            status, printed = _told(command, place, built)
            if is_green != (status == 0):
                raise SystemExit(f"wheels: {command} ended with {status}\n{printed}")

    @property
    def _series(self) -> list[str]:
        """Name our wheels, so that nothing of the same name is taken from elsewhere."""
        wanted = {"strandlog", "strandlog_conformance"}
        return [str(wheel) for wheel in self._wheels if _name(wheel) in wanted]


def _name(wheel: Path) -> str:
    return wheel.name.partition("-")[0]


def _squeezed(text: str) -> str:
    """Return *text* with one space for any, since a terminal breaks long lines."""
    return " ".join(text.split())


def _told(command: str, place: Path, folder: Path) -> tuple[int, str]:
    """Run a command in an environment; return its status and what it printed."""
    inside = {**_inside(place), "COLUMNS": "120", "NO_COLOR": "1"}
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=inside,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def _environment(place: Path) -> Path:
    """Make an empty environment there."""
    _run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(place))
    return place


def _install(place: Path, *requirements: str, folder: Path | None = None) -> None:
    into = ("--python", str(place), "--constraints", str(_CONSTRAINTS))
    _run("uv", "pip", "install", "--quiet", *into, *requirements, folder=folder)


def _inside(place: Path) -> dict[str, str]:
    path = os.pathsep.join([str(place / "bin"), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": str(place)}


def _run(*command: str, folder: Path | None = None) -> None:
    done = subprocess.run(command, cwd=folder, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
