"""The Redis replication group and the groups it refers to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from emulator.core.resource_type import Created, Declared, LoadRefused, Properties, ResourceType, Site, request

POLL = 60  # seconds; longer than a group still says "available" after a change was requested
DONE = "available"


def create_subnet_group(site: Site, resource: Declared) -> Created:
    elasticache = site.client("elasticache")
    properties = {**resource.without("Tags"), "CacheSubnetGroupDescription": resource["Description"]}
    parameters = request(elasticache, "CreateCacheSubnetGroup", properties, Tags=resource.tag_list)
    name = parameters.setdefault("CacheSubnetGroupName", resource.generated_name(255)).lower()
    elasticache.create_cache_subnet_group(**{**parameters, "CacheSubnetGroupName": name})
    return Created(name)


def create_replication_group(site: Site, resource: Declared) -> Created:
    elasticache = site.client("elasticache")
    # A member of the log delivery's details is a JSON document, in CloudFormation and in the API.
    parameters = request(elasticache, "CreateReplicationGroup", resource.without("Tags"), Tags=resource.tag_list)
    name = parameters.setdefault("ReplicationGroupId", resource.generated_name(40)).lower()
    token = parameters.get("AuthToken", "")
    if token.startswith("{{resolve:"):  # CloudFormation reads the secret; no code here uses its value
        parameters["AuthToken"] = "rehearsal-auth-token"
    elasticache.create_replication_group(**{**parameters, "ReplicationGroupId": name})
    return _named(site, resource, name)


def adopt_replication_group(site: Site, resource: Declared) -> Created:
    """Take over an existing group: an import calls only the read operation."""
    return _named(site, resource, _group(site, resource["ReplicationGroupId"])["ReplicationGroupId"])


def _named(site: Site, resource: Declared, name: str) -> Created:
    endpoint = f"clustercfg.{name}.rehearsal.{site.place.region}.cache.amazonaws.com"
    return Created(
        name,
        {
            "ConfigurationEndPoint.Address": endpoint,
            "ConfigurationEndPoint.Port": str(resource.get("Port", 6379)),
            "PrimaryEndPoint.Address": endpoint,
            "PrimaryEndPoint.Port": str(resource.get("Port", 6379)),
        },
    )


def update_replication_group(site: Site, resource: Declared, made: Created, before: Properties) -> Created:
    """Change shards, then node type, then replicas, one after the other, where the account differs.

    AWS changes the number of shards in place only with the update policy.
    """
    if "NumNodeGroups" in resource.changed_since(before) and not resource.update_policy.get("UseOnlineResharding"):
        raise LoadRefused(
            f"{resource.place.stack}/{resource.logical_id}: without UpdatePolicy UseOnlineResharding another "
            "NumNodeGroups replaces the replication group, and with it all its data."
        )
    elasticache = site.client("elasticache")
    shards, replicas = int(resource["NumNodeGroups"]), int(resource["ReplicasPerNodeGroup"])
    there = [each["NodeGroupId"] for each in _group(site, made.id)["NodeGroups"]]
    if shards != len(there):
        leaving = {"NodeGroupsToRemove": there[shards:]} if shards < len(there) else {}
        elasticache.modify_replication_group_shard_configuration(
            ReplicationGroupId=made.id, NodeGroupCount=shards, ApplyImmediately=True, **leaving
        )
        _until_available(site, made.id)
    if resource["CacheNodeType"] != _group(site, made.id)["CacheNodeType"]:
        elasticache.modify_replication_group(
            ReplicationGroupId=made.id, CacheNodeType=resource["CacheNodeType"], ApplyImmediately=True
        )
        _until_available(site, made.id)
    today = min(len(each["NodeGroupMembers"]) for each in _group(site, made.id)["NodeGroups"]) - 1
    if replicas != today:
        change = elasticache.decrease_replica_count if replicas < today else elasticache.increase_replica_count
        change(ReplicationGroupId=made.id, NewReplicaCount=replicas, ApplyImmediately=True)
        _until_available(site, made.id)
    return made


def _group(site: Site, name: str) -> Any:
    (group,) = site.client("elasticache").describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    return group


def _until_available(site: Site, name: str) -> None:
    """Wait until the group is available: ElastiCache makes one change at a time, and CloudFormation waits for each."""
    site.account.clock.sleep(POLL)
    while _group(site, name)["Status"] != DONE:
        site.account.clock.sleep(POLL)


TYPES: Mapping[str, ResourceType] = {
    "AWS::ElastiCache::SubnetGroup": ResourceType(create_subnet_group),
    "AWS::ElastiCache::ReplicationGroup": ResourceType(
        create_replication_group,
        update_replication_group,
        frozenset({"NumNodeGroups", "CacheNodeType", "ReplicasPerNodeGroup"}),
        adopt=adopt_replication_group,
    ),
}
