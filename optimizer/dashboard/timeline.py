"""Savings over the year after the proposal: what each phase adds up to, taken or still expected."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from optimizer.dashboard.evidence_view import PhaseSaving, Timeline
from optimizer.dashboard.marks import SavingState
from optimizer.dashboard.savings import saving_state, savings_by_decision
from optimizer.dashboard.words import dollars, short_moment
from optimizer.decide.plan import Plan
from optimizer.execute.records import History, PhaseRecord, PlanRecord
from optimizer.phase import Phase

SHOWN = timedelta(days=365)
MONTH = Decimal("30.4375")  # days, in the mean
WINDOW = timedelta(hours=48)


def timeline_of(history: History, as_of: datetime | None) -> Timeline | None:
    """The year's savings; None when there is no plan, no price, or nothing that saves."""
    record = history.record
    if record is None or as_of is None:
        return None
    start, end = record.proposed_at, record.proposed_at + SHOWN
    begins = beginnings(history, record, as_of)
    phases = tuple(
        PhaseSaving(f"Phase {phase.number}", monthly, begins[phase], state, added_up(monthly, begins[phase], end))
        for phase in Phase
        for state, monthly in _monthly(history, record, phase).items()
        if monthly and state is not SavingState.DROPPED
    )
    if not phases:
        return None
    taken = [each for each in phases if each.state is SavingState.TAKEN]
    low = sum((each.by_end for each in taken), Decimal(0))
    high = sum((each.by_end for each in phases), Decimal(0))
    realised = sum((added_up(each.monthly, each.begins, as_of) for each in taken), Decimal(0))
    return Timeline(start, end, as_of, phases, realised, low, high, _summary(phases, realised, low, high))


def added_up(monthly: Decimal, begins: datetime, until: datetime) -> Decimal:
    """What a monthly saving comes to between two moments."""
    return monthly * max(Decimal((until - begins) / timedelta(days=1)), Decimal(0)) / MONTH


def beginnings(history: History, record: PlanRecord, as_of: datetime) -> Mapping[Phase, datetime]:
    """When each phase saves from: its acceptance; if that is to come, one window after another from now on."""
    phases: Mapping[Phase, PhaseRecord] = {each.phase: each for each in history.phases}
    window = timedelta(seconds=float(record.plan.policy.get("window") or WINDOW.total_seconds()))
    found, earliest = {}, as_of
    for phase in Phase:
        state = phases.get(phase)
        if state and state.accepted_at:
            found[phase] = state.accepted_at
            continue
        due = state.window_end if state and state.window_end else earliest + window
        found[phase] = max(due, as_of)
        if record.plan.to_apply(phase):
            earliest = found[phase]
    return found


def _monthly(history: History, record: PlanRecord, phase: Phase) -> Mapping[SavingState, Decimal]:
    """What the phase's changes save a month, by what became of them."""
    plan: Plan = record.plan
    state = next((each for each in history.phases if each.phase is phase), None)
    sums: dict[SavingState, Decimal] = {}
    monthly = savings_by_decision(plan)
    for decision in plan.to_apply(phase):
        key = (decision.action, decision.resource)
        outcome = saving_state(plan, record.state, state, *key)
        sums[outcome] = sums.get(outcome, Decimal(0)) + monthly.get(key, Decimal(0))
    return sums


def _summary(phases: tuple[PhaseSaving, ...], realised: Decimal, low: Decimal, high: Decimal) -> str:
    """The chart in sentences."""
    each = [
        f"{it.label} {dollars(it.by_end)} from {short_moment(it.begins)} ({dollars(it.monthly)} a month, "
        f"{it.state.value})"
        for it in phases
    ]
    sure = "all of it from what was accepted" if low == high else f"{dollars(low)} of it from what was accepted"
    return f"{dollars(high)} by the end of the year, {sure}; {dollars(realised)} so far. {'. '.join(each)}."
