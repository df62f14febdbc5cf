"""``strandlog serve``."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Serve = Callable[..., tuple[subprocess.Popen[str], str]]

STORE = ("--store", "sqlite:///server.db")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_server_ends_orderly_when_told(serve: Serve, ending: signal.Signals) -> None:
    process, _ = serve()
    process.send_signal(ending)

    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 0


def test_verbose_server_says_who_comes_and_goes(serve: Serve, strandlog: Run) -> None:
    process, url = serve("--verbose")
    strandlog("sync", "alice/laptop", url, "--store", "sqlite:///laptop.db")
    process.terminate()

    _, told = process.communicate(timeout=60)
    assert "alice/laptop: connected" in told


def test_taken_port_is_one_line_with_the_next_step(strandlog: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        ended = strandlog("serve", *STORE, "--port", port)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        f"strandlog: port {port} of 127.0.0.1 is taken:"
        " give another --port, or end what listens there\n"
    )


def test_server_that_asks_nobody_is_not_shown_to_other_machines(strandlog: Run) -> None:
    ended = strandlog("serve", *STORE, "--host", "0.0.0.0", "--port", "0")  # noqa: S104  # refused

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert "other machines can reach '0.0.0.0'" in ended.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--limit", "message_byte=1"], "there is no limit 'message_byte', but: message_bytes,"),
        (["--limit", "message_bytes=much"], "--limit: Expected `int`, got `str`"),
        (["--limit", "message_bytes"], "'message_bytes' is not NAME=NUMBER"),
        (["--friends", "nobody.json"], "nobody.json is not a friends file"),
        (["--friends", "odd.json"], "odd.json is not a friends file"),
        (["--port", "70000"], "70000 is not in the range"),
    ],
)
def test_option_that_makes_no_sense_is_a_usage_error(
    strandlog: Run, tmp_path: Path, words: list[str], told: str
) -> None:
    (tmp_path / "odd.json").write_text('{"foes": {}}')
    ended = strandlog("serve", *STORE, *words)

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert told in ended.stderr
