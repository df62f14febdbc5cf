"""The disk of experiments: what it keeps when the power is lost, and what not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from strandlog_conformance.platter import Platter

PAGE = 4096


@pytest.fixture
def root(tmp_path: Path) -> Path:
    directory = tmp_path / "root"
    directory.mkdir()
    (directory / "old").write_bytes(b"from before")
    return directory


@pytest.fixture
def platter(root: Path) -> Iterator[Platter]:
    made = Platter(root)
    yield made
    made.close()


def _write(platter: Platter, path: Path, data: bytes, *, at: int = 0) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    platter.wrote(str(path), at, len(data))
    os.pwrite(fd, data, at)
    os.close(fd)


def _left(platter: Platter, into: Path, *, torn: bool = False, **how: bool) -> dict[str, bytes]:
    platter.left(into, torn=torn, **how)
    return {one.name: one.read_bytes() for one in into.iterdir()}


def test_what_was_there_before_is_on_the_disk(platter: Platter, tmp_path: Path) -> None:
    assert _left(platter, tmp_path / "left") == {"old": b"from before"}


def test_what_was_not_synced_is_gone(platter: Platter, root: Path, tmp_path: Path) -> None:
    _write(platter, root / "old", b"changed....")

    assert _left(platter, tmp_path / "left") == {"old": b"from before"}


def test_what_was_synced_stays(platter: Platter, root: Path, tmp_path: Path) -> None:
    _write(platter, root / "old", b"changed....")
    platter.synced(str(root / "old"))
    _write(platter, root / "old", b"once again.")

    assert _left(platter, tmp_path / "left") == {"old": b"changed...."}


def test_a_new_file_needs_its_directory(platter: Platter, root: Path, tmp_path: Path) -> None:
    """Its content is on the disk, and nothing there says so."""
    _write(platter, root / "new", b"content")
    platter.synced(str(root / "new"))

    assert set(_left(platter, tmp_path / "before")) == {"old"}
    platter.synced(str(root))
    assert _left(platter, tmp_path / "after")["new"] == b"content"


def test_a_name_without_its_content_is_an_empty_file(
    platter: Platter, root: Path, tmp_path: Path
) -> None:
    _write(platter, root / "new", b"content")
    platter.synced(str(root))

    assert _left(platter, tmp_path / "left")["new"] == b""


def test_a_file_that_was_renamed_has_both_names_by_turns(
    platter: Platter, root: Path, tmp_path: Path
) -> None:
    """Until the directory is synced, the old one."""
    (root / "old").rename(root / "renamed")

    assert _left(platter, tmp_path / "before") == {"old": b"from before"}
    platter.synced(str(root))
    assert _left(platter, tmp_path / "after") == {"renamed": b"from before"}


def test_the_system_reports_a_failed_sync_once(
    platter: Platter, root: Path, tmp_path: Path
) -> None:
    """A second one succeeds and brings nothing to the disk but what was written since."""
    _write(platter, root / "old", b"a" * PAGE)
    platter.synced(str(root / "old"))
    _write(platter, root / "old", b"b" * PAGE)
    platter.sync_failed(str(root / "old"))
    _write(platter, root / "old", b"c" * PAGE, at=PAGE)
    platter.synced(str(root / "old"))

    assert _left(platter, tmp_path / "left")["old"] == b"a" * PAGE + b"c" * PAGE


def test_what_is_written_anew_after_a_failed_sync_is_saved(
    platter: Platter, root: Path, tmp_path: Path
) -> None:
    _write(platter, root / "old", b"b" * PAGE)
    platter.sync_failed(str(root / "old"))
    _write(platter, root / "old", b"b" * PAGE)
    platter.synced(str(root / "old"))

    assert _left(platter, tmp_path / "left")["old"] == b"b" * PAGE


def test_a_torn_write_comes_by_half(platter: Platter, root: Path, tmp_path: Path) -> None:
    _write(platter, root / "old", b"12345678", at=11)

    assert _left(platter, tmp_path / "left", torn=True)["old"] == b"from before1234"


def test_contents_and_names_are_lost_one_by_one(
    platter: Platter, root: Path, tmp_path: Path
) -> None:
    _write(platter, root / "new", b"content")

    assert _left(platter, tmp_path / "names", contents=False) == {"old": b"from before"}
    assert _left(platter, tmp_path / "contents", names=False)["new"] == b""
