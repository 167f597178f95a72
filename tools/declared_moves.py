"""The moves an action declares, read off its source: no resource is needed to tell what it may do."""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from optimizer.action import When

Arguments = Mapping[str, ast.expr]


@dataclass(frozen=True)
class DeclaredMove:
    """One `Move(...)` in the source. In `summary`, what only a decision can fill in is in *italics*."""

    when: When
    summary: str


def declared_moves(source: str) -> tuple[DeclaredMove, ...]:
    """Every `Move` that the file's function `moves` makes, itself or by others, in the order of the text.

    The others are the file's own functions, and those that it imports and that say that they return moves.
    """
    text = _Text(ast.parse(source))
    function = text.own("moves")
    return tuple(dict.fromkeys(_made(function, text, {}))) if function else ()


@dataclass(frozen=True)
class _Text:
    """One file: its own functions, and where those are that it imports from the optimizer."""

    tree: ast.Module

    def own(self, name: str) -> ast.FunctionDef | None:
        functions = (each for each in self.tree.body if isinstance(each, ast.FunctionDef))
        return next((each for each in functions if each.name == name), None)

    def found(self, name: str) -> tuple[ast.FunctionDef, _Text] | None:
        """The function that a name stands for, in its file; None where it makes no moves."""
        if function := self.own(name):
            return function, self
        for line in self.tree.body:
            if isinstance(line, ast.ImportFrom) and line.module and line.module.startswith("optimizer."):
                for each in line.names:
                    if (each.asname or each.name) == name:
                        text = _text_of(line.module)
                        function = text.own(each.name)
                        return (function, text) if function and _returns_moves(function) else None
        return None


@cache
def _text_of(module: str) -> _Text:
    return _Text(ast.parse(inspect.getsource(importlib.import_module(module))))


def _returns_moves(function: ast.FunctionDef) -> bool:
    said = ast.walk(function.returns) if function.returns else ()
    return any(isinstance(each, ast.Name) and each.id == "Move" for each in said)


def _made(function: ast.FunctionDef, text: _Text, given: Arguments) -> Iterator[DeclaredMove]:
    for call in _calls(function):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        if name == "Move":
            yield _declared(call, given)
        elif (found := text.found(name)) and found[0] is not function:
            callee, its_text = found
            places = dict(zip((each.arg for each in callee.args.args), call.args, strict=False))
            yield from _made(callee, its_text, places | {k.arg: k.value for k in call.keywords if k.arg})


def _declared(call: ast.Call, given: Arguments) -> DeclaredMove:
    fields = dict(zip(("name", "when", "summary"), call.args, strict=False))
    fields |= {each.arg: each.value for each in call.keywords if each.arg}
    when, told = fields["when"], _resolved(fields["summary"], given)
    if not isinstance(when, ast.Attribute):
        raise TypeError(f"line {call.lineno}: a move says When.APPLY or When.ACCEPT where it is made")
    if isinstance(told, ast.Name):  # worked out where the move is asked for: its name says it shorter
        told = _resolved(fields["name"], given)
    return DeclaredMove(When[when.attr], _text(told))


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    """The calls inside, in the order of the text; a call before those in its arguments."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call):
            yield child
        yield from _calls(child)


def _resolved(value: ast.expr, given: Arguments) -> ast.expr:
    return given.get(value.id, value) if isinstance(value, ast.Name) else value


def _text(value: ast.expr) -> str:
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr():
            return "".join(_text(each) for each in value.values)
        case ast.FormattedValue(
            value=ast.IfExp(body=ast.Constant(value=str(one)), orelse=ast.Constant(value=str(other)))
        ):
            return f"{one} or {other}"
        case ast.FormattedValue():
            return f"*{_named(value.value)}*"
    return f"*{_named(value)}*"


def _named(value: ast.expr) -> str:
    """The expression in words: what it names, without the punctuation."""
    match value:
        case ast.Name(id=name):
            return name.replace("_", " ")
        case ast.Attribute(value=owner, attr="name"):
            return _named(owner)
        case ast.Attribute(value=owner, attr=name):
            return f"{_named(owner)} {name}".replace("_", " ")
        case ast.Subscript(value=owner, slice=ast.Constant(value=str(key))):
            return f"{_named(owner)} {key}".replace("_", " ")
        case ast.Call(args=[only]):
            return _named(only)
    return ast.unparse(value)
