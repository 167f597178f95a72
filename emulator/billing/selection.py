"""Filters and groups of Cost Explorer: the lines of the bill that pass an expression, and their group keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.billing.ledger import LedgerLine
from emulator.core.errors import AwsError

_DIMENSIONS = {
    "SERVICE": lambda line: line.service,
    "USAGE_TYPE": lambda line: line.usage_type,
    "REGION": lambda line: line.region,
    "RECORD_TYPE": lambda line: line.record,
}


def chosen(line: LedgerLine, expression: Mapping[str, Any] | None, account: str) -> bool:
    """Whether the expression holds for a line; no expression holds for all."""
    if not expression:
        return True
    if len(expression) != 1:
        raise AwsError("ValidationException", "Expression should have only one root operator or dimension")
    ((operator, operand),) = expression.items()
    match operator:
        case "And":
            return all(chosen(line, each, account) for each in operand)
        case "Or":
            return any(chosen(line, each, account) for each in operand)
        case "Not":
            return not chosen(line, operand, account)
        case "Dimensions":
            if operand.get("MatchOptions", ["EQUALS"]) != ["EQUALS"]:
                raise NotImplementedError(f"match options {operand['MatchOptions']} are not emulated: ask for EQUALS.")
            return dimension(line, operand["Key"], account) in operand["Values"]
    raise NotImplementedError(f"filtering by {operator} is not emulated: filter by dimensions.")


def dimension(line: LedgerLine, key: str, account: str) -> str:
    """A line's value under a dimension."""
    if key == "LINKED_ACCOUNT":
        return line.account or account
    if key not in _DIMENSIONS:
        raise NotImplementedError(f"the dimension {key} is not emulated; there are {', '.join(sorted(_DIMENSIONS))}.")
    return str(_DIMENSIONS[key](line))


def grouping(asked: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """The dimensions to group by: at most two."""
    if len(asked) > 2:
        raise AwsError("ValidationException", "GroupBy cannot have more than 2 groups")
    for each in asked:
        if each.get("Type") != "DIMENSION":
            raise NotImplementedError(f"grouping by {each.get('Type')} is not emulated: group by dimensions.")
    return tuple(each["Key"] for each in asked)


def service_of(expression: Mapping[str, Any] | None, default: str) -> str:
    """The one service that an expression names, alone or inside an And; `default` if it names none."""
    (service,) = named(expression, "SERVICE") or [default]
    return service


def named(expression: Mapping[str, Any] | None, key: str) -> list[str]:
    """The values that an expression allows for one dimension; none if it does not name the dimension."""
    for part in (expression or {}).get("And") or ([expression] if expression else []):
        dimensions = part.get("Dimensions", {})
        if dimensions.get("Key") == key:
            return [str(each) for each in dimensions["Values"]]
    return []


def is_only_own(expression: Mapping[str, Any] | None, account: str) -> bool:
    """Whether the expression selects the account itself alone. Raises NotImplementedError for other dimensions."""
    if not expression:
        return False
    if named(expression, "LINKED_ACCOUNT") != [account] or len(expression.get("And", [expression])) > 1:
        raise NotImplementedError(f"the filter {expression} is not emulated: ask for the account itself.")
    return True
