"""The monthly list cost by part and service: today, and after each phase of a plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from optimizer.costs.list_bill import Bill

Key = tuple[str, str, str]  # part, item, Region
ZERO = Decimal("0.00")


@dataclass(frozen=True)
class CostLine:
    """One billed item of one part in one Region, in US dollars a month.

    `after` holds the amount after each phase, in order, all earlier ones included.
    """

    part: str
    item: str
    region: str
    today: Decimal
    after: tuple[Decimal, ...]


def breakdown(today: Bill, then: Sequence[Bill]) -> tuple[CostLine, ...]:
    """Every line of today's bill, as it is now and after each phase."""
    now, after = _amounts(today), [_amounts(each) for each in then]
    return tuple(
        CostLine(*key, now.get(key, ZERO), tuple(amounts.get(key, ZERO) for amounts in after))
        for key in sorted({*now, *(key for amounts in after for key in amounts)})
    )


def _amounts(bill: Bill) -> Mapping[Key, Decimal]:
    """A bill's lines, those of one item added up."""
    amounts: dict[Key, Decimal] = defaultdict(Decimal)
    for line in bill.lines:
        amounts[line.usage.part, line.usage.item, line.usage.region] += line.monthly
    return dict(amounts)
