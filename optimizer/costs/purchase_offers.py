"""AWS's purchase recommendations, from the last 60 days: they fit what runs today, not what runs after a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from domain.errors import CostsUnknown
from optimizer.costs.commitment_use import NO_DATA
from optimizer.costs.commitments import Committed
from optimizer.costs.cost_explorer import CostExplorer, amount

LOOK_BACK, TERM, PAYMENT = "SIXTY_DAYS", "ONE_YEAR", "NO_UPFRONT"  # the least that binds
SCOPE = "LINKED"  # for this account alone, not for its whole organization
DETAILS = {
    Committed.EC2: ("EC2InstanceDetails", "InstanceType"),
    Committed.RDS: ("RDSInstanceDetails", "InstanceType"),
    Committed.ELASTICACHE: ("ElastiCacheInstanceDetails", "NodeType"),
}


@dataclass(frozen=True)
class Offer:
    """AWS's recommendation to reserve, for one instance type in one Region; US dollars a month, `units` normalized."""

    service: Committed
    region: str
    instance_type: str
    count: Decimal
    saving: Decimal
    on_demand: Decimal

    @property
    def discount(self) -> Decimal:
        """The discount on the list price of what is covered."""
        return self.saving / self.on_demand if self.on_demand else Decimal(0)


@dataclass(frozen=True)
class PlanOffer:
    """AWS's recommendation of a Compute Savings Plan: a commitment by the hour, and what it saves a month."""

    hourly: Decimal
    saving: Decimal


@dataclass(frozen=True)
class Offers:
    """All that AWS recommends today."""

    reservations: tuple[Offer, ...] = ()
    savings_plan: PlanOffer | None = None
    notes: tuple[str, ...] = ()


def read_offers(explorer: CostExplorer) -> Offers:
    """One year, nothing upfront. A service that AWS recommends nothing for is left out."""
    offers = [offer for service in Committed for offer in _reservations(explorer, service)]
    notes = tuple(dict.fromkeys(each for each in offers if isinstance(each, str)))
    return Offers(tuple(each for each in offers if isinstance(each, Offer)), _savings_plan(explorer), notes)


def _reservations(explorer: CostExplorer, service: Committed) -> Iterator[Offer | str]:
    request: dict[str, Any] = {
        "Service": service.value,
        "AccountId": explorer.aws.account,
        "AccountScope": SCOPE,
        "LookbackPeriodInDays": LOOK_BACK,
        "TermInYears": TERM,
        "PaymentOption": PAYMENT,
    }
    try:
        for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_purchase_recommendation, request):
            for recommendation in page.get("Recommendations", []):
                yield from (_offer(service, each) for each in recommendation.get("RecommendationDetails", []))
    except CostsUnknown as error:
        if error.code != NO_DATA:
            raise


def _offer(service: Committed, detail: Mapping[str, Any]) -> Offer | str:
    """One recommendation, or in words that it does not tell for what: every member of the answer is optional."""
    member, kind = DETAILS[service]
    instance = detail.get("InstanceDetails", {}).get(member, {})
    if not instance.get("Region") or not instance.get(kind):
        return f"A recommendation of AWS to reserve for {service.value} does not tell its Region and type: left out."
    return Offer(
        service,
        instance["Region"],
        instance[kind],
        amount(detail, "RecommendedNumberOfInstancesToPurchase"),
        amount(detail, "EstimatedMonthlySavingsAmount"),
        amount(detail, "EstimatedMonthlyOnDemandCost"),
    )


def _savings_plan(explorer: CostExplorer) -> PlanOffer | None:
    request = {
        "SavingsPlansType": "COMPUTE_SP",
        "AccountScope": SCOPE,
        "Filter": explorer.own(),
        "LookbackPeriodInDays": LOOK_BACK,
        "TermInYears": TERM,
        "PaymentOption": PAYMENT,
    }
    try:
        answer = explorer.page(explorer.aws.cost_explorer.get_savings_plans_purchase_recommendation, request)
    except CostsUnknown as error:
        if error.code != NO_DATA:
            raise
        return None
    summary = answer.get("SavingsPlansPurchaseRecommendation", {}).get("SavingsPlansPurchaseRecommendationSummary")
    if not summary or not amount(summary, "HourlyCommitmentToPurchase"):
        return None
    return PlanOffer(amount(summary, "HourlyCommitmentToPurchase"), amount(summary, "EstimatedMonthlySavingsAmount"))
