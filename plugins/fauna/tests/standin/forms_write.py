"""Forms that write."""

from __future__ import annotations

from dataclasses import replace

from .errors import (
    already_exists,
    forbidden,
    invalid_argument,
    not_found,
    not_unique,
    wrong_type,
)
from .forms import Call, form, resolved
from .forms_sets import document_ref
from .schema import check_refs, checked_data, collection_fields, index_fields, kept, merged
from .values import (
    COLLECTIONS,
    PENDING,
    Document,
    Position,
    Ref,
    Value,
    collection_ref,
    index_ref,
)


def _params(call: Call, key: str) -> dict[str, Value]:
    if key not in call.arguments:
        return {}
    given = call.value(key)
    if not isinstance(given, dict):
        raise wrong_type(call.under(key), given, "Object")
    return given


def _check_refs(call: Call, params: dict[str, Value]) -> None:
    check_refs(params, call.at, call.txn.resolves)


def _allow(call: Call, at: Position) -> None:
    if not call.txn.may_write:
        raise forbidden(at)


def _write(call: Call, document: Document, at: Position) -> Document:
    """Write a version of a document and return it; no unique index may hold its like."""
    call.txn.write(document.ref, document)
    for index in call.txn.indexes_of(document.ref.kind):
        if index.unique and call.txn.taken(index, document):
            raise not_unique(at)
    return document


@form("create", optional=("params",), writes=True)
def _create(call: Call) -> Value:
    at = call.under("create")
    given = call.value("create")
    if not isinstance(given, str | Ref):
        raise wrong_type(at, given, "Identifier")
    resolved(call, given, at)
    params = _params(call, "params")
    _check_refs(call, params)
    ref = _new_ref(call, given, at)
    _allow(call, at)
    if call.txn.document(ref) is not None:
        raise already_exists(at, "Document")
    data = kept(checked_data(params, at))
    fields = {"data": data} if data else {}
    return _write(call, Document(ref, PENDING, fields, created=True), at)


def _new_ref(call: Call, given: str | Ref, at: Position) -> Ref:
    if isinstance(given, str):
        given = collection_ref(given)
        resolved(call, given, at)
    if not given.native:
        return given
    if given.kind != COLLECTIONS:
        raise invalid_argument(at, "Cannot create a schema meta collection.")
    return Ref(str(given.id), next(call.txn.store.ids))


def _present(call: Call, key: str, at: Position, ref: Ref) -> Document:
    """Return the document that is to be changed."""
    document = call.txn.document(ref)
    if document is None:
        raise not_found(at, "Document")
    _allow(call, call.at)
    if ref.native and key != "delete":
        raise invalid_argument(call.under(key), "This server does not change definitions.")
    return document


def _changed(call: Call, key: str) -> tuple[Document, dict[str, Value]]:
    ref, params = document_ref(call, key), _params(call, "params")
    _check_refs(call, params)
    return _present(call, key, call.under(key), ref), params


@form("update", optional=("params",), writes=True)
def _update(call: Call) -> Value:
    old, params = _changed(call, "update")
    data = old.fields.get("data", {})
    if "data" in params:
        change = checked_data(params, call.at)
        data = {} if change is None else merged(data, change)
    return _write(call, Document(old.ref, PENDING, {"data": data} if data else {}), call.at)


@form("replace", optional=("params",), writes=True)
def _replace(call: Call) -> Value:
    old, params = _changed(call, "replace")
    data = kept(checked_data(params, call.at))
    return _write(call, Document(old.ref, PENDING, {"data": data} if data else {}), call.at)


@form("delete", writes=True)
def _delete(call: Call) -> Value:
    document = _present(call, "delete", call.at, document_ref(call, "delete"))
    call.txn.write(document.ref, None)
    return replace(document, created=False)


@form("create_collection", writes=True)
def _create_collection(call: Call) -> Value:
    at = call.under("create_collection")
    params = _params(call, "create_collection")
    _check_refs(call, params)
    fields = collection_fields(params, at)
    return _define(call, "Collection", collection_ref(fields["name"]), fields, at)


@form("create_index", writes=True)
def _create_index(call: Call) -> Value:
    at = call.under("create_index")
    params = _params(call, "create_index")
    _check_refs(call, params)
    fields = index_fields(params, at)
    return _define(call, "Index", index_ref(fields["name"]), fields, at)


def _define(call: Call, what: str, ref: Ref, fields: dict[str, Value], at: Position) -> Document:
    _allow(call, at)
    if call.txn.document(ref) is not None:
        raise already_exists(at, what)
    document = Document(ref, PENDING, fields, created=True)
    call.txn.write(ref, document)
    return document
