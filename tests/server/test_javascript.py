"""Clients that nobody here wrote: a JavaScript WebSocket, and curl."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio.to_thread
import pytest

from strandlog.access import FriendsPolicy

if TYPE_CHECKING:
    from tests.server.conftest import Start

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("store_url")]

STORIES = Path(__file__).with_name("stories.mjs")
FRIENDS = FriendsPolicy({"alice": {"bob": frozenset({"friend"})}})


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"{name} is not installed, and continuous integration has to have it")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


async def _run(*command: str, stdin: str = "") -> str:
    def run() -> str:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return await anyio.to_thread.run_sync(run)


def _written(counter: int, **fields: Any) -> Any:
    scope = "friend" if counter in (2, 5) else "private"
    stamp = 1710763200000 + counter
    seq = f"{stamp:015d}:{counter:012d}:laptop"
    return {"seq": seq, "scope": scope, "content": {"n": counter}, **fields}


LETTERS = [
    {
        "seq": f"{1710763200000 + n:015d}:{n + 1:012d}:phone",
        "scope": "private",
        "content": letter,
    }
    for n, letter in enumerate("abcde")
]


async def test_stories_are_played_from_javascript(start: Start) -> None:
    node = _tool("node")
    has_websocket = await _run(node, "-p", "typeof WebSocket") == "function\n"
    flags = [] if has_websocket else ["--experimental-websocket"]
    async with start(access=FRIENDS) as server:
        url = server.url.replace("http", "ws", 1)
        printed = await _run(node, *flags, str(STORIES), url)

    answers = [json.loads(line) for line in printed.splitlines()]
    assert answers[:6] == [
        ["hello", {"messages": [], "seq": 5}],
        *(["hello", {"messages": LETTERS, "seq": seq}] for seq in (2, 5, 7, 7, 9)),
    ]
    page, first_ack, second_ack, push = answers[6:10]
    assert page[1]["messages"] == [_written(2), _written(5)]
    assert (page[1]["view"], page[1]["upto"]) == ("friend", {"laptop": 9, "phone": 5})
    assert (first_ack, second_ack) == (["ack", {"seq": 10}], ["ack", {"seq": 11}])
    assert push[1]["messages"] == [_written(11, scope="friend")]
    codes = [body.get("code") for _, body in answers[10:]]
    assert codes == ["bad-json", "gap", "fork", "bad-name", "too-large", None]
    assert answers[-1] == ["ack", {"seq": 12}]


async def test_stories_are_played_by_curl(start: Start) -> None:
    curl = _tool("curl")
    async with start(access=FRIENDS) as server:

        async def post(device: str, frame: str) -> Any:
            url = f"{server.url}/sync/alice/{device}"
            return json.loads(
                await _run(curl, "-sS", "--path-as-is", "--data-binary", "@-", url, stdin=frame)
            )

        def entries(*counters: int) -> str:
            return ",".join(
                f'{{"seq":"{1710763200000 + n}:{n}:laptop","content":{{"n":{n}}}}}'
                for n in counters
            )

        answers = [
            await post("phone", json.dumps(["hello", {"seq": 5, "messages": LETTERS}])),
            await post("laptop", f'["hello",{{"seq":2,"messages":[{entries(1, 2)}]}}]'),
            await post("laptop", f'["hello",{{"seq":5,"messages":[{entries(3, 4, 5)}]}}]'),
            await post("laptop", f'["hello",{{"seq":7,"messages":[{entries(6, 7)}]}}]'),
            await post("laptop", '["hello",{"seq":7}]'),
            await post("laptop", f'["hello",{{"seq":9,"messages":[{entries(8, 9)}]}}]'),
            await post("laptop", '["hello",{"seq":7}]'),
        ]
        another = entries(9).replace('"n"', '"m"')
        codes = [
            (await post(device, frame))[1]["code"]
            for device, frame in [
                ("laptop", '{"hello"'),
                ("laptop", f'["add",{{"messages":[{entries(11)}]}}]'),
                ("laptop", f'["add",{{"messages":[{another}]}}]'),
                ("../laptop", '["hello",{"seq":0}]'),
                ("laptop", f'["add",{{"messages":["{"x" * 2_000_000}"]}}]'),
            ]
        ]

    assert answers[:6] == [
        ["hello", {"messages": [], "seq": 5}],
        *(["hello", {"messages": LETTERS, "seq": seq}] for seq in (2, 5, 7, 7, 9)),
    ]
    # Over POST the remainder comes at once: its own 8 and 9, which it seems to
    # have lost, and all the others' once more.
    own = [{**_written(n), "scope": "private"} for n in (8, 9)]
    assert answers[6] == ["hello", {"messages": sorted([*LETTERS, *own], key=_seq), "seq": 9}]
    assert codes == ["bad-json", "gap", "fork", "bad-name", "too-large"]


def _seq(entry: Any) -> str:
    seq: str = entry["seq"]
    return seq
