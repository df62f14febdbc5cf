"""Errors of queries, with the texts and codes of the published server."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .values import COLLECTIONS, INDEXES, Position, Ref, Value, type_name

T = TypeVar("T")
U = TypeVar("U")

_STATUS = {
    "instance not found": 404,
    "value not found": 404,
    "permission denied": 403,
    "contended transaction": 409,
}
# Of several faults the status is that of the first among the gravest.
_GRAVITY = {"invalid expression": 3, "invalid argument": 2, "permission denied": 1}


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of an answer's list of errors."""

    code: str
    position: Position
    description: str
    failures: tuple[tuple[Position, str, str], ...] = ()

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"code": self.code, "description": self.description}
        if self.code != "contended transaction":
            # That one is of the whole transaction.
            body = {"position": list(self.position), **body}
        if self.failures:
            body["failures"] = [
                {"field": list(field), "code": code, "description": text}
                for field, code, text in self.failures
            ]
        return body


class QueryError(Exception):
    """What ends a query; nothing of its transaction stays."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(faults)
        self.faults = list(faults)

    @property
    def status(self) -> int:
        gravest = max(self.faults, key=lambda fault: _GRAVITY.get(fault.code, 0))
        return _STATUS.get(gravest.code, 400)


def _one(code: str, at: Position, text: str, **more: Any) -> QueryError:
    return QueryError([Fault(code, at, text, **more)])


def invalid_expression(at: Position, text: str) -> QueryError:
    return _one("invalid expression", at, text)


def invalid_argument(at: Position, text: str) -> QueryError:
    return _one("invalid argument", at, text)


def wrong_type(at: Position, value: Value, *expected: str) -> QueryError:
    return invalid_argument(at, f"{_listed(expected)} expected, {type_name(value)} provided.")


def wrong_shape(at: Position, raw: object, *expected: str) -> QueryError:
    return invalid_expression(at, f"{_listed(expected)} expected, {type_name(raw)} provided.")


def _listed(names: Sequence[str]) -> str:
    if len(names) > 2:
        return f"{', '.join(names[:-1])}, or {names[-1]}"
    return " or ".join(names)


def undefined_ref(at: Position, ref: Ref) -> QueryError:
    if ref.native and ref.kind == INDEXES:
        kind, name = "index", ref.id
    else:
        kind, name = "collection", ref.id if ref.kind == COLLECTIONS else ref.kind
    return _one("invalid ref", at, f"Ref refers to undefined {kind} '{name}'")


def not_found(at: Position, what: str) -> QueryError:
    return _one("instance not found", at, f"{what} not found.")


def already_exists(at: Position, what: str) -> QueryError:
    return _one("instance already exists", at, f"{what} already exists.")


def not_unique(at: Position) -> QueryError:
    return _one("instance not unique", at, "document is not unique.")


def no_value(at: Position, path: Sequence[str | int]) -> QueryError:
    return _one("value not found", at, f"Value not found at path [{','.join(map(str, path))}].")


def aborted(at: Position, text: str) -> QueryError:
    return _one("transaction aborted", at, text)


def forbidden(at: Position) -> QueryError:
    return _one("permission denied", at, "Insufficient privileges to perform the action.")


def invalid_data(at: Position, *failures: tuple[Position, str, str]) -> QueryError:
    return _one("validation failed", at, "document data is not valid.", failures=failures)


def too_deep(at: Position, most: int) -> QueryError:
    return _one("stack overflow", at, f"Call stack reached the maximum limit of {most}.")


def contended() -> QueryError:
    return _one(
        "contended transaction",
        (),
        "Transaction was aborted due to detection of concurrent modification.",
    )


def collected(calls: Iterable[Callable[[], T]]) -> list[T]:
    """Make all calls; raise the faults of all that fail as one error."""
    faults: list[Fault] = []
    results: list[T] = []
    for call in calls:
        try:
            results.append(call())
        except QueryError as error:
            faults += error.faults
    if faults:
        raise QueryError(faults)
    return results


def both(one: Callable[[], T], other: Callable[[], U]) -> tuple[T, U]:
    """Make two calls; raise the faults of both as one error."""
    calls: list[Callable[[], Any]] = [one, other]
    first, second = collected(calls)
    return first, second
