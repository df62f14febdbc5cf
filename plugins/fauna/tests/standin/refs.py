"""References as they are written: by their parts, as paths, or by the forms that make them."""

from __future__ import annotations

import re
from typing import Any

from .errors import Fault, QueryError, invalid_argument, invalid_expression, wrong_type
from .values import COLLECTIONS, INDEXES, NATIVE, Position, Ref, Value, type_name

_OLD_NAMES = {"classes": COLLECTIONS}
_IDS = range(-(2**63), 2**63)

# As drivers of long ago wrote them.
_PATH = re.compile(r"(?P<kind>[a-z]+)(?:/(?P<name>[^/,()&=]+))?(?:/(?P<id>[0-9]+))?")


def parse_ref(raw: Any, at: Position) -> Ref:
    """Return the reference that stands under ``@ref``."""
    if isinstance(raw, str):
        return _path(raw, at)
    if not isinstance(raw, dict):
        raise invalid_expression(at, "Invalid ref.")
    try:
        return _parts(raw, at)
    except QueryError as error:
        # What is wrong with a literal is wrong with the query and not with a value.
        faults = [
            Fault("invalid expression", one.position, one.description) for one in error.faults
        ]
        raise QueryError(faults) from None


def _parts(raw: dict[str, Any], at: Position) -> Ref:
    if set(raw) == {"@ref"} and isinstance(raw["@ref"], dict):
        return _parts(raw["@ref"], at)
    if "id" not in raw or not (set(raw) <= {"id", "collection"} or set(raw) <= {"id", "class"}):
        raise wrong_type(at, raw, "Ref")
    name = raw["id"]
    if isinstance(name, bool) or not isinstance(name, str | int):
        raise wrong_type((*at, "id"), name, "String", "Integer")
    given = raw.get("collection", raw.get("class"))
    if given is None:
        if not isinstance(name, str):
            raise invalid_argument((*at, "id"), "String expected, Number provided.")
        name = _OLD_NAMES.get(name, name)
        if name not in NATIVE:
            text = f"Valid native collection name expected, '{name}' provided."
            raise QueryError([Fault("invalid ref", (*at, "id"), text)])
        return Ref("", name, native=True)
    here = (*at, "class")
    if not isinstance(given, dict):
        raise wrong_type(here, given, "Ref")
    home = _parts(given, here)
    if type_name(home) != "Collection Ref":
        raise wrong_type(here, home, "Collection Ref")
    return inside(home, name, at)


def _path(text: str, at: Position) -> Ref:
    found = _PATH.fullmatch(text)
    if found is not None:
        kind = _OLD_NAMES.get(found["kind"], found["kind"])
        if kind in NATIVE and found["name"] is None:
            return Ref("", kind, native=True)
        if kind in (COLLECTIONS, INDEXES) and found["name"] and found["id"] is None:
            return Ref(kind, found["name"], native=True)
        if kind == COLLECTIONS and found["id"] and int(found["id"]) in _IDS:
            return Ref(found["name"], int(found["id"]))
    raise invalid_expression(at, "Invalid ref.")


def inside(home: Ref, name: Value, at: Position) -> Ref:
    """Return the reference to *name* in the collection *home*."""
    if not home.kind:
        return Ref(str(home.id), name, native=True)
    return Ref(str(home.id), document_id(name, (*at, "id")))


def document_id(given: Value, at: Position) -> int:
    """Return the number of a document, which may also be written as a string."""
    if isinstance(given, str):
        number = int(given) if re.fullmatch(r"[+-]?[0-9]+", given) else None
        if number is not None and number in _IDS:
            return number
        if re.fullmatch(r"[0-9]*", given):
            raise invalid_argument(at, f"The id provided is too large: '{given}'")
        text = f"Number or numeric String expected, non-numeric '{given}' provided."
        raise invalid_argument(at, text)
    if isinstance(given, bool) or not isinstance(given, int):
        raise wrong_type(at, given, "String", "Number")
    return given
