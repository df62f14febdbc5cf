"""``strandlog add``: from words and from lines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from strandlog.cli import program


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command runs in an empty directory, on a file in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STRANDLOG_STORE", "sqlite:///notes.db")


def run(*words: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(program, words, input=stdin)


def added(*words: str, stdin: str | bytes | None = None) -> str:
    result = run("add", *words, stdin=stdin)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def held(*words: str) -> list[str]:
    """Return the content of each entry, as it stands in the wire form."""
    result = run("log", "alice", "--json", *words)
    assert (result.exit_code, result.stderr) == (0, "")
    return [
        line.partition(',"content":')[2].removesuffix("}") for line in result.stdout.splitlines()
    ]


def refused(*words: str, stdin: str | bytes | None = None) -> tuple[int, str]:
    result = run("add", *words, stdin=stdin)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    return result.exit_code, result.stderr


def test_each_word_is_an_entry() -> None:
    told = added("alice/laptop", "milk", 'the "big" one')

    assert held() == ['"milk"', '"the \\"big\\" one"']
    assert told.startswith("alice/laptop: 2 entries added; own top 2, head 0")
    assert told.endswith(":000000000002:laptop\n")


def test_counters_go_on_where_they_were() -> None:
    added("alice/laptop", "one")
    added("alice/phone", "two")
    told = json.loads(added("alice/laptop", "three", "--json"))

    assert (told["reader"], told["added"], told["last_added"]) == ("alice/laptop", 1, 2)
    assert told["head"].endswith(":000000000002:laptop")
    assert held() == ['"one"', '"two"', '"three"']


def test_lines_of_a_pipe_are_entries_empty_ones_too() -> None:
    told = added("alice/laptop", "-", stdin="fix: the door\n\nit stuck\n")

    assert told.startswith("alice/laptop: 3 entries added; own top 3")
    assert held() == ['"fix: the door"', '""', '"it stuck"']


def test_empty_lines_are_passed_over_if_asked() -> None:
    added("alice/laptop", "-", "--skip-empty", stdin="a\n\n \nb\n")

    assert held() == ['"a"', '"b"']


def test_empty_pipe_adds_nothing() -> None:
    assert added("alice/laptop", "-") == "alice/laptop: 0 entries added; own top 0, head nothing\n"


def test_json_lines_are_kept_byte_for_byte() -> None:
    added("alice/laptop", "-", "--json-lines", stdin='  {"b" : 1.0, "a":[ ]}\r\n"\\u00e9"\n')

    assert held() == ['{"b" : 1.0, "a":[ ]}', '"\\u00e9"']


def test_json_words_are_kept_byte_for_byte() -> None:
    added("alice/laptop", "--json-lines", '{"b" : 1.0}', "null")

    assert held() == ['{"b" : 1.0}', "null"]


def test_scope_says_who_may_see_it() -> None:
    added("alice/laptop", "for all", "--scope", "friend")
    added("alice/laptop", "for me")

    assert (held("--scope", "friend"), held("--scope", "private")) == (['"for all"'], ['"for me"'])


def test_redaction_takes_the_content_away_in_the_scope_of_its_target() -> None:
    """A redaction in another scope would be refused by the server, long after."""
    added("alice/laptop", "a secret", "--scope", "friend")
    added("alice/phone", "--redacts", "laptop:1")

    log = run("log", "alice", "--scope", "friend").stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in log] == [
        "laptop:1  friend  (redacted)",
        "phone:1  friend  (redacts laptop:1)  null",
    ]


def test_redaction_in_another_scope_than_its_target_is_refused() -> None:
    added("alice/laptop", "a secret", "--scope", "friend")
    status, told = refused("alice/phone", "--redacts", "laptop:1", "--scope", "private")

    assert (status, len(held())) == (2, 1)
    assert "laptop:1 has the scope friend" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing to add: give CONTENT, or - to take lines of a pipe"),
        (["--redacts", "phone:1", "one", "two"], "--redacts takes one CONTENT, or none"),
        (["--redacts", "phone:1", "-"], "--redacts takes one CONTENT, or none"),
        (["one", "-"], "- takes lines of a pipe, and no CONTENT beside it"),
        (["--json-lines", "{"], "'{': content is not one JSON value"),
    ],
)
def test_call_that_makes_no_sense_adds_nothing(words: list[str], told: str, tmp_path: Path) -> None:
    status, line = refused("alice/laptop", *words)

    assert (status, list(tmp_path.iterdir())) == (2, [])
    assert told in line


@pytest.mark.parametrize(
    ("words", "stdin", "told"),
    [
        ([], b"one\ntwo\n\xff\nfour\n", "line 3: not UTF-8 at byte 1; 2 entries added before that"),
        (
            ["--json-lines"],
            b"1\n2\n{\n4\n",
            (
                "line 3: content is not one JSON value: Input data was truncated;"
                " 2 entries added before that"
            ),
        ),
    ],
)
def test_bad_line_is_named_and_those_before_it_are_kept(
    words: list[str], stdin: bytes, told: str
) -> None:
    """From the number of that line on it can be sent again: nothing lost, nothing twice."""
    assert refused("alice/laptop", "-", *words, stdin=stdin) == (1, f"strandlog: {told}\n")
    assert len(held()) == 2
