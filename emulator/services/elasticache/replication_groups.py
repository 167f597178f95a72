"""The mechanics of ElastiCache replication groups in cluster mode: shards, members, and changes that take time.

moto's groups have no members of their own and change at once. The overlay's operations use this
module to change groups. A member is a dictionary in moto's own list, with a type and a status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.elasticache.models import elasticache_backends

from emulator.core.errors import AwsError
from emulator.core.instance_types import usable_cache_bytes
from emulator.workload.workload import MetricRequest, Sources

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

SLOTS = 16_384
EVENTS_KEPT = timedelta(days=14)
LOOKED_AT = 1800  # seconds of BytesUsedForCache whose maximum counts


@dataclass(frozen=True)
class CacheEvent:
    """An event of a replication group, as DescribeEvents reports it."""

    region: str
    group: str
    at: datetime
    message: str


@dataclass
class CacheEvents:
    """The events of one account, oldest first."""

    events: list[CacheEvent] = field(default_factory=list)


def find_group(call: Call) -> Any:
    """The group that the call names. Raises AwsError when there is none."""
    name = call.parameters["ReplicationGroupId"].lower()
    group = elasticache_backends[call.account][call.region].replication_groups.get(name)
    if group is None:
        raise AwsError("ReplicationGroupNotFoundFault", f"ReplicationGroup {name} not found.", 404)
    return group


def refuse_busy(group: Any) -> None:
    """Raises AwsError unless the group is available: ElastiCache changes it only then."""
    if group.status != "available" or getattr(group, "changing", False):
        raise AwsError(
            "InvalidReplicationGroupState",
            f"Replication group {group.replication_group_id} has status {group.status}, or a change was asked for "
            "already: it must be available.",
        )


def refuse_shortage(account: Account, node_type: str) -> None:
    """Raises AwsError if AWS has no capacity for this node type in the scenario."""
    workload = account.part(Sources).workload
    if workload is not None and workload.lacks(node_type, account.clock.now()):
        raise AwsError(
            "InsufficientCacheClusterCapacity",
            f"The requested cache node type {node_type} is not available in the specified Availability Zone.",
        )


def tell(account: Account, call: Call, group: Any, message: str) -> None:
    """Record an event of the group, now."""
    event = CacheEvent(call.region, group.replication_group_id, account.clock.now(), message)
    account.part(CacheEvents).events.append(event)


def group_description(account: Account, call: Call) -> dict[str, Any]:
    """The group that the call names, as DescribeReplicationGroups shows it."""
    client = account.client("elasticache", call.account, call.region)
    (found,) = client.describe_replication_groups(ReplicationGroupId=call.parameters["ReplicationGroupId"])[
        "ReplicationGroups"
    ]
    described: dict[str, Any] = found
    return described


def set_status(group: Any, status: str) -> None:
    """Set the status of the group, its shards and its members."""
    group.status = status
    for shard in group.node_groups:
        shard["status"] = status
        for member in shard["node_group_members"]:
            member["status"] = status


def zones_of(call: Call, subnet_group: str | None) -> list[str]:
    """The zones of a subnet group's subnets, each once; without a subnet group, the Region's first three."""
    found = elasticache_backends[call.account][call.region].cache_subnet_groups.get(subnet_group or "")
    named = [each.get("subnet_availability_zone") for each in found.subnets] if found else []
    zones = sorted({zone for zone in named if isinstance(zone, str)})
    return zones or [f"{call.region}{letter}" for letter in "abc"]


def add_shard(group: Any, shard: str, nodes: int, zones: Sequence[str]) -> None:
    """Add a shard without slots; its nodes are spread over the zones."""
    made = {"node_group_id": shard, "status": group.status, "slots": "", "node_group_members": []}
    group.node_groups.append(made)
    group.node_groups.sort(key=lambda each: each["node_group_id"])
    for _ in range(nodes):
        add_node(group, made, zones)


def add_node(group: Any, shard: dict[str, Any], zones: Sequence[str]) -> None:
    """Add a node with the shard's lowest free number, in the zone with the fewest nodes of the shard."""
    members = shard["node_group_members"]
    taken = {each["cache_cluster_id"] for each in members}
    prefix = f"{group.replication_group_id}-{shard['node_group_id']}"
    name = next(each for n in range(1, 1000) if (each := f"{prefix}-{n:03}") not in taken)
    used = Counter(each["preferred_availability_zone"] for each in members)
    # Each shard begins with another zone, so that the primaries are spread as well.
    place = int(shard["node_group_id"]) if str(shard["node_group_id"]).isdigit() else 0
    turned = [zones[(place + step) % len(zones)] for step in range(len(zones))]
    members.append(
        {
            "cache_cluster_id": name,
            "cache_node_id": "0001",
            "preferred_availability_zone": min(turned, key=lambda zone: used[zone]),
            "cache_node_type": group.cache_node_type,
            "status": group.status,
        }
    )
    _name_members(group)


def remove_nodes(group: Any, shard: dict[str, Any], keep: int) -> None:
    """Remove replicas, the youngest first; the primary is the first node and stays."""
    del shard["node_group_members"][keep:]
    _name_members(group)


def remove_shard(group: Any, shard: str) -> None:
    group.node_groups = [each for each in group.node_groups if each["node_group_id"] != shard]
    _name_members(group)


def share_slots(group: Any) -> None:
    """Distribute all slots evenly over the shards."""
    count = len(group.node_groups)
    for place, shard in enumerate(group.node_groups):
        first, last = place * SLOTS // count, (place + 1) * SLOTS // count - 1
        shard["slots"] = f"{first}-{last}"


def bytes_used(account: Account, call: Call, group: Any) -> dict[str, float]:
    """Bytes stored in each shard, from its fullest node's recent metrics; 0 without a workload."""
    return {shard["node_group_id"]: _bytes_of(account, call, shard) for shard in group.node_groups}


def usable(node_type: str) -> float:
    """Bytes that a node of this type can hold. Raises AwsError for a type that ElastiCache does not have here."""
    try:
        return usable_cache_bytes(node_type)
    except KeyError:
        raise AwsError("InvalidParameterValue", f"The value {node_type} is not a valid cache node type.") from None


def _bytes_of(account: Account, call: Call, shard: Mapping[str, Any]) -> float:
    workload = account.part(Sources).workload
    if workload is None:
        return 0.0
    now = account.clock.now()
    end = int(now.timestamp()) // 300 * 300
    highest = 0.0
    for member in shard["node_group_members"]:
        samples = workload.samples(
            call.region,
            "AWS/ElastiCache",
            "BytesUsedForCache",
            {"CacheClusterId": member["cache_cluster_id"]},
            MetricRequest(end - LOOKED_AT, end, 300),
            now,
        )
        if samples is not None:
            highest = max([highest, *samples.statistic("Maximum")[1].tolist()])
    return highest


def _name_members(group: Any) -> None:
    group.member_clusters = [each["cache_cluster_id"] for s in group.node_groups for each in s["node_group_members"]]
