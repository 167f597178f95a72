"""From the plan's costs and the phases' outcomes to what was saved, is still expected, or was dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from optimizer.dashboard.format import date_of, dollars, dollars_and_cents, label_in, percent
from optimizer.dashboard.view.page import Costs, SavingStep
from optimizer.dashboard.view.status import SavingState
from optimizer.execute.records import History, PhaseRecord, PlanRecord, PlanState
from optimizer.execute.states import DROPPED, ENDED, TAKEN
from optimizer.model.decision import Choice, Decision
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.plan_costs import PlanCosts, Saving

WHOLE, SHOWN = 12, 8  # steps that a chart has room for


def vetoed(phase: PhaseRecord | None, action: str, resource: str) -> str | None:
    """Why the check right before applying set a decision aside; None when it did not."""
    return (phase.vetoed or {}).get(f"{action} {resource}") if phase else None


def saving_state(plan: Plan, state: PlanState, phase: PhaseRecord | None, action: str, resource: str) -> SavingState:
    """The outcome of one saving."""
    if plan.held or vetoed(phase, action, resource) is not None:
        return SavingState.DROPPED
    if phase and phase.state in TAKEN:
        return SavingState.TAKEN
    if phase and phase.state in DROPPED:
        return SavingState.DROPPED
    return SavingState.DROPPED if state in ENDED else SavingState.PROJECTED


def saving_of(record: PlanRecord, phase: PhaseRecord | None, decision: Decision) -> tuple[Saving, SavingState] | None:
    """The monthly saving of a decision to apply and its outcome; None for any other decision."""
    plan = record.plan
    key = (decision.action, decision.resource)
    saving = savings_by_decision(plan).get(key)
    if saving is None or decision.choice is not Choice.APPLY:
        return None
    return saving, saving_state(plan, record.state, phase, *key)


def savings_by_decision(plan: Plan) -> dict[tuple[str, str], Saving]:
    """The saving of each action on each resource."""
    return {(each.action, each.resource): each for each in (plan.costs.savings if plan.costs else ())}


def costs_of(history: History, day: date | None = None) -> Costs | None:
    """The monthly cost before and after, as of `day` (that of the proposal); None when the plan carries no costs."""
    record = history.record
    if record is None or record.plan.costs is None:
        return None
    plan, costs, today = record.plan, record.plan.costs, day or record.proposed_at.date()
    phases: Mapping[Phase, PhaseRecord] = {each.phase: each for each in history.phases}
    of_action = {each.id: each for each in plan.actions}
    steps = []
    for saving in costs.savings:
        action = of_action[saving.action]
        state = saving_state(plan, record.state, phases.get(Phase(action.phase)), saving.action, saving.resource)
        ends = [each.since for each in saving.later if each.since > today]
        resource, now = label_in(saving.resource), saving.on(today)
        steps.append(SavingStep(action.title, resource, saving.monthly, state, now, max(ends, default=None)))
    charted = largest(steps)
    standing = costs.before - total(steps, SavingState.TAKEN) - total(steps, SavingState.PROJECTED)
    over = record.state in ENDED or plan.held is not None or not steps
    return Costs(
        before=costs.before,
        effective=_effective(costs, today),
        planned=costs.after,
        standing=standing,
        standing_label="After what was accepted" if over else "After the plan",
        measured=history.cost_now,
        steps=tuple(steps),
        shown=tuple(charted),
        dated=costs.prices_dated,
        summary=_summary(costs.before, standing, charted),
    )


def largest(steps: Sequence[SavingStep]) -> list[SavingStep]:
    """The steps that move the bill; of many the largest. What the others come to is one step for each outcome."""
    priced = [each for each in steps if each.monthly]
    charted = priced if len(priced) <= WHOLE else sorted(priced, key=lambda each: -each.monthly)[:SHOWN]
    others = [each for each in steps if each not in charted]
    if len(others) == 1:
        return list(steps)
    return [
        *charted,
        *(
            SavingStep(_further(rest), "", total(rest, state), state, what_comes_off(rest, state).now)
            for state in SavingState
            if (rest := [each for each in others if each.state is state])
        ),
    ]


def _further(steps: Sequence[SavingStep]) -> str:
    """The name of several steps in one row."""
    return f"{len(steps)} further changes" + ("" if any(each.monthly for each in steps) else " that save nothing")


def _effective(costs: PlanCosts, today: date) -> Decimal | None:
    """The effective cost on the plan's day, valid until the first of its commitments ends."""
    before, after = costs.totals_before, costs.totals_after
    ended = any(each.since <= today for saving in costs.savings for each in saving.later)
    if before is None or after is None or ended:
        return None
    as_listed = before.effective_cost == before.list_cost and after.effective_cost == after.list_cost
    return None if as_listed else before.effective_cost


def total(steps: Sequence[SavingStep], state: SavingState) -> Decimal:
    """The sum of all steps in one state, in US dollars a month at list price."""
    return sum((each.monthly for each in steps if each.state is state), Decimal(0))


@dataclass(frozen=True)
class ComesOff:
    """The monthly saving of some changes: `now`, and `later` from the day `full` on, when no commitment holds any
    back.
    """

    now: Decimal
    later: Decimal
    full: date | None

    @property
    def words(self) -> str:
        """As `$3,537 a month now, $6,187 from 15 Sep 2027`."""
        return f"{dollars(self.now)} a month{self.rest}"

    @property
    def rest(self) -> str:
        return f" now, {dollars(self.later)} from {date_of(self.full)}" if self.full else ""


def what_comes_off(steps: Sequence[SavingStep], *states: SavingState) -> ComesOff:
    """The sum of the steps in these states."""
    chosen = [each for each in steps if each.state in states]
    now, later = (sum((getattr(each, name) for each in chosen), Decimal(0)) for name in ("now", "monthly"))
    full = max((each.full for each in chosen if each.full), default=None)
    return ComesOff(now, later, full if now != later else None)


def share(part: Decimal, whole: Decimal) -> str:
    """One amount as a percentage of another; nothing when there is nothing to compare with."""
    return percent(float(part / whole)) if whole else ""


def _summary(before: Decimal, standing: Decimal, steps: list[SavingStep]) -> str:
    """The chart in a sentence."""
    if not steps:
        return f"{dollars(before)} a month; the plan changes nothing that is billed for existing."
    parts = [f"{_called(each)} {dollars_and_cents(each.monthly)}, {each.state.value}" for each in steps]
    change = f"From {dollars(before)} to {dollars(standing)} a month. " if before != standing else ""
    return f"{change}By change: {'; '.join(parts)}."


def _called(step: SavingStep) -> str:
    return f"{step.label} ({step.resource})" if step.resource else step.label
