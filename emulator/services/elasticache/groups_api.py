"""Amazon ElastiCache: replication groups in cluster mode with shards, member nodes, snapshots and events."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.elasticache.models import elasticache_backends

from emulator.core.errors import AwsError
from emulator.core.registry import Answer, emulates
from emulator.services.elasticache.replication_groups import (
    EVENTS_KEPT,
    CacheEvents,
    add_shard,
    find_group,
    group_description,
    refuse_busy,
    set_status,
    share_slots,
    tell,
    zones_of,
)

if TYPE_CHECKING:
    from emulator.core.call_record import Call
    from emulator.core.port import Account

API = "https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference"

SNAPSHOT, DELETED_IN = timedelta(minutes=10), timedelta(minutes=10)


@emulates(
    "elasticache",
    "CreateReplicationGroup",
    rule="More than one shard, or a parameter group with cluster mode on, makes a cluster: a configuration endpoint, "
    "16,384 slots spread evenly, member nodes named GROUP-SHARD-NNN and spread over the zones.",
    source=f"{API}/API_CreateReplicationGroup.html",
)
def create_replication_group(account: Account, call: Call) -> Answer:
    asked = dict(call.parameters)
    shards, replicas = asked.get("NumNodeGroups", 1), asked.get("ReplicasPerNodeGroup", 0)
    clustered = shards > 1 or ".cluster.on" in asked.get("CacheParameterGroupName", "")
    if not clustered:
        return call.forward()
    if not 0 <= replicas <= 5:
        raise AwsError("InvalidParameterValue", "ReplicasPerNodeGroup must be between 0 and 5.")
    call.forward({**asked, "ClusterMode": "enabled"})
    group = find_group(call)
    zones = zones_of(call, asked.get("CacheSubnetGroupName"))
    group.node_groups, group.pending_modified_values = [], {}
    for number in range(1, shards + 1):
        add_shard(group, f"{number:04}", 1 + replicas, zones)
    share_slots(group)
    name = group.replication_group_id
    group.configuration_endpoint["address"] = f"clustercfg.{name}.rehearsal.{call.region}.cache.amazonaws.com"
    return {"ReplicationGroup": group_description(account, call)}


@emulates(
    "elasticache",
    "DeleteReplicationGroup",
    rule="Only an available or failed group can be deleted; it is deleting for a while, then gone with its nodes.",
    source=f"{API}/API_DeleteReplicationGroup.html",
)
def delete_replication_group(account: Account, call: Call) -> Answer:
    group = find_group(call)
    if group.status != "create-failed":
        refuse_busy(group)
    set_status(group, "deleting")
    groups = elasticache_backends[call.account][call.region].replication_groups
    account.schedule(account.clock.now() + DELETED_IN, lambda: groups.pop(group.replication_group_id, None))
    return {"ReplicationGroup": group_description(account, call)}


@emulates(
    "elasticache",
    "DescribeCacheClusters",
    rule="Every node of a replication group is a cache cluster of its own, with its own type and status.",
    source=f"{API}/API_DescribeCacheClusters.html",
)
def describe_cache_clusters(_: Account, call: Call) -> Answer | None:
    wanted = call.parameters.get("CacheClusterId")
    nodes = [
        _as_cache_cluster(group, member)
        for group in elasticache_backends[call.account][call.region].replication_groups.values()
        for shard in group.node_groups
        for member in shard["node_group_members"]
        if "cache_node_type" in member and wanted in (None, member["cache_cluster_id"])
    ]
    if wanted is not None:
        return {"CacheClusters": nodes} if nodes else None
    return {"CacheClusters": [*call.forward()["CacheClusters"], *nodes]}


@emulates(
    "elasticache",
    "ListTagsForResource",
    rule="If the cluster is not in the available state, ListTagsForResource returns an error: for the group and for "
    "each of its nodes.",
    source=f"{API}/API_ListTagsForResource.html",
)
def list_tags_for_resource(_: Account, call: Call) -> Answer:
    *_, kind, name = call.parameters["ResourceName"].split(":")
    for group in elasticache_backends[call.account][call.region].replication_groups.values():
        members = [each.get("cache_cluster_id") for shard in group.node_groups for each in shard["node_group_members"]]
        meant = name == group.replication_group_id if kind == "replicationgroup" else name in members
        if meant and group.status != "available":
            raise AwsError(
                "InvalidReplicationGroupState", "Cluster not in available state to perform tagging operations."
            )
    return call.forward()


@emulates(
    "elasticache",
    "DescribeEvents",
    rule="A later failure is an event of the group, newest last, for at most 14 days; the last hour by default.",
    source=f"{API}/API_DescribeEvents.html",
)
def describe_events(account: Account, call: Call) -> Answer:
    asked, now = call.parameters, account.clock.now()
    since = asked.get("StartTime") or now - timedelta(minutes=asked.get("Duration", 60))
    if since < now - EVENTS_KEPT:
        raise AwsError("InvalidParameterValue", "Events are kept for 14 days.")
    if asked.get("SourceIdentifier") and not asked.get("SourceType"):
        raise AwsError("InvalidParameterCombination", "SourceIdentifier needs a SourceType.")
    return {
        "Events": [
            {
                "SourceIdentifier": event.group,
                "SourceType": "replication-group",
                "Message": event.message,
                "Date": event.at,
            }
            for event in account.part(CacheEvents).events
            if event.region == call.region
            and since <= event.at <= asked.get("EndTime", now)
            and asked.get("SourceIdentifier") in (None, event.group)
            and asked.get("SourceType") in (None, "replication-group")
        ]
    }


@emulates(
    "elasticache",
    "CreateSnapshot",
    rule="The group must be available, and is snapshotting during the snapshot; the snapshot is creating, then "
    "available.",
    source=f"{API}/API_CreateSnapshot.html",
)
def create_snapshot(account: Account, call: Call) -> Answer | None:
    if "ReplicationGroupId" not in call.parameters:
        return None
    group = find_group(call)
    refuse_busy(group)
    answer = call.forward()
    snapshot = elasticache_backends[call.account][call.region].snapshots[call.parameters["SnapshotName"]]
    snapshot.snapshot_status = "creating"
    set_status(group, "snapshotting")

    def complete() -> None:
        snapshot.snapshot_status = "available"
        set_status(group, "available")
        tell(account, call, group, f"Snapshot succeeded for snapshot with ID '{snapshot.snapshot_name}'")

    account.schedule(account.clock.now() + SNAPSHOT, complete)
    return {"Snapshot": {**answer["Snapshot"], "SnapshotStatus": "creating"}}


@emulates(
    "elasticache",
    "DeleteSnapshot",
    rule="Only an available or failed snapshot can be deleted.",
    source=f"{API}/API_DeleteSnapshot.html",
)
def delete_snapshot(_: Account, call: Call) -> Answer:
    snapshot = elasticache_backends[call.account][call.region].snapshots.get(call.parameters["SnapshotName"])
    if snapshot is not None and snapshot.snapshot_status not in ("available", "failed"):
        raise AwsError("InvalidSnapshotState", f"The snapshot is in the state {snapshot.snapshot_status}.")
    return call.forward()


def _as_cache_cluster(group: Any, member: Any) -> dict[str, Any]:
    groups = [{"SecurityGroupId": each, "Status": "active"} for each in group.security_group_ids or []]
    region, account = group.arn.split(":")[3:5]
    return {
        "CacheClusterId": member["cache_cluster_id"],
        "ReplicationGroupId": group.replication_group_id,
        "CacheNodeType": member["cache_node_type"],
        "CacheClusterStatus": member["status"],
        "Engine": group.engine,
        "EngineVersion": f"{group.engine_version}.0" if str(group.engine_version).count(".") == 1 else "",
        "NumCacheNodes": 1,
        "PreferredAvailabilityZone": member["preferred_availability_zone"],
        "CacheParameterGroup": {"CacheParameterGroupName": group.cache_parameter_group_name or "default"},
        "CacheSubnetGroupName": group.cache_subnet_group_name or "default",
        "SecurityGroups": groups,
        "PendingModifiedValues": member.get("pending", {}),
        "ARN": f"arn:aws:elasticache:{region}:{account}:cluster:{member['cache_cluster_id']}",
    }
