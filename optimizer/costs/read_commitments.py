"""What is committed: reservations and Savings Plans, how far they cover and are used, by Cost Explorer.

Cost Explorer answers for EC2 when no service is named, so each is named. A service without a reservation
is asked no further (each request costs): nothing covers it and nothing is stranded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from domain.errors import CostsUnknown
from domain.list_prices import HOURS_PER_MONTH
from optimizer.costs.commitment_use import NO_DATA, CommittedMonth, Used, last_period, percent
from optimizer.costs.commitments import Commitments, Committed, Reservation, family_and_units
from optimizer.costs.cost_explorer import MONTHS, CostExplorer, months_before
from optimizer.costs.read_savings_plans import read_savings_plans


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
    plans, plan_used, plan_months, notes = read_savings_plans(explorer)
    return Committing(Commitments(tuple(reservations), plans), (*used, *plan_used), (*months, *plan_months), notes)


def _groups(explorer: CostExplorer, service: Committed) -> Iterator[Mapping[str, Any]]:
    """One group for each reservation that was in force, with what it is in its attributes."""
    asked = {
        "TimePeriod": last_period(explorer),
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
    asked = {
        "TimePeriod": last_period(explorer),
        "Granularity": "MONTHLY",
        "Filter": _only(service),
        "Metrics": ["Hour"],
    }
    reserved, running = Decimal(0), Decimal(0)
    for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_coverage, asked):
        for period in page["CoveragesByTime"]:
            hours = period["Total"]["CoverageHours"]
            reserved += Decimal(hours["ReservedHours"])
            running += Decimal(hours["TotalRunningHours"])
    return percent(reserved, running)


def _share(amounts: list[Mapping[str, str]], part: str, whole: str) -> float:
    parts, wholes = (sum((Decimal(each[name]) for each in amounts), Decimal(0)) for name in (part, whole))
    return percent(parts, wholes) or 0.0


def _only(service: Committed) -> dict[str, Any]:
    return {"Dimensions": {"Key": "SERVICE", "Values": [service.value]}}
