"""Small faults in the store in memory: each is noticed, or reviewed as one that cannot be."""

from __future__ import annotations

import ast
import random

import pytest

from strandlog_conformance.mutation.edits import places
from strandlog_conformance.mutation.gate import Fate, Mutation, mutate, reviewed
from strandlog_conformance.mutation.mutants import all_mutants
from strandlog_conformance.mutation.operators import variants

# One in so many is tried here; all of them by ``strandlog conformance mutants``.
EVERY = 23


def changes(text: str) -> set[str]:
    """Return what the operators make of a piece of code, as code."""
    tree = ast.parse(text)
    found = set()
    for place in list(places(tree)):
        for node in variants(place):
            place.put(node)
            found.add(ast.unparse(ast.fix_missing_locations(tree)))
            place.put(place.node)
    assert ast.unparse(tree) == text
    return found - {text}


@pytest.mark.parametrize(
    ("text", "slip"),
    [
        ("a < b", "a <= b"),
        ("a < b", "a >= b"),
        ("a == b", "a != b"),
        ("a in b", "a not in b"),
        ("a and b", "a or b"),
        ("a and b", "b"),
        ("not a", "a"),
        ("a + 1", "a - 1"),
        ("a + 1", "a + 2"),
        ("f(True)", "f(False)"),
        ("f(a, b)", "f(b, a)"),
        ("f(a, key=b)", "f(a)"),
        ("a[b:c]", "a[:c]"),
        ("min(a, b)", "max(a, b)"),
        ("sorted(a)", "a"),
        ("a.top", "a.floor"),
        ("x = [a for a in b if a]", "x = [a for a in b]"),
        ("x = a if b else c", "x = a if True else c"),
        ("a()", "pass"),
        ("raise a", "pass"),
        ("while a:\n    break", "while a:\n    continue"),
        ("for a in b:\n    c()", "for a in ():\n    c()"),
        ("for a in b:\n    c()", "for a in list(b)[:1]:\n    c()"),
        ("with a:\n    b()", "if True:\n    b()"),
    ],
)
def test_a_slip_of_the_hand_is_tried(text: str, slip: str) -> None:
    assert slip in changes(text)


def test_what_does_nothing_is_left_alone() -> None:
    """A fault in an annotation, an import or a docstring would be none."""
    text = (
        '"""Text 1."""\nfrom a import b\n__all__ = [1]\n\ndef f(a: g(1)) -> h(2):\n    """Text."""'
    )

    assert changes(text) == set()


def test_a_mutant_keeps_its_name_when_lines_move() -> None:
    """Reviews name mutants: they must outlive edits elsewhere in the file."""
    names = [one.id for one in all_mutants()]

    assert len(set(names)) == len(names)
    assert not [one for one in reviewed() if one not in names]


def test_every_mutant_is_code() -> None:
    for one in random.Random(0).sample(all_mutants(), 60):
        assert one.module in one.code().co_filename


def test_a_mutant_is_gone_once_it_was_compiled() -> None:
    """All mutants of a module share one syntax tree."""
    one = all_mutants()[0]
    text = ast.unparse(one.edit.place.above[0])
    one.code()

    assert ast.unparse(one.edit.place.above[0]) == text


@pytest.mark.anyio
@pytest.mark.once
async def test_of_every_few_mutants_each_is_noticed_or_reviewed() -> None:
    result = await mutate(every=EVERY)

    assert result.problems == []
    assert len(result.fates) == len(range(0, len(all_mutants()), EVERY))


def told(*fates: Fate, review: dict[str, str] | None = None) -> list[str]:
    known = frozenset({"m one", "m two"})
    return Mutation(fates, known, review or {}).problems


def test_a_mutant_that_nothing_notices_has_to_be_reviewed() -> None:
    problem, _share = told(Fate("m one", ""))

    assert "nothing notices m one" in problem
    assert told(Fate("m one", ""), review={"m one": "it says the same"}) == []


def test_a_review_of_a_mutant_that_is_noticed_is_out_of_date() -> None:
    [problem] = told(Fate("m one", "log.digests"), review={"m one": "it says the same"})

    assert problem == "m one is reviewed as equivalent, but noticed by log.digests"


def test_a_review_of_what_is_not_there_is_out_of_date() -> None:
    [problem] = told(Fate("m one", "log.digests"), review={"m nine": "it says the same"})

    assert problem == "m nine is reviewed, but there is no such mutant any more"


def test_a_run_of_nothing_proves_nothing() -> None:
    assert told() == ["no mutant was tried"]


def test_all_modules_of_the_store_have_mutants() -> None:
    modules = {one.module for one in all_mutants()}

    assert {"strandlog_memory._log", "strandlog_memory._schema", "strandlog.backend.plan"} < modules
