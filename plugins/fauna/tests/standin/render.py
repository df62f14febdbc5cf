"""From values to the JSON of an answer."""

from __future__ import annotations

import base64
from typing import Any

from .sets import Filter, Match, Range, Reverse, Union
from .values import COLLECTIONS, Document, Page, Pending, Ref, SetValue, Value, index_ref


class Renderer:
    """Writes values for one version of the interface, as of one transaction time."""

    def __init__(self, *, word: str, now: int) -> None:
        self._word = word
        self._now = now

    def json(self, value: Value) -> Any:
        """Return *value* as JSON; what is not JSON stands under a key that begins with ``@``."""
        match value:
            case bytes():
                return {"@bytes": base64.b64encode(value).decode()}
            case Pending():
                return self._now
            case list():
                return [self.json(one) for one in value]
            case dict():
                body = {name: self.json(one) for name, one in value.items()}
                return {"@obj": body} if any(name.startswith("@") for name in body) else body
            case Ref():
                return self._ref(value)
            case Document():
                fields = {"ref": value.ref, "ts": value.ts, **value.fields}
                return {name: self.json(one) for name, one in fields.items() if one is not None}
            case Page():
                parts = (("before", value.before), ("after", value.after), ("data", value.data))
                return {name: self.json(part) for name, part in parts if part is not None}
            case SetValue():
                return {"@set": self._set(value)}
        return value

    def _ref(self, ref: Ref) -> Any:
        if not ref.kind:
            old = self._word == "class" and ref.id == COLLECTIONS
            return {"@ref": {"id": "classes" if old else ref.id}}
        if ref.native:
            home = Ref("", ref.kind, native=True)
        else:
            home = Ref(COLLECTIONS, ref.kind, native=True)
        return {"@ref": {"id": str(ref.id), self._word: self._ref(home)}}

    def _set(self, value: SetValue) -> Any:
        match value:
            case Match():
                body = {"match": self.json(index_ref(value.index))}
                if value.terms:
                    terms = list(value.terms)
                    body["terms"] = self.json(terms[0] if len(terms) == 1 else terms)
                return body
            case Range():
                return {
                    "range": self.json(value.source),
                    **self._bound("from", value.lower),
                    **self._bound("to", value.upper),
                }
            case Reverse():
                return {"reverse": self.json(value.source)}
            case Union():
                sources = [self.json(one) for one in value.sources]
                return {"union": sources[0] if len(sources) == 1 else sources}
            case Filter():
                return {"filter": {"@query": value.raw}, "collection": self.json(value.source)}
        raise AssertionError(value)

    def _bound(self, key: str, bound: Value) -> dict[str, Any]:
        found = bound if isinstance(bound, list) else [bound]
        if not found:
            return {}
        return {key: self.json(found[0] if len(found) == 1 else found)}
