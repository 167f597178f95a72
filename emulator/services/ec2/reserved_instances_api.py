"""Reserved Instances of EC2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.billing.catalog import EC2
from emulator.billing.reserved import _bought, _charges, _seconds, _state, _value
from emulator.billing.spec import Reservation
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@emulates(
    "ec2",
    "DescribeReservedInstances",
    rule="The Region's reservations with their term, state and charges; retired ones stay listed.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeReservedInstances.html",
)
def describe_reserved_instances(account: Account, call: Call) -> Answer:
    asked = call.parameters
    found = list(_bought(account, call, EC2, asked.get("ReservedInstancesIds")))
    shown = [_ec2(account, each) for each in found]
    for one in asked.get("Filters") or ():
        shown = [each for each in shown if _value(each, one["Name"]) in one["Values"]]
    return {"ReservedInstances": shown}


def _ec2(account: Account, each: Reservation) -> dict[str, Any]:
    upfront, hourly = _charges(each)
    return {
        "ReservedInstancesId": each.id,
        "InstanceType": each.kind,
        "InstanceCount": each.count,
        "InstanceTenancy": "default",
        "ProductDescription": "Linux/UNIX",
        "OfferingClass": "standard",
        "OfferingType": each.payment,
        "Scope": "Region",
        "Start": each.begin,
        "End": each.end,
        "Duration": _seconds(each),
        "State": _state(account, each),
        "CurrencyCode": "USD",
        "FixedPrice": upfront,
        "UsagePrice": 0.0,
        "RecurringCharges": [{"Amount": hourly, "Frequency": "Hourly"}],
    }
