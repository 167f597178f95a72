"""Coverage of running instances by reservations and Savings Plans, hour by hour: covered hours and unused fees.

Reservations come first, the smallest instance size of the family first (EC2 User Guide, "How Reserved
Instance discounts are applied"), then Savings Plans (Savings Plans User Guide, "Understanding how
Savings Plans apply to your usage"). EC2 regional Linux, RDS Aurora and ElastiCache reservations are
flexible in size within a family and Region; a Compute or EC2 Instance Savings Plan covers EC2 alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from emulator.billing.catalog import EC2, family, item, normalized, rate
from emulator.billing.spec import ReservationSpec, SavingsPlanSpec
from emulator.workload.noise import Array

Use = Mapping[tuple[str, str], Array]  # by Region and item: hours of instances in each hour


@dataclass(frozen=True)
class ReservationUse:
    """One reservation: the normalized units it commits to and those used, by hour; `cost` is of one used hour-unit."""

    reservation: ReservationSpec
    committed: Array
    used: Array
    cost: float

    @property
    def unused(self) -> Array:
        return self.committed - self.used


@dataclass(frozen=True)
class PlanUse:
    """One Savings Plan: US dollars committed and used, by hour, and the list price of what it covered."""

    plan: SavingsPlanSpec
    committed: Array
    used: Array
    covers: Mapping[tuple[str, str], Array]  # hours, by Region and item


@dataclass(frozen=True)
class Coverage:
    """Effect of all commitments on the instances: `reserved` hours and their effective `cost`, by Region and item."""

    reservations: tuple[ReservationUse, ...]
    plans: tuple[PlanUse, ...]
    reserved: Use
    cost: Use

    def by_plans(self, key: tuple[str, str]) -> Array | float:
        """Hours of an item that Savings Plans cover."""
        return sum((each.covers[key] for each in self.plans if key in each.covers), start=0.0)


def cover(
    hours: Use, first: int, reservations: Sequence[ReservationSpec], plans: Sequence[SavingsPlanSpec]
) -> Coverage:
    """Let the commitments cover the instances' hours, which begin at hour `first` since 1970."""
    count = len(next(iter(hours.values()), np.zeros(0)))
    reserved: dict[tuple[str, str], Array] = {}
    cost: dict[tuple[str, str], Array] = {}
    uses: list[ReservationUse] = []
    for region, kin in sorted({(each.region, family(each.kind)) for each in reservations}):
        group = [
            each for each in reservations if (each.region, family(each.kind)) == (region, kin) and _is_for_ours(each)
        ]
        running = {key: units for key, units in hours.items() if (key[0], family(key[1])) == (region, kin)}
        uses += _reserve(running, first, count, sorted(group, key=lambda each: each.begin), reserved, cost)
    uses += [
        ReservationUse(each, bought, np.zeros(count), unit_cost(each))
        for each in reservations
        if not _is_for_ours(each)
        for bought in (active(each, first, count) * each.count * normalized(each.kind),)
    ]
    left = {key: amounts - reserved.get(key, 0.0) for key, amounts in hours.items() if item(key[1]).service == EC2}
    planned = [_plan(each, left, first, count) for each in sorted(plans, key=lambda each: each.type != "EC2Instance")]
    return Coverage(tuple(uses), tuple(planned), reserved, cost)


def _is_for_ours(reservation: ReservationSpec) -> bool:
    """Whether it matches the instances here: for EC2, Linux with shared tenancy.

    EC2 User Guide, "How Reserved Instances are applied": platform and tenancy must match.
    """
    if item(reservation.kind).service != EC2:
        return True
    return (reservation.platform, reservation.tenancy) == ("Linux/UNIX", "default")


def active(commitment: ReservationSpec | SavingsPlanSpec, first: int, count: int) -> Array:
    """1 in each hour of the term, else 0."""
    seconds = (first + np.arange(count)) * 3600
    result: Array = ((seconds >= commitment.begin.timestamp()) & (seconds < commitment.end.timestamp())).astype(
        np.float64
    )
    return result


def unit_cost(reservation: ReservationSpec) -> float:
    """Hourly cost of one reserved normalized unit in US dollars, upfront payments spread over the term."""
    kind = reservation.kind
    return rate(kind, reservation.region) * (1 - reservation.discount) / normalized(kind)


def _reserve(
    running: Use,
    first: int,
    count: int,
    group: Iterable[ReservationSpec],
    reserved: dict[tuple[str, str], Array],
    cost: dict[tuple[str, str], Array],
) -> list[ReservationUse]:
    """The reservations of one family and Region, applied to its running instances."""
    wanted = {key: amounts * normalized(key[1]) for key, amounts in running.items()}
    left = sum(wanted.values(), start=np.zeros(count))
    uses = []
    for each in group:
        committed = active(each, first, count) * each.count * normalized(each.kind)
        used = np.minimum(committed, left)
        left = left - used
        uses.append(ReservationUse(each, committed, used, unit_cost(each)))
    covered = sum((each.used for each in uses), start=np.zeros(count))
    paid = sum((each.used * each.cost for each in uses), start=np.zeros(count))
    average = paid / np.maximum(covered, 1e-12)
    for key in sorted(wanted, key=lambda key: normalized(key[1])):
        units = np.minimum(wanted[key], covered)
        covered = covered - units
        reserved[key], cost[key] = units / normalized(key[1]), units * average
    return uses


def _plan(plan: SavingsPlanSpec, left: dict[tuple[str, str], Array], first: int, count: int) -> PlanUse:
    """One Savings Plan applied to the hours that are still at list price; covered hours leave `left`."""
    committed = active(plan, first, count) * plan.per_hour
    remaining, covers = committed.copy(), {}
    for key in sorted(left, key=lambda key: (key[0], normalized(key[1]))):
        if plan.type == "EC2Instance" and (key[0], family(key[1])) != (plan.region, plan.family):
            continue
        discounted = rate(key[1], key[0]) * (1 - plan.discount)
        covers[key] = np.minimum(left[key], remaining / discounted)
        left[key] = left[key] - covers[key]
        remaining = remaining - covers[key] * discounted
    return PlanUse(plan, committed, committed - remaining, covers)
