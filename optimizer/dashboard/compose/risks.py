"""The risk of each change and its reach, by stated rules, not by taste.

Likelihood comes from the headroom under the criterion nearest to its limit, and rises for each way in
which the evidence is thinner than it could be. Impact comes from what the phase touches and rises
when there is no way back after acceptance. Both go from 1 to 5.
"""

from __future__ import annotations

from dataclasses import replace

from optimizer.dashboard.compose.heat_maps import share_of_limit
from optimizer.dashboard.format import count, label_in, percent
from optimizer.dashboard.view.evidence import RiskRow, Risks
from optimizer.model.decision import Choice, Decision, Verdict
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan, PlannedAction

HIGHEST = 5
SHOWN = 8
# Headroom under the nearest limit, as a share of the limit: from this much on, this likelihood.
HEADROOM = ((0.50, 1), (0.30, 2), (0.15, 3), (0.05, 4))
WHOLE_PERIOD = 0.99  # of the days asked for
# What the phase touches: DynamoDB beside the requests' way, the machines on it, the data itself.
TOUCHED = {
    Phase.NON_CRITICAL: (1, "beside the way of the requests"),
    Phase.COMPUTE: (2, "on the way of every request"),
    Phase.DATABASE: (3, "holds the data of all tenants"),
}
ONE_WAY = 1


def risks_of(plan: Plan | None) -> Risks | None:
    """One row for every change the plan would make; None when it makes none."""
    if plan is None or plan.held:
        return None
    actions = {each.id: each for each in plan.actions}
    rows = [
        _row(decision, actions[decision.action], plan) for decision in plan.decisions if decision.choice is Choice.APPLY
    ]
    if not rows:
        return None
    rows.sort(key=lambda row: (-row.score, -row.likelihood, row.title, row.resource))
    rows = [replace(row, number=number) for number, row in enumerate(rows, start=1)]
    first_rows, more = rows[:SHOWN], len(rows) - SHOWN
    left_out = f"{count(more, 'further change')} of the same or lower risk, counted in the matrix." if more > 0 else ""
    return Risks(tuple(rows), tuple(first_rows), left_out, _summary(rows))


def _row(decision: Decision, action: PlannedAction, plan: Plan) -> RiskRow:
    likelihood, likely = likelihood_of(decision, plan)
    impact, why = impact_of(action)
    return RiskRow(0, action.title, label_in(decision.resource), likelihood, likely, impact, why)


def likelihood_of(decision: Decision, plan: Plan) -> tuple[int, str]:
    """1 to 5, and the inputs it comes from."""
    # A criterion that failed under a decision to apply speaks of a part that stays, as an index in use.
    criteria = [each for each in decision.criteria if each.verdict is not Verdict.FAIL]
    shares = [(share, each) for each in criteria if (share := share_of_limit(each)) is not None]
    if shares:
        share, nearest = max(shares, key=lambda each: each[0])
        headroom = 1 - share
        level = next((level for least, level in HEADROOM if headroom >= least), HIGHEST)
        said = f"{percent(max(headroom, 0.0))} headroom under “{nearest.name}”"
    else:
        level, said = 3, "no criterion has a number to leave headroom under"
    thinner = _thin_evidence(decision, plan)
    said = "; ".join([said, *(f"{each}: +1" for each in thinner)])
    return min(level + len(thinner), HIGHEST), said


def impact_of(action: PlannedAction) -> tuple[int, str]:
    """1 to 5, and the inputs it comes from."""
    level, touched = TOUCHED[Phase(action.phase)]
    if action.one_way:
        return level + ONE_WAY, f"{touched}: {level}; no way back after acceptance: +{ONE_WAY}"
    return level, f"{touched}: {level}; every move can be undone"


def _thin_evidence(decision: Decision, plan: Plan) -> list[str]:
    """Each way in which the evidence is thinner than it could be."""
    doubts = []
    lifted = sum(each.verdict is Verdict.LIFTED for each in decision.criteria)
    if lifted:
        doubts.append(f"{count(lifted, 'guard')} set aside")
    days = float(plan.policy.get("period") or 0) / 86_400
    if plan.covered_days < days * WHOLE_PERIOD:
        doubts.append(f"{plan.covered_days:.3g} of {days:.3g} days measured")
    measured = [each for each in decision.criteria if "with metrics" in each.name or "datapoints" in each.name]
    doubts += [f"not measured: {each}" for each in decision.unmeasured]
    if not measured:
        doubts.append("how much of the period was seen is not among its criteria")
    return doubts


def _summary(rows: list[RiskRow]) -> str:
    """The matrix in a sentence."""
    worst = rows[0]
    return (
        f"{count(len(rows), 'change').capitalize()} to be made. The riskiest is {worst.title} ({worst.resource}): "
        f"likelihood {worst.likelihood} of 5, impact {worst.impact} of 5."
    )
