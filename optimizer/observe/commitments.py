"""What is committed: reservations and Savings Plans, how far they cover and are used, by Cost Explorer.

Cost Explorer answers for EC2 when no service is named, so each is named. A service without a reservation
is asked no further (each request costs): nothing covers it and nothing is stranded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from optimizer.decide.commitments import Commitments, Committed, Reservation, SavingsPlan, family_and_units
from optimizer.errors import CostsUnknown
from optimizer.observe.cost_explorer import MONTHS, CostExplorer, months_before
from optimizer.observe.prices import HOURS_PER_MONTH

PERIOD = timedelta(days=30)
NO_DATA = "DataUnavailableException"  # what Cost Explorer answers where there is no commitment at all
COMPUTE_PLANS = ("Compute", "EC2Instance")


@dataclass(frozen=True)
class Used:
    """How far commitments to one service covered and were used over the last 30 settled days; None without any.

    `coverage` is the share of the running hours, of spending for Savings Plans; both in percent.
    """

    service: str
    coverage: float | None
    utilization: float | None
    unused_cost: Decimal


@dataclass(frozen=True)
class CommittedMonth:
    """What commitments to one service did in one month: what they cost, cover at list price, and what went unused."""

    month: date
    service: str
    cost: Decimal
    covered: Decimal
    unused: Decimal


@dataclass(frozen=True)
class Committing:
    """All that is known of commitments. `notes` say what could not be read."""

    commitments: Commitments
    used: tuple[Used, ...]
    months: tuple[CommittedMonth, ...]
    notes: tuple[str, ...] = ()


def read_commitments(explorer: CostExplorer) -> Committing:
    """Reservations of EC2, RDS and ElastiCache and Savings Plans. Raises CostsUnknown when they may not be read."""
    reservations: list[Reservation] = []
    used: list[Used] = []
    months: list[CommittedMonth] = []
    utilizations: dict[Committed, float] = {}
    for service in Committed:
        groups = list(_groups(explorer, service))
        reservations += [_reservation(service, each) for each in groups]
        if groups:
            months += _months(explorer, service)
            utilizations[service] = _share(
                [each["Utilization"] for each in groups], "TotalActualHours", "PurchasedHours"
            )
            unused = sum((Decimal(each["Utilization"]["RICostForUnusedHours"]) for each in groups), Decimal(0))
            used.append(Used(service.value, _coverage(explorer, service), utilizations[service], unused))
        else:
            used.append(Used(service.value, None, None, Decimal(0)))
    plans, plan_used, plan_months, notes = _savings_plans(explorer)
    return Committing(Commitments(tuple(reservations), plans), (*used, *plan_used), (*months, *plan_months), notes)


def _groups(explorer: CostExplorer, service: Committed) -> Iterator[Mapping[str, Any]]:
    """One group for each reservation that was in force, with what it is in its attributes."""
    asked = {
        "TimePeriod": _last(explorer),
        "GroupBy": [{"Type": "DIMENSION", "Key": "SUBSCRIPTION_ID"}],
        "Filter": _only(service),
    }
    try:
        for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_utilization, asked):
            for period in page["UtilizationsByTime"]:
                yield from period.get("Groups", [])
    except CostsUnknown as error:
        if error.code != NO_DATA:
            raise


def _reservation(service: Committed, group: Mapping[str, Any]) -> Reservation:
    told, amounts = group["Attributes"], group["Utilization"]
    number = Decimal(told["numberOfInstances"])
    hours = Decimal(amounts["PurchasedHours"]) / number  # of one instance: it may have begun within the period
    a_month = HOURS_PER_MONTH / hours if hours else Decimal(0)
    return Reservation(
        id=group["Value"],
        service=service,
        region=told["region"],
        instance_type=told["instanceType"],
        units=number * family_and_units(told["instanceType"])[1],
        ends=datetime.fromisoformat(told["endDateTime"]).date(),
        monthly=Decimal(amounts["TotalAmortizedFee"]) * a_month,
        billed_monthly=Decimal(amounts["AmortizedRecurringFee"]) * a_month,
        # Bound to a zone it is not flexible (Amazon EC2 User Guide, "Regional and zonal Reserved Instances").
        flexible=told.get("scope", "Region") == "Region",
    )


def _months(explorer: CostExplorer, service: Committed) -> Iterator[CommittedMonth]:
    asked = {
        "TimePeriod": {"Start": months_before(explorer.today, MONTHS).isoformat(), "End": explorer.today.isoformat()},
        "Granularity": "MONTHLY",
        "Filter": _only(service),
    }
    for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_utilization, asked):
        for period in page["UtilizationsByTime"]:
            total = period["Total"]
            yield CommittedMonth(
                date.fromisoformat(period["TimePeriod"]["Start"]),
                service.value,
                Decimal(total["TotalAmortizedFee"]),
                Decimal(total["OnDemandCostOfRIHoursUsed"]),
                Decimal(total["RICostForUnusedHours"]),
            )


def _coverage(explorer: CostExplorer, service: Committed) -> float | None:
    asked = {"TimePeriod": _last(explorer), "Granularity": "MONTHLY", "Filter": _only(service), "Metrics": ["Hour"]}
    reserved, running = Decimal(0), Decimal(0)
    for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_coverage, asked):
        for period in page["CoveragesByTime"]:
            hours = period["Total"]["CoverageHours"]
            reserved += Decimal(hours["ReservedHours"])
            running += Decimal(hours["TotalRunningHours"])
    return _percent(reserved, running)


def _savings_plans(
    explorer: CostExplorer,
) -> tuple[tuple[SavingsPlan, ...], tuple[Used, ...], tuple[CommittedMonth, ...], tuple[str, ...]]:
    """Plans that cover EC2, and what they did; asks Cost Explorer only when there is one."""
    try:
        active = explorer.aws.savings_plans.describe_savings_plans(states=["active"])["savingsPlans"]
    except ClientError as error:
        if error.response["Error"].get("Code") != "AccessDeniedException":
            raise
        note = (
            "Savings Plans may not be read (savingsplans:DescribeSavingsPlans): deploy the analyze role's permissions."
        )
        raise CostsUnknown(note, "AccessDeniedException") from error
    plans = [each for each in active if each["savingsPlanType"] in COMPUTE_PLANS]
    others = sorted({each["savingsPlanType"] for each in active} - set(COMPUTE_PLANS))
    notes = tuple(
        f"Savings Plans of the type {each} are not reckoned with: net savings may be lower." for each in others
    )
    if not plans:
        return (), (), (), notes
    asked = {
        "TimePeriod": {"Start": months_before(explorer.today, MONTHS).isoformat(), "End": explorer.today.isoformat()},
        "Granularity": "MONTHLY",
    }
    answer = explorer.page(explorer.aws.cost_explorer.get_savings_plans_utilization, asked)
    months = tuple(_plan_month(each) for each in answer["SavingsPlansUtilizationsByTime"])
    last = answer["SavingsPlansUtilizationsByTime"][-1]
    spent, worth = Decimal(last["Utilization"]["UsedCommitment"]), Decimal(last["Savings"]["OnDemandCostEquivalent"])
    rate = spent / worth if worth else Decimal(1)
    used = Used(
        "Savings Plans",
        _spending_covered(explorer),
        float(last["Utilization"]["UtilizationPercentage"]),
        Decimal(last["Utilization"]["UnusedCommitment"]),
    )
    return tuple(_plan(each, rate) for each in plans), (used,), months, notes


def _plan(shown: Mapping[str, Any], rate: Decimal) -> SavingsPlan:
    return SavingsPlan(
        id=shown["savingsPlanId"],
        monthly=Decimal(shown["commitment"]) * HOURS_PER_MONTH,
        billed_monthly=Decimal(shown.get("recurringPaymentAmount", "0")) * HOURS_PER_MONTH,
        rate=rate,
        ends=datetime.fromisoformat(shown["end"]).date(),
        family=shown.get("ec2InstanceFamily", ""),
        region=shown.get("region", "") if shown["savingsPlanType"] == "EC2Instance" else "",
    )


def _plan_month(period: Mapping[str, Any]) -> CommittedMonth:
    return CommittedMonth(
        date.fromisoformat(period["TimePeriod"]["Start"]),
        Committed.EC2.value,
        Decimal(period["AmortizedCommitment"]["TotalAmortizedCommitment"]),
        Decimal(period["Savings"]["OnDemandCostEquivalent"]),
        Decimal(period["Utilization"]["UnusedCommitment"]),
    )


def _spending_covered(explorer: CostExplorer) -> float | None:
    asked = {"TimePeriod": _last(explorer), "Granularity": "MONTHLY"}
    covered, total = Decimal(0), Decimal(0)
    for page in explorer.pages(explorer.aws.cost_explorer.get_savings_plans_coverage, asked, "NextToken"):
        for each in page["SavingsPlansCoverages"]:
            covered += Decimal(each["Coverage"]["SpendCoveredBySavingsPlans"])
            total += Decimal(each["Coverage"]["TotalCost"])
    return _percent(covered, total)


def _share(amounts: list[Mapping[str, str]], part: str, whole: str) -> float:
    parts, wholes = (sum((Decimal(each[name]) for each in amounts), Decimal(0)) for name in (part, whole))
    return _percent(parts, wholes) or 0.0


def _percent(part: Decimal, whole: Decimal) -> float | None:
    return round(float(100 * part / whole), 1) if whole else None


def _last(explorer: CostExplorer) -> dict[str, str]:
    return {"Start": (explorer.settled - PERIOD).isoformat(), "End": explorer.settled.isoformat()}


def _only(service: Committed) -> dict[str, Any]:
    return {"Dimensions": {"Key": "SERVICE", "Values": [service.value]}}
