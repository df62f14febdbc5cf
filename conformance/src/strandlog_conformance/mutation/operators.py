"""The kinds of small faults: what a slip of the hand makes of each piece of code."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from strandlog_conformance.mutation.edits import Place

__all__ = ["variants"]

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}

_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}

_TWINS = {
    "min": "max",
    "max": "min",
    "any": "all",
    "all": "any",
    "bisect_left": "bisect_right",
    "bisect_right": "bisect_left",
    "reversed": "iter",
    "nsmallest": "nlargest",
}

# Fields that somebody might take for each other.
_FIELDS = {
    "top": "floor",
    "floor": "top",
    "tops": "floor",
    "counter": "timestamp",
    "timestamp": "counter",
    "device": "scope",
    "scope": "device",
    "content": "meta",
    "meta": "content",
    "target": "by",
    "by": "target",
    "entries": "counters",
    "identity": "redacts",
    "add": "redactions",
}

# What they return looks like what they were given.
_HARMLESS = frozenset({"sorted", "replace", "bytes", "without_content", "set", "merge"})


def variants(place: Place) -> Iterator[ast.AST]:
    """Yield what may stand at a place instead of what stands there; no tree is changed."""
    node = place.node
    if isinstance(node, ast.expr):
        if _is_condition(place):
            yield from (ast.Constant(True), ast.Constant(False))
        yield from _fields(node)
        yield from _of_expression(node)
    elif isinstance(node, ast.stmt):
        yield from _of_statement(node)
    elif isinstance(node, ast.comprehension):
        yield from _without_each(node)


def _is_condition(place: Place) -> bool:
    is_test = place.field == "test" and isinstance(place.parent, (ast.If, ast.IfExp, ast.While))
    return is_test and not isinstance(place.node, ast.Constant)


def _of_expression(node: ast.expr) -> Iterator[ast.AST]:
    if isinstance(node, ast.Compare):
        yield from _comparisons(node)
    elif isinstance(node, ast.BoolOp):
        other = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield ast.BoolOp(other, node.values)
        yield from node.values
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BinOp):
        if type(node.op) in _ARITHMETIC:
            yield ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
        yield from (node.left, node.right)
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.Slice):
        if node.lower is not None:
            yield ast.Slice(None, node.upper, node.step)
        if node.upper is not None:
            yield ast.Slice(node.lower, None, node.step)
    elif isinstance(node, ast.DictComp):
        yield ast.Dict([], [])
    elif isinstance(node, (ast.ListComp, ast.GeneratorExp)):
        yield ast.List([], ast.Load())


def _fields(node: ast.expr) -> Iterator[ast.AST]:
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and node.attr in _FIELDS:
        yield ast.Attribute(node.value, _FIELDS[node.attr], node.ctx)


def _comparisons(node: ast.Compare) -> Iterator[ast.AST]:
    for index, op in enumerate(node.ops):
        for other in _COMPARISONS[type(op)]:
            ops = [*node.ops]
            ops[index] = other()
            yield ast.Compare(node.left, ops, node.comparators)


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node.value, int):
        yield ast.Constant(node.value + 1)
        # Nothing here is below zero: that would say what zero says.
        if node.value:
            yield ast.Constant(node.value - 1)


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in _TWINS:
        twin = _TWINS[name]
        func: ast.expr = (
            ast.Attribute(node.func.value, twin, ast.Load())
            if isinstance(node.func, ast.Attribute)
            else ast.Name(twin, ast.Load())
        )
        yield ast.Call(func, node.args, node.keywords)
    starred = any(isinstance(one, ast.Starred) for one in node.args)
    if name in _HARMLESS and not starred:
        yield node.args[0] if node.args else getattr(node.func, "value", node)
    # The order of what min() and max() compare says nothing.
    for index in range(0 if starred or name in {"min", "max"} else len(node.args) - 1):
        swapped = [*node.args]
        swapped[index : index + 2] = reversed(swapped[index : index + 2])
        yield ast.Call(node.func, swapped, node.keywords)
    for keyword in node.keywords:
        if keyword.arg == "strict":
            continue  # it makes sure of what is so
        rest = [one for one in node.keywords if one is not keyword]
        yield ast.Call(node.func, node.args, rest)


def _of_statement(node: ast.stmt) -> Iterator[ast.AST]:
    if isinstance(node, ast.Return) and node.value is not None and not _is_nothing(node.value):
        yield ast.Return(ast.Constant(None))
    elif isinstance(node, (ast.Expr, ast.Assign, ast.AugAssign, ast.Delete, ast.Raise)):
        yield ast.Pass()
    elif isinstance(node, ast.Break):
        yield ast.Continue()
    elif isinstance(node, ast.Continue):
        yield from (ast.Break(), ast.Pass())
    elif isinstance(node, ast.For):
        yield ast.For(node.target, ast.Tuple([], ast.Load()), node.body, node.orelse)
        first = ast.Call(ast.Name("list", ast.Load()), [node.iter], [])
        only = ast.Subscript(first, ast.Slice(None, ast.Constant(1)), ast.Load())
        yield ast.For(node.target, only, node.body, node.orelse)
    elif isinstance(node, ast.With):
        yield ast.If(ast.Constant(True), node.body, [])
    if isinstance(node, ast.AugAssign) and type(node.op) in _ARITHMETIC:
        yield ast.AugAssign(node.target, _ARITHMETIC[type(node.op)](), node.value)
        yield ast.Assign([node.target], node.value)


def _is_nothing(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and (node.value is None or node.value is False)


def _without_each(node: ast.comprehension) -> Iterator[ast.AST]:
    for condition in node.ifs:
        rest = [one for one in node.ifs if one is not condition]
        yield ast.comprehension(node.target, node.iter, rest, node.is_async)
