"""Lets tox work on any machine where Python and pip do.

Version managers put small scripts, "shims", on PATH: a ``python3.12`` that is
there, but fails unless that version was chosen. Where one does not start, the bin
folder of the real interpreter goes in front of PATH.

uv, which installs the packages, reads nothing of pip's settings. It is told of the
package index that pip is told of, and to trust whom the system trusts, as pip does.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tox.config.sets import ConfigSet
    from tox.session.state import State

_TESTED = ("3.11", "3.12", "3.13")

_RELEASE = re.compile(r"(?:cpython-)?(3\.\d+)\.(\d+)(?:-.*)?")


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    """Complete PATH, and say what is missing before the tests that need it fail."""
    del core_conf
    _tell_uv_what_pip_knows()
    missing = [version for version in _TESTED if not _starts(version)]
    for version in list(missing):
        if folder := _installed(version):
            os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", "")])
            missing.remove(version)
    chosen = _chosen_environments(state)
    for version in missing:
        if f"py{version.replace('.', '')}" in chosen:
            print(
                f"strandlog: no python{version} starts here, and pyenv, asdf and mise hold none;"
                f" get it with: uv python install {version} (or: pyenv install {version});"
                " now uv tries to download it",
                file=sys.stderr,
            )


def _tell_uv_what_pip_knows() -> None:
    os.environ.setdefault("UV_SYSTEM_CERTS", "true")
    if {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & os.environ.keys():
        return
    asked = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False)
    # A later line overrides an earlier one, and the environment comes last.
    for address in re.findall(r"^\S+\.index-url='(.+)'$", told.stdout, re.MULTILINE):
        os.environ["UV_DEFAULT_INDEX"] = address


def _starts(version: str) -> bool:
    """Return whether the first ``pythonX.Y`` on PATH is one that runs."""
    program = shutil.which(f"python{version}")
    if program is None:
        return False
    asked = [program, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == version


def _installed(version: str) -> Path | None:
    """Return the bin folder of the newest release of *version* that a manager holds."""
    found = [
        (int(named[2]), home / "bin")
        for home in _homes()
        if (named := _RELEASE.fullmatch(home.name))
        and named[1] == version
        and (home / "bin" / f"python{version}").exists()
    ]
    return max(found)[1] if found else None


def _homes() -> Iterator[Path]:
    """Yield the folder of every interpreter that a version manager has installed."""
    user = Path.home()
    for variable, default, inside in (
        ("PYENV_ROOT", user / ".pyenv", "versions"),
        ("ASDF_DATA_DIR", user / ".asdf", "installs/python"),
        ("MISE_DATA_DIR", user / ".local/share/mise", "installs/python"),
    ):
        versions = Path(os.environ.get(variable) or default) / inside
        if versions.is_dir():
            yield from versions.iterdir()


def _chosen_environments(state: State) -> set[str]:
    asked = getattr(state.conf.options, "env", None)
    if asked is None:  # commands that run nothing, such as "tox list"
        return set()
    if asked.is_default_list or asked.is_all:
        return {f"py{version.replace('.', '')}" for version in _TESTED}
    return set(asked)
