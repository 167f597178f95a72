"""Reserved instances of RDS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.billing.catalog import RDS
from emulator.billing.reserved import _bought, _common
from emulator.billing.spec import Reservation
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@emulates(
    "rds",
    "DescribeReservedDBInstances",
    rule="The Region's reservations with their term, state and charges; an unknown id is a fault.",
    source="https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_DescribeReservedDBInstances.html",
)
def describe_reserved_db_instances(account: Account, call: Call) -> Answer:
    wanted = call.parameters.get("ReservedDBInstanceId")
    found = list(_bought(account, call, RDS, [wanted] if wanted else None))
    if wanted and not found:
        raise AwsError("ReservedDBInstanceNotFound", f"The specified reserved DB Instance {wanted} not found.", 404)
    return {"ReservedDBInstances": [_rds(account, call, each) for each in found]}


def _rds(account: Account, call: Call, each: Reservation) -> dict[str, Any]:
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
