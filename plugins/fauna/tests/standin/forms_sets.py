"""Forms over arrays, pages and sets, and those that make sets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import reduce

from .errors import collected, invalid_argument, not_found, undefined_ref, wrong_type
from .forms import (
    Call,
    Lambda,
    anything,
    boolean,
    every,
    form,
    only_set,
    resolved,
    set_or_ref,
)
from .order import exact_key
from .sets import (
    Filter,
    Match,
    Range,
    Reverse,
    Union,
    as_cursor,
    first_document,
    paginate,
    view_of,
)
from .values import (
    COLLECTIONS,
    INDEXES,
    Page,
    Position,
    Ref,
    SetValue,
    Value,
    index_ref,
)

_ITERABLE = ("Array, Set, or Page",)
_DEFAULT_SIZE = 64
_GREATEST_SIZE = 100_000


def _iterable(call: Call, key: str) -> Value:
    return _checked_iterable(call, call.value(key), call.under(key))


def _checked_iterable(call: Call, value: Value, at: Position) -> Value:
    if isinstance(value, list | Page | SetValue):
        return value
    raise wrong_type(at, resolved(call, value, at), *_ITERABLE)


def _contents(call: Call, value: Value, at: Position) -> list[Value]:
    if isinstance(value, SetValue):
        view = view_of(value, call.txn, at)
        return [view.shown(row) for row in view]
    return value.data if isinstance(value, Page) else list(value)


@form("map", "collection", lambdas=("map",))
def _map(call: Call) -> Value:
    given, function = _array(call), call.function("map")
    if isinstance(given, Page):
        return replace(given, data=[function(one) for one in given.data])
    return [function(one) for one in given]


@form("foreach", "collection", lambdas=("foreach",))
def _foreach(call: Call) -> Value:
    given, function = _array(call), call.function("foreach")
    for one in given.data if isinstance(given, Page) else given:
        function(one)
    return given


def _array(call: Call) -> Value:
    given = _iterable(call, "collection")
    if isinstance(given, SetValue):
        raise wrong_type(call.under("collection"), given, "Array or Page")
    return given


@form("filter", "collection", lambdas=("filter",))
def _filter(call: Call) -> Value:
    given, function = _iterable(call, "collection"), call.function("filter")
    if isinstance(given, SetValue):
        found: Lambda = call.arguments["filter"]
        if found.writes:
            text = "Invalid lambda. Lambda in this context may not write or call a user function."
            raise invalid_argument(call.under("filter"), text)
        return Filter(given, lambda one: boolean(function(one), call.under("filter")), found.raw)
    rows = given.data if isinstance(given, Page) else given
    told = collected([lambda one=one: function(one) for one in rows])  # type: ignore[misc]
    # The place of a wrong answer is that of the element, and not in the lambda.
    keep = every(told, call.at, boolean, some=False)
    kept = [one for one, holds in zip(rows, keep, strict=True) if holds]
    return replace(given, data=kept) if isinstance(given, Page) else kept


@form("reduce", "initial", "collection", lambdas=("reduce",))
def _reduce(call: Call) -> Value:
    result, given = call.value("initial"), _iterable(call, "collection")
    function = call.function("reduce")
    for one in _contents(call, given, call.under("collection")):
        result = function([result, one])
    return replace(given, data=[result]) if isinstance(given, Page) else result


@form("take", "collection")
def _take(call: Call) -> Value:
    number, given = call.value("take"), call.value("collection")
    at = call.under("take")
    if isinstance(number, bool) or not isinstance(number, int):
        raise wrong_type(at, number, "Integer")
    if isinstance(given, list):
        return given[: max(number, 0)]
    # The cursors of a page that is cut would have to be made anew.
    raise wrong_type(call.under("collection"), given, "Array or Page")


@form("prepend", "collection")
def _prepend(call: Call) -> Value:
    first = every(call.value("prepend"), call.under("prepend"), anything, some=False)
    given = call.value("collection")
    if not isinstance(given, list):
        raise wrong_type(call.under("collection"), given, "Array")
    return [*first, *given]


@form("count")
def _count(call: Call) -> Value:
    given = _iterable(call, "count")
    if isinstance(given, SetValue):
        return len(view_of(given, call.txn, call.under("count")))
    if isinstance(given, Page):
        return replace(given, data=[len(given.data)])
    return len(given)


@form("is_empty")
def _is_empty(call: Call) -> Value:
    return not _contents(call, _iterable(call, "is_empty"), call.under("is_empty"))


@form("is_nonempty")
def _is_nonempty(call: Call) -> Value:
    return bool(_contents(call, _iterable(call, "is_nonempty"), call.under("is_nonempty")))


@form("reverse")
def _reverse(call: Call) -> Value:
    given = _iterable(call, "reverse")
    if isinstance(given, SetValue):
        return Reverse(given)
    if isinstance(given, Page):
        return replace(given, data=given.data[::-1])
    return given[::-1]


@form("union")
def _union(call: Call) -> Value:
    at = call.under("union")

    def source(value: Value, at: Position) -> Value:
        if isinstance(_checked_iterable(call, value, at), Page):
            raise wrong_type(at, value, "Set", "Array")
        return value

    given = every(call.value("union"), at, source)
    if all(isinstance(one, SetValue) for one in given):
        return Union(tuple(given))
    if any(isinstance(one, SetValue) for one in given):
        text = "Arguments cannot be of different types, expected Set or Array."
        raise invalid_argument(at, text)
    return reduce(_merged, given)


def _merged(left: list[Value], right: list[Value]) -> list[Value]:
    """Return each value as often as in the array that has it most often, all at its first place."""
    times = Counter(map(exact_key, left)) | Counter(map(exact_key, right))
    found: list[Value] = []
    for one in [*left, *right]:
        found += [one] * times.pop(exact_key(one), 0)
    return found


@form("match", optional=("terms",))
def _match(call: Call) -> Value:
    def term(value: Value, at: Position) -> Value:
        if isinstance(value, Ref) and not call.txn.resolves(value):
            raise wrong_type(at, value, "Any")
        return value

    at = call.under("match")
    given = call.value("match")
    if isinstance(given, Ref) and given.native and given.kind == INDEXES:
        name, home = str(given.id), at
    elif isinstance(given, str):
        # A name is looked up after all else, and its fault told at another place.
        name, home = given, call.under("index")
    else:
        raise wrong_type(at, resolved(call, given, at), "Identifier")
    if home is at:
        resolved(call, given, at)
    terms: list[Value] = []
    if "terms" in call.arguments:
        terms = every(call.value("terms"), call.under("terms"), term, some=False)
    if call.txn.index(name) is None:
        raise undefined_ref(home, index_ref(name))
    return Match(name, tuple(terms))


@form("range", "from", "to")
def _range(call: Call) -> Value:
    source = only_set(call, call.value("range"), call.under("range"))
    bounds = {key: call.value(key) for key in ("from", "to")}
    collected([lambda k=k, v=v: resolved(call, v, call.under(k)) for k, v in bounds.items()])  # type: ignore[misc]
    return Range(source, *bounds.values())


def _paginate(call: Call) -> Value:
    at = call.under("paginate")
    source = set_or_ref(call, call.value("paginate"), at)
    if not isinstance(source, SetValue):
        raise wrong_type(at, source, "Set")
    cursors = {key: call.value(key) for key in ("after", "before") if key in call.arguments}
    size = call.value("size") if "size" in call.arguments else _DEFAULT_SIZE
    if isinstance(size, bool) or not isinstance(size, int):
        raise wrong_type(call.under("size"), size, "Integer")
    places = {key: as_cursor(resolved(call, v, call.under(key))) for key, v in cursors.items()}
    size = max(0, min(size, _GREATEST_SIZE))
    return paginate(view_of(source, call.txn, at), size=size, **places)


# Both cursors at once are no form.
form("paginate", optional=("size",))(_paginate)
form("paginate", "after", optional=("size",))(_paginate)
form("paginate", "before", optional=("size",))(_paginate)


@form("exists")
def _exists(call: Call) -> Value:
    at = call.under("exists")
    given = call.value("exists")
    if isinstance(given, Ref):
        if not call.txn.resolves(given):
            return False
        return call.txn.document(given) is not None
    return len(view_of(only_set(call, given, at), call.txn, at)) > 0


@form("get")
def _get(call: Call) -> Value:
    at = call.under("get")
    given = set_or_ref(call, call.value("get"), at)
    if isinstance(given, SetValue):
        document = first_document(given, call.txn, at)
        what = "Set"
    else:
        document = call.txn.document(given)
        what = "Document"
    if document is None:
        raise not_found(call.at, what)
    # What is read again is no new document, though this query may have made it.
    return replace(document, created=False)


def document_ref(call: Call, key: str) -> Ref:
    """Return the reference to a document under *key*; it has to lead to a collection."""
    at = call.under(key)
    given = call.value(key)
    if not isinstance(given, Ref):
        raise wrong_type(at, given, "Ref")
    found: Ref = resolved(call, given, at)
    if found.native and found.kind not in (COLLECTIONS, INDEXES):
        raise wrong_type(at, given, "Ref")
    return found
