"""``strandlog sync`` against ``strandlog serve``, each a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., subprocess.Popen[str]]
Serve = Callable[..., tuple[subprocess.Popen[str], str]]

LAPTOP = ("--store", "sqlite:///laptop.db")
PHONE = ("--store", "sqlite:///phone.db")
SERVER = ("--store", "sqlite:///server.db")


def done(ended: subprocess.CompletedProcess[str]) -> str:
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_two_devices_and_the_server_print_the_same_bytes(strandlog: Run, server: str) -> None:
    """More than a page each, so that both ways are paged."""
    for user, store in (("alice/laptop", LAPTOP), ("alice/phone", PHONE)):
        lines = "".join(f"{user} writes {number}\n" for number in range(450))
        done(strandlog("add", user, "-", *store, stdin=lines))

    told = [
        done(strandlog("sync", user, server, *store))
        for user, store in (
            ("alice/laptop", LAPTOP),
            ("alice/phone", PHONE),
            ("alice/laptop", LAPTOP),
        )
    ]
    logs = {done(strandlog("log", "alice", "--json", *one)) for one in (LAPTOP, PHONE, SERVER)}

    assert told == [
        "alice/laptop: sent 450 entries, received 0 entries; the server has 450 of 450\n",
        "alice/phone: sent 450 entries, received 450 entries; the server has 450 of 450\n",
        "alice/laptop: sent 0 entries, received 450 entries; the server has 450 of 450\n",
    ]
    assert [log.count("\n") for log in logs] == [900]


def test_result_for_programs_is_one_line(strandlog: Run, server: str) -> None:
    done(strandlog("add", "alice/laptop", "one", "two", *LAPTOP))
    told = done(strandlog("sync", "alice/laptop", server, "--json", *LAPTOP))

    assert json.loads(told) == {
        "event": "synced",
        "reader": "alice/laptop",
        "sent": 2,
        "received": 0,
        "recovered": 0,
        "last_synced": 2,
        "unsent": 0,
    }


def test_server_may_come_from_the_environment(strandlog: Run, server: str) -> None:
    told = done(strandlog("sync", "alice/laptop", *LAPTOP, STRANDLOG_SERVER=server))

    assert told.startswith("alice/laptop: sent 0 entries")


def test_device_that_lost_its_store_gets_its_own_entries_back(
    strandlog: Run, server: str, tmp_path: Path
) -> None:
    done(strandlog("add", "alice/laptop", "one", "two", *LAPTOP))
    done(strandlog("sync", "alice/laptop", server, *LAPTOP))
    for file in tmp_path.glob("laptop.db*"):
        file.unlink()

    told = done(strandlog("sync", "alice/laptop", server, *LAPTOP))

    assert told.endswith(
        "received 2 entries, 2 of them its own, which it had lost; the server has 2 of 2\n"
    )
    assert done(strandlog("tops", "alice", "--json", *LAPTOP)) == '{"laptop":2}\n'


def test_fork_is_mended_and_said(strandlog: Run, server: str, tmp_path: Path) -> None:
    """A store was copied to a second machine, and both copies went on writing."""
    done(strandlog("add", "alice/laptop", "one", *LAPTOP))
    done(strandlog("sync", "alice/laptop", server, *LAPTOP))
    (tmp_path / "copy.db").write_bytes((tmp_path / "laptop.db").read_bytes())
    copy = ("--store", "sqlite:///copy.db")
    done(strandlog("add", "alice/laptop", "two", *LAPTOP))
    done(strandlog("add", "alice/laptop", "another two", *copy))
    done(strandlog("sync", "alice/laptop", server, *LAPTOP))

    repairs, result = _json(done(strandlog("sync", "alice/laptop", server, "--json", *copy)))
    logs = {done(strandlog("log", "alice", "--json", *one)) for one in (copy, SERVER)}

    assert repairs["event"] == "rehomed"
    assert (repairs["from_device"], repairs["from_counter"], repairs["moved"]) == ("laptop", 2, 1)
    assert result["reader"] == f"alice/{repairs['to_device']}"
    assert (result["sent"], result["received"], result["unsent"]) == (1, 1, 0)
    assert [log.count("\n") for log in logs] == [3]


def test_entry_refused_for_good_is_said_and_holds_nothing_up(strandlog: Run, serve: Serve) -> None:
    _, url = serve("--limit", "message_bytes=200")
    done(strandlog("add", "alice/laptop", "one", "x" * 300, "three", *LAPTOP))
    ended = strandlog("sync", "alice/laptop", url, *LAPTOP)

    assert ended.returncode == 1
    assert "the server refused laptop:2 for good (too-large: " in ended.stdout
    assert "sent 3 entries" in ended.stdout
    assert ended.stderr == "strandlog: alice/laptop: a part was refused, as said above\n"
    assert '"three"' in done(strandlog("log", "alice", *SERVER))


def test_friend_copies_what_it_may_see(strandlog: Run, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "friends.json").write_text('{"friends": {"alice": ["bob"]}}')
    _, url = serve("--friends", "friends.json")
    done(strandlog("add", "alice/laptop", "mine", *LAPTOP))
    done(strandlog("add", "alice/laptop", "ours", "--scope", "friend", *LAPTOP))
    done(strandlog("sync", "alice/laptop", url, *LAPTOP))

    told = done(strandlog("sync", "bob/phone", url, "--follow", "alice", *PHONE))
    copied = _json(done(strandlog("log", "alice", "--json", *PHONE)))

    assert told == "bob/phone: sent 0 entries, received 1 entry; the server has 0 of 0\n"
    assert [entry["content"] for entry in copied] == ["ours"]


def test_stranger_is_told_that_a_log_is_not_shown(strandlog: Run, server: str) -> None:
    ended = strandlog("sync", "eve/phone", server, "--follow", "alice", *PHONE)

    assert ended.returncode == 1
    assert ended.stdout.startswith("alice: the server does not show this log (")
    assert ended.stderr.count("\n") == 1


def test_what_arrives_is_printed_while_connected(strandlog: Run, start: Start, server: str) -> None:
    """The phone is connected; the laptop adds, and syncs. Ctrl-C then ends it."""
    phone = start("sync", "alice/phone", server, "--live", "--json", *PHONE)
    assert phone.stdout is not None
    done(strandlog("add", "alice/laptop", "hello", *LAPTOP))
    done(strandlog("sync", "alice/laptop", server, *LAPTOP))

    line = phone.stdout.readline()
    phone.send_signal(signal.SIGINT)
    rest, told = phone.communicate(timeout=60)

    [entry] = done(strandlog("log", "alice", "--json", *LAPTOP)).splitlines()
    assert line == f'{{"event":"arrived","user":"alice","entry":{entry}}}\n'
    assert (phone.returncode, rest, told.strip()) == (130, "", "")


def test_live_sync_sends_what_another_process_adds(
    strandlog: Run, start: Start, server: str
) -> None:
    """It runs in one window, and in another somebody adds to the same store."""
    phone = start("sync", "alice/phone", server, "--live", "--json", *PHONE)
    assert phone.stdout is not None
    done(strandlog("add", "alice/laptop", "are you there", *LAPTOP))
    done(strandlog("sync", "alice/laptop", server, *LAPTOP))
    assert '"arrived"' in phone.stdout.readline()

    done(strandlog("add", "alice/phone", "hello", *PHONE))
    line = phone.stdout.readline()

    assert json.loads(line) == {"event": "uploaded", "count": 1, "last_synced": 1}
    assert done(strandlog("tops", "alice", "--json", *SERVER)) == '{"laptop":1,"phone":1}\n'


def test_live_sync_says_when_it_tries_again(start: Start) -> None:
    """Nobody listens there; it goes on trying, and says so."""
    phone = start("sync", "alice/phone", "ws://127.0.0.1:1", "--live", *PHONE)
    assert phone.stderr is not None

    line = phone.stderr.readline()

    assert line.startswith("strandlog: ws://127.0.0.1:1 cannot be reached: ")
    assert "; trying again in " in line


def test_server_that_is_not_there_is_one_line_with_the_next_step(strandlog: Run) -> None:
    ended = strandlog("sync", "alice/phone", "ws://127.0.0.1:1", *PHONE)

    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.endswith("; is strandlog serve running there?\n")


def test_address_that_is_no_server_is_a_usage_error(strandlog: Run) -> None:
    ended = strandlog("sync", "alice/phone", "http://127.0.0.1:8420", *PHONE)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is not a server: write one like ws://127.0.0.1:8420" in ended.stderr


def _json(lines: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.splitlines()]
