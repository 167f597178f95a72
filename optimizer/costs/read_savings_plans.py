"""Savings Plans: which are active, how far they are used, and what a dollar of list price costs under them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from domain.errors import CostsUnknown
from domain.list_prices import HOURS_PER_MONTH
from optimizer.costs.commitment_use import NO_DATA, CommittedMonth, Used, last_period, percent
from optimizer.costs.commitments import Committed, SavingsPlan
from optimizer.costs.cost_explorer import MONTHS, CostExplorer, months_before

COMPUTE_PLANS = ("Compute", "EC2Instance")
POOLED = "The Savings Plans are reckoned at one discount, that of all of them together: each may cover more or less."


def read_savings_plans(
    explorer: CostExplorer,
) -> tuple[tuple[SavingsPlan, ...], tuple[Used, ...], tuple[CommittedMonth, ...], tuple[str, ...]]:
    """Plans that cover EC2, and what they did; asks Cost Explorer only when there is one."""
    try:
        active = list(_active_plans(explorer))
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
    # The month under way has no figures in its first days; what nothing was ever covered by has no discount to show.
    last = max((each for each in months if each.covered), key=lambda each: each.month, default=None)
    if last is None:
        raise CostsUnknown("No use of the Savings Plans is reported yet: what they save is not known.", NO_DATA)
    spent = last.cost - last.unused
    if len(plans) > 1:
        notes += (POOLED,)
    used = Used("Savings Plans", _spending_covered(explorer), percent(spent, last.cost), last.unused)
    return tuple(_plan(each, spent / last.covered) for each in plans), (used,), months, notes


def _active_plans(explorer: CostExplorer) -> Iterator[Mapping[str, Any]]:
    following: dict[str, str] = {}
    while True:
        page = explorer.aws.savings_plans.describe_savings_plans(states=["active"], **following)  # type: ignore[arg-type]
        yield from page["savingsPlans"]
        if not page.get("nextToken"):
            return
        following = {"nextToken": page["nextToken"]}


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
    asked = {"TimePeriod": last_period(explorer), "Granularity": "MONTHLY"}
    covered, total = Decimal(0), Decimal(0)
    for page in explorer.pages(explorer.aws.cost_explorer.get_savings_plans_coverage, asked, "NextToken"):
        for each in page["SavingsPlansCoverages"]:
            covered += Decimal(each["Coverage"]["SpendCoveredBySavingsPlans"])
            total += Decimal(each["Coverage"]["TotalCost"])
    return percent(covered, total)
