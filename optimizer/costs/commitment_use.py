"""The use of any commitment as it is kept, with its period."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from optimizer.costs.cost_explorer import CostExplorer

PERIOD = timedelta(days=30)
NO_DATA = "DataUnavailableException"  # what Cost Explorer answers where there is no commitment at all

# Discounts are shared within an organization unless it turned that off (AWS Organizations, "Consolidated billing").
SHARED = (
    "commitments of other accounts of its organization: what the plan frees of it may serve those, so net savings "
    "may be lower."
)


@dataclass(frozen=True)
class Used:
    """Coverage and utilization of commitments to one service over the last 30 settled days; None without any.

    `coverage` is the share of the running hours, of spending for Savings Plans; both in percent.
    """

    service: str
    coverage: float | None
    utilization: float | None
    unused_cost: Decimal


@dataclass(frozen=True)
class CommittedMonth:
    """Commitments to one service in one month: what they cost, cover at list price, and what went unused."""

    month: date
    service: str
    cost: Decimal
    covered: Decimal
    unused: Decimal


def percent(part: Decimal, whole: Decimal) -> float | None:
    """A share, None of nothing."""
    return round(float(100 * part / whole), 1) if whole else None


def last_period(explorer: CostExplorer) -> dict[str, str]:
    """The last 30 settled days."""
    return {"Start": (explorer.settled - PERIOD).isoformat(), "End": explorer.settled.isoformat()}
