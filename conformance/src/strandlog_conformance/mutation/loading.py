"""The memory store with a mutant in it: loaded anew, and nothing on the disk is touched."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType

from strandlog_conformance.mutation.mutants import STORE, Mutant
from strandlog_conformance.target import Target

__all__ = ["mutated"]

_PACKAGE = "strandlog_memory"


class _Given(MetaPathFinder, Loader):
    """Finds one module, whose code is given; everything else is found by others."""

    def __init__(self, name: str, code: CodeType) -> None:
        self._name = name
        self._code = code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        exec(self._code, module.__dict__)  # noqa: S102  # that is what it is for


@contextmanager
def mutated(mutant: Mutant) -> Iterator[Target]:
    """Give the memory store with *mutant* as a target, until the context ends.

    Raises:
        Exception: Whatever the module raises when it is loaded with the fault.
    """
    finder = _Given(mutant.module, mutant.code())
    before = _taken_out()
    sys.meta_path.insert(0, finder)
    try:
        if mutant.module in STORE:
            yield _target()
        else:
            module = ModuleType(mutant.module)
            # Dataclasses look their module up there.
            original = sys.modules[mutant.module]
            sys.modules[mutant.module] = module
            try:
                finder.exec_module(module)
            finally:
                sys.modules[mutant.module] = original
            # Only the store sees it: the suite goes on with core as it is.
            yield _target(original, module)
    finally:
        sys.meta_path.remove(finder)
        _taken_out()
        sys.modules.update(before)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == _PACKAGE]
    return {name: sys.modules.pop(name) for name in names}


def _target(instead_of: ModuleType | None = None, see: ModuleType | None = None) -> Target:
    """Import the store; it sees module *see* in the place of *instead_of*."""
    package = importlib.import_module(_PACKAGE)
    modules = [importlib.import_module(name) for name in STORE]
    if instead_of is not None and see is not None:
        for module in modules:
            for name, value in list(vars(module).items()):
                if not name.startswith("__") and vars(instead_of).get(name, module) is value:
                    setattr(module, name, vars(see)[name])
    testing = importlib.import_module(f"{_PACKAGE}.testing")
    return Target(
        "memory",
        package.strandlog_log_store(),
        package.strandlog_cursor_store(),
        testing.fresh_url,
        packages=frozenset({_PACKAGE}),
    )
