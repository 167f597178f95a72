"""Advice on commitments, for what runs today and for what will run: never before the plan has settled. Pure.

AWS recommends from the last 60 days, so during and right after a plan it recommends the old footprint. The
target's need is what will run without being covered; AWS's own discount of today's offer is applied to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from domain.list_prices import PriceBook
from optimizer.costs.commitments import PART, Commitments, Committed, family_and_units
from optimizer.costs.footprint import Footprint, Usage
from optimizer.costs.list_bill import in_cents
from optimizer.costs.purchase_offers import Offer

SETTLING = timedelta(weeks=4)  # of steady use after the last phase, before a commitment for a year is made
ADVICE = (
    f"Buy nothing before {SETTLING.days // 7} steady weeks have passed after the plan: AWS looks back over 60 days and "
    "so recommends what ran before it, and a reservation is paid to its end."
)

Pool = tuple[Committed, str, str]  # service, Region, family


@dataclass(frozen=True)
class PurchaseAdvice:
    """Advice on reserving one family in one Region, in normalized units.

    `offered` is AWS's recommendation from what ran, `today` and `target` what runs uncovered now and after the
    plan; savings in US dollars a month, that of the target None where AWS offers nothing to reckon with.
    """

    service: str
    region: str
    family: str
    offered: Decimal
    offered_saving: Decimal
    today: Decimal
    target: Decimal
    target_saving: Decimal | None


def purchase_advice(
    today: Footprint, target: Footprint, commitments: Commitments, prices: PriceBook, offers: Sequence[Offer]
) -> tuple[PurchaseAdvice, ...]:
    """One row for each family that runs uncovered or that AWS would have reserved."""
    now, then, reserved = _units(today), _units(target), _reserved(commitments)
    per_unit = _list_per_unit(prices, (*today.usages, *target.usages))
    offered: dict[Pool, list[Offer]] = defaultdict(list)
    for offer in offers:
        offered[offer.service, offer.region, family_and_units(offer.instance_type)[0]].append(offer)
    rows = []
    for pool in sorted({*now, *then, *offered}, key=lambda each: (each[0].value, each[1], each[2])):
        open_now, open_then = (
            max(each.get(pool, Decimal(0)) - reserved.get(pool, Decimal(0)), Decimal(0)) for each in (now, then)
        )
        mine = offered[pool]
        discount = max((each.discount for each in mine), default=None)
        saving = None if discount is None else in_cents(open_then * per_unit.get(pool, Decimal(0)) * discount)
        rows.append(
            PurchaseAdvice(
                pool[0].value,
                pool[1],
                pool[2],
                sum((each.count * family_and_units(each.instance_type)[1] for each in mine), Decimal(0)),
                in_cents(sum((each.saving for each in mine), Decimal(0))),
                open_now,
                open_then,
                saving,
            )
        )
    return tuple(each for each in rows if each.offered or each.today or each.target)


def _units(footprint: Footprint) -> dict[Pool, Decimal]:
    counted: dict[Pool, Decimal] = defaultdict(Decimal)
    for usage in footprint.usages:
        family, units = family_and_units(usage.item)
        if units and usage.part in PART:
            counted[PART[usage.part], usage.region, family] += usage.quantity * units
    return counted


def _reserved(commitments: Commitments) -> dict[Pool, Decimal]:
    counted: dict[Pool, Decimal] = defaultdict(Decimal)
    for each in commitments.reservations:
        if each.bound_to:
            continue
        counted[each.service, each.region, family_and_units(each.instance_type)[0]] += each.units
    return counted


def _list_per_unit(prices: PriceBook, usages: Sequence[Usage]) -> dict[Pool, Decimal]:
    """US dollars a month for one normalized unit at list price; the dearest where sizes differ a little."""
    per_unit: dict[Pool, Decimal] = {}
    for usage in usages:
        family, units = family_and_units(usage.item)
        if units and usage.part in PART:
            pool = PART[usage.part], usage.region, family
            per_unit[pool] = max(per_unit.get(pool, Decimal(0)), prices.of(usage.item, usage.region).monthly / units)
    return per_unit
