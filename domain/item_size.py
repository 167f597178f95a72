"""Bytes of an item as DynamoDB counts them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
calls its own counts approximate; where it gives a range, the larger is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

# An attribute's value in wire form: one type descriptor and what it holds, `{"S": "text"}`, nested for L and M.
Value: TypeAlias = Mapping[str, Any]
Item: TypeAlias = Mapping[str, Value]

MOST_BYTES = 400 * 1024  # of one item, names included


def item_size(item: Item) -> int:
    """Names in UTF-8, and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Value) -> int:
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return _number_size(held)
        case "B":
            return len(held)
        case "SS":
            return sum(len(each.encode()) for each in held)
        case "NS":
            return sum(_number_size(each) for each in held)
        case "BS":
            return sum(len(each) for each in held)
        case "L":
            return 3 + sum(1 + _value_size(each) for each in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + _value_size(each) for name, each in held.items())
    return 1  # NULL, BOOL


def _number_size(number: str) -> int:
    """About a byte for two significant digits, one more, and one for the sign."""
    digits = number.lower().partition("e")[0].replace(".", "").lstrip("+-").strip("0")
    return (len(digits) + 1) // 2 + 1 + number.startswith("-")
