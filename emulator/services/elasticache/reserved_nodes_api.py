"""Reserved nodes of ElastiCache."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from emulator.billing.catalog import ELASTICACHE
from emulator.billing.reserved import _bought, _common
from emulator.billing.spec import Reservation
from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account


@emulates(
    "elasticache",
    "DescribeReservedCacheNodes",
    rule="The Region's reservations with their term, state and charges; an unknown id is a fault.",
    source="https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_DescribeReservedCacheNodes.html",
)
def describe_reserved_cache_nodes(account: Account, call: Call) -> Answer:
    wanted = call.parameters.get("ReservedCacheNodeId")
    found = list(_bought(account, call, ELASTICACHE, [wanted] if wanted else None))
    if wanted and not found:
        raise AwsError("ReservedCacheNodeNotFound", f"Reserved cache node not found: {wanted}", 404)
    return {"ReservedCacheNodes": [_elasticache(account, call, each) for each in found]}


def _elasticache(account: Account, call: Call, each: Reservation) -> dict[str, Any]:
    return {
        "ReservedCacheNodeId": each.id,
        "ReservedCacheNodesOfferingId": f"offering-{each.id}",
        "ReservationARN": f"arn:aws:elasticache:{each.region}:{call.account}:reserved-instance:{each.id}",
        "CacheNodeType": each.kind,
        "CacheNodeCount": each.count,
        "ProductDescription": "redis",
        **_common(account, each),
    }
