"""`explain`: one decision in words, from a plan file or the journal. Pure.

Each criterion with what was observed, its limit, where it comes from and the arithmetic between the two; what the
change would do, how it is undone and what it costs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from domain.errors import UsageError
from optimizer.dashboard.format import dollars_and_cents, label_in, listed, quantity
from optimizer.model.decision import Choice, Criterion, Decision, Json, Origin, Verdict, finite
from optimizer.model.plan import Plan, PlannedAction
from optimizer.model.plan_costs import Saving

VERDICTS = {
    Verdict.PASS: "met",
    Verdict.FAIL: "NOT MET",
    Verdict.NO_DATA: "NO DATA",
    Verdict.LIFTED: "not met, lifted by the policy",
}
SIGNS = {"at most": "<=", "below": "<", "at least": ">="}
OPPOSITE = {"<=": ">", "<": ">=", ">=": "<"}


def decisions_of(plan: Plan, action: str, resource: str | None) -> Sequence[Decision]:
    """The decisions of an action, on one resource by its name or ARN. Raises UsageError, naming what there is."""
    of_action = [each for each in plan.decisions if each.action == action]
    if not of_action:
        known = sorted({each.action for each in plan.decisions})
        raise UsageError(f"Plan {plan.hash[:12]} has no decision of {action}. It has: {listed(known) or 'none'}.")
    if resource is None:
        return of_action
    chosen = [each for each in of_action if resource in (each.resource, label_in(each.resource))]
    if not chosen:
        names = listed([label_in(each.resource) for each in of_action])
        raise UsageError(f"Plan {plan.hash[:12]} has no decision of {action} on {resource}. It has: {names}.")
    return chosen


def explain_lines(plan: Plan, decision: Decision, veto: str | None = None) -> Iterator[str]:
    """The decision, line by line. `veto` is why the check right before applying set it aside."""
    action = next(each for each in plan.actions if each.id == decision.action)
    yield f"{action.title} ({action.id}) on {label_in(decision.resource)}: {decision.choice.value}"
    yield f"  {decision.resource}"
    yield f"  Plan {plan.hash[:12]}, phase {action.phase}. {_reason(decision)}"
    if veto is not None:
        yield f"  Set aside right before it was to be applied: {veto}"
    yield ""
    yield "Criteria" if decision.criteria else "Criteria: none, because nothing was measured"
    for criterion in decision.criteria:
        yield f"  {_criterion(criterion)}"
        yield f"      from {'the brief' if criterion.origin is Origin.BRIEF else 'a guard'}{_source(criterion)}"
    yield from _change(action, decision)
    yield ""
    yield f"Undo: {decision.undo or 'nothing would be changed'}"
    yield from _costs(next((s for s in _savings(plan) if (s.action, s.resource) == _key(decision)), None), decision)


def explain_document(plan: Plan, decision: Decision, veto: str | None = None) -> Json:
    """The same as one JSON value."""
    saving = next((each for each in _savings(plan) if (each.action, each.resource) == _key(decision)), None)
    criteria: list[dict[str, Any]] = [
        {
            "name": each.name,
            "observed": each.observed,
            "comparison": each.comparison,
            "limit": each.limit,
            "unit": each.unit,
            "origin": each.origin.value,
            "source": each.source,
            "verdict": each.verdict.value,
            "arithmetic": _arithmetic(each),
        }
        for each in decision.criteria
    ]
    return finite(
        {
            "plan": plan.hash,
            "action": decision.action,
            "resource": decision.resource,
            "choice": decision.choice.value,
            "reason": decision.reason,
            "veto": veto,
            "criteria": criteria,
            "before": decision.before,
            "target": decision.target,
            "projected": [asdict(each) for each in decision.projected],
            "undo": decision.undo,
            "monthly_saving": f"{saving.monthly:.2f}" if saving else None,
            "once": f"{saving.once:.2f}" if saving and saving.once is not None else None,
        }
    )


def _key(decision: Decision) -> tuple[str, str]:
    return decision.action, decision.resource


def _savings(plan: Plan) -> Sequence[Saving]:
    return plan.costs.savings if plan.costs else ()


def _reason(decision: Decision) -> str:
    verb = {Choice.APPLY: "Applied", Choice.KEEP: "Kept", Choice.NO_DATA: "Not decided, so kept"}[decision.choice]
    return f"{verb}: {decision.reason}."


def _criterion(criterion: Criterion) -> str:
    return f"{VERDICTS[criterion.verdict]}: {criterion.name}: {_arithmetic(criterion)}"


def _arithmetic(criterion: Criterion) -> str:
    """As `40.06 % <= 55 %, 73 % of the limit`; text against text where there are no numbers."""
    observed, limit = criterion.observed, criterion.limit
    wanted = quantity(limit, criterion.unit)
    sign = SIGNS.get(criterion.comparison)
    if criterion.verdict is Verdict.NO_DATA:
        return f"no data; {f'{sign} ' if sign else 'must be '}{wanted} is required"
    if sign is None:
        return f"{quantity(observed, criterion.unit)} (must be {wanted})"
    holds = criterion.verdict is Verdict.PASS
    share = ""
    if isinstance(observed, int | float) and isinstance(limit, int | float) and limit:
        times = observed / limit
        share = f", {times:,.0f} times the limit" if times >= 10 else f", {times * 100:,.0f} % of the limit"
    return f"{quantity(observed, criterion.unit)} {sign if holds else OPPOSITE[sign]} {wanted}{share}"


def _source(criterion: Criterion) -> str:
    return f": {criterion.source}" if criterion.source and criterion.source != "the brief" else ""


def _change(action: PlannedAction, decision: Decision) -> Iterator[str]:
    yield ""
    changed = {name: value for name, value in decision.target.items() if decision.before.get(name) != value}
    if not changed:
        yield "Change: none"
        return
    yield "Change" if decision.choice is Choice.APPLY else "Change, if the criteria were met"
    for name, value in changed.items():
        before = f"{_plain(decision.before[name])} to " if name in decision.before else ""
        yield f"  {name.replace('_', ' ')}: {before}{_plain(value)}"
    for each in decision.projected:
        factor = f" (x {each.after / each.today:.3g})" if each.today and each.after else ""
        yield f"  {each.name}: {quantity(each.today, each.unit)} today, {quantity(each.after, each.unit)} after{factor}"
    for move in action.one_way if decision.choice is Choice.APPLY else ():
        yield f"  at acceptance, not to be undone: {move}"


def _costs(saving: Saving | None, decision: Decision) -> Iterator[str]:
    if decision.choice is not Choice.APPLY:
        yield "Cost: nothing, because nothing is changed"
        return
    if saving is None:
        yield "Cost: not known, because a price is missing"
        return
    yield f"Saves: {dollars_and_cents(saving.monthly)} a month at list price; net of commitments {_net(saving)}"
    once = "not known, a price is missing" if saving.once is None else dollars_and_cents(saving.once)
    yield f"Costs: {once} once, {dollars_and_cents(saving.kept)} a month from then on (in the saving already)"
    for note in saving.notes:
        yield f"  {note}"


def _net(saving: Saving) -> str:
    return saving.words if saving.net or saving.later or saving.net is None else "$0.00 a month"


def _plain(value: Json) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case dict():
            return ", ".join(f"{name} ({_plain(each)})" for name, each in value.items()) or "none"
        case list() | tuple():
            return ", ".join(_plain(each) for each in value) or "none"
    return str(value)
