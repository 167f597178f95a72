"""Measure what an accepted plan really saves: each settled week once, and kept in the journal.

Cost Explorer is read only when a week is due, in one request and its further pages. The first week
begins the day after the plan came to rest: after its last acceptance, or after a rollback behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from domain.errors import CostsUnknown
from optimizer.action import Action
from optimizer.costs.commitments import Committed
from optimizer.costs.cost_explorer import Cost, CostExplorer, daily_costs
from optimizer.costs.realised import BASELINE, WEEK, Accepted, RealisedWeek, days_of, due_weeks, realised_week
from optimizer.execute.journal import Journal
from optimizer.execute.journal_writer import JournalWriter
from optimizer.execute.lease import Purpose
from optimizer.execute.records import PhaseRecord, PhaseState
from optimizer.execute.states import TAKEN, UNDER_WAY
from optimizer.model.phase import Phase
from optimizer.model.plan import Plan
from optimizer.ports.aws import Aws
from optimizer.resources.registry import resource_kinds

SAVINGS_PLANS = "Savings Plans for"  # where Cost Explorer shows what of a plan went unused


@dataclass(frozen=True)
class Measured:
    """All weeks that are measured, how many of them in this run, what asking cost; or why it waits."""

    weeks: tuple[RealisedWeek, ...]
    new: int
    explorer: CostExplorer
    waits: str = ""


def measure_savings(journal: Journal, production: Aws, actions: Mapping[str, Action], who: str) -> Measured:
    """Measure the weeks that are due; nothing before a plan has come to rest. Raises CostsUnknown."""
    plan, explorer = journal.accepted(), CostExplorer(production)
    if plan is None:
        return Measured((), 0, explorer, "Nothing was accepted yet: there is no saving to measure.")
    phases, known = journal.phases(plan), journal.realised(plan)
    if under_way := [phase for phase, record in phases.items() if record.state in UNDER_WAY]:
        waits = f"Phase {under_way[0].number} is under way: savings are measured once the plan is at rest."
        return Measured(known, 0, explorer, waits)
    due = due_weeks(_at_rest(phases), explorer.settled, (week.start for week in known))
    if not due:
        return Measured(known, 0, explorer)
    first_change = min(record.applied_at.date() for record in phases.values() if record.applied_at)
    costs = daily_costs(explorer, first_change - BASELINE, explorer.settled)
    new = _weeks(plan, phases, actions, costs, due, first_change)
    with journal.lease(Purpose.MEASURE, who) as lease:
        JournalWriter(journal, lease).keep_weeks(plan, new)
    return Measured(tuple(sorted((*known, *new), key=lambda week: week.start)), len(new), explorer)


def service_of(action: Action) -> str:
    """The service on whose bill an action's change shows."""
    return resource_kinds()[action.kind].service


def _weeks(
    plan: Plan,
    phases: Mapping[Phase, PhaseRecord],
    actions: Mapping[str, Action],
    costs: tuple[Cost, ...],
    due: tuple[date, ...],
    first_change: date,
) -> list[RealisedWeek]:
    accepted = _accepted(plan, phases)
    changed = {service_of(actions[each.saving.action]) for each in accepted}
    names = {cost.group[0] for cost in costs}
    if Committed.EC2.value in changed:
        changed |= {name for name in names if name.startswith(SAVINGS_PLANS)}
    days = days_of(costs, changed)
    before = {day: amount for day, amount in days.items() if day < first_change}
    if len(before) < BASELINE.days:
        raise CostsUnknown(
            f"Cost Explorer shows {len(before)} days before {first_change}, {BASELINE.days} are needed to compare with."
        )
    for day in (start + timedelta(days=number) for start in due for number in range(WEEK.days)):
        if day not in days:
            raise CostsUnknown(f"Cost Explorer shows no cost for {day}: the week is measured once it does.")
    return [realised_week(start, days, before, accepted) for start in due]


def _accepted(plan: Plan, phases: Mapping[Phase, PhaseRecord]) -> list[Accepted]:
    """Every saving that came to be: its phase was accepted, and it was not vetoed."""
    phase_of = {each.id: Phase(each.phase) for each in plan.actions}
    accepted = []
    for saving in plan.costs.savings if plan.costs else ():
        record = phases[phase_of[saving.action]]
        vetoed = f"{saving.action} {saving.resource}" in (record.vetoed or {})
        if record.accepted_at is not None and not vetoed:
            accepted.append(Accepted(record.accepted_at.date(), saving))
    return accepted


def _at_rest(phases: Mapping[Phase, PhaseRecord]) -> date:
    """The day on which the plan changed something last."""
    ended = [record.accepted_at or record.since for record in phases.values() if record.state in TAKEN]
    undone = [record.since for record in phases.values() if record.state is PhaseState.ROLLED_BACK]
    return max(each.date() for each in (*ended, *undone))
