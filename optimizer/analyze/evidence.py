"""Evidence kept with a plan besides the criteria: how hard everything works, and what it costs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from domain.errors import PriceMissing
from domain.list_prices import PriceBook
from domain.sizing import Sizing
from optimizer.action import Action
from optimizer.costs.breakdown import CostLine, breakdown
from optimizer.costs.commitments import Commitments
from optimizer.costs.cost_explorer import MONTHS
from optimizer.costs.findings import findings
from optimizer.costs.footprint import Footprint, Usage, footprint_of
from optimizer.costs.list_bill import bill, in_cents
from optimizer.costs.money_evidence import DayCost, GivenBack, MoneyEvidence, whole_months
from optimizer.costs.plan_savings import Step, plan_costs
from optimizer.costs.purchase_advice import purchase_advice
from optimizer.costs.read_costs import Billed, Running
from optimizer.costs.trend import as_aws_expects, by_day, forecast, service_months, trend
from optimizer.model.decision import Choice, Decision
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.plan_costs import PlanCosts
from optimizer.observe.load import Load, loads_of
from optimizer.observe.metrics import Measurements
from optimizer.resources.database.storage import Storage


@dataclass(frozen=True)
class DesignShape:
    """The start of a plan: the sizing in force, its Regions, the Aurora volume, and variants by part."""

    sizing: Sizing
    regions: Sequence[str]
    storage: Storage | None
    variants: Mapping[str, str] = field(default_factory=dict)

    def footprint(self, sizing: Sizing) -> Footprint:
        return footprint_of(sizing, self.regions, storage=self.storage, variants=self.variants)


def evidence_of(
    plan: Plan, measured: Measurements, steps: Sequence[Step], running: Running, billed: Billed, tenants: int | None
) -> PlanEvidence:
    """The evidence to keep with a plan of these steps; no costs when a price is missing."""
    start = start_of(plan.decisions, running)
    target = steps[-1].footprint if steps else start
    costs, money = _costs(plan, start, steps, running.prices), _money(running, target, billed)
    return PlanEvidence(loads_of(measured), costs, tenants, money)


def costs_of(
    decisions: Sequence[Decision], steps: Sequence[Step], running: Running, billed: Billed, day: date
) -> PlanCosts | None:
    """Monthly cost before and after, each saving as what its change takes off in execution order.

    None when a price is missing: money is said or left out, never guessed, and it decides nothing.
    """
    committing = billed.committing
    try:
        return plan_costs(
            start_of(decisions, running),
            steps,
            prices=running.prices,
            commitments=committing.commitments if committing else None,
            day=day,
            notes=(*running.notes, *billed.notes),
        )
    except PriceMissing:
        return None


def steps_of(
    actions: Sequence[Action], decisions: Sequence[Decision], shape: DesignShape, running: Running
) -> tuple[Step, ...]:
    """The footprint after each decision to apply, in execution order.

    A held plan changes it as it would if it ran.
    """
    steps: list[Step] = []
    sizing, footprint, prices = shape.sizing, start_of(decisions, running), running.prices
    for action in actions:
        for decision in decisions:
            if decision.action != action.id or decision.choice is not Choice.APPLY:
                continue
            resized = action.resize(sizing, decision)
            before, after = shape.footprint(sizing), shape.footprint(resized)
            if not _unpriced(before, after, prices):  # else it is not known what the change saves: nothing is claimed
                footprint = footprint.with_change(before, after).plus(kept_use(decision, prices))
            sizing = resized
            steps.append(Step(decision.action, decision.resource, footprint, decision.costs))
    return tuple(steps)


def _unpriced(before: Footprint, after: Footprint, prices: PriceBook) -> bool:
    """Whether a change touches anything that has no price."""
    old, new = before.quantities, after.quantities
    changed = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    return any((region, item) not in prices.prices for _, item, region in changed)


def start_of(decisions: Sequence[Decision], running: Running) -> Footprint:
    """The running footprint; the use that decisions end is added where it is not counted there."""
    applied = [each for each in decisions if each.choice is Choice.APPLY]
    ended = Footprint(tuple(use for each in applied for use in kept_use(each, running.prices) if use.quantity < 0))
    counted = running.footprint.quantities
    lacking = {key: -quantity - counted.get(key, Decimal(0)) for key, quantity in ended.quantities.items()}
    return running.footprint.plus(Usage(*key, quantity) for key, quantity in lacking.items() if quantity > 0)


def kept_use(decision: Decision, prices: PriceBook) -> list[Usage]:
    """Monthly use that a change leaves behind or ends, as far as it is measured and has a price."""
    return [
        Usage(each.part, each.item, each.region, Decimal(str(each.quantity)))
        for each in decision.costs
        if each.monthly and each.quantity is not None and (each.region, each.item) in prices.prices
    ]


def _costs(plan: Plan, start: Footprint, steps: Sequence[Step], prices: PriceBook) -> tuple[CostLine, ...] | None:
    phase_of = {each.id: each.phase for each in plan.actions}
    then = []
    for phase in Phase:
        done = [step.footprint for step in steps if phase_of[step.action] <= phase.number]
        then.append(done[-1] if done else start)
    try:
        return breakdown(bill(start, prices), [bill(each, prices) for each in then])
    except PriceMissing:
        return None


def _money(running: Running, target: Footprint, billed: Billed) -> MoneyEvidence:
    today: date = billed.explorer.today
    monthly, committing, offers = billed.monthly or (), billed.committing, billed.offers
    commitments = committing.commitments.on(today) if committing else None
    months = service_months(monthly, committing.months if committing else None)
    days = by_day(billed.daily or ())
    notes = [*running.notes, *billed.notes]
    if monthly and (whole := whole_months(months, today)) < MONTHS:
        notes.append(f"{whole} whole months are on the bill, {MONTHS} are needed to take a year's season from them.")
    try:
        advice = purchase_advice(
            running.footprint,
            target,
            commitments or Commitments(),
            running.prices,
            offers.reservations if offers else (),
        )
    except PriceMissing:
        advice = ()
    return MoneyEvidence(
        months=months,
        given_back=tuple(
            GivenBack(each.start, each.group[0], in_cents(each.billed)) for each in billed.given_back or ()
        ),
        days=tuple(DayCost(day, in_cents(cost)) for day, cost in days.items()),
        trend=trend(days, months, today),
        forecast=as_aws_expects(billed.expected) or forecast(days, months, today),
        commitments=commitments,
        used=committing.used if committing else (),
        advice=advice if commitments is not None else (),
        savings_plan=offers.savings_plan if offers else None,
        findings=findings(monthly, today),
        requests=billed.explorer.requests,
        spent=billed.explorer.spent,
        notes=tuple(notes),
        account=billed.explorer.aws.account,
    )


@dataclass(frozen=True)
class PlanEvidence:
    """The kept part of what was measured for the plan: decisions carry their own criteria.

    `costs` is None when a price was missing, `tenants` when the application does not say how many there are,
    `money` for a plan that was made before the bill was read.
    """

    loads: tuple[Load, ...]
    costs: tuple[CostLine, ...] | None
    tenants: int | None = None
    money: MoneyEvidence | None = None
