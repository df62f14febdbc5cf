"""What logs go through in experiments: deeds that any store has to be able to do."""

from __future__ import annotations

from strandlog import Identity, VersionVector
from strandlog_conformance.case import Case
from strandlog_conformance.deeds import Deed
from strandlog_conformance.samples import entry, series

__all__ = ["appends", "big_appends", "everything_once"]

_LONG = b'"%s"' % (b"0123456789abcdef" * 200)


def appends(case: Case, count: int, *, advances: bool = True) -> list[Deed]:
    """Return appends of one entry and of three, and where there are cursors how they follow."""
    deeds: list[Deed] = []
    for turn in range(1, count + 1):
        batch = [entry("phone", turn, at=turn * 10)]
        if turn % 3 == 0:
            batch += series("desk", turn - 2, turn, start=turn)
        deeds.append(Deed("append", {"entries": batch}))
        if advances and turn % 4 == 0 and case.target.cursors is not None:
            vector = VersionVector({"phone": turn})
            deeds.append(Deed("advance", {"reader": "tablet", "vector": vector}))
    return deeds


def big_appends(case: Case, count: int, length: int) -> list[Deed]:
    """Return appends of entries that nothing can make shorter."""
    deeds = []
    for n in range(1, count + 1):
        content = b'"%s"' % case.random.randbytes(length // 2).hex().encode()
        deeds.append(Deed("append", {"entries": [entry("phone", n, content=content)]}))
    return deeds


def everything_once(case: Case) -> list[Deed]:
    """Return one of each call that changes something, as far as the store declares it."""
    claims = case.capabilities
    cursors = case.target.cursors is not None
    batch = [*series("phone", 1, 4), *series("desk", 1, 2), entry("desk", 3, content=_LONG, at=40)]
    deeds = [
        Deed("append", {"entries": batch}),
        Deed("append", {"entries": [entry("phone", 5, redacts=Identity("desk", 1))]}),
        Deed("append", {"entries": [entry("phone", 6, redacts=Identity("late", 1))]}),
        Deed("append", {"entries": series("phone", 7, 9)}),
        Deed("trim", {"device": "phone", "up_to": 3}),
    ]
    if cursors:
        vector = VersionVector({"phone": 9, "desk": 3})
        deeds += [
            Deed("advance", {"reader": "a/b", "vector": vector}),
            Deed("reset", {"reader": "a/b", "vector": VersionVector({"phone": 2})}),
            Deed("advance", {"reader": "a/c#friend", "vector": vector}),
            Deed("forget", {"reader": "a/b"}),
        ]
    if claims.sparse:
        page = [entry("car", 3), entry("car", 7)]
        deeds.append(Deed("append", {"entries": page, "upto": VersionVector({"car": 9})}))
    if claims.rehome:
        deeds.append(Deed("rehome", {"device": "phone", "from_counter": 8, "to_device": "phone~0"}))
    return [
        *deeds,
        Deed("append", {"entries": [entry("late", 1), entry("desk", 4, at=200)]}),
        Deed("append", {"entries": [], "floor": VersionVector({"old": 5})}),
        Deed("erase"),
        Deed("restore"),
        Deed("append", {"entries": series("phone", 1, 2)}),
    ]
