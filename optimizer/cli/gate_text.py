"""The text at the plan's gate: what would change, what it saves, and what cannot be taken back.

CodePipeline takes 1,000 characters in a field of an action, its links and variables included, so
resources are counted and one-way moves go by their action's name; the dashboard has the rest.
https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

from decimal import Decimal

from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.plan_costs import PlanCosts

LIMIT = 560  # what the pipeline's own words, the whole hash and the links leave of 1,000


def gate_text(plan: Plan) -> str:
    """One line of at most LIMIT characters; what does not fit is left to the dashboard whole."""
    head = [f"Plan {plan.hash[:12]}."]
    if plan.held:
        return f"{head[0]} Held: {plan.held}."
    if plan.costs:
        head += [_saves(plan.costs), *_keeps(plan.costs)]
    head.append(_one_way(plan))
    head += _unmeasured(plan)
    return _fitted(head, [_phase(plan, phase) for phase in Phase if plan.to_apply(phase)])


def _saves(costs: PlanCosts) -> str:
    """Net where commitments make that another figure than list price, which is then the note."""
    listed = f"${costs.before - costs.after:,.0f} of ${costs.before:,.0f} a month at list price"
    before, after = costs.totals_before, costs.totals_after
    if before is None or after is None:
        return f"Saves {listed}; what is reserved of it is not known."
    net = before.effective_cost - after.effective_cost
    if net == costs.before - costs.after:
        return f"Saves {listed}."
    ends = [each.since for saving in costs.savings for each in saving.later]
    rest = f", the rest as commitments end, by {max(ends):%Y-%m-%d}" if ends else ""
    return f"Saves ${net:,.0f} a month now, net of commitments ({listed}{rest})."


def _keeps(costs: PlanCosts) -> list[str]:
    """Monthly costs of the changes themselves, dearest first, as `Costs a month: $4.20 aurora_backups.`"""
    monthly: dict[str, Decimal] = {}
    for each in costs.savings:
        monthly[each.action] = monthly.get(each.action, Decimal(0)) + each.kept
    dearest = sorted((amount, action) for action, amount in monthly.items() if amount)[::-1]
    amounts = ", ".join(f"${amount:,.2f} {action}" for amount, action in dearest)
    return [f"Costs a month, in that already: {amounts}."] if amounts else []


def _phase(plan: Plan, phase: Phase) -> str:
    """As `Phase 1 (DynamoDB): gsi_removal on tenants, users.`"""
    on: dict[str, list[str]] = {}
    for each in plan.to_apply(phase):
        on.setdefault(each.action, []).append(each.resource.replace("/", ":").rsplit(":", 1)[-1])
    changes = ", ".join(f"{action} on {names[0] if len(names) == 1 else len(names)}" for action, names in on.items())
    return f"Phase {phase.number} ({phase.title}): {changes}."


def _one_way(plan: Plan) -> str:
    counted = [f"{each.id} ({len(each.one_way)})" for each in plan.actions if each.one_way]
    return f"One-way at acceptance: {', '.join(counted)}." if counted else "Nothing in it is one-way."


def _unmeasured(plan: Plan) -> list[str]:
    """Metrics that nobody publishes, as `Not measured: memory of the instances (fleet_rightsize).`"""
    applied = [each for phase in Phase for each in plan.to_apply(phase)]
    names = [f"{what.split(',')[0]} ({each.action})" for each in applied for what in each.unmeasured]
    return [f"Not measured: {', '.join(dict.fromkeys(names))}."] if names else []


def _fitted(head: list[str], phases: list[str]) -> str:
    """Head and phases; when they do not fit, where to read on."""
    text = " ".join([*head, *phases])
    if len(text) <= LIMIT:
        return text
    return " ".join([*head, "What each phase changes is on the dashboard."])
