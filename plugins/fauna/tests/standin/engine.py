"""Runs queries: each is one transaction, serialised with the others or checked at its end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from . import forms_basic as _basic  # noqa: F401  # registers its forms
from . import forms_sets as _sets  # noqa: F401
from . import forms_write as _write  # noqa: F401
from .errors import QueryError, contended
from .forms import Scope
from .parse import parse
from .render import Renderer
from .store import ConflictError, Store, Transaction
from .values import Document, Value

TRIES = 5
"""How often the published server runs a contended query before it gives up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query came to: a status, a body, and the time of its transaction."""

    status: int
    body: Any
    time: int


class Engine:
    """All queries of one server.

    Args:
        optimistic: Queries run side by side; what one has read is checked when it
            ends, and if it has changed since, the query runs again. Otherwise
            one runs after the other.
        pause_seconds: How long an optimistic query rests before that check, so
            that on a fast machine too they meet each other.
    """

    def __init__(self, *, optimistic: bool = False, pause_seconds: float = 0.0005) -> None:
        self.store = Store()
        self.conflicts = 0
        self._optimistic = optimistic
        self._pause = pause_seconds

    def run(
        self,
        raw: Any,
        *,
        word: str = "collection",
        may_write: bool = True,
        retries: int = TRIES - 1,
    ) -> Answer:
        """Run a query and commit what it wrote, or nothing of it."""
        try:
            value, now = self._transact(raw, may_write=may_write, tries=retries + 1)
        except QueryError as error:
            body = {"errors": [fault.as_json() for fault in error.faults]}
            return Answer(error.status, body, self.store.last)
        created = isinstance(value, Document) and value.created
        body = {"resource": Renderer(word=word, now=now).json(value)}
        return Answer(201 if created else 200, body, now)

    def _transact(self, raw: Any, *, may_write: bool, tries: int) -> tuple[Value, int]:
        tree = parse(raw)
        if not self._optimistic:
            with self.store.lock:
                txn = Transaction(self.store, may_write=may_write)
                value = tree.evaluate(Scope(txn))
                return value, txn.commit()
        for _ in range(tries):
            with self.store.lock:
                txn = Transaction(self.store, may_write=may_write)
            failure: QueryError | None = None
            value = None
            try:
                value = tree.evaluate(Scope(txn))
            except QueryError as error:
                failure = error
            except (KeyError, RuntimeError, IndexError):
                # It ran into the midst of a commit; the check will say so.
                failure = contended()
            time.sleep(self._pause if txn.written else 0)
            with self.store.lock:
                try:
                    txn.check()
                except ConflictError:
                    self.conflicts += 1
                    continue
                if failure is not None:
                    raise failure
                return value, txn.commit()
        raise contended()
