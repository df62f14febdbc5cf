"""How one place of a syntax tree is changed, and changed back."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = ["Edit", "Place", "places"]

# Shorter ones say too little by themselves: `1 → 2` could be anywhere.
_TELLING_CHARACTERS = 14


@dataclass(frozen=True, slots=True)
class Place:
    """A node, where it hangs, and everything above it.

    Attributes:
        node: The node itself.
        field: The field of its parent.
        index: Its place in that field, if the field is a list.
        above: Its ancestors, the module first.
    """

    node: ast.AST
    field: str
    index: int | None
    above: Sequence[ast.AST]

    @property
    def parent(self) -> ast.AST:
        return self.above[-1]

    @property
    def scope(self) -> str:
        """The function or class around it, such as ``LogRows.device``."""
        names = [one.name for one in self.above if isinstance(one, _SCOPES)]
        return ".".join(names) or "module"

    def put(self, node: ast.AST) -> None:
        """Hang *node* here."""
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node

    def telling(self) -> ast.AST:
        """Return the smallest node around it that a reader recognises."""
        for one in reversed([*self.above, self.node]):
            if not isinstance(one, (ast.expr, ast.stmt)):
                continue
            if isinstance(one, ast.stmt) or len(ast.unparse(one)) >= _TELLING_CHARACTERS:
                return one
        return self.node


_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Edit:
    """One change: another node in a place."""

    place: Place
    node: ast.AST

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Change the tree, as long as the context lasts."""
        self.place.put(self.node)
        try:
            yield
        finally:
            self.place.put(self.place.node)

    @property
    def text(self) -> str:
        """What was there and what is there now, whatever the line."""
        before = _first_line(self.place.telling())
        with self.applied():
            # A node that was replaced as a whole is not in the tree any more.
            told = self.place.telling()
            after = _first_line(self.node if told is self.place.node else told)
        return f"{before} → {after}"


def _first_line(node: ast.AST) -> str:
    return ast.unparse(ast.fix_missing_locations(node)).partition("\n")[0]


def places(tree: ast.Module) -> Iterator[Place]:
    """Yield every place of code that does something, in the order of the text."""
    yield from _below(tree, ())


def _below(node: ast.AST, above: tuple[ast.AST, ...]) -> Iterator[Place]:
    here = (*above, node)
    for name, value in ast.iter_fields(node):
        if name in _IDLE or (isinstance(node, ast.Module) and name != "body"):
            continue
        children = value if isinstance(value, list) else [value]
        for index, child in enumerate(children):
            if not isinstance(child, ast.AST) or _is_idle(child):
                continue
            yield Place(child, name, index if isinstance(value, list) else None, here)
            yield from _below(child, here)


# Annotations are never evaluated; a decorator is no decision of the code below it.
_IDLE = frozenset({"annotation", "returns", "decorator_list", "bases", "type_comment"})


def _is_idle(node: ast.AST) -> bool:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return True
    if isinstance(node, ast.Assign):
        return any(isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets)
    if isinstance(node, ast.keyword) and node.arg == "strict":
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "token_hex"  # how long a random name is says nothing
    # A docstring, or a text of an error.
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
