"""Savings Plans: which are active, how far they are used, and what a dollar of list price costs under them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from botocore.exceptions import ClientError

from domain.errors import CostsUnknown
from domain.list_prices import HOURS_PER_MONTH
from optimizer.costs.commitment_use import NO_DATA, SHARED, CommittedMonth, Used, last_period, percent
from optimizer.costs.commitments import Committed, SavingsPlan
from optimizer.costs.cost_explorer import MONTHS, CostExplorer, amount, dated, months_before

COMPUTE_PLANS = ("Compute", "EC2Instance")
POOLED = "The Savings Plans are reckoned at one discount, that of all of them together: each may cover more or less."


def read_savings_plans(
    explorer: CostExplorer,
) -> tuple[tuple[SavingsPlan, ...], tuple[Used, ...], tuple[CommittedMonth, ...], tuple[str, ...]]:
    """Plans of this account that cover EC2, and what they did; and how far those of others cover it."""
    try:
        active = list(_active_plans(explorer))
    except ClientError as error:
        if error.response["Error"].get("Code") != "AccessDeniedException":
            raise
        note = (
            "Savings Plans may not be read (savingsplans:DescribeSavingsPlans): deploy the analyze role's permissions."
        )
        raise CostsUnknown(note, "AccessDeniedException") from error
    known = [each for each in active if each.get("savingsPlanType") in COMPUTE_PLANS]
    others = sorted({each.get("savingsPlanType", "unknown") for each in active} - set(COMPUTE_PLANS))
    notes = [f"Savings Plans of the type {each} are not reckoned with: net savings may be lower." for each in others]
    covered = _spending_covered(explorer)
    if not known:
        if covered:
            notes.append(f"Savings Plans: {covered:g} % of what EC2 costs is covered by {SHARED}")
        return (), (), (), tuple(notes)
    request = {
        "TimePeriod": {"Start": months_before(explorer.today, MONTHS).isoformat(), "End": explorer.today.isoformat()},
        "Granularity": "MONTHLY",
        "Filter": explorer.own(),
    }
    answer = explorer.page(explorer.aws.cost_explorer.get_savings_plans_utilization, request)
    months = tuple(_plan_month(*each) for each in dated(answer.get("SavingsPlansUtilizationsByTime", [])))
    # The month under way has no figures in its first days; what nothing was ever covered by has no discount to show.
    last = max((each for each in months if each.covered), key=lambda each: each.month, default=None)
    spent = last.cost - last.unused if last else Decimal(0)
    if last is None or spent <= 0:
        raise CostsUnknown("No use of the Savings Plans is reported yet: what they save is not known.", NO_DATA)
    if len(known) > 1:
        notes.append(POOLED)
    plans: list[SavingsPlan] = []
    for each in known:
        plan = _plan(each, spent / last.covered)
        (plans if isinstance(plan, SavingsPlan) else notes).append(plan)  # type: ignore[arg-type]
    used = Used("Savings Plans", covered, percent(spent, last.cost), last.unused)
    return tuple(plans), (used,), months, tuple(notes)


def _active_plans(explorer: CostExplorer) -> Iterator[Mapping[str, Any]]:
    following: dict[str, str] = {}
    while True:
        page = explorer.aws.savings_plans.describe_savings_plans(states=["active"], **following)  # type: ignore[arg-type]
        yield from page.get("savingsPlans", [])
        if not page.get("nextToken"):
            return
        following = {"nextToken": page["nextToken"]}


def _plan(described: Mapping[str, Any], rate: Decimal) -> SavingsPlan | str:
    """One plan, or in words why it cannot be reckoned with: every member of the answer is optional."""
    name, commitment = described.get("savingsPlanId", "without an id"), amount(described, "commitment")
    try:
        ends = datetime.fromisoformat(described.get("end", "")).date()
    except ValueError:
        ends = None
    if ends is None or not commitment:
        return (
            f"The Savings Plan {name} is not reckoned with: AWS does not tell its "
            f"{'commitment' if ends else 'end'}. Net savings may be lower."
        )
    return SavingsPlan(
        id=name,
        monthly=commitment * HOURS_PER_MONTH,
        billed_monthly=amount(described, "recurringPaymentAmount") * HOURS_PER_MONTH,
        rate=rate,
        ends=ends,
        family=described.get("ec2InstanceFamily", ""),
        region=described.get("region", "") if described["savingsPlanType"] == "EC2Instance" else "",
    )


def _plan_month(month: date, period: Mapping[str, Any]) -> CommittedMonth:
    return CommittedMonth(
        month,
        Committed.EC2.value,
        amount(period.get("AmortizedCommitment", {}), "TotalAmortizedCommitment"),
        amount(period.get("Savings", {}), "OnDemandCostEquivalent"),
        amount(period.get("Utilization", {}), "UnusedCommitment"),
    )


def _spending_covered(explorer: CostExplorer) -> float | None:
    """The share of EC2's spending that Savings Plans cover, in percent, whoever of the organization bought them."""
    request = {"TimePeriod": last_period(explorer), "Granularity": "MONTHLY", "Filter": explorer.own()}
    covered, total = Decimal(0), Decimal(0)
    try:
        for page in explorer.pages(explorer.aws.cost_explorer.get_savings_plans_coverage, request, "NextToken"):
            for each in page.get("SavingsPlansCoverages", []):
                coverage = each.get("Coverage", {})
                covered += amount(coverage, "SpendCoveredBySavingsPlans")
                total += amount(coverage, "TotalCost")
    except CostsUnknown as error:
        if error.code != NO_DATA:
            raise
    return percent(covered, total)
