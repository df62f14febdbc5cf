"""What the wire cases cannot tell of the stand-in: transactions side by side, and its faults."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any

import pytest

from .standin.engine import Engine
from .standin.faults import Fault
from .standin.forms import Scope
from .standin.http import StandIn
from .standin.parse import parse
from .standin.store import ConflictError, Transaction

COUNTER = {"ref": {"collection": "c"}, "id": "1"}
RAISED = {
    "update": COUNTER,
    "params": {
        "object": {
            "data": {
                "object": {
                    "n": {"add": [{"select": ["data", "n"], "from": {"get": COUNTER}}, 1]},
                }
            }
        }
    },
}


@pytest.fixture
def engine() -> Engine:
    """An optimistic engine with one document, whose ``n`` is 0."""
    engine = Engine(optimistic=True)
    engine.run({"create_collection": {"object": {"name": "c"}}})
    zero = {"object": {"data": {"object": {"n": 0}}}}
    assert engine.run({"create": COUNTER, "params": zero}).status == 201
    return engine


def test_a_transaction_notices_that_what_it_read_has_changed(engine: Engine) -> None:
    txn = Transaction(engine.store)
    parse(RAISED).evaluate(Scope(txn))
    engine.run(RAISED)

    with pytest.raises(ConflictError):
        txn.check()


def test_a_transaction_is_not_disturbed_by_what_it_did_not_read(engine: Engine) -> None:
    txn = Transaction(engine.store)
    parse({"get": COUNTER}).evaluate(Scope(txn))
    engine.run({"create": {"collection": "c"}})

    txn.check()


def test_increments_side_by_side_all_count(engine: Engine) -> None:
    """Each is repeated until it met nobody, or was told so by 409; none is lost or doubled."""
    statuses: list[int] = []

    def raise_it() -> None:
        statuses.extend(engine.run(RAISED).status for _ in range(10))

    threads = [threading.Thread(target=raise_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    counted = engine.run({"select": ["data", "n"], "from": {"get": COUNTER}}).body["resource"]
    assert set(statuses) <= {200, 409}
    assert counted == statuses.count(200) > 0
    assert engine.conflicts > 0


def _post(server: StandIn, query: Any, *, secret: str = "") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    headers = {
        "Authorization": f"Bearer {secret or server.secret}",
        "X-FaunaDB-API-Version": "4",
    }
    connection.request("POST", "/", json.dumps(query), headers)
    answer = connection.getresponse()
    try:
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.CONTENDED, 409, "contended transaction"),
        (Fault.TOO_MANY, 429, "too many requests"),
        (Fault.UNAVAILABLE, 503, "time out"),
    ],
)
def test_an_injected_answer_is_that_of_a_busy_server(
    server: StandIn, fault: Fault, status: int, code: str
) -> None:
    server.faults.push([fault])

    told, body = _post(server, 1)

    assert (told, body["errors"][0]["code"]) == (status, code)
    assert _post(server, 1) == (200, {"resource": 1})


@pytest.mark.parametrize(("fault", "done"), [(Fault.DROP_BEFORE, False), (Fault.DROP_AFTER, True)])
def test_a_dropped_connection_may_have_done_its_work(
    server: StandIn, fault: Fault, done: bool
) -> None:
    server.faults.push([fault])
    with pytest.raises((http.client.HTTPException, ConnectionError)):
        _post(server, {"create_collection": {"object": {"name": "c"}}})

    assert _post(server, {"exists": {"collection": "c"}}) == (200, {"resource": done})


def test_a_secret_for_reading_does_not_write(server: StandIn) -> None:
    create = {"create_collection": {"object": {"name": "c"}}}

    status, body = _post(server, create, secret="r3ader")

    assert (status, body["errors"][0]["code"]) == (403, "permission denied")
    assert _post(server, {"exists": {"collection": "c"}}, secret="r3ader")[0] == 200
