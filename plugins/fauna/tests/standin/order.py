"""The order of values: by type, then by value; strings by collation, not by bytes.

Strings follow the root collation of ICU: punctuation, digits, letters; accents
count after all letters, capitals after that. So code that takes the order of
strings for that of their bytes fails here as it would on the real server.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import Any

from .values import Document, Page, Pending, Ref, SetValue, Value

Key = tuple[Any, ...]

# White space, punctuation and symbols in the order of the root collation.
_SYMBOLS = "\t\n\v\f\r\x85\u2028\u2029 _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"


def order_key(value: Value) -> Key:
    """Return what sorts as *value* does among all values, and is equal only to its equals."""
    # The most frequent ones first, by their very type: this is asked a million times.
    kind = type(value)
    if kind is str:
        return (2, _collation(value), value.encode())
    if kind is int:
        return (0, value)
    if kind is bytes:
        return (1, value)
    return _other_key(value)


def _other_key(value: Value) -> Key:
    match value:
        case None:
            return (7,)
        case bool():
            return (6, value)
        case float():
            return (0, value)
        case Pending():
            return (0, float("inf"))
        case list():
            return (3, tuple(order_key(one) for one in value))
        case dict():
            return (4, tuple((name, order_key(one)) for name, one in sorted(value.items())))
        case Document():
            return order_key({"ref": value.ref, "ts": value.ts, **value.fields})
        case Page():
            return order_key({"data": value.data})
        case Ref():
            return (5, value.native, value.kind, isinstance(value.id, str), value.id)
        case SetValue():
            return (5, True, "~", True, repr(value))
    raise AssertionError(value)


def equal(one: Value, other: Value) -> bool:
    """Return whether two values are the same; inside arrays and objects 1 is not 1.0."""
    numbers = [one, other]
    if all(type(value) in (int, float) for value in numbers):
        return bool(one == other)
    return exact_key(one) == exact_key(other)


def exact_key(value: Value) -> Key:
    """Return what is equal only for values that agree in all their types too."""
    match value:
        case list():
            return ("Array", tuple(exact_key(one) for one in value))
        case dict():
            return ("Object", frozenset((name, exact_key(one)) for name, one in value.items()))
    return (type(value).__name__, order_key(value))


@lru_cache(maxsize=4096)
def _collation(text: str) -> Key:
    if text.isascii():
        return _plain_collation(text.encode())
    letters: list[int] = []
    accents: list[int] = []
    capitals: list[bool] = []
    for char in unicodedata.normalize("NFD", text):
        if unicodedata.combining(char):
            if accents:
                accents[-1] = accents[-1] * 0x110000 + ord(char)
            continue
        if _is_ignored(char):
            continue
        letters.append(_weight(char))
        accents.append(0)
        capitals.append(char != char.lower())
    return (tuple(letters), tuple(accents), tuple(capitals))


def _plain_collation(text: bytes) -> Key:
    """Return the same for text without accents."""
    text = text.translate(None, _IGNORED)
    letters = tuple(map(_WEIGHTS.__getitem__, text))
    return (letters, (0,) * len(letters), tuple(map(_CAPITALS.__getitem__, text)))


def _is_ignored(char: str) -> bool:
    """Return whether a character counts for nothing, as it is not to be seen."""
    return unicodedata.category(char) in ("Cc", "Cf") and char not in _SYMBOLS


def _weight(char: str) -> int:
    if (place := _SYMBOLS.find(char)) >= 0:
        return place
    if char.isdigit():
        return 0x200000 + unicodedata.digit(char, 0)
    if char.isalpha():
        return 0x300000 + ord(char.lower()[0])
    return len(_SYMBOLS) + ord(char)


_ASCII = [chr(code) for code in range(128)]
_WEIGHTS = [_weight(char) for char in _ASCII]
_CAPITALS = [char != char.lower() for char in _ASCII]
_IGNORED = bytes(ord(char) for char in _ASCII if _is_ignored(char))
