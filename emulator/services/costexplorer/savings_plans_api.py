"""AWS Cost Explorer: the part of EC2 use that Savings Plans covered, and the part of the plans that was used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from emulator.billing.advice import at_list
from emulator.billing.catalog import EC2, family, item, rate
from emulator.billing.commitments import PlanUse
from emulator.billing.selection import is_only_own
from emulator.billing.window import BillWindow, Period, unavailable, window
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.costexplorer.cost_api import API
from emulator.services.costexplorer.reservations_api import percentage

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

Key = tuple[str, str]  # Region and instance type
_GROUPS: Mapping[str, Callable[[Key], str]] = {
    "INSTANCE_FAMILY": lambda key: family(key[1]),
    "REGION": lambda key: key[0],
    "SERVICE": lambda key: EC2,  # noqa: ARG005 -- nothing else here can be covered
}


@emulates(
    "ce",
    "GetSavingsPlansCoverage",
    rule="At list price: use that Savings Plans covered, and use that they could have covered; use covered by "
    "reservations is left out; granularity or grouping, not both; an account without eligible use has no rows.",
    source=f"{API}/API_GetSavingsPlansCoverage.html",
)
def get_savings_plans_coverage(account: Account, call: Call) -> Answer:
    asked = call.parameters
    grouped = [each["Key"] for each in asked.get("GroupBy") or ()]
    is_only_own(asked.get("Filter"), call.account)
    if grouped and asked.get("Granularity"):
        raise AwsError("ValidationException", "Cannot specify Granularity and GroupBy at the same time")
    if unknown := [each for each in grouped if each not in _GROUPS]:
        raise NotImplementedError(f"coverage by {unknown} is not emulated; there are {', '.join(_GROUPS)}.")
    found = window(account, call, asked.get("Granularity") or "MONTHLY")
    keys = [key for key in found.book.running if item(key[1]).service == EC2]
    groups: dict[tuple[str, ...], list[Key]] = {}
    for key in keys:
        groups.setdefault(tuple(_GROUPS[each](key) for each in grouped), []).append(key)
    rows = [
        {"Attributes": dict(zip(grouped, values, strict=True)), "Coverage": covered, "TimePeriod": period.time_period()}
        for period in ([found.whole()] if grouped else found.periods)
        for values, members in sorted(groups.items())
        if float((covered := _coverage(found, members, period))["TotalCost"])
    ]
    return {"SavingsPlansCoverages": rows}


@emulates(
    "ce",
    "GetSavingsPlansUtilization",
    rule="Commitment, used and unused, net savings and amortized fees, over time; DataUnavailable without any plan.",
    source=f"{API}/API_GetSavingsPlansUtilization.html",
)
def get_savings_plans_utilization(account: Account, call: Call) -> Answer:
    asked = call.parameters
    is_only_own(asked.get("Filter"), call.account)
    found = window(account, call, asked.get("Granularity") or "MONTHLY")
    plans = found.book.coverage.plans
    if not any(found.sum(each.committed) for each in plans):
        raise unavailable()
    rows = [{"TimePeriod": each.time_period(), **_utilization(found, plans, each)} for each in found.periods]
    return {"SavingsPlansUtilizationsByTime": rows, "Total": _utilization(found, plans, None)}


def _coverage(found: BillWindow, keys: Sequence[Key], period: Period) -> dict[str, str]:
    covered = on_demand = 0.0
    for key in keys:
        price = rate(key[1], key[0])
        on_demand += price * found.sum(at_list(found.book, key), period)
        covered += price * sum(
            found.sum(each.covers[key], period) for each in found.book.coverage.plans if key in each.covers
        )
    return {
        "SpendCoveredBySavingsPlans": found.money(covered),
        "OnDemandCost": found.money(on_demand),
        "TotalCost": found.money(covered + on_demand),
        "CoveragePercentage": percentage(covered, covered + on_demand),
    }


def _utilization(found: BillWindow, plans: Sequence[PlanUse], period: Period | None) -> dict[str, Any]:
    committed = sum(found.sum(each.committed, period) for each in plans)
    used = sum(found.sum(each.used, period) for each in plans)
    upfront = sum(found.sum(each.committed, period) * each.plan.upfront for each in plans)
    at_list_price = sum(found.sum(each.used, period) / (1 - each.plan.discount) for each in plans)
    return {
        "Utilization": {
            "TotalCommitment": found.money(committed),
            "UsedCommitment": found.money(used),
            "UnusedCommitment": found.money(committed - used),
            "UtilizationPercentage": percentage(used, committed),
        },
        "Savings": {
            "NetSavings": found.money(at_list_price - committed),
            "OnDemandCostEquivalent": found.money(at_list_price),
        },
        "AmortizedCommitment": {
            "AmortizedRecurringCommitment": found.money(committed - upfront),
            "AmortizedUpfrontCommitment": found.money(upfront),
            "TotalAmortizedCommitment": found.money(committed),
        },
    }
