"""The stand-in answers as the published server does, case by case.

With STRANDLOG_FAUNA_ENDPOINT and STRANDLOG_FAUNA_SECRET set, the same table is
played on that server, and what it answers is written down.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strandlog_fauna.testing import ENDPOINT, SECRET

from .conftest import server_process
from .wire import Table, read_cases

DATA = Path(__file__).parent / "data"
CASES = [*read_cases(DATA / "wire_cases.jsonl"), *read_cases(DATA / "more_cases.jsonl")]
REAL = os.environ.get(ENDPOINT)


@pytest.fixture(scope="module", params=["real"] if REAL else ["serialised", "optimistic"])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Where the cases are played, and the secret there."""
    if REAL:
        yield REAL, os.environ[SECRET]
        return
    with server_process(*(["--optimistic"] if request.param == "optimistic" else [])) as address:
        yield address, "s3cret"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_an_answer_is_that_of_the_published_server(
    place: tuple[str, str], case: dict[str, Any]
) -> None:
    """Status, body, codes, positions and texts; ids and times are bound to what was seen."""
    table = Table(*place, prefix=f"w{secrets.token_hex(4)}_")

    try:
        table.play(case)
    finally:
        if REAL:
            written = Path("transcripts") / f"{case['name']}.json"
            written.parent.mkdir(exist_ok=True)
            written.write_text(json.dumps(table.transcript, indent=1))


def test_no_case_is_lost() -> None:
    names = [case["name"] for case in CASES]

    assert len(names) == len(set(names)) == 348
