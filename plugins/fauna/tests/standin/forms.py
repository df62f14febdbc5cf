"""The forms: their keys, and what evaluates them. The modules of forms register themselves here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Protocol, TypeVar

from .errors import (
    QueryError,
    collected,
    invalid_argument,
    too_deep,
    undefined_ref,
    wrong_type,
)
from .store import Transaction
from .values import Position, Ref, SetValue, Value, elements

ResultT = TypeVar("ResultT")
# How many lambdas may run inside each other.
_DEEPEST = 200

FunctionT = TypeVar("FunctionT", bound=Callable[["Call"], Value])


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression is evaluated."""

    txn: Transaction
    bound: Mapping[str, Value] = field(default_factory=dict)
    depth: int = 0

    def binding(self, names: Mapping[str, Value], *, deeper: int = 0) -> Scope:
        return Scope(self.txn, {**self.bound, **names}, self.depth + deeper)


class Node(Protocol):
    """An expression."""

    def evaluate(self, scope: Scope) -> Value:
        """Return its value."""


@dataclass(frozen=True, slots=True)
class Lambda:
    """A function of one argument, which a list of names takes apart."""

    params: list[str | None]
    takes_array: bool
    body: Node
    at: Position
    raw: Value

    @property
    def writes(self) -> bool:
        """Whether anything in it may write."""
        return _writes(self.raw)

    def apply(self, scope: Scope, argument: Value) -> Value:
        if scope.depth >= _DEEPEST:
            raise too_deep(self.at, _DEEPEST)
        return self.body.evaluate(scope.binding(self._bound(argument), deeper=1))

    def _bound(self, argument: Value) -> dict[str, Value]:
        values = [argument]
        if self.takes_array and isinstance(argument, list):
            values = argument
        if len(values) != len(self.params):
            raise invalid_argument(
                (*self.at, "lambda"),
                f"Lambda expects an array with {len(self.params)} elements."
                f" Array contains {len(values)}.",
            )
        pairs = zip(self.params, values, strict=True)
        return {name: value for name, value in pairs if name is not None}


def _writes(raw: Value) -> bool:
    if isinstance(raw, list):
        return any(_writes(one) for one in raw)
    if not isinstance(raw, dict):
        return False
    form = FORMS.get(frozenset(raw))
    return (form is not None and form.writes) or any(_writes(one) for one in raw.values())


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a form: what its function works with."""

    at: Position
    scope: Scope
    arguments: Mapping[str, Any]

    @property
    def txn(self) -> Transaction:
        return self.scope.txn

    def under(self, key: str) -> Position:
        return (*self.at, key)

    def value(self, key: str) -> Value:
        return self.arguments[key].evaluate(self.scope)

    def values(self) -> dict[str, Value]:
        """Evaluate all arguments but lambdas."""
        return {
            key: node.evaluate(self.scope)
            for key, node in self.arguments.items()
            if not isinstance(node, Lambda)
        }

    def function(self, key: str) -> Callable[[Value], Value]:
        function: Lambda = self.arguments[key]
        return lambda value: function.apply(self.scope, value)


@dataclass(frozen=True, slots=True)
class Form:
    """One form.

    Attributes:
        keys: Its keys in the order in which they are evaluated.
        lambdas: Those under which a lambda stands.
        lists: Those under which a list of expressions stands, which must not be
            empty; true where it has to be written as an array.
        writes: Whether it changes the database.
        evaluate: What it does.
    """

    keys: tuple[str, ...]
    lambdas: frozenset[str]
    lists: Mapping[str, bool]
    writes: bool
    evaluate: Callable[[Call], Value]


FORMS: dict[frozenset[str], Form] = {}
"""Every form by its exact set of keys."""


def form(
    *keys: str,
    optional: tuple[str, ...] = (),
    lambdas: tuple[str, ...] = (),
    lists: Mapping[str, bool] | None = None,
    writes: bool = False,
) -> Callable[[FunctionT], FunctionT]:
    """Register the decorated function as a form with these keys."""

    def register(function: FunctionT) -> FunctionT:
        for count in range(len(optional) + 1):
            for extra in combinations(optional, count):
                given = (*keys, *extra)
                FORMS[frozenset(given)] = Form(
                    given, frozenset(lambdas), lists or {}, writes, function
                )
        return function

    return register


def every(
    value: Value, at: Position, cast: Callable[[Value, Position], ResultT], *, some: bool = True
) -> list[ResultT]:
    """Cast the elements of an array, or a value that stands alone; the faults of all are told.

    With *some*, there has to be one.
    """
    found = elements(value, at)
    if some and not found:
        raise invalid_argument(at, "Non-empty array expected.")
    return collected([lambda v=v, at=at: cast(v, at) for v, at in found])  # type: ignore[misc]


def anything(value: Value, at: Position) -> Value:  # noqa: ARG001  # a cast
    return value


def boolean(value: Value, at: Position) -> bool:
    if not isinstance(value, bool):
        raise wrong_type(at, value, "Boolean")
    return value


def text(value: Value, at: Position) -> str:
    if not isinstance(value, str):
        raise wrong_type(at, value, "String")
    return value


def resolved(call: Call, value: Value, at: Position) -> Value:
    """Return *value*; a reference has to lead to a collection or index that exists."""
    if isinstance(value, Ref) and not call.txn.resolves(value):
        raise undefined_ref(at, value)
    return value


def set_or_ref(call: Call, value: Value, at: Position) -> Value:
    if not isinstance(value, Ref | SetValue):
        raise wrong_type(at, value, "Ref", "Set")
    return resolved(call, value, at)


def only_set(call: Call, value: Value, at: Position) -> SetValue:
    if isinstance(set_or_ref(call, value, at), SetValue):
        found: SetValue = value
        return found
    raise wrong_type(at, value, "Set")


def attempt(call: Callable[[], Value], code: str) -> tuple[bool, Value]:
    """Return whether *call* went well and its value; only faults of one code are caught."""
    try:
        return True, call()
    except QueryError as error:
        if [fault.code for fault in error.faults] != [code]:
            raise
        return False, error
