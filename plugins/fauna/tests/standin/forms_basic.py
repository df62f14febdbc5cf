"""Forms without sets and documents: control, comparison, numbers, paths, references."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce
from itertools import pairwise

from .errors import aborted, both, collected, invalid_argument, no_value, undefined_ref, wrong_type
from .forms import Call, anything, attempt, boolean, every, form, resolved, text
from .order import Key, equal, order_key
from .refs import document_id
from .values import Document, Page, Position, Ref, Value, collection_ref, index_ref, type_name


@form("if", "then", "else")
def _if(call: Call) -> Value:
    holds = boolean(call.value("if"), call.under("if"))
    return call.value("then" if holds else "else")


@form("do", lists={"do": True})
def _do(call: Call) -> Value:
    # Here the first fault ends it, unlike in an array.
    value: Value = None
    for node in call.arguments["do"].nodes:
        value = node.evaluate(call.scope)
    return value


@form("and", lists={"and": False})
def _and(call: Call) -> Value:
    return all(_truths(call, "and"))


@form("or", lists={"or": False})
def _or(call: Call) -> Value:
    return any(_truths(call, "or"))


def _truths(call: Call, key: str) -> list[bool]:
    found: list[bool] = []
    for place, node in enumerate(call.arguments[key].nodes):
        found.append(boolean(node.evaluate(call.scope), (*call.under(key), place)))
        if found[-1] is (key == "or"):
            break
    return found


@form("not")
def _not(call: Call) -> Value:
    return not boolean(call.value("not"), call.under("not"))


@form("abort")
def _abort(call: Call) -> Value:
    raise aborted(call.at, text(call.value("abort"), call.under("abort")))


@form("equals")
def _equals(call: Call) -> Value:
    first, *rest = every(call.value("equals"), call.under("equals"), anything)
    return all(equal(first, other) for other in rest)


def _comparison(key: str, holds: Callable[[Key, Key], bool]) -> None:
    @form(key)
    def _compare(call: Call) -> Value:
        given = every(call.value(key), call.under(key), anything)
        # Each of them is told, and all at the form itself.
        collected([lambda v=v: resolved(call, v, call.under(key)) for v in given])  # type: ignore[misc]
        return all(holds(left, right) for left, right in pairwise(map(order_key, given)))


_comparison("lt", lambda left, right: left < right)
_comparison("lte", lambda left, right: left <= right)
_comparison("gt", lambda left, right: left > right)
_comparison("gte", lambda left, right: left >= right)


def _number(value: Value, at: Position) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(at, value, "Number")
    return value


@form("add")
def _add(call: Call) -> Value:
    return reduce(operator.add, every(call.value("add"), call.under("add"), _number))


@form("select", "from", optional=("default",))
def _select(call: Call) -> Value:
    steps, source = call.value("select"), call.value("from")
    if isinstance(steps, list) and all(type(step) in (str, int) for step in steps):
        path = steps
    else:
        path = every(steps, call.under("select"), _step, some=False)
    here = call.under("from")
    if isinstance(source, Ref) and not call.txn.resolves(source):
        raise undefined_ref(here, source)

    def find() -> Value:
        found = source
        for step in path:
            if not _has(found, step):
                raise no_value(here, path)
            found = _part(found, step)
        return found

    if "default" not in call.arguments:
        return find()
    there, found = attempt(find, "value not found")
    return found if there else call.value("default")


def _step(value: Value, at: Position) -> str | int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise wrong_type(at, value, "String", "Integer")
    return value


def _has(value: Value, step: str | int) -> bool:
    match value, step:
        case dict(), str():
            return step in value
        case Document(), str():
            return step in ("ref", "ts") or value.fields.get(step) is not None
        case Page(), "data":
            return True
        case Page(), "before" | "after":
            return getattr(value, str(step)) is not None
        case Page(), int():
            return 0 <= step < len(value.data)
        case list(), int():
            return 0 <= step < len(value)
        case Ref(), "id":
            return True
        case Ref(), "collection":
            return bool(value.kind)
    return False


def _part(value: Value, step: str | int) -> Value:
    match value:
        case Document():
            return value.lookup(str(step))
        case Page():
            return value.data[step] if isinstance(step, int) else getattr(value, step)
        case Ref():
            if step == "id":
                return str(value.id)
            return Ref("", value.kind, native=True) if value.native else collection_ref(value.kind)
    return value[step]


@form("collection")
def _collection(call: Call) -> Value:
    return collection_ref(text(call.value("collection"), call.under("collection")))


@form("index")
def _index(call: Call) -> Value:
    return index_ref(text(call.value("index"), call.under("index")))


@form("ref", "id")
def _ref(call: Call) -> Value:
    values = call.values()
    home = values["ref"]

    def collection() -> Ref:
        at = call.under("ref")
        if not isinstance(home, Ref) or type_name(home) != "Collection Ref":
            raise wrong_type(at, home, "Collection Ref")
        if not home.kind:
            text = "Regular Class Ref expected, Schema Class Ref provided."
            raise invalid_argument(at, text)
        return home

    def number() -> int:
        return document_id(values["id"], call.under("id"))

    found, name = both(collection, number)
    return Ref(str(found.id), name)
