"""The golden vectors, held against the code, their generator and JavaScript."""

from __future__ import annotations

import base64
import json
import os
import runpy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from strandlog import Entry, Identity, Seq
from strandlog.backend import pack, unpack
from strandlog.errors import InvalidContentError, InvalidNameError, InvalidSeqError
from strandlog.model import check_content, check_device, check_scope, check_user

GOLDEN = Path(__file__).parents[2] / "docs" / "reference" / "golden"
GENERATOR = Path(__file__).parent / "data" / "make_golden.py"
CHECK_OF = {"user": check_user, "device": check_device, "scope": check_scope}


def _golden(name: str) -> Any:
    return json.loads((GOLDEN / name).read_text())


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)


def _entry(fields: dict[str, Any]) -> Entry:
    """Build an entry; its digest is given only where it cannot be computed."""
    return Entry(
        Seq(fields["timestamp"], fields["counter"], fields["device"]),
        fields["scope"],
        _bytes(fields["content"]),
        redacts=None if fields["redacts"] is None else Identity(*fields["redacts"]),
        meta=_bytes(fields["meta"]),
        digest=fields["digest"] if fields["content"] is None else "",
    )


def test_files_are_those_that_the_generator_writes() -> None:
    """The generator computes digests and records without our code, so neither drifts alone."""
    written = runpy.run_path(str(GENERATOR))["files"]()

    assert {name: (GOLDEN / name).read_text() for name in written} == written


def test_seqs_have_one_canonical_form() -> None:
    seqs = _golden("seq-order.json")["seqs"]

    assert len(seqs) >= 200
    assert [str(Seq.parse(seq["text"])) for seq in seqs] == [seq["canonical"] for seq in seqs]


def test_order_of_seqs_is_that_of_their_strings() -> None:
    golden = _golden("seq-order.json")
    parsed = [Seq.parse(seq["text"]) for seq in golden["seqs"]]

    assert [str(seq) for seq in sorted(parsed)] == golden["order"]
    assert sorted(golden["order"], key=str.encode) == golden["order"]


@pytest.mark.parametrize("bad", _golden("bad-seqs.json"), ids=lambda bad: repr(bad["text"]))
def test_what_only_looks_like_a_seq_is_refused(bad: dict[str, str]) -> None:
    with pytest.raises(InvalidSeqError):
        Seq.parse(bad["text"])


@pytest.mark.parametrize("kind", ["user", "device", "scope"])
def test_names_inside_the_grammar_are_taken_as_they_are(kind: str) -> None:
    good = _golden("names.json")[kind]["good"]

    assert [CHECK_OF[kind](name) for name in good] == good


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind, names in _golden("names.json").items() for name in names["bad"]],
)
def test_names_outside_the_grammar_are_refused(kind: str, name: str) -> None:
    """They are never mangled into something that the grammar would take."""
    with pytest.raises(InvalidNameError):
        CHECK_OF[kind](name)


def test_digests() -> None:
    golden = _golden("digests.json")

    assert [_entry(fields).digest for fields in golden] == [fields["digest"] for fields in golden]
    assert len({fields["digest"] for fields in golden}) == len(golden)


def test_entries_are_packed_into_the_golden_records() -> None:
    golden = _golden("records.json")
    packed = [pack(fields["user"], _entry(fields)).hex() for fields in golden]

    assert packed == [fields["record"] for fields in golden]


def test_golden_records_are_unpacked_into_the_entries() -> None:
    golden = _golden("records.json")
    unpacked = [
        unpack(fields["user"], fields["device"], fields["counter"], bytes.fromhex(fields["record"]))
        for fields in golden
    ]

    assert unpacked == [_entry(fields) for fields in golden]


def test_accepted_content_comes_back_byte_for_byte() -> None:
    accepted = [
        base64.b64decode(one["content"]) for one in _golden("content.json") if one["accepted"]
    ]

    assert [check_content(content) for content in accepted] == accepted


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(base64.b64decode(one["content"]), id=f"{number} {one['why']}")
        for number, one in enumerate(_golden("content.json"))
        if not one["accepted"]
    ],
)
def test_content_that_is_not_one_json_value_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidContentError):
        check_content(content)


def _node() -> str:
    node = shutil.which("node")
    if node is None and os.environ.get("CI") != "true":
        pytest.skip("there is no node on PATH (with CI=true that is a failure)")
    return node or "node"


def _check(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own script
        [_node(), str(GOLDEN / "check.mjs"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_javascript_agrees() -> None:
    checked = _check()

    assert (checked.stderr, checked.returncode) == ("", 0)
    assert f"{len(_golden('records.json'))} records" in checked.stdout


def test_javascript_would_notice_another_digest(tmp_path: Path) -> None:
    """The check is worth something only if it can fail."""
    shutil.copytree(GOLDEN, tmp_path / "golden")
    digests = _golden("digests.json")
    digests[0]["digest"] = digests[1]["digest"]
    (tmp_path / "golden" / "digests.json").write_text(json.dumps(digests))

    checked = _check(str(tmp_path / "golden"))

    assert checked.returncode == 1
    assert digests[0]["name"] in checked.stderr
