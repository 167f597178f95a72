"""Reservations and Savings Plans, with their coverage and utilization, from Cost Explorer.

Cost Explorer answers for EC2 when no service is named, so each is named. Utilization shows what this account
bought; coverage also what others of its organization share with it, so both are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from domain.errors import CostsUnknown
from domain.list_prices import HOURS_PER_MONTH
from optimizer.costs.commitment_use import NO_DATA, SHARED, CommittedMonth, Used, last_period, percent
from optimizer.costs.commitments import Commitments, Committed, Reservation, family_and_units
from optimizer.costs.cost_explorer import MONTHS, CostExplorer, amount, dated, months_before
from optimizer.costs.read_savings_plans import read_savings_plans

if TYPE_CHECKING:
    from types_boto3_ce.type_defs import ExpressionTypeDef


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
    notes: list[str] = []
    for service in Committed:
        groups = list(_groups(explorer, service))
        for each in groups:
            reservation = _reservation(service, each)
            (reservations if isinstance(reservation, Reservation) else notes).append(reservation)  # type: ignore[arg-type]
        months += _months(explorer, service) if groups else ()
        covered = _coverage(explorer, service)
        used.append(_used(service, groups, covered))
        if covered and not groups:
            notes.append(f"{service.value}: {covered:g} % of what runs is covered by {SHARED}")
    notes += _others(reservations)
    plans, plan_used, plan_months, plan_notes = read_savings_plans(explorer)
    commitments = Commitments(tuple(reservations), plans)
    return Committing(commitments, (*used, *plan_used), (*months, *plan_months), (*notes, *plan_notes))


def _used(service: Committed, groups: list[Mapping[str, Any]], covered: float | None) -> Used:
    if not groups:
        return Used(service.value, covered or None, None, Decimal(0))
    amounts = [each.get("Utilization", {}) for each in groups]
    unused = sum((amount(each, "RICostForUnusedHours") for each in amounts), Decimal(0))
    return Used(service.value, covered, _share(amounts, "TotalActualHours", "PurchasedHours"), unused)


def _others(reservations: Iterable[Reservation]) -> Iterator[str]:
    """Those that are bought for something the platform does not run: they cover nothing of it."""
    for each in reservations:
        if each.bound_to:
            yield (
                f"The reservation {each.id} ({each.instance_type}) is bought for {each.bound_to}: "
                "it covers nothing of the platform."
            )


def _groups(explorer: CostExplorer, service: Committed) -> Iterator[Mapping[str, Any]]:
    """One group for each reservation that was in force, with what it is in its attributes."""
    request = {
        "TimePeriod": last_period(explorer),
        "GroupBy": [{"Type": "DIMENSION", "Key": "SUBSCRIPTION_ID"}],
        "Filter": _only(explorer, service),
    }
    try:
        for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_utilization, request):
            for period in page.get("UtilizationsByTime", []):
                yield from period.get("Groups", [])
    except CostsUnknown as error:
        if error.code != NO_DATA:
            raise


def _reservation(service: Committed, group: Mapping[str, Any]) -> Reservation | str:
    """One reservation, or in words why it cannot be counted: AWS promises none of its attributes."""
    attributes = {str(name).casefold(): str(value) for name, value in group.get("Attributes", {}).items()}
    amounts, name = group.get("Utilization", {}), group.get("Value", "without an id")
    kind, number = attributes.get("instancetype", ""), amount(attributes, "numberofinstances")
    ends = _day(attributes.get("enddatetime", ""))
    missing = [
        each
        for each, known in (
            ("region", attributes.get("region")),
            ("instanceType", kind),
            ("numberOfInstances", number > 0),
            ("endDateTime", ends),
        )
        if not known
    ]
    if missing or ends is None:
        return (
            f"The reservation {name}{f' ({kind})' if kind else ''} is not reckoned with: Cost Explorer does not tell "
            f"its {', '.join(missing)}. Net savings may be lower."
        )
    hours = amount(amounts, "PurchasedHours") / number  # of one instance: it may have begun within the period
    a_month = HOURS_PER_MONTH / hours if hours else Decimal(0)
    return Reservation(
        id=name,
        service=service,
        region=attributes["region"],
        instance_type=kind,
        units=number * family_and_units(kind)[1],
        ends=ends,
        monthly=amount(amounts, "TotalAmortizedFee") * a_month,
        billed_monthly=amount(amounts, "AmortizedRecurringFee") * a_month,
        flexible=_is_flexible(service, attributes),
        bound_to=_bound_to(service, attributes),
    )


def _is_flexible(service: Committed, attributes: Mapping[str, str]) -> bool:
    """Whether it covers other sizes of its family.

    Not where it is bound to a zone, or says so; of EC2 only Linux/UNIX with default tenancy (Amazon EC2 User
    Guide, "How Reserved Instances are applied", "Regional and zonal Reserved Instances").
    """
    if attributes.get("scope", "Region").casefold() != "region" or attributes.get(
        "sizeflexibility", ""
    ).casefold().startswith(("nonflex", "notflex", "false")):
        return False
    return service is not Committed.EC2 or not _bound_to(service, attributes)


NOTHING_TOLD = ("na", "n/a", "none", "null", "-")
# What the platform runs, as the attributes may name it. An attribute that is absent binds to nothing.
_RUNS: Mapping[Committed, Mapping[tuple[str, ...], tuple[str, ...]]] = {
    Committed.EC2: {
        ("platform", "operatingsystem"): ("linux/unix", "linux/unix (amazon vpc)", "linux"),
        ("tenancy",): ("default", "shared"),
    },
    Committed.RDS: {
        ("databaseengine", "engine", "platform", "productdescription"): ("aurora-postgresql", "aurora postgresql"),
    },
    # A reservation of Redis OSS covers Valkey too, not Memcached (ElastiCache User Guide, "Reserved nodes").
    Committed.ELASTICACHE: {
        ("cacheengine", "engine", "platform", "productdescription"): ("redis", "redis oss", "valkey"),
    },
}


def _bound_to(service: Committed, attributes: Mapping[str, str]) -> str:
    """The attributes of a reservation that the platform does not match, as `Windows`; empty when it matches all."""
    other = (
        attributes[name]
        for names, ours in _RUNS[service].items()
        for name in names
        if (value := attributes.get(name, "").strip().casefold()) and value not in (*NOTHING_TOLD, *ours)
    )
    return ", ".join(other)


def _day(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _months(explorer: CostExplorer, service: Committed) -> Iterator[CommittedMonth]:
    request = {
        "TimePeriod": {"Start": months_before(explorer.today, MONTHS).isoformat(), "End": explorer.today.isoformat()},
        "Granularity": "MONTHLY",
        "Filter": _only(explorer, service),
    }
    for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_utilization, request):
        for month, period in dated(page.get("UtilizationsByTime", [])):
            total = period.get("Total", {})
            yield CommittedMonth(
                month,
                service.value,
                amount(total, "TotalAmortizedFee"),
                amount(total, "OnDemandCostOfRIHoursUsed"),
                amount(total, "RICostForUnusedHours"),
            )


def _coverage(explorer: CostExplorer, service: Committed) -> float | None:
    """The share of the running hours that reservations cover, in percent, whoever of the organization bought them."""
    request = {
        "TimePeriod": last_period(explorer),
        "Granularity": "MONTHLY",
        "Filter": _only(explorer, service),
        "Metrics": ["Hour"],
    }
    reserved, running = Decimal(0), Decimal(0)
    try:
        for page in explorer.pages(explorer.aws.cost_explorer.get_reservation_coverage, request):
            for period in page.get("CoveragesByTime", []):
                hours = period.get("Total", {}).get("CoverageHours", {})
                reserved += amount(hours, "ReservedHours")
                running += amount(hours, "TotalRunningHours")
    except CostsUnknown as error:
        if error.code != NO_DATA:
            raise
    return percent(reserved, running)


def _share(amounts: list[Mapping[str, Any]], part: str, whole: str) -> float:
    parts, wholes = (sum((amount(each, name) for each in amounts), Decimal(0)) for name in (part, whole))
    return percent(parts, wholes) or 0.0


def _only(explorer: CostExplorer, service: Committed) -> ExpressionTypeDef:
    return explorer.own({"Dimensions": {"Key": "SERVICE", "Values": [service.value]}})
