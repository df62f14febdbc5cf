"""``log``, ``head``, ``tops``, ``cursors`` and ``status``, on a log in a file."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner, Result

from strandlog import Entry, Identity, Seq, VersionVector
from strandlog.backend.registry import open_stores
from strandlog.cli import program
from strandlog.protocol.codec import encode_entry

NOON = 1_710_763_200_000  # 2024-03-18T12:00:00Z

LAPTOP_1 = Entry(Seq(NOON, 1, "laptop"), "private", b'"milk"')
PHONE_1 = Entry(Seq(NOON + 1, 1, "phone"), "friend", '{"é" : 1.0}'.encode())
LAPTOP_2 = Entry(Seq(NOON + 2, 2, "laptop"), "friend", b'"see you\\u0020"')
PHONE_2 = Entry(
    Seq(NOON + 3, 2, "phone"), "private", b"null", redacts=Identity("laptop", 1), meta=b'{"a":1}'
)
HELD = [LAPTOP_1.without_content(), PHONE_1, LAPTOP_2, PHONE_2]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with a log and some cursors, in the directory from which commands run."""
    monkeypatch.chdir(tmp_path)
    url = "sqlite:///notes.db"

    async def fill() -> None:
        async with open_stores(url) as (log, cursors):
            await log.append("alice", [LAPTOP_1, PHONE_1, LAPTOP_2, PHONE_2])
            await cursors.advance("alice", "alice/phone", VersionVector({"laptop": 2, "phone": 1}))
            await cursors.advance("alice", "~server", VersionVector({"laptop": 1}))

    anyio.run(fill)
    return url


def run(*words: str) -> Result:
    return CliRunner().invoke(program, words, env={"STRANDLOG_STORE": None})


def lines(result: Result) -> list[str]:
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout.splitlines()


def logged(store: str, *words: str) -> list[str]:
    return lines(run("log", "alice", "--store", store, "--json", *words))


def wire(*entries: Entry) -> list[str]:
    return [encode_entry(entry).decode() for entry in entries]


def test_log_in_json_is_the_wire_form_of_each_entry(store: str) -> None:
    """Byte for byte what travels: so equal logs print equal bytes, on any backend."""
    assert logged(store) == wire(*HELD)


def test_log_for_people_has_a_line_for_each_entry(store: str) -> None:
    assert lines(run("log", "alice", "--store", store)) == [
        "2024-03-18T12:00:00.000Z  laptop:1  private  (redacted)",
        '2024-03-18T12:00:00.001Z  phone:1  friend  {"é" : 1.0}',
        '2024-03-18T12:00:00.002Z  laptop:2  friend  "see you\\u0020"',
        "2024-03-18T12:00:00.003Z  phone:2  private  (redacts laptop:1)  null",
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--after", f"{NOON}:1:laptop"], HELD[1:]),
        (["--up-to", f"{NOON + 2}:2:laptop"], HELD[:3]),
        (["--after", f"{NOON}:1:laptop", "--up-to", f"{NOON + 2}:2:laptop"], HELD[1:3]),
        (["--reverse"], HELD[::-1]),
        (["--limit", "3"], HELD[:3]),
        (["--limit", "0"], []),
        (["--reverse", "--limit", "2"], [PHONE_2, LAPTOP_2]),
        (["--scope", "friend"], [PHONE_1, LAPTOP_2]),
        (["--scope", "friend", "--scope", "private"], HELD),
        (["--device", "phone"], [PHONE_1, PHONE_2]),
        (["--device", "phone", "--limit", "2"], [PHONE_1, PHONE_2]),
        (["--device", "phone", "--scope", "private"], [PHONE_2]),
        (["--device", "phone", "--device", "laptop"], HELD),
        (["--device", "desk"], []),
    ],
)
def test_log_prints_what_was_asked_for(store: str, words: list[str], expected: list[Entry]) -> None:
    assert logged(store, *words) == wire(*expected)


def test_log_of_nobody_is_empty_and_no_error(store: str) -> None:
    assert lines(run("log", "zoe", "--store", store)) == []


def test_head_is_the_greatest_seq(store: str) -> None:
    assert lines(run("head", "alice", "--store", store)) == [str(PHONE_2.seq)]
    assert lines(run("head", "alice", "--store", store, "--json")) == [
        f'{{"head":"{PHONE_2.seq}"}}'
    ]


def test_head_of_an_empty_log_is_nothing(store: str) -> None:
    assert lines(run("head", "zoe", "--store", store)) == []
    assert lines(run("head", "zoe", "--store", store, "--json")) == ['{"head":null}']


def test_tops_name_every_device(store: str) -> None:
    assert lines(run("tops", "alice", "--store", store)) == [
        "device   top",
        "laptop   2",
        "phone    2",
    ]
    assert lines(run("tops", "alice", "--store", store, "--json")) == ['{"laptop":2,"phone":2}']


def test_cursors_name_every_reader_and_what_it_holds(store: str) -> None:
    assert lines(run("cursors", "alice", "--store", store)) == [
        "reader        holds",
        "alice/phone   laptop:2  phone:1",
        "~server       laptop:1",
    ]
    assert lines(run("cursors", "alice", "--store", store, "--json")) == [
        '{"alice/phone":{"laptop":2,"phone":1},"~server":{"laptop":1}}'
    ]


def test_status_of_a_user_says_where_the_log_stands(store: str) -> None:
    [line] = lines(run("status", "alice", "--store", store, "--json"))

    assert json.loads(line) == {
        "user": "alice",
        "head": str(PHONE_2.seq),
        "tops": {"laptop": 2, "phone": 2},
        "floors": {},
    }


def test_status_of_a_device_says_what_the_server_lacks(store: str) -> None:
    [line] = lines(run("status", "alice/laptop", "--store", store, "--json"))

    assert json.loads(line) == {
        "user": "alice",
        "head": str(PHONE_2.seq),
        "tops": {"laptop": 2, "phone": 2},
        "floors": {},
        "device": "laptop",
        "last_added": 2,
        "last_synced": 1,
        "unsent": 1,
        "unsent_since": NOON + 2,
    }


def test_status_for_people_is_a_list(store: str) -> None:
    assert lines(run("status", "alice/laptop", "--store", store)) == [
        "user         alice",
        f"head         {PHONE_2.seq}",
        "tops         laptop:2  phone:2",
        "floors       nothing",
        "device       laptop",
        "last added   2",
        "last synced  1",
        "unsent       1",
        "unsent since 2024-03-18T12:00:00.002Z",
    ]


def test_log_and_cursors_may_be_in_two_stores(store: str) -> None:
    """The log of one file, the cursors of another, which knows of no reader."""
    anyio.run(_make, "sqlite:///cursors.db")
    apart = ("--log", store, "--cursors", "sqlite:///cursors.db")

    assert lines(run("tops", "alice", *apart, "--json")) == ['{"laptop":2,"phone":2}']
    assert lines(run("cursors", "alice", *apart, "--json")) == ["{}"]


async def _make(url: str) -> None:
    async with open_stores(url):
        pass


@pytest.mark.parametrize("command", ["log", "head", "tops", "cursors", "status"])
def test_reading_does_not_make_the_store_of_a_misspelt_url(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(command, "alice", "--store", "sqlite:///ntoes.db")

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "strandlog: sqlite:///ntoes.db: there is no such store;"
        " strandlog add, sync and serve make one\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_damaged_store_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes.db").write_bytes(b"these are not the bytes of a database" * 100)
    result = run("log", "alice", "--store", "sqlite:///notes.db")

    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith("strandlog: ")
