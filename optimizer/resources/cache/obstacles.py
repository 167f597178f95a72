"""Obstacles to changing a replication group online."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from optimizer.ports.aws import Aws
from optimizer.resources.cache.replication_group import ReplicationGroup, shards_of
from optimizer.resources.scalable_targets import scalable_targets

if TYPE_CHECKING:
    from types_boto3_elasticache.type_defs import ReplicationGroupTypeDef

OLDEST_ENGINE = (3, 2, 10)  # resharding online (ElastiCache User Guide, "Online resharding")


def obstacles(aws: Aws, group: ReplicationGroupTypeDef) -> Iterator[str]:
    """Obstacles that would refuse an online change, or work against it."""
    if group["Status"] != "available" or group.get("PendingModifiedValues"):
        yield f"the group is {group['Status']}, or a change of it is pending"
    if not group.get("ClusterEnabled"):
        yield "cluster mode is off"
    if group.get("GlobalReplicationGroupInfo", {}).get("GlobalReplicationGroupId"):
        yield "it belongs to a global datastore"
    if len({len(nodes) for nodes in shards_of(group).values()}) > 1:
        yield "its shards have different numbers of replicas"
    nodes = ReplicationGroup(group["ReplicationGroupId"]).nodes(aws)
    for version in sorted({each.get("EngineVersion", "") for each in nodes}):
        numbers = tuple(int(part) for part in version.split(".") if part.isdigit())
        if numbers < OLDEST_ENGINE:
            yield f"engine {version or 'unknown'} cannot be resharded online"
    if scalable_targets(aws, "elasticache", f"replication-group/{group['ReplicationGroupId']}"):
        yield "Application Auto Scaling changes its shards or replicas"
