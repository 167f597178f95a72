"""The plan's meaning for tenants: what is shared, how the service did for all of them, and what nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from statistics import median

from optimizer.dashboard.compose.decisions import HEALTH_MARKS, NOT_JUDGED
from optimizer.dashboard.compose.labels import kind_of
from optimizer.dashboard.compose.windows import pooled_error_rate
from optimizer.dashboard.format import NO_VALUE, count, dollars_and_cents, label_in, percent, quantity, region_in
from optimizer.dashboard.view.evidence import BeforeAfter, SharedRow, TenantImpact, TierRow
from optimizer.dashboard.view.page import Costs
from optimizer.execute.records import History, PhaseRecord
from optimizer.model.decision import Choice, Decision
from optimizer.model.health import Sample
from optimizer.model.plan import Plan
from optimizer.observe.tenants import Figures, TierUse

SHOWN = 12
NOT_COUNTED = (
    "How many tenants ride on a resource, and what one of them costs: the application publishes no count of them. What "
    "is listed is shared by all of them, since it carries no tenant's tag."
)
NO_TIERS = (
    "Requests, errors and p99 per tenant tier: the application publishes no metrics of tiers (docs/application.md). "
    "The figures are those of all tenants together."
)
NO_COST = "What a tenant costs: the plan carries no costs."


def tenant_impact(history: History, costs: Costs | None) -> TenantImpact | None:
    """None before the first plan."""
    if history.record is None:
        return None
    shared = shared_rows(history.record.plan)
    more = len(shared) - SHOWN
    left_out = f"{count(more, 'further shared resource')}, all in evidence.json." if more > 0 else ""
    watched = [phase for phase in sorted(history.windows, key=lambda each: each.number) if history.windows[phase].tiers]
    tiers = _tier_rows([history.windows[phase].tiers for phase in watched])
    number = history.evidence.tenants if history.evidence else None
    return TenantImpact(
        shared=tuple(shared[:SHOWN]),
        shared_left_out=left_out,
        riding=f"All {number:,} tenants ride on each of them." if number else "",
        cost=_cost(number, costs) if number and costs else "",
        before_after=_before_after(history),
        watched=tuple(f"Phase {phase.number}" for phase in watched),
        tiers=tiers,
        unknown=tuple(_unknown(number, costs, tiers, watched=bool(history.windows))),
    )


def _unknown(number: int | None, costs: Costs | None, tiers: Sequence[TierRow], *, watched: bool) -> Iterator[str]:
    if not number:
        yield NOT_COUNTED
    elif costs is None:
        yield NO_COST
    if watched and not tiers:
        yield NO_TIERS


def _cost(tenants: int, costs: Costs) -> str:
    before, after = (dollars_and_cents(each / tenants) for each in (costs.before, costs.standing))
    return f"{before} a month for each tenant before the plan, {after} {costs.standing_label.lower()}; at list price."


def _tier_rows(windows: Sequence[Sequence[TierUse]]) -> tuple[TierRow, ...]:
    """Three figures for each tier, the tiers as the application named them last."""
    rows = []
    for last in windows[-1] if windows else ():
        uses = [next((each for each in window if each.tier == last.tier), None) for window in windows]
        tenants = f"{last.tenants:,}" if last.tenants is not None else NO_VALUE
        for name, unit in TIER_FIGURES:
            compared = tuple((unit(use.before), unit(use.after)) if use else (NO_VALUE, NO_VALUE) for use in uses)
            rows.append(TierRow(last.tier, tenants, name, compared))
    return tuple(rows)


TIER_FIGURES: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("Requests an hour", lambda it: NO_VALUE if it.requests is None else f"{it.requests:,.0f}"),
    ("Failed requests", lambda it: NO_VALUE if it.error_rate is None else percent(it.error_rate)),
    ("p99 latency, median", lambda it: NO_VALUE if it.p99_ms is None else f"{it.p99_ms:,.0f} ms"),
)


def shared_rows(plan: Plan) -> list[SharedRow]:
    """Every governed resource that was decided on, those that change first."""
    by_resource: dict[str, list[Decision]] = {}
    for decision in plan.decisions:
        by_resource.setdefault(decision.resource, []).append(decision)
    rows = [_shared(plan, arn, decisions) for arn, decisions in by_resource.items()]
    return sorted(rows, key=lambda row: row.change == UNCHANGED)


UNCHANGED = "stays as it is"


def _shared(plan: Plan, arn: str, decisions: Sequence[Decision]) -> SharedRow:
    made = [] if plan.held else [each for each in decisions if each.choice is Choice.APPLY]
    name = f"{label_in(arn)} · {region}" if (region := region_in(arn)) else label_in(arn)
    return SharedRow(kind_of(arn), name, _change(plan, made), _use(made or decisions, changes=bool(made)))


def _change(plan: Plan, made: Sequence[Decision]) -> str:
    titles = {each.id: each.title for each in plan.actions}
    return ", ".join(titles[each.action] for each in made) or UNCHANGED


def _use(decisions: Sequence[Decision], *, changes: bool) -> str:
    """The projection that says most about load: a percentage, else whatever becomes less."""
    figures = [each for decision in decisions for each in decision.projected if each.today is not None]
    figures.sort(key=lambda each: (each.unit != "%", each.today == each.after))
    if not figures:
        return NO_VALUE
    projection = figures[0]
    after = f", {quantity(projection.after, projection.unit)} after" if changes and projection.after is not None else ""
    return f"{projection.name}: {quantity(projection.today, projection.unit)}{after}"


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
