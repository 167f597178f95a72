"""Reserved instances and nodes as their own services describe them: those that the scenario bought."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from optimizer.rehearsal.billing.catalog import EC2, ELASTICACHE, RDS, item, rate
from optimizer.rehearsal.billing.ledger import Billing
from optimizer.rehearsal.billing.spec import Reservation
from optimizer.rehearsal.overlay import Answer, AwsError, emulates

if TYPE_CHECKING:
    from optimizer.rehearsal.account import EmulatedAccount
    from optimizer.rehearsal.calls import Call


@emulates(
    "ec2",
    "DescribeReservedInstances",
    rule="The Region's reservations with their term, state and charges; retired ones stay listed.",
    source="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeReservedInstances.html",
)
def describe_reserved_instances(account: EmulatedAccount, call: Call) -> Answer:
    asked = call.parameters
    found = list(_bought(account, call, EC2, asked.get("ReservedInstancesIds")))
    shown = [_ec2(account, each) for each in found]
    for one in asked.get("Filters") or ():
        shown = [each for each in shown if _value(each, one["Name"]) in one["Values"]]
    return {"ReservedInstances": shown}


@emulates(
    "rds",
    "DescribeReservedDBInstances",
    rule="The Region's reservations with their term, state and charges; an unknown id is a fault.",
    source="https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeReservedDBInstances.html",
)
def describe_reserved_db_instances(account: EmulatedAccount, call: Call) -> Answer:
    wanted = call.parameters.get("ReservedDBInstanceId")
    found = list(_bought(account, call, RDS, [wanted] if wanted else None))
    if wanted and not found:
        raise AwsError("ReservedDBInstanceNotFound", f"The specified reserved DB Instance {wanted} not found.", 404)
    return {"ReservedDBInstances": [_rds(account, call, each) for each in found]}


@emulates(
    "elasticache",
    "DescribeReservedCacheNodes",
    rule="The Region's reservations with their term, state and charges; an unknown id is a fault.",
    source="https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeReservedCacheNodes.html",
)
def describe_reserved_cache_nodes(account: EmulatedAccount, call: Call) -> Answer:
    wanted = call.parameters.get("ReservedCacheNodeId")
    found = list(_bought(account, call, ELASTICACHE, [wanted] if wanted else None))
    if wanted and not found:
        raise AwsError("ReservedCacheNodeNotFound", f"Reserved cache node not found: {wanted}", 404)
    return {"ReservedCacheNodes": [_elasticache(account, call, each) for each in found]}


def _bought(account: EmulatedAccount, call: Call, service: str, ids: Sequence[str] | None) -> Iterator[Reservation]:
    """The Region's reservations of one service, as far as they were bought by now."""
    if call.account != account.production:
        return
    for each in account.part(Billing).spec.reservations:
        here = each.region == call.region and item(each.kind).service == service
        if here and each.begin <= account.clock.now() and (ids is None or each.id in ids):
            yield each


def _ec2(account: EmulatedAccount, each: Reservation) -> dict[str, Any]:
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


def _rds(account: EmulatedAccount, call: Call, each: Reservation) -> dict[str, Any]:
    return {
        "ReservedDBInstanceId": each.id,
        "ReservedDBInstancesOfferingId": f"offering-{each.id}",
        "ReservedDBInstanceArn": f"arn:aws:rds:{each.region}:{call.account}:ri:{each.id}",
        "DBInstanceClass": each.kind,
        "DBInstanceCount": each.count,
        "ProductDescription": "aurora postgresql",
        "MultiAZ": False,
        "CurrencyCode": "USD",
        **_common(account, each),
    }


def _elasticache(account: EmulatedAccount, call: Call, each: Reservation) -> dict[str, Any]:
    return {
        "ReservedCacheNodeId": each.id,
        "ReservedCacheNodesOfferingId": f"offering-{each.id}",
        "ReservationARN": f"arn:aws:elasticache:{each.region}:{call.account}:reserved-instance:{each.id}",
        "CacheNodeType": each.kind,
        "CacheNodeCount": each.count,
        "ProductDescription": "redis",
        **_common(account, each),
    }


def _common(account: EmulatedAccount, each: Reservation) -> dict[str, Any]:
    upfront, hourly = _charges(each)
    return {
        "OfferingType": each.payment,
        "StartTime": each.begin,
        "Duration": _seconds(each),
        "State": _state(account, each),
        "FixedPrice": upfront,
        "UsagePrice": 0.0,
        "RecurringCharges": [{"RecurringChargeAmount": hourly, "RecurringChargeFrequency": "Hourly"}],
    }


def _charges(each: Reservation) -> tuple[float, float]:
    """What one instance costs upfront, and each hour."""
    hourly = rate(each.kind, each.region) * (1 - each.discount)
    hours = _seconds(each) / 3600
    return round(hourly * each.upfront * hours, 2), round(hourly * (1 - each.upfront), 6)


def _seconds(each: Reservation) -> int:
    return int((each.end - each.begin).total_seconds())


def _state(account: EmulatedAccount, each: Reservation) -> str:
    return "active" if account.clock.now() < each.end else "retired"


def _value(shown: Mapping[str, Any], name: str) -> str:
    """What a filter of EC2 looks at."""
    member = {"state": "State", "instance-type": "InstanceType", "scope": "Scope", "offering-class": "OfferingClass"}
    if name not in member:
        raise NotImplementedError(f"the filter {name} is not emulated; there are {', '.join(member)}.")
    return str(shown[member[name]])
