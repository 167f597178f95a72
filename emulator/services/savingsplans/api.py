"""AWS Savings Plans that the scenario bought."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from emulator.billing.ledger import Billing
from emulator.billing.spec import SavingsPlanSpec
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@emulates(
    "savingsplans",
    "DescribeSavingsPlans",
    rule="The account's plans in every Region, with commitment, term and state; queued before their start, retired "
    "after their end; states filters.",
    source="https://docs.aws.amazon.com/savingsplans/latest/APIReference/API_DescribeSavingsPlans.html",
)
def describe_savings_plans(account: Account, call: Call) -> Answer:
    request = call.parameters
    if call.account != account.production:
        return {"savingsPlans": []}
    plans = [_description(account, call, each) for each in account.part(Billing).spec.savings_plans]
    return {"savingsPlans": [each for each in plans if _matches(each, request)]}


def _matches(plan: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    if request.get("filters"):
        raise NotImplementedError("filters of DescribeSavingsPlans are not emulated: ask by state, id or ARN.")
    wanted = (("states", "state"), ("savingsPlanIds", "savingsPlanId"), ("savingsPlanArns", "savingsPlanArn"))
    return all(not request.get(name) or plan[member] in request[name] for name, member in wanted)


def _description(account: Account, call: Call, each: SavingsPlanSpec) -> dict[str, Any]:
    seconds = int((each.end - each.begin).total_seconds())
    now = account.clock.now()
    ec2 = {"ec2InstanceFamily": each.family, "region": each.region} if each.type == "EC2Instance" else {}
    return {
        "offeringId": f"offering-{each.id}",
        "savingsPlanId": each.id,
        "savingsPlanArn": f"arn:aws:savingsplans::{call.account}:savingsplan/{each.id}",
        "description": f"{each.years} year {each.payment} {each.type} Savings Plan",
        "start": f"{each.begin:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{each.end:%Y-%m-%dT%H:%M:%SZ}",
        "state": "queued" if now < each.begin else "active" if now < each.end else "retired",
        "savingsPlanType": each.type,
        "paymentOption": each.payment,
        "productTypes": ["EC2"] if each.type == "EC2Instance" else ["Fargate", "EC2", "Lambda"],
        "currency": "USD",
        "commitment": f"{each.per_hour:.8f}",
        "upfrontPaymentAmount": f"{each.per_hour * each.upfront * seconds / 3600:.8f}",
        "recurringPaymentAmount": f"{each.per_hour * (1 - each.upfront):.8f}",
        "termDurationInSeconds": seconds,
        "tags": {},
        **ec2,
    }
