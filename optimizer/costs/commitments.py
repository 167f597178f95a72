"""Reservations and Savings Plans against a footprint: what they cover, and what of them nothing uses. Pure.

A reservation covers instances of its family in its Region by normalized units, the smallest instances
first (Amazon EC2 User Guide, "How Reserved Instances are applied"; the same holds for RDS, "Size-flexible
reserved DB instances", and ElastiCache, "Size flexible reserved nodes"). What it does not cover of EC2, a
Savings Plan may, those bound to a family before the others (Savings Plans User Guide, "Understanding how
Savings Plans apply to your usage"). A commitment is paid for to its end, whether it is used or not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import Enum

from domain.list_prices import MYSQL, OPTIMIZED, PriceBook
from optimizer.costs.footprint import Footprint, Usage

ZERO = Decimal(0)
SIZES: Mapping[str, Decimal] = {
    "nano": Decimal("0.25"),
    "micro": Decimal("0.5"),
    "small": Decimal(1),
    "medium": Decimal(2),
    "large": Decimal(4),
    "xlarge": Decimal(8),
}


class Committed(Enum):
    """A service that is reserved by the instance, under the name that Cost Explorer knows it by."""

    EC2 = "Amazon Elastic Compute Cloud - Compute"
    RDS = "Amazon Relational Database Service"
    ELASTICACHE = "Amazon ElastiCache"


PART: Mapping[str, Committed] = {
    "fleet": Committed.EC2,
    "database": Committed.RDS,
    "cache": Committed.ELASTICACHE,
}


@dataclass(frozen=True)
class Reservation:
    """Reserved instances of one purchase, `units` normalized units in all.

    `monthly` is what it costs a month with its upfront payment spread over the term, `billed_monthly` what of
    it is still invoiced each month. Without `flexible` it covers its own instance type only; `bound_to` names
    what of it the platform does not run, as another operating system, tenancy or engine: it covers nothing then.
    """

    id: str
    service: Committed
    region: str
    instance_type: str
    units: Decimal
    ends: date
    monthly: Decimal
    billed_monthly: Decimal
    flexible: bool = True
    bound_to: str = ""


@dataclass(frozen=True)
class SavingsPlan:
    """A Compute or EC2 Instance Savings Plan: a commitment in US dollars a month.

    `rate` is what a dollar of list price costs under the plan. `family` and `region` bind an EC2 Instance plan.
    """

    id: str
    monthly: Decimal
    billed_monthly: Decimal
    rate: Decimal
    ends: date
    family: str = ""
    region: str = ""


@dataclass(frozen=True)
class Commitments:
    """Everything that is paid for whether it is used or not."""

    reservations: tuple[Reservation, ...] = ()
    savings_plans: tuple[SavingsPlan, ...] = ()

    def on(self, day: date) -> Commitments:
        """Those in force on a day."""
        return Commitments(
            tuple(each for each in self.reservations if each.ends > day),
            tuple(each for each in self.savings_plans if each.ends > day),
        )

    @property
    def ends(self) -> tuple[date, ...]:
        """The days on which one of them ends, in order."""
        return tuple(sorted({*(each.ends for each in self.reservations), *(each.ends for each in self.savings_plans)}))


NOTHING = Commitments()


@dataclass(frozen=True)
class Charge:
    """One month of one service, not rounded. The names are FOCUS's; `stranded` is what of `committed` nothing uses."""

    list: Decimal = ZERO
    covered: Decimal = ZERO  # at list price
    committed: Decimal = ZERO
    committed_billed: Decimal = ZERO
    stranded: Decimal = ZERO

    @property
    def billed(self) -> Decimal:
        """The invoice: what is not covered, and the commitments' monthly fees."""
        return self.list - self.covered + self.committed_billed

    @property
    def effective(self) -> Decimal:
        """The same with upfront payments spread over their terms."""
        return self.list - self.covered + self.committed

    def plus(self, other: Charge) -> Charge:
        return Charge(
            self.list + other.list,
            self.covered + other.covered,
            self.committed + other.committed,
            self.committed_billed + other.committed_billed,
            self.stranded + other.stranded,
        )


@dataclass
class _Open:
    """The part of one usage that is not covered yet, in instances."""

    usage: Usage
    price: Decimal
    left: Decimal = field(default=ZERO)


def family_and_units(instance_type: str) -> tuple[str, Decimal]:
    """`db.r6g.4xlarge` is family `db.r6g` and 32 normalized units; 0 for a size without any, as `metal`.

    An Aurora I/O-Optimized instance takes 30 % more of them (Aurora User Guide, "Reserved DB instances").
    """
    optimized = instance_type.endswith(OPTIMIZED)
    family, _, size = instance_type.partition(" ")[0].rpartition(".")
    times = size.removesuffix("xlarge")
    units = 8 * Decimal(times) if times.isdigit() and size.endswith("xlarge") else SIZES.get(size, ZERO)
    return family, units * Decimal("1.3") if optimized else units


def charge(footprint: Footprint, prices: PriceBook, commitments: Commitments) -> Charge:
    """A month of a footprint under the commitments in force. Raises PriceMissing."""
    opened = [_Open(each, prices.of(each.item, each.region).monthly, each.quantity) for each in footprint.usages]
    total = Charge(list=sum((each.price * each.left for each in opened), ZERO))
    reserved: dict[tuple[Committed, str, str], list[Reservation]] = defaultdict(list)
    for reservation in commitments.reservations:
        family = family_and_units(reservation.instance_type)[0] if reservation.flexible else reservation.instance_type
        if reservation.bound_to:
            family = f"{reservation.instance_type} for {reservation.bound_to}"  # no usage of ours is of that kind
        reserved[reservation.service, reservation.region, family].append(reservation)
    # What fits one type only goes first: the flexible ones can still cover the others.
    for (service, region, kind), together in sorted(reserved.items(), key=lambda each: each[1][0].flexible):
        candidates = [each for each in opened if _fits(each.usage, service, region, kind)]
        total = total.plus(_reserved(candidates, together))
    for plan in sorted(commitments.savings_plans, key=lambda each: not each.family):
        total = total.plus(_planned([each for each in opened if _in_plan(each.usage, plan)], plan))
    return total


def _fits(usage: Usage, service: Committed, region: str, kind: str) -> bool:
    if PART.get(usage.part) is not service or usage.region != region:
        return False
    if MYSQL in usage.item:  # reservations are read as those of Aurora PostgreSQL, and fit one engine
        return False
    family, units = family_and_units(usage.item)
    return units > 0 and kind in (usage.item, family)


def _in_plan(usage: Usage, plan: SavingsPlan) -> bool:
    if PART.get(usage.part) is not Committed.EC2 or "." not in usage.item:  # a load balancer is not in it
        return False
    return plan.region in ("", usage.region) and plan.family in ("", family_and_units(usage.item)[0])


def _reserved(candidates: Iterable[_Open], reservations: Sequence[Reservation]) -> Charge:
    """Cover the smallest first; takes what is covered off what is open."""
    units = left = sum((each.units for each in reservations), ZERO)
    monthly = sum((each.monthly for each in reservations), ZERO)
    covered = ZERO
    for each in sorted(candidates, key=lambda open_: family_and_units(open_.usage.item)[1]):
        size = family_and_units(each.usage.item)[1]
        instances = min(each.left, left / size)
        each.left -= instances
        left -= instances * size
        covered += instances * each.price
    billed = sum((each.billed_monthly for each in reservations), ZERO)
    return Charge(ZERO, covered, monthly, billed, monthly * left / units if units else monthly)


def _planned(candidates: Iterable[_Open], plan: SavingsPlan) -> Charge:
    """Cover spending at list price up to the commitment."""
    left = plan.monthly
    covered = ZERO
    for each in candidates:
        spent = each.left * each.price
        if not spent:
            continue
        taken = min(spent, left / plan.rate) if plan.rate > 0 else ZERO
        each.left -= taken / each.price
        left -= taken * plan.rate
        covered += taken
    return Charge(ZERO, covered, plan.monthly, plan.billed_monthly, max(left, ZERO))
