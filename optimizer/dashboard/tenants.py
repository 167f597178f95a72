"""What the plan means for tenants: what is shared, how the service did for all of them, and what nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from statistics import median

from optimizer.dashboard.decisions import HEALTH_MARKS, NOT_JUDGED
from optimizer.dashboard.evidence_view import BeforeAfter, SharedRow, TenantImpact
from optimizer.dashboard.kinds import kind_of
from optimizer.dashboard.windows import pooled_error_rate
from optimizer.dashboard.words import NO_VALUE, count, name_in, percent, quantity, region_in
from optimizer.decide.decision import Choice, Decision
from optimizer.decide.health import Sample
from optimizer.decide.plan import Plan
from optimizer.execute.records import History, PhaseRecord

SHOWN = 12
UNKNOWN = (
    "How many tenants ride on a resource: no metric and no tag counts them. What is listed is shared by all of them, "
    "since it carries no tenant's tag.",
    "Requests, errors and p99 per tenant tier: no metric bears a tenant or a tier. The figures are those of all "
    "tenants together.",
    "Cost per tenant: without their number it cannot be told.",
)


def tenant_impact(history: History) -> TenantImpact | None:
    """None before the first plan."""
    if history.record is None:
        return None
    shared = shared_rows(history.record.plan, history)
    more = len(shared) - SHOWN
    left_out = f"{count(more, 'further shared resource')}, all in evidence.json." if more > 0 else ""
    return TenantImpact(tuple(shared[:SHOWN]), left_out, _before_after(history), UNKNOWN)


def shared_rows(plan: Plan, history: History) -> list[SharedRow]:
    """Every governed resource that was decided on, those that change first."""
    by_resource: dict[str, list[Decision]] = {}
    for decision in plan.decisions:
        by_resource.setdefault(decision.resource, []).append(decision)
    rows = [
        SharedRow(
            kind_of(arn),
            f"{name_in(arn)} · {region}" if (region := region_in(arn)) else name_in(arn),
            _change(plan, decisions),
            _use(arn, history),
        )
        for arn, decisions in by_resource.items()
    ]
    return sorted(rows, key=lambda row: row.change == UNCHANGED)


UNCHANGED = "stays as it is"


def _change(plan: Plan, decisions: Sequence[Decision]) -> str:
    titles = {each.id: each.title for each in plan.actions}
    made = [titles[each.action] for each in decisions if each.choice is Choice.APPLY and not plan.held]
    return ", ".join(made) or UNCHANGED


def _use(arn: str, history: History) -> str:
    """The first metric in percent that names the resource, else its first metric at all."""
    name = name_in(arn)
    uses = [
        (load, use)
        for load in (history.evidence.loads if history.evidence else ())
        for use in load.uses
        if use.resource == name and (not use.region or use.region == region_in(arn))
    ]
    percents = [(load, use) for load, use in uses if load.metric.endswith(("Utilization", "Percentage"))]
    if not percents:
        return f"{count(len(uses), 'metric')} read" if uses else "no metric read"
    load, use = percents[0]
    return f"{load.metric} p95 {quantity(use.p95, '%')}, at most {quantity(use.highest, '%')}"


def _before_after(history: History) -> tuple[BeforeAfter, ...]:
    phases = {each.phase: each for each in history.phases}
    rows: list[BeforeAfter] = []
    for phase in sorted(history.windows, key=lambda each: each.number):
        window = history.windows[phase].samples
        if phase in phases and window and history.baseline:
            rows += _compared(phases[phase], history.baseline, window)
    return tuple(rows)


def _compared(phase: PhaseRecord, baseline: Sequence[Sample], window: Sequence[Sample]) -> list[BeforeAfter]:
    hours = {_hour_of_week(each.at) for each in window}
    before = [each for each in baseline if _hour_of_week(each.at) in hours]
    mark = HEALTH_MARKS[phase.assessment.verdict] if phase.assessment else NOT_JUDGED
    figures: tuple[tuple[str, Callable[[Sequence[Sample]], str]], ...] = (
        ("Requests an hour", _requests),
        ("Failed requests", _errors),
        ("p99 latency, median", _latency),
    )
    return [BeforeAfter(f"Phase {phase.phase.number}", mark, name, of(before), of(window)) for name, of in figures]


def _requests(samples: Sequence[Sample]) -> str:
    known = [each.requests for each in samples if each.requests is not None]
    return f"{sum(known) / len(known) * 12:,.0f}" if known else NO_VALUE


def _errors(samples: Sequence[Sample]) -> str:
    known = any(each.requests is not None or each.elb_5xx for each in samples)
    return percent(pooled_error_rate(samples)) if known else NO_VALUE


def _latency(samples: Sequence[Sample]) -> str:
    known = [each.p99_ms for each in samples if each.p99_ms is not None]
    return f"{median(known):,.0f} ms" if known else NO_VALUE


def _hour_of_week(at: datetime) -> tuple[int, int]:
    return at.weekday(), at.hour
