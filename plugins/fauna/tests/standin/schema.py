"""Definitions of collections and indexes, and what a document keeps of what it is given."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .errors import invalid_data
from .values import COLLECTIONS, Document, Position, Ref, Value, type_name

_NAME = re.compile(r"[;@+$\-_.!~%\w]+")
_RESERVED = ("_",)

# The storage has names of its own for some types.
_STORED = {"Integer": "Long", "Object": "Map"}


@dataclass(frozen=True, slots=True)
class Field:
    """One term or value of an index."""

    field: tuple[str | int, ...]
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Index:
    """One index, as its document defines it."""

    name: str
    sources: tuple[str, ...]
    terms: tuple[Field, ...]
    values: tuple[Field, ...]
    unique: bool
    serialized: bool

    @property
    def covers_ts(self) -> bool:
        """Whether its rows are known only when the time of the transaction is."""
        return any(one.field[0] == "ts" for one in (*self.terms, *self.values))

    @classmethod
    def of(cls, document: Document) -> Index:
        fields = document.fields
        source = fields["source"]
        sources = source if isinstance(source, list) else [source]
        return cls(
            fields["name"],
            tuple(one.id for one in sources),
            _fields(fields.get("terms")),
            _fields(fields.get("values")),
            bool(fields.get("unique")),
            fields.get("serialized") is not False,
        )


def _fields(given: list[dict[str, Any]] | None) -> tuple[Field, ...]:
    return tuple(Field(_path(one["field"]), bool(one.get("reverse"))) for one in given or ())


def _path(given: Any) -> tuple[str | int, ...]:
    return tuple(given) if isinstance(given, list) else (given,)


def collection_fields(params: dict[str, Value], at: Position) -> dict[str, Value]:
    """Return what a new collection keeps of its parameters."""
    name = _name(params, at)
    days = params.get("history_days", 0)
    if days is not None and type(days) is not int:
        raise invalid_data(at, _wrong(("history_days",), days, "Long"))
    if days is not None and days < 0:
        text = "Value must be non-negative."
        raise invalid_data(at, (("history_days",), "non-negative value required", text))
    fields = {"name": name, "history_days": days}
    if params.get("data"):
        fields["data"] = kept(params["data"])
    return fields


def index_fields(params: dict[str, Value], at: Position) -> dict[str, Value]:
    """Return what a new index keeps of its parameters."""
    name = _name(params, at)
    source = params.get("source")
    if source is None:
        raise invalid_data(at, (("source",), "value required", "Required value not found."))
    for one in source if isinstance(source, list) else [source]:
        if not (isinstance(one, Ref) and one.native and one.kind == COLLECTIONS):
            raise invalid_data(at, _wrong(("source",), one, "Ref"))
    fields: dict[str, Value] = {"name": name, "active": True, "source": source}
    for part in ("terms", "values"):
        if params.get(part):
            fields[part] = [_checked_field(part, one, at) for one in params[part]]
    for flag, default in (("unique", False), ("serialized", True)):
        given = params.get(flag)
        if given is not None and not isinstance(given, bool):
            raise invalid_data(at, _wrong((flag,), given, "Boolean"))
        fields[flag] = default if given is None else given
    fields["partitions"] = 1 if fields["unique"] or fields.get("terms") else 8
    return fields


def _checked_field(part: str, given: Value, at: Position) -> dict[str, Value]:
    if not isinstance(given, dict):
        raise invalid_data(at, _wrong((part,), given, "Term"))
    if not given.get("field"):
        text = "Must provide one of the following: field, binding"
        raise invalid_data(at, (("field",), "value required", text))
    path = list(_path(given["field"]))
    return {"field": path, "reverse": True} if given.get("reverse") else {"field": path}


def _name(params: dict[str, Value], at: Position) -> str:
    name = params.get("name")
    if name is None:
        raise invalid_data(at, (("name",), "value required", "Required value not found."))
    if not isinstance(name, str):
        raise invalid_data(at, _wrong(("name",), name, "Name"))
    if name in _RESERVED:
        text = f"Invalid name {name}. Reserved names: {', '.join(_RESERVED)}."
        raise invalid_data(at, (("name",), "reserved name", text))
    if not _NAME.fullmatch(name):
        text = (
            f"The name {name} uses invalid characters. Valid characters must match: {_NAME.pattern}"
        )
        raise invalid_data(at, (("name",), "invalid characters", text))
    return name


def _wrong(field: Position, value: Value, expected: str) -> tuple[Position, str, str]:
    name = type_name(value)
    text = f"Invalid type {_STORED.get(name, name)}, expected type {expected}."
    return field, "invalid type", text


def checked_data(params: dict[str, Value], at: Position) -> Value:
    """Return ``data`` of a document's parameters, an object or null."""
    data = params.get("data")
    if data is not None and not isinstance(data, dict):
        raise invalid_data(at, _wrong(("data",), data, "Map"))
    return data


def kept(value: Value) -> Value:
    """Return what is stored of *value*: nulls are not, neither in objects nor in arrays."""
    if isinstance(value, Document):
        value = {"ref": value.ref, "ts": value.ts, **value.fields}
    if isinstance(value, dict):
        return {name: kept(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [kept(one) for one in value if one is not None]
    return value


def merged(old: Value, change: Value) -> Value:
    """Return *old* with *change* laid over it: objects merge, null removes, the rest replaces."""
    if not isinstance(change, dict) or not isinstance(old, dict):
        return kept(change)
    result = dict(old)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def check_refs(
    value: Value, at: Position, resolves: Callable[[Ref], bool], path: Position = ()
) -> None:
    """Raise if a reference anywhere in *value* names nothing."""
    bad = list(_unresolved(value, resolves, path))
    if bad:
        text = "Cannot read reference."
        raise invalid_data(at, *((field, "invalid reference", text) for field in bad))


def _unresolved(
    value: Value, resolves: Callable[[Ref], bool], path: Position
) -> Iterator[Position]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from _unresolved(one, resolves, (*path, name))
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _unresolved(one, resolves, (*path, place))
    elif isinstance(value, Ref) and not resolves(value):
        yield path
