"""AWS Cost Explorer: its purchase recommendations, computed from the past days alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from domain.list_prices import HOURS_PER_MONTH
from emulator.billing import advice
from emulator.billing.catalog import EC2, ELASTICACHE, RDS, family, normalized
from emulator.billing.ledger import Billing, Ledger
from emulator.billing.spec import UPFRONT
from emulator.billing.window import amount, book_of, opened, unavailable
from emulator.core.registry import Answer, emulates
from emulator.services.costexplorer.cost_api import API
from emulator.services.costexplorer.reservations_api import percentage

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

_DAYS = {"SEVEN_DAYS": 7, "THIRTY_DAYS": 30, "SIXTY_DAYS": 60}
_YEARS = {"ONE_YEAR": 1, "THREE_YEARS": 3}
_MONTHLY = float(HOURS_PER_MONTH)
_DELAY = timedelta(days=2)  # recommendations use complete days


@emulates(
    "ce",
    "GetReservationPurchaseRecommendation",
    rule="The purchase that would have saved most in the lookback period, net of covered use: after a change it still "
    "fits the old footprint; EC2, RDS or ElastiCache, one row for each family and Region; DataUnavailable while the "
    "account has no such days.",
    source=f"{API}/API_GetReservationPurchaseRecommendation.html",
)
def get_reservation_purchase_recommendation(account: Account, call: Call) -> Answer:
    asked = call.parameters
    service = asked.get("Service") or EC2
    days = asked.get("LookbackPeriodInDays", "SEVEN_DAYS")
    term, payment = asked.get("TermInYears", "ONE_YEAR"), asked.get("PaymentOption", "NO_UPFRONT")
    book, hours = _looked_back(account, call, days)
    found = advice.reservations(book, service, hours, account.part(Billing).spec)
    upfront = UPFRONT[payment.replace("_", " ").title()]
    code = account.part(Billing).spec.currency.code
    details = [
        {"AccountId": call.account, "CurrencyCode": code, **_details(service, each, upfront, _YEARS[term])}
        for each in found
    ]
    recommendation: dict[str, Any] = {
        "AccountScope": asked.get("AccountScope", "PAYER"),
        "LookbackPeriodInDays": days,
        "TermInYears": term,
        "PaymentOption": payment,
        "RecommendationDetails": details,
        "RecommendationSummary": {"CurrencyCode": code, **_summary(found)},
    }
    if service == EC2:
        recommendation["ServiceSpecification"] = {"EC2Specification": {"OfferingClass": "STANDARD"}}
    return {"Metadata": _metadata(account), "Recommendations": [recommendation] if details else []}


@emulates(
    "ce",
    "GetSavingsPlansPurchaseRecommendation",
    rule="The hourly commitment that would have saved most in the lookback period, net of covered use: one Compute "
    "plan, or an EC2 Instance plan for each family and Region; none without a saving.",
    source=f"{API}/API_GetSavingsPlansPurchaseRecommendation.html",
)
def get_savings_plans_purchase_recommendation(account: Account, call: Call) -> Answer:
    asked = call.parameters
    book, hours = _looked_back(account, call, asked["LookbackPeriodInDays"])
    kind, found = asked["SavingsPlansType"], list[advice.Commitment]()
    if kind in ("COMPUTE_SP", "EC2_INSTANCE_SP"):
        found = advice.savings_plans(book, hours, account.part(Billing).spec, by_family=kind == "EC2_INSTANCE_SP")
    same = ("SavingsPlansType", "TermInYears", "PaymentOption", "LookbackPeriodInDays")
    recommendation: dict[str, Any] = {
        **{name: asked[name] for name in same},
        "AccountScope": asked.get("AccountScope", "PAYER"),
    }
    if found:
        code = {"CurrencyCode": account.part(Billing).spec.currency.code}
        details = [{"AccountId": call.account, **code, **_plan(each)} for each in found]
        recommendation["SavingsPlansPurchaseRecommendationDetails"] = details
        recommendation["SavingsPlansPurchaseRecommendationSummary"] = {**code, **_plans_summary(found)}
    return {"Metadata": _metadata(account), "SavingsPlansPurchaseRecommendation": recommendation}


def _looked_back(account: Account, call: Call, days: str) -> tuple[Ledger, slice]:
    opened(account, call)
    book, until = book_of(account, call), account.clock.now() - _DELAY
    end = datetime(until.year, until.month, until.day, tzinfo=until.tzinfo)
    hours = book.slice(end - timedelta(days=_DAYS[days]), end)
    if hours.stop <= hours.start:
        raise unavailable()
    return book, hours


def _metadata(account: Account) -> dict[str, str]:
    return {
        "RecommendationId": account.identifier(),
        "GenerationTimestamp": f"{account.clock.now():%Y-%m-%dT00:00:00Z}",
    }


def _details(service: str, each: advice.Purchase, upfront: float, years: int) -> dict[str, Any]:
    factor = normalized(each.kind)
    hours = len(each.used)
    monthly = each.count * each.price * (1 - each.discount) * _MONTHLY
    paid = monthly * upfront * 12 * years
    saved = each.saved / hours * _MONTHLY
    on_demand = float(each.used.mean()) * each.price * _MONTHLY
    figures = {
        "RecommendedNumberOfInstancesToPurchase": each.count,
        "RecommendedNormalizedUnitsToPurchase": each.count * factor,
        "MinimumNumberOfInstancesUsedPerHour": each.used.min(),
        "MinimumNormalizedUnitsUsedPerHour": each.used.min() * factor,
        "MaximumNumberOfInstancesUsedPerHour": each.used.max(),
        "MaximumNormalizedUnitsUsedPerHour": each.used.max() * factor,
        "AverageNumberOfInstancesUsedPerHour": each.used.mean(),
        "AverageNormalizedUnitsUsedPerHour": each.used.mean() * factor,
        "AverageUtilization": 100 * each.utilization,
        "EstimatedBreakEvenInMonths": paid / (saved + monthly * upfront) if paid else 0.0,
        "EstimatedMonthlySavingsAmount": saved,
        "EstimatedMonthlySavingsPercentage": 100 * saved / on_demand,
        "EstimatedMonthlyOnDemandCost": on_demand,
        "EstimatedReservationCostForLookbackPeriod": monthly / _MONTHLY * hours,
        "UpfrontCost": paid,
        "RecurringStandardMonthlyCost": monthly * (1 - upfront),
    }
    return {
        "InstanceDetails": _instance(service, each),
        **{name: amount(float(value)) for name, value in figures.items()},
    }


def _instance(service: str, each: advice.Purchase) -> dict[str, Any]:
    common = {
        "Family": family(each.kind),
        "Region": each.region,
        "CurrentGeneration": True,
        "SizeFlexEligible": True,
    }
    match service:
        case _ if service == RDS:
            return {
                "RDSInstanceDetails": {
                    **common,
                    "InstanceType": each.kind,
                    "DatabaseEngine": "Aurora PostgreSQL",
                    "DeploymentOption": "Single-AZ",
                    "LicenseModel": "No License Required",
                }
            }
        case _ if service == ELASTICACHE:
            return {
                "ElastiCacheInstanceDetails": {**common, "NodeType": each.kind, "ProductDescription": "Redis"},
            }
    return {
        "EC2InstanceDetails": {
            **common,
            "InstanceType": each.kind,
            "AvailabilityZone": "NA",
            "Platform": "Linux/UNIX",
            "Tenancy": "shared",
        }
    }


def _summary(found: list[advice.Purchase]) -> dict[str, str]:
    saved = sum(each.saved / len(each.used) * _MONTHLY for each in found)
    on_demand = sum(float(each.used.mean()) * each.price * _MONTHLY for each in found)
    return {
        "TotalEstimatedMonthlySavingsAmount": amount(saved),
        "TotalEstimatedMonthlySavingsPercentage": percentage(saved, on_demand),
    }


def _plan(each: advice.Commitment) -> dict[str, Any]:
    hours = len(each.spend)
    place = {"Region": each.region, "InstanceFamily": each.family} if each.region and each.family else {}
    cost = each.per_hour * hours
    return {
        "SavingsPlansDetails": {**place, "OfferingId": f"offering-{each.family or 'compute'}"},
        "UpfrontCost": "0",
        "HourlyCommitmentToPurchase": amount(each.per_hour),
        "EstimatedROI": percentage(each.saved, cost),
        "EstimatedSPCost": amount(cost),
        "EstimatedOnDemandCost": amount(float((each.spend - each.covered).sum())),
        "EstimatedOnDemandCostWithCurrentCommitment": amount(float(each.spend.sum())),
        "EstimatedSavingsAmount": amount(each.saved),
        "EstimatedSavingsPercentage": percentage(each.saved, float(each.spend.sum())),
        "EstimatedMonthlySavingsAmount": amount(each.saved / hours * _MONTHLY),
        "EstimatedAverageUtilization": percentage(float(each.covered.sum()) * (1 - each.discount), cost),
        "CurrentMinimumHourlyOnDemandSpend": amount(float(each.spend.min())),
        "CurrentMaximumHourlyOnDemandSpend": amount(float(each.spend.max())),
        "CurrentAverageHourlyOnDemandSpend": amount(float(each.spend.mean())),
    }


def _plans_summary(found: list[advice.Commitment]) -> dict[str, str]:
    hours = len(found[0].spend)
    per_hour = sum(each.per_hour for each in found)
    saved, spend = sum(each.saved for each in found), sum(float(each.spend.sum()) for each in found)
    return {
        "TotalRecommendationCount": str(len(found)),
        "HourlyCommitmentToPurchase": amount(per_hour),
        "DailyCommitmentToPurchase": amount(24 * per_hour),
        "CurrentOnDemandSpend": amount(spend),
        "EstimatedTotalCost": amount(spend - saved),
        "EstimatedSavingsAmount": amount(saved),
        "EstimatedSavingsPercentage": percentage(saved, spend),
        "EstimatedMonthlySavingsAmount": amount(saved / hours * _MONTHLY),
        "EstimatedROI": percentage(saved, per_hour * hours),
    }
