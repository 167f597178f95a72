"""The bill as it is kept with a plan: where the money goes, what is committed, what may be worth doing. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from optimizer.costs.commitment_use import Used
from optimizer.costs.commitments import Commitments
from optimizer.costs.findings import Finding
from optimizer.costs.purchase_advice import PurchaseAdvice
from optimizer.costs.purchase_offers import PlanOffer
from optimizer.costs.trend import ForecastMonth, ServiceMonth, Trend


@dataclass(frozen=True)
class DayCost:
    """The effective cost of one settled day, in US dollars."""

    day: date
    cost: Decimal


@dataclass(frozen=True)
class GivenBack:
    """Credits or refunds of one month: negative, and in no other figure."""

    month: date
    kind: str
    amount: Decimal


@dataclass(frozen=True)
class MoneyEvidence:
    """The bill as it was read for a plan. Empty where Cost Explorer did not answer: `notes` say why.

    `requests` is how many paid requests were made, `spent` what they cost; `account` whose bill it is, alone.
    """

    months: tuple[ServiceMonth, ...]
    given_back: tuple[GivenBack, ...]
    days: tuple[DayCost, ...]
    trend: Trend | None
    forecast: tuple[ForecastMonth, ...]
    commitments: Commitments | None
    used: tuple[Used, ...]
    advice: tuple[PurchaseAdvice, ...]
    savings_plan: PlanOffer | None
    findings: tuple[Finding, ...]
    requests: int
    spent: Decimal
    notes: tuple[str, ...]
    account: str = ""

    @property
    def summary(self) -> str:
        """The requests and what they cost, as the analysis says it."""
        return f"{self.requests} Cost Explorer requests, ${self.spent:.2f}"


def whole_months(months: Sequence[ServiceMonth], today: date) -> int:
    """The number of months that are over; the bill of the last one may not be closed yet."""
    return len({each.month for each in months if each.month < today.replace(day=1)})
