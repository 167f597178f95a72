"""CloudWatch's metric math, as far as alarms here use it: arithmetic, FILL, and MAX, MIN, SUM and AVG over a list.

A series is an array with one value per period, nan where there is no datapoint. Unknown functions raise
NotImplementedError by name (Amazon CloudWatch User Guide, "Metric math syntax and functions").
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

import numpy as np

from emulator.workload.noise import Array

Series = Mapping[str, Array]

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Array, Array], Array]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
}


def evaluate(expression: str, series: Series) -> Array:
    """The expression, period by period; a period has a datapoint where the arithmetic has a finite result.

    Raises NotImplementedError for syntax that is not emulated, KeyError for an unknown id.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")  # the syntax is the same
    except SyntaxError as error:
        raise _unknown(expression) from error
    with np.errstate(divide="ignore", invalid="ignore"):
        value = _value(tree.body, series)
    return np.where(np.isfinite(value), value, np.nan)  # CloudWatch publishes no infinity


def _value(node: ast.expr, series: Series) -> Array:
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.array(float(number))
        case ast.Name(id=name):
            return series[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](_value(left, series), _value(right, series))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, series)
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, ast.Name(id="REPEAT")]):
            return _repeated(_value(filled, series))
        case ast.Call(func=ast.Name(id="FILL"), args=[filled, by]):
            found = _value(filled, series)
            return np.where(np.isnan(found), _value(by, series), found)
        case ast.Call(func=ast.Name(id=name), args=[ast.List(elts=elements)]) if elements and name in _OVER_A_LIST:
            return _OVER_A_LIST[name](np.array([_value(each, series) for each in elements]))
    raise _unknown(ast.unparse(node))


def _repeated(series: Array) -> Array:
    """The series with each gap filled by the datapoint before it."""
    place = np.maximum.accumulate(np.where(np.isnan(series), 0, np.arange(len(series))))
    found: Array = series[place]
    return found


def _sum(parts: Array) -> Array:
    return np.where(np.isnan(parts).all(axis=0), np.nan, np.nansum(parts, axis=0))


def _average(parts: Array) -> Array:
    found: Array = _sum(parts) / (~np.isnan(parts)).sum(axis=0)
    return found


# Functions over a list of series: period by period, over those that have a datapoint there.
_OVER_A_LIST: Mapping[str, Callable[[Array], Array]] = {
    "MAX": np.fmax.reduce,
    "MIN": np.fmin.reduce,
    "SUM": _sum,
    "AVG": _average,
}


def _unknown(expression: str) -> NotImplementedError:
    return NotImplementedError(f"metric math ({expression}) is not emulated: ask for its metrics.")
