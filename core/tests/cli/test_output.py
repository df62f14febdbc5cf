"""What commands print."""

from __future__ import annotations

import pytest

from strandlog import Entry, Identity, Seq
from strandlog.cli.output import entry_text, moment, printable, table, vector_text


@pytest.mark.parametrize(
    ("millis", "shown"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_710_763_200_007, "2024-03-18T12:00:00.007Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (253_402_300_800_000, "253402300800000ms"),
        (999_999_999_999_999, "999999999999999ms"),
    ],
)
def test_moment_is_shown_in_utc_or_as_the_number_that_no_calendar_reaches(
    millis: int, shown: str
) -> None:
    assert moment(millis) == shown


def test_what_would_command_a_terminal_is_shown_and_not_obeyed() -> None:
    """JSON allows these raw in a string, and an entry may be a stranger's."""
    assert printable("a\x9b2Jb\u202ec\x7f köln 😀") == "a\\x9b2Jb\\u202ec\\x7f köln 😀"


def test_entry_is_one_line() -> None:
    entry = Entry(Seq(1_710_763_200_000, 3, "laptop"), "friend", b'{"a": 1}')

    assert entry_text(entry) == '2024-03-18T12:00:00.000Z  laptop:3  friend  {"a": 1}'


def test_entry_that_no_clock_follows_is_flagged() -> None:
    """A device was set to the greatest time there is; its entry is kept and shown as such."""
    entry = Entry(Seq(999_999_999_999_999, 1, "laptop"), "friend", b"1")

    assert entry_text(entry).endswith("laptop:1  friend  (from the future)  1")


def test_entry_without_content_says_so() -> None:
    entry = Entry(
        Seq(1_710_763_200_000, 3, "laptop"), "private", b"null", redacts=Identity("phone", 1)
    )

    assert entry_text(entry.without_content()) == (
        "2024-03-18T12:00:00.000Z  laptop:3  private  (redacts phone:1)  (redacted)"
    )


def test_empty_vector_is_told_in_a_word() -> None:
    assert vector_text({}) == "nothing"
    assert vector_text({"desk": 2, "phone": 10}) == "desk:2  phone:10"


def test_table_is_never_cut_where_there_is_no_terminal(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    """A pipe has no width, and what is cut off there is lost."""
    table(("name", "value"), [("a", "x" * 300), ("long name", "[red]\x1b[2J")])

    assert capfdbinary.readouterr().out.decode().splitlines() == [
        "name        value",
        "a           " + "x" * 300,
        "long name   [red]\\x1b[2J",
    ]
