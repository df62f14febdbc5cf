"""Every mutant of a store, each with a name that survives edits elsewhere in the file."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import CodeType

from strandlog_conformance.mutation.edits import Edit, places
from strandlog_conformance.mutation.operators import variants

__all__ = ["CORE", "STORE", "Mutant", "all_mutants"]

STORE = (
    "strandlog_memory._handle",
    "strandlog_memory._schema",
    "strandlog_memory._log",
    "strandlog_memory._cursors",
)
"""The memory store, module by module; what it declares, faulty stores are about."""

CORE = ("strandlog.backend.plan", "strandlog.page")
"""What it leans on in core, and what every store may lean on."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one small fault.

    Attributes:
        module: The module.
        name: Function and change; the same for as long as these stay as they are.
        edit: The change.
    """

    module: str
    name: str
    edit: Edit

    @property
    def id(self) -> str:
        return f"{self.module} {self.name}"

    def code(self) -> CodeType:
        """Return the module with the fault, compiled."""
        tree = self.edit.place.above[0]
        assert isinstance(tree, ast.Module)  # noqa: S101  # places() begins there
        with self.edit.applied():
            return compile(ast.fix_missing_locations(tree), f"<{self.module}>", "exec")


def all_mutants(modules: Sequence[str] = (*STORE, *CORE)) -> list[Mutant]:
    """Return the mutants of these modules, in the order of the text."""
    return [one for module in modules for one in _mutants_of(module)]


@cache
def _mutants_of(module: str) -> tuple[Mutant, ...]:
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{module} is not installed")
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    return tuple(_named(module, _edits(tree)))


def _edits(tree: ast.Module) -> Iterator[Edit]:
    # Found first, changed later: the walk must not meet a change.
    for place in list(places(tree)):
        for node in variants(place):
            yield Edit(place, node)


def _named(module: str, edits: Iterable[Edit]) -> Iterator[Mutant]:
    seen: Counter[str] = Counter()
    for edit in edits:
        before, _, after = edit.text.partition(" → ")
        if before == after:
            continue
        name = f"{edit.place.scope}: {before} → {after}"
        seen[name] += 1
        yield Mutant(module, name if seen[name] == 1 else f"{name} #{seen[name]}", edit)
