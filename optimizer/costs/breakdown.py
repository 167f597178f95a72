"""The monthly list cost by part and service: today, and after each phase of a plan."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from optimizer.costs.footprint import Footprint
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
    now, after = _amounts(today), list[Mapping[Key, Decimal]]()
    for earlier, later in pairwise((today, *then)):
        after.append(_carried(earlier, after[-1] if after else now, later))
    return tuple(
        CostLine(*key, now.get(key, ZERO), tuple(amounts.get(key, ZERO) for amounts in after))
        for key in sorted({*now, *(key for amounts in after for key in amounts)})
    )


def _carried(earlier: Bill, amounts: Mapping[Key, Decimal], later: Bill) -> Mapping[Key, Decimal]:
    """The later bill's amounts. A line that does not change keeps its own; the dearest that does takes the rounding."""
    before, after, new = _quantities(earlier), _quantities(later), _amounts(later)
    same = {key: amounts[key] for key in new if before.get(key) == after[key]}
    if changed := [key for key in new if key not in same]:
        dearest = max(changed, key=lambda key: new[key])
        return {**new, **same, dearest: new[dearest] + sum(new[key] - same[key] for key in same)}
    return {**new, **same}


def _quantities(bill: Bill) -> Mapping[Key, Decimal]:
    return Footprint(tuple(line.usage for line in bill.lines)).quantities


def _amounts(bill: Bill) -> Mapping[Key, Decimal]:
    """A bill's lines, those of one item added up."""
    amounts: dict[Key, Decimal] = defaultdict(Decimal)
    for line in bill.lines:
        amounts[line.usage.part, line.usage.item, line.usage.region] += line.monthly
    return dict(amounts)
