"""From the JSON of a query to a tree that can be evaluated.

The whole tree is read before anything is evaluated, so an unknown form or an
unbound variable is found wherever it stands. The first fault is reported; a
variable that nothing binds is one only if there is no other.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import Fault, QueryError, both, collected, invalid_expression, wrong_shape
from .forms import FORMS, Call, Form, Lambda, Node, Scope
from .refs import parse_ref
from .values import Position, Value

# With what messages call them.
_ESCAPES = {
    "@obj": "object",
    "@ref": "ref",
    "@set": "set",
    "@ts": "time",
    "@date": "date",
    "@query": "lambda",
    "@bytes": "bytes",
    "@uuid": "UUID",
}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that stands for itself."""

    value: Value

    def evaluate(self, scope: Scope) -> Value:
        return self.value


@dataclass(frozen=True, slots=True)
class Variable:
    """A name that a let or a lambda has bound."""

    name: str

    def evaluate(self, scope: Scope) -> Value:
        return scope.bound[self.name]


@dataclass(frozen=True, slots=True)
class Several:
    """An array of expressions. All are evaluated, also after one that fails."""

    nodes: list[Node]

    def evaluate(self, scope: Scope) -> Value:
        return _all_of(self.nodes, scope)


@dataclass(frozen=True, slots=True)
class Fields:
    """An object whose values are expressions."""

    nodes: dict[str, Node]

    def evaluate(self, scope: Scope) -> Value:
        return dict(zip(self.nodes, _all_of(self.nodes.values(), scope), strict=True))


def _all_of(nodes: Iterable[Node], scope: Scope) -> list[Value]:
    values: list[Value] = []
    faults: list[Fault] = []
    for node in nodes:
        try:
            values.append(node.evaluate(scope))
        except QueryError as error:
            faults += error.faults
    if faults:
        raise QueryError(faults)
    return values


@dataclass(frozen=True, slots=True)
class Let:
    """Bindings, each seen by those behind it, and a body that sees them all."""

    bindings: list[tuple[str, Node]]
    body: Node

    def evaluate(self, scope: Scope) -> Value:
        for name, node in self.bindings:
            scope = scope.binding({name: node.evaluate(scope)})
        return self.body.evaluate(scope)


@dataclass(frozen=True, slots=True)
class Applied:
    """A form with its arguments."""

    form: Form
    arguments: Mapping[str, Node | Lambda]
    at: Position = field(default=())

    def evaluate(self, scope: Scope) -> Value:
        return self.form.evaluate(Call(self.at, scope, self.arguments))


@dataclass(frozen=True, slots=True)
class Names:
    """The variables that are bound where a query is being read, and those that are not.

    Attributes:
        bound: What may be used.
        missing: What was used all the same; of the whole query.
    """

    bound: frozenset[str] = frozenset()
    missing: list[Fault] = field(default_factory=list)

    def binding(self, names: Iterable[str]) -> Names:
        return Names(self.bound.union(names), self.missing)

    def check(self) -> None:
        if self.missing:
            raise QueryError(self.missing)


def parse(raw: Any) -> Node:
    """Return the tree of a query.

    Raises:
        QueryError: It is no query.
    """
    names = Names()
    node = _parse(raw, (), names)
    names.check()
    return node


def _parse(raw: Any, at: Position, names: Names) -> Node:
    if isinstance(raw, list):
        nodes = _each(raw, at, names)
        values = [node.value for node in nodes if isinstance(node, Literal)]
        # If nothing in it is left to be evaluated, it is a value already; and those never change.
        return Literal(values) if len(values) == len(nodes) else Several(nodes)
    if not isinstance(raw, dict):
        return Literal(raw)
    special = _SPECIAL.get(frozenset(raw))
    if special is not None:
        return special(raw, at, names)
    form = FORMS.get(frozenset(raw))
    if form is not None:
        return _applied(form, raw, at, names)
    if len(raw) == 1 and next(iter(raw)) in _ESCAPES:
        return _escape(raw, at, names)
    keys = ", ".join(raw)
    raise invalid_expression(at, f"No form/function found, or invalid argument keys: {{ {keys} }}.")


def _each(raw: list[Any], at: Position, names: Names) -> list[Node]:
    return [_parse(one, (*at, place), names) for place, one in enumerate(raw)]


def _applied(form: Form, raw: dict[str, Any], at: Position, names: Names) -> Node:
    keys = [key for key in form.keys if key in raw]
    return Applied(form, {key: _argument(form, raw, key, at, names) for key in keys}, at)


def _argument(
    form: Form, raw: dict[str, Any], key: str, at: Position, names: Names
) -> Node | Lambda:
    given, here = raw[key], (*at, key)
    if key in form.lambdas:
        return _lambda(given, here, names)
    if key not in form.lists:
        return _parse(given, here, names)
    if isinstance(given, list):
        if not given:
            raise invalid_expression(here, "Expression list cannot be empty.")
        return Several(_each(given, here, names))
    if form.lists[key]:
        raise wrong_shape(here, given, "Array")
    # A single expression stands for a list of itself.
    return Several([_parse(given, here, names)])


def _variable(raw: dict[str, Any], at: Position, names: Names) -> Node:
    name = raw["var"]
    if not isinstance(name, str):
        raise wrong_shape((*at, "var"), name, "String")
    if name not in names.bound:
        text = f"Variable '{name}' is not defined."
        names.missing.append(Fault("invalid expression", at, text))
    return Variable(name)


def _let(raw: dict[str, Any], at: Position, names: Names) -> Node:
    faults: list[Fault] = []
    bindings: list[tuple[str, Node]] = []
    known = names
    try:
        given = _bindings(raw["let"], (*at, "let"), at)
    except QueryError as error:
        faults += error.faults
        given = []
    # Here, unlike elsewhere, the faults of all bindings and of the body are told.
    for name, value, place in given:
        try:
            if name is None:
                raise wrong_shape(place, value, "Object")
            bindings.append((name, _parse(value, place, known)))
            known = known.binding([name])
        except QueryError as error:
            faults += error.faults
    try:
        body = _parse(raw["in"], (*at, "in"), known)
    except QueryError as error:
        raise QueryError([*faults, *error.faults]) from None
    if faults:
        raise QueryError(faults)
    return Let(bindings, body)


def _bindings(raw: Any, here: Position, at: Position) -> list[tuple[str | None, Any, Position]]:
    if isinstance(raw, list):
        found: list[tuple[str | None, Any, Position]] = []
        for place, one in enumerate(raw):
            if isinstance(one, dict) and len(one) == 1:
                [(name, value)] = one.items()
                found.append((name, value, (*here, place, name)))
            else:
                found.append((None, one, (*here, place)))
        return found
    if isinstance(raw, dict):
        return [(name, value, (*here, name)) for name, value in _plain(raw, here, at).items()]
    raise wrong_shape(here, raw, "Array")


def _object(raw: dict[str, Any], at: Position, names: Names) -> Node:
    here = (*at, "object")
    if not isinstance(raw["object"], dict):
        raise wrong_shape(here, raw["object"], "Object")
    given = _plain(raw["object"], here, at)
    nodes = {name: _parse(value, (*here, name), names) for name, value in given.items()}
    values = {name: node.value for name, node in nodes.items() if isinstance(node, Literal)}
    return Literal(values) if len(values) == len(nodes) else Fields(nodes)


def _plain(raw: dict[str, Any], here: Position, at: Position) -> dict[str, Any]:
    """Return the fields of an object as written, out of their ``@obj`` if they are in one."""
    if len(raw) == 1 and next(iter(raw)) in _ESCAPES:
        [(tag, inner)] = raw.items()
        if tag == "@obj":
            if not isinstance(inner, dict):
                raise invalid_expression(here, "Invalid object.")
            return inner
        literal = _escape(raw, here, Names())
        value = literal.value if isinstance(literal, Literal) else raw
        raise wrong_shape(at, value, "Object")
    return raw


def _escape(raw: dict[str, Any], at: Position, names: Names) -> Node:
    [(tag, inner)] = raw.items()
    if tag == "@obj":
        if not isinstance(inner, dict):
            raise invalid_expression(at, "Invalid object.")
        return _parse(inner, (*at, "@obj"), names)
    if tag == "@ref":
        return Literal(parse_ref(inner, at))
    if tag == "@bytes":
        return Literal(_bytes(inner, at))
    if tag == "@set" and isinstance(inner, dict) and frozenset(inner) in FORMS:
        alone = Names()
        node = _parse(inner, at, alone)
        alone.check()
        return node
    # Times, dates and the like are not part of this server, and nothing is guessed.
    raise invalid_expression(at, f"Invalid {_ESCAPES[tag]}.")


def _bytes(text: Any, at: Position) -> bytes:
    if isinstance(text, str):
        try:
            return base64.b64decode(text.translate(_STANDARD), validate=True)
        except binascii.Error:
            pass
    raise invalid_expression(at, "Invalid bytes.")


# Both alphabets are taken.
_STANDARD = str.maketrans("-_", "+/")


def _lambda(raw: Any, at: Position, names: Names) -> Lambda:
    if not isinstance(raw, dict):
        raise wrong_shape(at, raw, "Lambda")
    if frozenset(raw) != {"lambda", "expr"}:
        keys = ", ".join(raw)
        text = f"No form/function found, or invalid argument keys: {{ {keys} }}."
        raise invalid_expression(at, text)
    given = raw["lambda"]
    bound = given if isinstance(given, list) else [given]
    inner = names.binding(one for one in bound if isinstance(one, str) and one != "_")
    params, body = both(
        lambda: _parameters(given, (*at, "lambda")),
        lambda: _parse(raw["expr"], (*at, "expr"), inner),
    )
    return Lambda(params, isinstance(given, list), body, at, raw)


def _parameters(given: Any, here: Position) -> list[str | None]:
    if isinstance(given, str):
        return [_parameter(given, here)]
    if not isinstance(given, list):
        raise wrong_shape(here, given, "String", "Array")
    return collected(
        [lambda one=one, i=i: _parameter(one, (*here, i)) for i, one in enumerate(given)]  # type: ignore[misc]
    )


def _parameter(given: Any, at: Position) -> str | None:
    if not isinstance(given, str):
        raise wrong_shape(at, given, "String")
    return None if given == "_" else given


_SPECIAL: dict[frozenset[str], Callable[[dict[str, Any], Position, Names], Node]] = {
    frozenset({"var"}): _variable,
    frozenset({"let", "in"}): _let,
    frozenset({"object"}): _object,
}
