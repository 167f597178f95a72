"""Savings over the year after the proposal: what each phase adds up to, taken or still expected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from optimizer.costs.realised import RealisedWeek
from optimizer.dashboard.compose.savings import saving_state
from optimizer.dashboard.format import day, dollars, short_moment
from optimizer.dashboard.view.evidence import MeasuredPoint, PhaseSaving, Timeline
from optimizer.dashboard.view.status import SavingState
from optimizer.execute.records import History, PhaseRecord, PlanRecord, PlanState
from optimizer.model.health import Health
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.model.plan_costs import DAYS_PER_MONTH, Saving

SHOWN = timedelta(days=365)
WINDOW = timedelta(hours=48)


def timeline_of(history: History, as_of: datetime | None) -> Timeline | None:
    """The year's savings of the plan in force; None when there is no plan, no price, or nothing that saves."""
    record = history.record
    if record is None or as_of is None:
        return None
    return _timeline(record, history.phases, history.realised, as_of)


def earlier_timeline(history: History, as_of: datetime | None) -> Timeline | None:
    """That of the plan accepted before the one in force, with its own weeks; None when there was none."""
    earlier = history.earlier
    if earlier is None or as_of is None:
        return None
    record = PlanRecord(earlier.plan, PlanState.DONE, proposed_at=earlier.plan.created_at)
    return _timeline(record, earlier.phases, earlier.realised, as_of)


def _timeline(
    record: PlanRecord, states: Sequence[PhaseRecord], weeks: Sequence[RealisedWeek], as_of: datetime
) -> Timeline | None:
    by_phase = {each.phase: each for each in states}
    start, end = record.proposed_at, record.proposed_at + SHOWN
    begins = beginnings(by_phase, record, as_of)
    phases = tuple(
        _phase_saving(f"Phase {phase.number}", savings, begins[phase], state, end)
        for phase in Phase
        for state, savings in _savings(by_phase.get(phase), record, phase).items()
        if state is not SavingState.DROPPED and any(each.monthly for each in savings)
    )
    if not phases:
        return None
    taken = [each for each in phases if each.state is SavingState.TAKEN]
    low = sum((each.by_end for each in taken), Decimal(0))
    high = sum((each.by_end for each in phases), Decimal(0))
    expected = sum((added_up(each, as_of) for each in taken), Decimal(0))
    costs = record.plan.costs
    net = costs is not None and costs.totals_before is not None
    measured, projected = _measured(weeks)
    return Timeline(
        start, end, as_of, phases, expected, low, high, net, measured, projected,
        _summary(phases, expected, low, high, measured, projected),
    )  # fmt: skip


def added_up(phase: PhaseSaving, until: datetime) -> Decimal:
    """A phase's saving from its beginning, added up at the rate in force on each day."""
    rates = [(phase.begins, phase.monthly), *((at, rate) for at, rate in phase.later if at > phase.begins)]
    ends = [*(at for at, _ in rates[1:]), until]
    return sum(
        (rate * max(Decimal((min(end, until) - at) / timedelta(days=1)), Decimal(0)) / DAYS_PER_MONTH
         for (at, rate), end in zip(rates, ends, strict=True)),
        Decimal(0),
    )  # fmt: skip


def _phase_saving(
    label: str, savings: Sequence[Saving], begins: datetime, state: SavingState, end: datetime
) -> PhaseSaving:
    """The sum of these savings, with every day on which it changes."""
    days = sorted({each.since for saving in savings for each in saving.later})
    later = tuple((_midnight(day), sum((each.on(day) for each in savings), Decimal(0))) for day in days)
    monthly = sum((each.on(begins.date()) for each in savings), Decimal(0))
    made = PhaseSaving(label, monthly, begins, state, Decimal(0), later)
    return replace(made, by_end=added_up(made, end))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _measured(weeks: Sequence[RealisedWeek]) -> tuple[tuple[MeasuredPoint, ...], Decimal]:
    """The weeks added up; independent weeks' intervals add up by their squares."""
    points: list[MeasuredPoint] = []
    saved, spread = Decimal(0), Decimal(0)
    for week in weeks:
        saved += week.realised
        spread += (week.high - week.realised) ** 2
        wide = spread.sqrt()
        points.append(MeasuredPoint(_midnight(week.end), saved, saved - wide, saved + wide))
    return tuple(points), sum((week.projected for week in weeks), Decimal(0))


def beginnings(phases: Mapping[Phase, PhaseRecord], record: PlanRecord, as_of: datetime) -> Mapping[Phase, datetime]:
    """When each phase saves from: its acceptance; if that is to come, one window after another from now on."""
    window = timedelta(seconds=float(record.plan.policy.get("window") or WINDOW.total_seconds()))
    begun, earliest = {}, as_of
    for phase in Phase:
        state = phases.get(phase)
        if state and state.accepted_at:
            begun[phase] = state.accepted_at
            continue
        begun[phase] = _due(state, as_of) or earliest + window
        if record.plan.to_apply(phase):
            earliest = begun[phase]
    return begun


def _due(state: PhaseRecord | None, as_of: datetime) -> datetime | None:
    """When an open window ends; a window that cannot be judged is as good as not begun."""
    if state is None or state.window_end is None:
        return None
    if state.assessment and state.assessment.verdict is Health.INCONCLUSIVE:
        return None
    return max(state.window_end, as_of)


def _savings(state: PhaseRecord | None, record: PlanRecord, phase: Phase) -> Mapping[SavingState, list[Saving]]:
    """The savings of the phase's changes, by what became of them."""
    plan: Plan = record.plan
    known = {(each.action, each.resource): each for each in (plan.costs.savings if plan.costs else ())}
    by_state: dict[SavingState, list[Saving]] = {}
    for decision in plan.to_apply(phase):
        key = (decision.action, decision.resource)
        if key in known:
            by_state.setdefault(saving_state(plan, record.state, state, *key), []).append(known[key])
    return by_state


def _summary(
    phases: Sequence[PhaseSaving],
    expected: Decimal,
    low: Decimal,
    high: Decimal,
    measured: Sequence[MeasuredPoint],
    projected: Decimal,
) -> str:
    """The chart in sentences."""
    each = [
        f"{it.label} {dollars(it.by_end)} from {short_moment(it.begins)} ({dollars(it.monthly)} a month"
        + "".join(f", {dollars(rate)} from {day(at)}" for at, rate in it.later)
        + f", {it.state.value})"
        for it in phases
    ]
    sure = "all of it from what was accepted" if low == high else f"{dollars(low)} of it from what was accepted"
    seen = f" Measured on the bill by {day(measured[-1].at)}: {dollars(measured[-1].saved)}, " if measured else ""
    seen += f"where {dollars(projected)} were expected." if measured else ""
    return f"{dollars(high)} by the end of the year, {sure}; {dollars(expected)} so far.{seen} {'. '.join(each)}."
