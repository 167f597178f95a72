"""Amazon ElastiCache: changes of shards, node types and replicas. All of them take time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from emulator.core.errors import AwsError
from emulator.core.instance_types import cache_node_types, usable_cache_bytes
from emulator.core.registry import Answer, emulates
from emulator.services.elasticache.replication_groups import (
    add_node,
    add_shard,
    bytes_used,
    find_group,
    group_description,
    refuse_busy,
    refuse_shortage,
    remove_nodes,
    remove_shard,
    set_status,
    share_slots,
    tell,
    usable,
    zones_of,
)

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference"
GUIDE = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg"

BEGINS = timedelta(seconds=30)  # right after the call a group still says "available"
A_SHARD = timedelta(minutes=20)  # to add or empty one
A_TYPE = timedelta(minutes=40)
REPLICAS = timedelta(minutes=12)
FREE_OVER_REMOVED = 1.5


@emulates(
    "elasticache",
    "ModifyReplicationGroup",
    rule="Works only while available; a node type must be an allowed modification, waits for the maintenance window "
    "without ApplyImmediately, takes time, and fails later, with an event, if the data does not fit.",
    source=f"{GUIDE}/redis-cluster-vertical-scaling.html",
)
def modify_replication_group(account: Account, call: Call) -> Answer:
    asked = dict(call.parameters)
    group = find_group(call)
    refuse_busy(group)
    node_type = asked.pop("CacheNodeType", None)
    if node_type is None or node_type == group.cache_node_type:
        return call.forward()
    if node_type not in [*_smaller(group.cache_node_type), *_larger(group.cache_node_type)]:
        raise AwsError("InvalidParameterValue", f"{node_type} is not an allowed modification of this group.")
    if not asked.get("ApplyImmediately"):
        raise NotImplementedError("ElastiCache's maintenance window: no action waits for it, ask with ApplyImmediately")
    refuse_shortage(account, node_type)
    call.forward(asked)
    _pending(group, {"CacheNodeType": node_type})

    def end() -> None:
        room = usable(node_type)
        if any(used > room for used in bytes_used(account, call, group).values()):
            name = group.replication_group_id
            tell(
                account,
                call,
                group,
                f"Failed to scale down to cache node type {node_type} for Replication Group {name} because the "
                "node has insufficient memory. Please select a different node type or reduce current memory usage "
                "and retry.",
            )
            return
        group.cache_node_type = node_type
        for shard in group.node_groups:
            for member in shard["node_group_members"]:
                member["cache_node_type"] = node_type
        tell(account, call, group, f"Successfully changed the cache node type to {node_type}.")

    return _change(account, call, group, A_TYPE, end)


@emulates(
    "elasticache",
    "ListAllowedNodeTypeModifications",
    rule="The node types of the family that are larger, and those that are smaller.",
    source=f"{API}/API_ListAllowedNodeTypeModifications.html",
)
def list_allowed_modifications(_: Account, call: Call) -> Answer:
    today = find_group(call).cache_node_type
    return {"ScaleUpModifications": _larger(today), "ScaleDownModifications": _smaller(today)}


@emulates(
    "elasticache",
    "ModifyReplicationGroupShardConfiguration",
    rule="Works only with ApplyImmediately, cluster mode and an available group; scaling in names the shards to remove "
    "or to retain; without free memory of 1.5 times the removed shards' data it ends with more shards than requested, "
    "and an event says so; new shards get as many nodes as the smallest has, and ids that AWS chooses; slots are "
    "spread again.",
    source=f"{GUIDE}/best-practices-online-resharding.html",
)
def modify_shards(account: Account, call: Call) -> Answer:
    asked, group = call.parameters, find_group(call)
    if asked.get("ApplyImmediately") is not True:
        raise AwsError("InvalidParameterValue", "ApplyImmediately must be true: it is the only permitted value.")
    if not group.cluster_enabled:
        raise AwsError("InvalidParameterValue", "Resharding needs cluster mode.")
    refuse_busy(group)
    today = [each["node_group_id"] for each in group.node_groups]
    count = asked["NodeGroupCount"]
    if not 1 <= count <= 500:
        raise AwsError("InvalidParameterValue", "NodeGroupCount must be between 1 and 500.")
    group.pending_modified_values = {"Resharding": {"SlotMigration": {"ProgressPercentage": 0.0}}}
    if count > len(today):
        refuse_shortage(account, group.cache_node_type)
        added, nodes, zones = _added(call, today), _fewest(group), zones_of(call, group.cache_subnet_group_name)

        def grow() -> None:
            for shard in added:
                add_shard(group, shard, nodes, zones)
            share_slots(group)

        return _change(account, call, group, A_SHARD * len(added), grow)
    leaving = _removed(call, today)

    def shrink() -> None:
        used = bytes_used(account, call, group)
        for shard in leaving:
            kept = [each for each in used if each not in leaving]
            free = sum(usable(group.cache_node_type) - used[each] for each in kept)
            if free < FREE_OVER_REMOVED * sum(used[each] for each in leaving):
                tell(account, call, group, f"Resharding could not complete: shard {shard} has not been removed.")
                continue
            remove_shard(group, shard)
        share_slots(group)

    return _change(account, call, group, A_SHARD * max(len(leaving), 1), shrink)


@emulates(
    "elasticache",
    "DecreaseReplicaCount",
    rule="Works only with ApplyImmediately and an available group, to fewer than now, at least 0, with Multi-AZ at "
    "least 1; the primaries stay.",
    source=f"{API}/API_DecreaseReplicaCount.html",
)
def decrease_replicas(account: Account, call: Call) -> Answer:
    group, count = _requested_replicas(call)
    if group.multi_az == "enabled" and count < 1:
        raise AwsError("InvalidParameterValue", "With Multi-AZ each shard needs at least one replica.")
    if count >= _fewest(group) - 1:
        raise AwsError("InvalidParameterValue", f"The group has {_fewest(group) - 1} replicas: {count} is no decrease.")

    def end() -> None:
        for shard in group.node_groups:
            remove_nodes(group, shard, 1 + count)

    return _change(account, call, group, REPLICAS, end)


@emulates(
    "elasticache",
    "IncreaseReplicaCount",
    rule="Works only with ApplyImmediately and an available group, to more than now, at most 5; nodes take time to "
    "sync.",
    source=f"{API}/API_IncreaseReplicaCount.html",
)
def increase_replicas(account: Account, call: Call) -> Answer:
    group, count = _requested_replicas(call)
    if count <= _fewest(group) - 1:
        raise AwsError("InvalidParameterValue", f"The group has {_fewest(group) - 1} replicas: {count} is no increase.")
    refuse_shortage(account, group.cache_node_type)
    zones = zones_of(call, group.cache_subnet_group_name)

    def end() -> None:
        for shard in group.node_groups:
            while len(shard["node_group_members"]) < 1 + count:
                add_node(group, shard, zones)

    return _change(account, call, group, REPLICAS, end)


def _change(account: Account, call: Call, group: Any, length: timedelta, end: Callable[[], None]) -> Answer:
    """The group is modifying for a while after the call; at the end it is changed, and available."""
    group.changing = True
    answer = {**group_description(account, call), "Status": "modifying"}

    def begin() -> None:
        set_status(group, "modifying")

    def finish() -> None:
        end()
        group.pending_modified_values = {}
        _pending(group, {})
        group.changing = False
        set_status(group, "available")

    now = account.clock.now()
    account.schedule(now + BEGINS, begin)
    account.schedule(now + BEGINS + length, finish)
    return {"ReplicationGroup": answer}


def _pending(group: Any, values: Mapping[str, str]) -> None:
    """Set the nodes' pending values: a group has no field for a pending node type."""
    for shard in group.node_groups:
        for member in shard["node_group_members"]:
            member["pending"] = values


def _requested_replicas(call: Call) -> tuple[Any, int]:
    group, asked = find_group(call), call.parameters
    refuse_busy(group)
    if asked.get("ApplyImmediately") is not True:
        raise AwsError("InvalidParameterValue", "ApplyImmediately=False is not supported.")
    count = asked.get("NewReplicaCount")
    if count is None:
        raise NotImplementedError("replicas shard by shard: no action asks for it, give NewReplicaCount")
    if not 0 <= count <= 5:
        raise AwsError("InvalidParameterValue", "A shard has from 0 to 5 replicas.")
    return group, int(count)


def _removed(call: Call, today: list[str]) -> list[str]:
    """The shards that a scale-in removes: those it names, or those it does not retain."""
    asked = call.parameters
    if asked["NodeGroupCount"] == len(today):
        return []
    retained, removed = asked.get("NodeGroupsToRetain"), asked.get("NodeGroupsToRemove")
    if bool(retained) == bool(removed):
        raise AwsError(
            "InvalidParameterCombination", "Either NodeGroupsToRemove or NodeGroupsToRetain is required to scale in."
        )
    named = [*(retained or []), *(removed or [])]
    if unknown := sorted(set(named) - set(today)):
        raise AwsError("NodeGroupNotFoundFault", f"Node groups {', '.join(unknown)} not found.", 404)
    leaving = [each for each in today if (each not in named if retained else each in named)]
    if len(today) - len(leaving) != asked["NodeGroupCount"]:
        raise AwsError("InvalidParameterValue", "NodeGroupCount does not match the node groups that are named.")
    return leaving


def _added(call: Call, today: list[str]) -> list[str]:
    """The ids of the new shards: the lowest free ones. AWS does not document its choice."""
    missing = call.parameters["NodeGroupCount"] - len(today)
    configured: list[Mapping[str, Any]] = call.parameters.get("ReshardingConfiguration", [])
    if configured and len(configured) != call.parameters["NodeGroupCount"]:
        raise AwsError("InvalidParameterValue", "ReshardingConfiguration must name every node group, old and new.")
    if unknown := sorted(
        str(each["NodeGroupId"]) for each in configured if each.get("NodeGroupId") not in (None, *today)
    ):
        raise AwsError(
            "InvalidParameterValue", f"Node groups {', '.join(unknown)} do not exist: new ones get their ids."
        )
    free = (each for n in range(1, 1000) if (each := f"{n:04}") not in today)
    return [next(free) for _ in range(missing)]


def _fewest(group: Any) -> int:
    return min(len(each["node_group_members"]) for each in group.node_groups)


def _family(node_type: str) -> list[str]:
    return [each for each in cache_node_types() if each.rpartition(".")[0] == node_type.rpartition(".")[0]]


def _larger(node_type: str) -> list[str]:
    return [each for each in _family(node_type) if usable_cache_bytes(each) > usable(node_type)]


def _smaller(node_type: str) -> list[str]:
    return [each for each in _family(node_type) if usable_cache_bytes(each) < usable(node_type)]
