"""What is kept of a plan's evidence besides the criteria: how hard everything works, and what it costs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from optimizer.action import Action
from optimizer.decide.decision import Choice
from optimizer.decide.plan import Plan
from optimizer.errors import PriceMissing
from optimizer.execute.records import PlanEvidence
from optimizer.observe.breakdown import CostLine, breakdown
from optimizer.observe.costs import Bill, Storage, bill, footprint_of
from optimizer.observe.load import loads_of
from optimizer.observe.metrics import Measurements
from optimizer.phase import Phase
from stages.sizing import Sizing

Spending = tuple[Bill, Storage | None]  # what the account is billed for now, and what its volume holds


def evidence_of(
    plan: Plan,
    measured: Measurements,
    actions: Mapping[str, Action],
    sizing: Sizing,
    regions: Sequence[str],
    spending: Spending | None,
    tenants: int | None,
) -> PlanEvidence:
    """The evidence to keep with a plan; no costs without what is spent, or when a price is missing."""
    return PlanEvidence(loads_of(measured), _costs(plan, actions, sizing, regions, spending), tenants)


def _costs(
    plan: Plan, actions: Mapping[str, Action], sizing: Sizing, regions: Sequence[str], spending: Spending | None
) -> tuple[CostLine, ...] | None:
    if spending is None:
        return None
    today, storage = spending
    try:
        before = bill(footprint_of(sizing, regions, storage=storage))
        then = [bill(footprint_of(each, regions, storage=storage)) for each in sizings_by_phase(plan, actions, sizing)]
    except PriceMissing:
        return None
    return breakdown(today, before, then)


def sizings_by_phase(plan: Plan, actions: Mapping[str, Action], sizing: Sizing) -> list[Sizing]:
    """The sizing after each phase, all earlier ones included. A held plan changes it as it would if it ran."""
    found = []
    order = {each.id: place for place, each in enumerate(plan.actions)}
    applied = [each for each in plan.decisions if each.choice is Choice.APPLY]
    for phase in Phase:
        for decision in sorted(applied, key=lambda each: order[each.action]):
            if plan.phase_of(decision) is phase:
                sizing = actions[decision.action].resize(sizing, decision)
        found.append(sizing)
    return found
