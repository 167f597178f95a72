"""AWS Cost Explorer: the share of use that reservations covered, and the share of the reservations that was used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from emulator.billing.catalog import EC2, item, normalized, rate
from emulator.billing.commitments import ReservationUse
from emulator.billing.selection import named, service_of
from emulator.billing.window import BillWindow, Period, amount, window
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.costexplorer.cost_api import API

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

Key = tuple[str, str]  # Region and instance type
_GROUPS: Mapping[str, tuple[str, Callable[[Key], str]]] = {
    "INSTANCE_TYPE": ("instanceType", lambda key: key[1]),
    "REGION": ("region", lambda key: key[0]),
}


@emulates(
    "ce",
    "GetReservationCoverage",
    rule="Hours, normalized units and on-demand cost of the use, and the part that reservations covered; EC2 if the "
    "filter names no service; granularity or grouping, not both.",
    source=f"{API}/API_GetReservationCoverage.html",
)
def get_reservation_coverage(account: Account, call: Call) -> Answer:
    asked = call.parameters
    found = window(account, call, _granularity(asked))
    service = service_of(asked.get("Filter"), EC2)
    keys = [key for key in found.book.running if item(key[1]).service == service]
    groups = _groups(asked.get("GroupBy") or (), keys)
    periods = [found.whole()] if groups else found.periods
    rows = [
        {
            "TimePeriod": each.time_period(),
            "Groups": [
                {"Attributes": dict(names), "Coverage": _coverage(found, members, each)} for names, members in groups
            ],
            "Total": _coverage(found, keys, each),
        }
        for each in periods
    ]
    return {"CoveragesByTime": rows, "Total": _coverage(found, keys, None)}


@emulates(
    "ce",
    "GetReservationUtilization",
    rule="Purchased, used and unused hours and normalized units of the reservations, their cost and saving; EC2 if the "
    "filter names no service; grouping by SUBSCRIPTION_ID alone; those of every account of the organization unless "
    "the filter names the linked accounts that bought them. Attributes is a free map.",
    source=f"{API}/API_GetReservationUtilization.html",
)
def get_reservation_utilization(account: Account, call: Call) -> Answer:
    asked = call.parameters
    found = window(account, call, _granularity(asked))
    service = service_of(asked.get("Filter"), EC2)
    whose = named(asked.get("Filter"), "LINKED_ACCOUNT")
    uses = [
        each
        for each in found.book.coverage.reservations
        if item(each.reservation.kind).service == service
        and (not whose or (each.reservation.owner or call.account) in whose)
    ]
    grouped = [each["Key"] for each in asked.get("GroupBy") or ()]
    if any(each != "SUBSCRIPTION_ID" for each in grouped):
        raise AwsError("ValidationException", "GroupBy only supports SUBSCRIPTION_ID")
    periods = [found.whole()] if grouped else found.periods
    rows = [
        {
            "TimePeriod": each.time_period(),
            "Groups": [_subscription(found, use, each, call) for use in uses] if grouped else [],
            "Total": _utilization(found, uses, each),
        }
        for each in periods
    ]
    return {"UtilizationsByTime": rows, "Total": _utilization(found, uses, None)}


def _granularity(asked: Mapping[str, Any]) -> str | None:
    granularity: str | None = asked.get("Granularity")
    if granularity and asked.get("GroupBy"):
        raise AwsError("ValidationException", "Cannot specify Granularity and GroupBy at the same time")
    return granularity or "MONTHLY"


def _groups(
    asked: Sequence[Mapping[str, str]], keys: Iterable[Key]
) -> list[tuple[tuple[tuple[str, str], ...], list[Key]]]:
    """The keys by the values of the grouping dimensions."""
    if unknown := [each["Key"] for each in asked if each["Key"] not in _GROUPS]:
        raise NotImplementedError(f"coverage by {unknown} is not emulated; there are {', '.join(_GROUPS)}.")
    found: dict[tuple[tuple[str, str], ...], list[Key]] = {}
    for key in sorted(keys) if asked else ():
        names = tuple((_GROUPS[each["Key"]][0], _GROUPS[each["Key"]][1](key)) for each in asked)
        found.setdefault(names, []).append(key)
    return list(found.items())


def _coverage(found: BillWindow, keys: Sequence[Key], period: Period | None) -> dict[str, Any]:
    coverage = found.book.coverage
    hours = units = reserved = reserved_units = on_demand = 0.0
    for key in keys:
        ran = found.sum(found.book.running[key], period)
        covered = found.sum(coverage.reserved[key], period) if key in coverage.reserved else 0.0
        factor = normalized(key[1])
        hours, reserved = hours + ran, reserved + covered
        units, reserved_units = units + ran * factor, reserved_units + covered * factor
        planned = coverage.by_plans(key)
        by_plans = found.sum(planned, period) if isinstance(planned, np.ndarray) else 0.0
        on_demand += (ran - covered - by_plans) * rate(key[1], key[0])
    return {
        "CoverageHours": {
            "OnDemandHours": amount(hours - reserved),
            "ReservedHours": amount(reserved),
            "TotalRunningHours": amount(hours),
            "CoverageHoursPercentage": percentage(reserved, hours),
        },
        "CoverageNormalizedUnits": {
            "OnDemandNormalizedUnits": amount(units - reserved_units),
            "ReservedNormalizedUnits": amount(reserved_units),
            "TotalRunningNormalizedUnits": amount(units),
            "CoverageNormalizedUnitsPercentage": percentage(reserved_units, units),
        },
        "CoverageCost": {"OnDemandCost": found.money(on_demand)},
    }


def _utilization(found: BillWindow, uses: Sequence[ReservationUse], period: Period | None) -> dict[str, str]:
    """All figures of some reservations together. Hours are those of their own instance types."""
    purchased = used = purchased_hours = used_hours = fees = upfront = list_price = potential = unused = 0.0
    for each in uses:
        reservation = each.reservation
        factor = normalized(reservation.kind)
        committed, taken = found.sum(each.committed, period), found.sum(each.used, period)
        price = rate(reservation.kind, reservation.region) / factor
        purchased, used = purchased + committed, used + taken
        purchased_hours, used_hours = purchased_hours + committed / factor, used_hours + taken / factor
        fees += committed * each.cost
        upfront += committed * each.cost * reservation.upfront
        unused += (committed - taken) * each.cost
        list_price, potential = list_price + taken * price, potential + committed * (price - each.cost)
    return {
        "UtilizationPercentage": percentage(used_hours, purchased_hours),
        "UtilizationPercentageInUnits": percentage(used, purchased),
        "PurchasedHours": amount(purchased_hours),
        "PurchasedUnits": amount(purchased),
        "TotalActualHours": amount(used_hours),
        "TotalActualUnits": amount(used),
        "UnusedHours": amount(purchased_hours - used_hours),
        "UnusedUnits": amount(purchased - used),
        "OnDemandCostOfRIHoursUsed": found.money(list_price),
        "NetRISavings": found.money(list_price - fees),
        "TotalPotentialRISavings": found.money(potential),
        "AmortizedUpfrontFee": found.money(upfront),
        "AmortizedRecurringFee": found.money(fees - upfront),
        "TotalAmortizedFee": found.money(fees),
        "RICostForUnusedHours": found.money(unused),
        "RealizedSavings": found.money(list_price - (fees - unused)),
        "UnrealizedSavings": found.money(potential - (list_price - (fees - unused))),
    }


def _subscription(found: BillWindow, use: ReservationUse, period: Period, call: Call) -> dict[str, Any]:
    reservation = use.reservation
    return {
        "Key": "SUBSCRIPTION_ID",
        "Value": reservation.id,
        "Attributes": {
            "accountId": reservation.owner or call.account,
            "instanceType": reservation.kind,
            "region": reservation.region,
            "numberOfInstances": str(reservation.count),
            "startDateTime": f"{reservation.begin:%Y-%m-%dT%H:%M:%S.000Z}",
            "endDateTime": f"{reservation.end:%Y-%m-%dT%H:%M:%S.000Z}",
            "platform": reservation.platform if item(reservation.kind).service == EC2 else "NA",
            "tenancy": "Shared" if reservation.tenancy == "default" else "Dedicated",
            "sizeFlexibility": "FlexRI",
            "subscriptionStatus": "Active",
        },
        "Utilization": _utilization(found, [use], period),
    }


def percentage(part: float, whole: float) -> str:
    """A share in percent; 0 if the whole is 0."""
    return amount(100 * part / whole) if whole else "0"
