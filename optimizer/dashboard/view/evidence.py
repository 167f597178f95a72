"""The parts of the View that show evidence: loads, limits, risks, bills, savings over time, tenants.

As in view.py, texts are worded for a person already, and escaping is the template's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from optimizer.dashboard.view.status import Mark, SavingState

UPRIGHT = 2  # resources


@dataclass(frozen=True)
class LimitMap:
    """The distance of one type's resources from the limits of their criteria: 1.0 is the limit itself.

    `shares[row][column]` is None where a criterion was not asked of a resource or has no number.
    `left_out` says what the map has no room for; empty when it shows everything.
    """

    kind: str
    criteria: tuple[str, ...]
    resources: tuple[str, ...]
    shares: tuple[tuple[float | None, ...], ...]
    told: tuple[tuple[str, ...], ...]
    summary: str
    left_out: str

    @property
    def upright(self) -> bool:
        """Whether the criteria are the rows: of a few resources that is narrow, and fits a phone."""
        return len(self.resources) <= UPRIGHT


@dataclass(frozen=True)
class LoadMap:
    """One metric of one type by weekday (from Monday) and hour, UTC; `values[day][hour]` in `unit`."""

    kind: str
    metric: str
    unit: str
    values: tuple[tuple[float | None, ...], ...]
    summary: str


@dataclass(frozen=True)
class RiskRow:
    """One change to be made: likelihood and impact from 1 to 5, each with the inputs it comes from.

    `number` is its place among the changes, the riskiest first.
    """

    number: int
    title: str
    resource: str
    likelihood: int
    likelihood_why: str
    impact: int
    impact_why: str

    @property
    def score(self) -> int:
        """Likelihood times impact: 1 to 25."""
        return self.likelihood * self.impact


@dataclass(frozen=True)
class Risks:
    """All changes to be made, the riskiest first; `shown` of them have a row in the table."""

    rows: tuple[RiskRow, ...]
    shown: tuple[RiskRow, ...]
    left_out: str
    summary: str


@dataclass(frozen=True)
class BillRow:
    """One part, or one item of it, in US dollars a month: before the plan, and after each phase of it."""

    name: str
    region: str
    amounts: tuple[Decimal, ...]
    is_part: bool


@dataclass(frozen=True)
class Bills:
    """The monthly list cost by part and item; `columns` names the amounts: before the plan, then as
    planned after each phase, the target last."""

    columns: tuple[str, ...]
    rows: tuple[BillRow, ...]
    totals: tuple[Decimal, ...]
    summary: str

    @property
    def parts(self) -> tuple[BillRow, ...]:
        """The rows that stand for whole parts."""
        return tuple(row for row in self.rows if row.is_part)


@dataclass(frozen=True)
class PhaseSaving:
    """The saving of one phase, in US dollars: a month, and by the end of the timeline.

    `later` holds the days on which a commitment ends, each with what is saved a month from then on.
    """

    label: str
    monthly: Decimal
    begins: datetime
    state: SavingState
    by_end: Decimal
    later: tuple[tuple[datetime, Decimal], ...] = ()


@dataclass(frozen=True)
class MeasuredPoint:
    """The measured saving by the end of a week, added up since acceptance, with its 95 % interval."""

    at: datetime
    saved: Decimal
    low: Decimal
    high: Decimal


@dataclass(frozen=True)
class Timeline:
    """Cumulative savings over a year. `expected` is what the plan says for `as_of`; the year ends between low and high.

    `net` says whether commitments are reckoned with; `measured` is what the bill shows, week by week, and
    `projected` what the plan said of those same weeks.
    """

    start: datetime
    end: datetime
    as_of: datetime
    phases: tuple[PhaseSaving, ...]
    expected: Decimal
    low: Decimal
    high: Decimal
    net: bool
    measured: tuple[MeasuredPoint, ...]
    projected: Decimal
    summary: str

    @property
    def ends(self) -> tuple[datetime, ...]:
        """When commitments end that change what is saved."""
        return tuple(sorted({at for phase in self.phases for at, _ in phase.later if self.start < at < self.end}))


@dataclass(frozen=True)
class SharedRow:
    """One resource that all tenants share: what the plan does to it, and how hard it works."""

    kind: str
    name: str
    change: str
    use: str


@dataclass(frozen=True)
class BeforeAfter:
    """The service for all tenants together, in the same hours of the week before and in a phase's window."""

    phase: str
    mark: Mark
    figure: str
    before: str
    after: str


@dataclass(frozen=True)
class TierRow:
    """One figure of one tenant tier: before and in the window of each phase in `TenantImpact.watched`."""

    tier: str
    tenants: str
    figure: str
    windows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TenantImpact:
    """The plan's meaning for tenants, as far as it is known; `unknown` says the rest.

    `riding` says how many tenants share what is shared; `cost` is what one of them costs a month, now and then.
    """

    shared: tuple[SharedRow, ...]
    shared_left_out: str
    riding: str
    cost: str
    before_after: tuple[BeforeAfter, ...]
    watched: tuple[str, ...]
    tiers: tuple[TierRow, ...]
    unknown: tuple[str, ...]
