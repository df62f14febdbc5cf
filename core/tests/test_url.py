"""Store URLs: what they name, what they refuse, and what they keep to themselves."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import msgspec
import pytest

from strandlog.backend import Location, NoOptions, StoreUrl
from strandlog.errors import StoreUrlError


class Durable(enum.Enum):
    FULL = "full"
    NORMAL = "normal"


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a store as a plugin declares them."""

    read_only: bool = False
    busy_timeout_seconds: float = 5.0
    pool: int = 1
    durability: Durable = Durable.FULL
    schema: str = "public"


def _file(text: str) -> str:
    return StoreUrl.parse(text).check_location(Location.FILE).file_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("sqlite:///notes.db", "notes.db"),
        ("sqlite:///data/notes.db", "data/notes.db"),
        ("sqlite:////var/lib/notes.db", "/var/lib/notes.db"),
        ("sqlite:///./notes.db", "./notes.db"),
        ("sqlite:///../notes.db", "../notes.db"),
        ("sqlite:///C:/notes.db", "C:/notes.db"),
        ("SQLite:///notes.db", "notes.db"),
        ("sqlite:///my%20notes%23.db", "my notes#.db"),
        ("sqlite:///me@home.db", "me@home.db"),
        ("sqlite:///100%.db", "100%.db"),
        ("sqlite:///Größe.db?pool=2", "Größe.db"),
    ],
)
def test_three_slashes_are_relative_and_four_absolute(text: str, path: str) -> None:
    assert _file(text) == path


def test_two_slashes_before_a_file_are_refused_with_both_right_forms() -> None:
    with pytest.raises(StoreUrlError) as refused:
        _file("sqlite://data/notes.db")

    assert "sqlite:///data/notes.db for a relative path" in str(refused.value)
    assert "sqlite:////data/notes.db for an absolute one" in str(refused.value)


def test_a_scheme_is_written_in_any_case() -> None:
    assert StoreUrl.parse("SQLite:///notes.db") == StoreUrl.parse("sqlite:///notes.db")


@pytest.mark.parametrize("text", ["sqlite://", "sqlite:///", "sqlite:////", "sqlite:///?pool=1"])
def test_a_file_needs_a_path(text: str) -> None:
    with pytest.raises(StoreUrlError, match=r"no path: write sqlite:///notes\.db"):
        _file(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [("memory://", ""), ("memory://shared", "shared"), ("memory://Shared/", "Shared")],
)
def test_a_name_stands_where_a_host_does(text: str, name: str) -> None:
    assert StoreUrl.parse(text).check_location(Location.NAME).host == name


def test_a_name_takes_no_path() -> None:
    with pytest.raises(StoreUrlError, match="memory://name"):
        StoreUrl.parse("memory:///shared").check_location(Location.NAME)


def test_a_server_has_host_port_path_user_and_secret() -> None:
    url = StoreUrl.parse("postgresql://us%40er:p%2Fw@Db.Example:5432/notes?schema=x")

    assert url.check_location(Location.SERVER) == StoreUrl(
        "postgresql", "/notes", "Db.Example", 5432, "us@er", "p/w", {"schema": "x"}
    )


@pytest.mark.parametrize(
    ("text", "host"),
    [("db://[::1]:80/x", "::1"), ("db://u:p@[fe80::1]", "fe80::1"), ("db://8:88", "8")],
)
def test_a_host_may_be_an_address(text: str, host: str) -> None:
    url = StoreUrl.parse(text)

    assert url.host == host
    assert StoreUrl.parse(str(url)).host == host


def test_a_server_needs_a_host() -> None:
    with pytest.raises(StoreUrlError, match="no host"):
        StoreUrl.parse("postgresql:///notes").check_location(Location.SERVER)


@pytest.mark.parametrize("text", ["", "notes.db", "sqlite:notes.db", "sqlite:/notes.db", "://x"])
def test_what_is_no_url_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(StoreUrlError, match=r"write one like sqlite:///notes\.db"):
        StoreUrl.parse(text)


def test_a_fragment_is_refused_with_the_way_to_write_it() -> None:
    with pytest.raises(StoreUrlError, match="%23"):
        StoreUrl.parse("sqlite:///notes#1.db")


def test_options_get_their_types() -> None:
    url = StoreUrl.parse(
        "x:///y?read_only=true&busy_timeout_seconds=0.5&pool=3&durability=normal&schema=a%40b"
    )

    assert url.options(Options) == Options(True, 0.5, 3, Durable.NORMAL, "a@b")


def test_options_have_defaults() -> None:
    assert StoreUrl.parse("x:///y").options(Options) == Options()


@pytest.mark.parametrize(
    ("query", "kind", "named"),
    [
        ("reed_only=true", Options, "unknown option 'reed_only'; it takes: busy_timeout_seconds, "),
        ("pool=2&Pool=3", Options, "unknown option 'Pool'"),
        ("pool=2", NoOptions, "unknown option 'pool'; it takes: none"),
        ("pool=many", Options, "pool"),
        ("pool=", Options, "pool"),
        ("pool", Options, "pool"),
        ("read_only=perhaps", Options, "read_only"),
        ("durability=some", Options, "durability"),
    ],
)
def test_an_unknown_or_ill_typed_option_is_named(
    query: str, kind: type[msgspec.Struct], named: str
) -> None:
    with pytest.raises(StoreUrlError) as refused:
        StoreUrl.parse(f"x:///y?{query}").options(kind)

    assert named in str(refused.value)


@pytest.mark.parametrize("query", ["pool=1&pool=2", "pool=1&pool=1", "secret_env=A&secret_env=A"])
def test_an_option_given_twice_is_refused(query: str) -> None:
    with pytest.raises(StoreUrlError, match="twice"):
        StoreUrl.parse(f"x:///y?{query}", environ={"A": "a"})


def test_a_secret_may_come_from_the_environment() -> None:
    url = StoreUrl.parse(
        "db://user@host/x?secret_env=DB_SECRET&pool=2", environ={"DB_SECRET": "p@w"}
    )

    assert (url.user, url.secret, url.query) == ("user", "p@w", {"pool": "2"})


@pytest.mark.parametrize("environ", [{}, {"DB_SECRET": ""}])
def test_an_unset_variable_is_named(environ: dict[str, str]) -> None:
    with pytest.raises(StoreUrlError, match="DB_SECRET is not set"):
        StoreUrl.parse("db://user@host/x?secret_env=DB_SECRET", environ=environ)


def test_a_variable_without_a_name_is_refused() -> None:
    """It would otherwise mean: no secret at all."""
    with pytest.raises(StoreUrlError, match="is not set"):
        StoreUrl.parse("db://user@host/x?secret_env=", environ={})


@pytest.mark.parametrize(
    "text",
    [
        "db://user:hunter2@host/x?pool=1",
        "db://hunter2@host/x",
        "db://:hunter2@host",
        "db+http://hunter2@127.0.0.1:8443",
        "db://user@host/x?secret_env=SECRET",
    ],
)
def test_no_text_of_a_url_shows_its_secret(text: str) -> None:
    url = StoreUrl.parse(text, environ={"SECRET": "hunter2"})

    assert "hunter2" in (url.user, url.secret)
    assert "hunter2" not in f"{url} {url!r} {[url]}"
    assert "***@" in str(url)


def test_the_text_of_a_url_without_secret_is_the_url() -> None:
    for text in (
        "sqlite:///my%20notes.db?read_only=true",
        "sqlite:////a/b.db",
        "memory://",
        "x://h:80/p",
    ):
        assert str(StoreUrl.parse(text)) == text


def _printed(error: BaseException | None) -> Iterator[str]:
    """Yield the text of an error and of those that a traceback prints before it."""
    while error is not None:
        yield repr(error)
        hidden = error.__suppress_context__
        error = error.__cause__ or (None if hidden else error.__context__)


@pytest.mark.parametrize(
    "text",
    [
        "db:user:hunter2@host/x",
        "user:hunter2@host",
        "db//user:hunter2@host/x",
        "db://user:hunter2/@host/x",
        "db://user:/hunter2@host/x",
        "db://user:?hunter2@host/x",
        "db://user:#hunter2@host/x",
        "db://user:7?hunter2@host/x",
        "db://user:7/hunter2@host/x",
        "db://user:7#hunter2@host/x",
        "db://user:hunter2@host:port/x",
        "db://user:hunter2@host:99999/x",
        "db://user:hunter2@[::1/x",
        "db://user:hunter2@host/x#y",
        "db://user:hunter2@host/x?a=1&a=2",
        "db://user:hunter2@host/x?secret_env=NOWHERE",
        "db://user:hunter2@host/x?poool=1",
    ],
)
def test_no_error_shows_a_secret(text: str) -> None:
    """Neither its message nor the errors behind it, which a traceback prints as well."""
    with pytest.raises(StoreUrlError) as refused:
        StoreUrl.parse(text, environ={}).check_location(Location.SERVER).options(Options)

    assert "hunter2" not in "\n".join(_printed(refused.value))
