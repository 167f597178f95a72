"""The contents of the dashboard as typed values: the page and its charts see nothing else.

`optimizer.dashboard.compose.page` makes a View of the journal's History. Every text here is already
worded for a person; escaping is the template's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from optimizer.dashboard.view.evidence import Bills, LimitMap, LoadMap, Risks, TenantImpact, Timeline
from optimizer.dashboard.view.money import MonthlyBill, Net, Worth
from optimizer.dashboard.view.status import Mark, SavingState
from optimizer.model.phase import Phase

NOTHING_ASKED = "You have nothing to do"
# The sections of a plan's page, in order: where each is, and what the navigation calls it.
SECTIONS = (
    ("decisions", "Decisions"),
    ("costs", "Costs"),
    ("savings", "Savings"),
    ("risks", "Risks"),
    ("windows", "Windows"),
    ("load", "Load"),
    ("tenants", "Tenants"),
    ("events", "Events"),
    ("plan", "Plan"),
)
DECISIONS_INTRO = (
    "What was decided for each resource, where it stands, and how its window was judged. Every decision opens to its "
    "criteria."
)


@dataclass(frozen=True)
class Layout:
    """The sections of a page, and what those are called that a survey has as well."""

    sections: tuple[tuple[str, str], ...] = SECTIONS
    decisions: str = DECISIONS_INTRO
    tenants: str = "Tenants"
    plan: str = "The plan behind this page"

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the sections."""
        return frozenset(id for id, _ in self.sections)


@dataclass(frozen=True)
class Fact:
    """One figure with its label, and a note on what it means."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class PageAnswer:
    """The first screen's answer: what was done, how it was judged, and what the reader has to do now."""

    mark: Mark
    headline: str
    lede: str
    ask_title: str
    ask: str

    @property
    def asks(self) -> bool:
        """Whether the reader has anything to do."""
        return self.ask_title != NOTHING_ASKED


@dataclass(frozen=True)
class Station:
    """One stop of the plan's way through the pipeline."""

    name: str
    title: str
    mark: Mark
    note: str


@dataclass(frozen=True)
class CriterionRow:
    """One criterion. `share` is the observed part of an upper limit (1.0 is the limit), where there is one."""

    name: str
    origin: str
    observed: str
    comparison: str
    limit: str
    unit: str
    verdict: Mark
    source: str
    share: float | None


@dataclass(frozen=True)
class ProjectionRow:
    """One figure as it is and as it will be."""

    name: str
    today: str
    after: str


@dataclass(frozen=True)
class MoveRow:
    """One move that was made or begun."""

    summary: str
    mark: Mark
    at: str
    one_way: bool


@dataclass(frozen=True)
class DecisionRow:
    """One action on one resource: a row of the progress table, and what opens under it."""

    key: str
    title: str
    action: str
    resource: str
    arn: str
    phase: str
    decision: Mark
    state: Mark
    window: str
    assessment: Mark
    assessment_reason: str
    saving: str
    saving_note: str
    monthly: Decimal
    reason: str
    criteria: tuple[CriterionRow, ...]
    criteria_summary: str
    projections: tuple[ProjectionRow, ...]
    undo: str
    one_way: tuple[str, ...]
    moves: tuple[MoveRow, ...]
    changes: bool = True  # a resource, or would have before it was vetoed


@dataclass(frozen=True)
class KeptGroup:
    """Decisions that change nothing, for one and the same reason."""

    reason: str
    rows: tuple[DecisionRow, ...]


@dataclass(frozen=True)
class SavingStep:
    """The monthly saving of one change, in US dollars at list price.

    `now` is what of it comes off today, net of commitments; the rest does from `full` on, when they have ended.
    """

    label: str
    resource: str
    monthly: Decimal
    state: SavingState
    now: Decimal
    full: date | None = None


@dataclass(frozen=True)
class Costs:
    """Monthly cost in US dollars. `standing` is before minus all that was taken or is still projected.

    `effective` is before, net of commitments; None when these are not known, there are none, or one has ended.
    `shown` are the steps of the chart and the table: the largest, and what the others come to.
    """

    before: Decimal
    effective: Decimal | None
    planned: Decimal
    standing: Decimal
    standing_label: str
    measured: Decimal | None
    steps: tuple[SavingStep, ...]
    shown: tuple[SavingStep, ...]
    dated: str
    summary: str


@dataclass(frozen=True)
class Milestone:
    """Something that happened to a phase, marked in its charts."""

    at: datetime
    label: str


@dataclass(frozen=True)
class WindowRow:
    """Some hours of a window: the worst p99 against what was expected, and the pooled error rate."""

    begin: str
    requests: str
    worst_p99: str
    over_expected: str
    errors: str
    error_rate: str


@dataclass(frozen=True)
class WindowView:
    """One phase's observation in even periods from `start`. Values are None where nothing was published."""

    phase: Phase
    title: str
    mark: Mark
    reason: str
    span: str
    start: datetime
    period: timedelta
    p99_ms: tuple[float | None, ...]
    expected_ms: tuple[float | None, ...]
    limit_ms: tuple[float | None, ...]
    error_rate: tuple[float | None, ...]
    milestones: tuple[Milestone, ...]
    latency_summary: str
    error_summary: str
    row_hours: int
    rows: tuple[WindowRow, ...]

    @property
    def end(self) -> datetime:
        """The end of the last period."""
        return self.start + self.period * len(self.p99_ms)


@dataclass(frozen=True)
class ExcludedRow:
    """One resource that is left alone, and why."""

    kind: str
    name: str
    region: str
    reason: str


@dataclass(frozen=True)
class EventRow:
    """One event of the journal."""

    at: str
    phase: str
    text: str


@dataclass(frozen=True)
class View:
    """The whole page. Empty parts are empty tuples or None; the template has words for each.

    Long lists are cut: what `more_...` holds is not on the page until it is searched for.
    """

    title: str
    as_of: str
    plan_hash: str
    answer: PageAnswer
    figures: tuple[Fact, ...]
    stations: tuple[Station, ...]
    decisions: tuple[DecisionRow, ...]
    more_decisions: tuple[DecisionRow, ...]
    kept: tuple[KeptGroup, ...]
    decisions_empty: str
    costs: Costs | None
    costs_empty: str
    bills: Bills | None
    bills_empty: str
    monthly: MonthlyBill | None
    monthly_empty: str
    net: Net | None
    worth: Worth | None
    money_notes: tuple[str, ...]
    timeline: Timeline | None
    timeline_empty: str
    earlier: Timeline | None
    risks: Risks | None
    risks_empty: str
    limits: tuple[LimitMap, ...]
    limits_empty: str
    loads: tuple[LoadMap, ...]
    loads_empty: str
    tenants: TenantImpact | None
    windows: tuple[WindowView, ...]
    windows_empty: str
    excluded: tuple[ExcludedRow, ...]
    more_excluded: tuple[ExcludedRow, ...]
    excluded_empty: str
    events: tuple[EventRow, ...]
    more_events: tuple[EventRow, ...]
    facts: tuple[Fact, ...]
    policy: tuple[tuple[str, str], ...]
    not_carried_out: tuple[ExcludedRow, ...] = ()  # on a surveyed account, with the reason
    more_not_carried_out: tuple[ExcludedRow, ...] = ()
    not_carried_out_because: str = ""
    layout: Layout = Layout()
