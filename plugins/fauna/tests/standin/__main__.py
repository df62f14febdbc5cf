"""``python -m standin --port 8443 --secret s``: serve until interrupted."""

from __future__ import annotations

import argparse
import contextlib
import sys
import threading

from .engine import Engine
from .faults import Fault, Faults, at_random, every_other
from .http import StandIn


def main() -> None:
    parser = argparse.ArgumentParser(prog="standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--secret", default="secret")
    parser.add_argument("--reader-secret", default="", help="one that may only read")
    parser.add_argument("--optimistic", action="store_true", help="queries run side by side")
    parser.add_argument("--fault-rate", type=float, default=0.0, help="how many requests fail")
    parser.add_argument("--fault-seed", type=int, default=0)
    parser.add_argument(
        "--drop-answers", action="store_true", help="lose every other answer after its commit"
    )
    given = parser.parse_args()
    # Queries may be nested as deep as the published server allows.
    sys.setrecursionlimit(50_000)
    threading.stack_size(256 * 1024 * 1024)
    choice = at_random(given.fault_rate, given.fault_seed)
    if given.drop_answers:
        choice = every_other(Fault.DROP_AFTER)
    server = StandIn(
        given.secret,
        reader_secret=given.reader_secret,
        port=given.port,
        engine=Engine(optimistic=given.optimistic),
        faults=Faults(choice),
    )
    print(f"http://127.0.0.1:{server.port}", flush=True)  # noqa: T201
    with server, contextlib.suppress(KeyboardInterrupt):
        server.ended.wait()


if __name__ == "__main__":
    main()
