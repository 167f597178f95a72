"""Cost and savings of a plan: at list price, net of what is committed, and over time. Pure.

Each action is charged what its change takes off in execution order, at the footprint of the plan's day. A
reservation or Savings Plan is paid to its end, so a change of what it covers saves nothing before: that
is `net`, and `later` says what it becomes at each end. Amounts are rounded once, the last row takes the
rest, and so the rows add up to before minus after to the cent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import pairwise

from domain.errors import PriceMissing
from domain.list_prices import PriceBook
from optimizer.costs.commitments import Charge, Commitments, charge
from optimizer.costs.footprint import Footprint
from optimizer.costs.list_bill import in_cents, to_the_cent
from optimizer.model.decision import ChangeCost
from optimizer.model.plan_costs import DAYS_PER_MONTH, Later, PlanCosts, Saving, Totals


@dataclass(frozen=True)
class Step:
    """One change to apply, and what the account is billed for once it is made."""

    action: str
    resource: str
    footprint: Footprint
    costs: tuple[ChangeCost, ...] = ()


def plan_costs(
    today: Footprint,
    steps: Sequence[Step],
    *,
    prices: PriceBook,
    commitments: Commitments | None,
    day: date,
    notes: Sequence[str] = (),
) -> PlanCosts:
    """Savings of a plan's steps, in execution order. Raises PriceMissing for what is billed and has no price."""
    footprints = [today, *(step.footprint for step in steps)]
    alive = (commitments or Commitments()).on(day)
    charges = [charge(each, prices, alive) for each in footprints]
    monthly = _differences(charges, lambda each: each.list)
    savings = [Saving(step.action, step.resource, amount) for step, amount in zip(steps, monthly, strict=True)]
    if commitments is not None:
        savings = _net(savings, charges, footprints, prices, alive)
    settled = [_settled(saving, step, prices, day) for saving, step in zip(savings, steps, strict=True)]
    return PlanCosts(
        before=in_cents(charges[0].list),
        after=in_cents(charges[-1].list),
        savings=tuple(settled),
        prices_dated=prices.dated,
        totals_before=_totals(charges[0]) if commitments is not None else None,
        totals_after=_totals(charges[-1]) if commitments is not None else None,
        notes=tuple(notes),
    )


def _net(
    savings: Sequence[Saving],
    charges: Sequence[Charge],
    footprints: Sequence[Footprint],
    prices: PriceBook,
    alive: Commitments,
) -> list[Saving]:
    """Net today, and anew at the end of each commitment."""
    net, stranded = _net_and_stranded(charges)
    later: list[list[Later]] = [[] for _ in savings]
    last = _steps(charges, _effective)
    for end in alive.ends:
        then = [charge(each, prices, alive.on(end)) for each in footprints]
        exact = _steps(then, _effective)
        for place, now in enumerate(zip(*_net_and_stranded(then), strict=True)):
            if in_cents(exact[place]) != in_cents(last[place]):  # not what rounding alone moves to the last row
                later[place].append(Later(end, *now))
                last[place] = exact[place]
    return [
        replace(saving, net=net[place], stranded=stranded[place], later=tuple(later[place]))
        for place, saving in enumerate(savings)
    ]


def _net_and_stranded(charges: Sequence[Charge]) -> tuple[tuple[Decimal, ...], tuple[Decimal, ...]]:
    net = _differences(charges, _effective)
    return net, tuple(-each for each in _differences(charges, lambda each: each.stranded))


def _differences(charges: Sequence[Charge], amount: Callable[[Charge], Decimal]) -> tuple[Decimal, ...]:
    """Saving of each step; in cents, adding up to the first minus the last as they are shown."""
    total = in_cents(amount(charges[0])) - in_cents(amount(charges[-1]))
    return to_the_cent(_steps(charges, amount), total)


def _steps(charges: Sequence[Charge], amount: Callable[[Charge], Decimal]) -> list[Decimal]:
    return [amount(earlier) - amount(after) for earlier, after in pairwise(charges)]


def _effective(charged: Charge) -> Decimal:
    return charged.effective


def _settled(saving: Saving, step: Step, prices: PriceBook, day: date) -> Saving:
    """The saving with what the change itself costs, and when that is earned back."""
    once = kept = Decimal(0)
    notes = []
    for cost in step.costs:
        if cost.quantity is None:
            return replace(saving, notes=(*saving.notes, f"{cost.name}: how much it is was not measured"))
        try:
            price = prices.of(cost.item, cost.region)
        except PriceMissing as missing:
            return replace(saving, notes=(*saving.notes, f"{cost.name}: {missing}"))
        amount = Decimal(str(cost.quantity)) * (price.monthly if cost.monthly else price.usd)
        if amount < 0:  # use that ends: the saving itself holds it
            notes.append(f"{cost.name}: ${in_cents(-amount):,} a month less")
            continue
        kept, once = (kept + amount, once) if cost.monthly else (kept, once + amount)
        notes.append(f"{cost.name}: ${in_cents(amount):,}{' a month' if cost.monthly else ' once'}")
    return replace(
        saving,
        once=in_cents(once),
        kept=in_cents(kept),
        payback_months=payback(once, saving, day),
        notes=(*saving.notes, *notes),
    )


def payback(once: Decimal, saving: Saving, day: date) -> Decimal | None:
    """After how many months the saving has earned back what the change costs; None when it never does."""
    if once <= 0:
        return Decimal(0)
    rates = [
        (day, saving.monthly if saving.net is None else saving.net),
        *((each.since, each.net) for each in saving.later),
    ]
    months, open_ = Decimal(0), once
    for place, (since, rate) in enumerate(rates):
        until = rates[place + 1][0] if place + 1 < len(rates) else None
        lasts = None if until is None else Decimal((until - since).days) / DAYS_PER_MONTH
        if rate > 0 and (lasts is None or open_ <= rate * lasts):
            return round(months + open_ / rate, 1)
        if lasts is None:
            return None
        months, open_ = months + lasts, open_ - rate * lasts
    return None


def _totals(charged: Charge) -> Totals:
    return Totals(
        in_cents(charged.list), in_cents(charged.billed), in_cents(charged.effective), in_cents(charged.stranded)
    )
