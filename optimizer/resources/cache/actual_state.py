"""Replication groups as they really are, in the shape of their templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optimizer.ports.aws import Aws
from optimizer.resources.actual_state import Actual, Comparable, Observed, same
from optimizer.resources.cache.tags import cache_tags

if TYPE_CHECKING:
    from types_boto3_elasticache.type_defs import EndpointTypeDef


def _groups(observed: Observed) -> Mapping[str, Any]:
    return observed.by("ReplicationGroupId", "elasticache", "describe_replication_groups", "ReplicationGroups")


def _replication_group(observed: Observed, name: str) -> Actual | None:
    if (group := _groups(observed).get(name)) is None:
        return None
    nodes = group.get("NodeGroups", [])
    replicas = {len(each.get("NodeGroupMembers", [])) - 1 for each in nodes}
    return {
        **same(group, "AtRestEncryptionEnabled", "AutoMinorVersionUpgrade", "Engine", "KmsKeyId", "SnapshotWindow"),
        **same(group, "SnapshotRetentionLimit", "TransitEncryptionEnabled", "TransitEncryptionMode", "UserGroupIds"),
        **same(group, "ReplicationGroupId", ReplicationGroupDescription="Description"),
        "CacheNodeType": group["CacheNodeType"],
        "NumNodeGroups": len(nodes),
        # Shards that differ among each other are shown as they are: no declared number equals a list.
        "ReplicasPerNodeGroup": replicas.pop() if len(replicas) == 1 else sorted(replicas),
        "AutomaticFailoverEnabled": group.get("AutomaticFailover") in ("enabled", "enabling"),
        "MultiAZEnabled": group.get("MultiAZ") == "enabled",
        "Tags": [{"Key": key, "Value": value} for key, value in cache_tags(observed.aws, group["ARN"]).items()],
    }


def _endpoint(aws: Aws, name: str) -> EndpointTypeDef:
    (group,) = aws.elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    return group["ConfigurationEndpoint"]


COMPARED: Mapping[str, Comparable] = {
    "AWS::ElastiCache::ReplicationGroup": Comparable(
        "ReplicationGroupId",
        _replication_group,
        not_compared={
            "AuthToken": "a secret",
            "CacheParameterGroupName": "shown on the member nodes only",
            "CacheSubnetGroupName": "shown on the member nodes only",
            "EngineVersion": "shown on the member nodes only",
            "LogDeliveryConfigurations": "carries states of its own, and no action changes it",
            "Port": "shown on endpoints only",
            "PreferredMaintenanceWindow": "shown on the member nodes only",
            "SecurityGroupIds": "shown on the member nodes only",
        },
        attributes={
            "ConfigurationEndPoint.Address": lambda aws, name: _endpoint(aws, name)["Address"],
            "ConfigurationEndPoint.Port": lambda aws, name: str(_endpoint(aws, name)["Port"]),
        },
    ),
}
