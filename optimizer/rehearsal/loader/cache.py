"""The Redis replication group and the groups it refers to."""

from __future__ import annotations

from collections.abc import Mapping

from optimizer.rehearsal.loader.resource import Created, Declared, LoadRefused, Properties, ResourceType, Site, request


def create_subnet_group(site: Site, resource: Declared) -> Created:
    elasticache = site.client("elasticache")
    properties = {**resource.without("Tags"), "CacheSubnetGroupDescription": resource["Description"]}
    parameters = request(elasticache, "CreateCacheSubnetGroup", properties, Tags=resource.tag_list)
    name = parameters.setdefault("CacheSubnetGroupName", resource.generated_name(255)).lower()
    elasticache.create_cache_subnet_group(**{**parameters, "CacheSubnetGroupName": name})
    return Created(name)


def create_replication_group(site: Site, resource: Declared) -> Created:
    elasticache = site.client("elasticache")
    # A member of the log delivery's details is a JSON document in CloudFormation as in the API.
    parameters = request(elasticache, "CreateReplicationGroup", resource.without("Tags"), Tags=resource.tag_list)
    name = parameters.setdefault("ReplicationGroupId", resource.generated_name(40)).lower()
    token = parameters.get("AuthToken", "")
    if token.startswith("{{resolve:"):  # CloudFormation reads the secret; its value matters to nobody here
        parameters["AuthToken"] = "rehearsal-auth-token"
    elasticache.create_replication_group(**{**parameters, "ReplicationGroupId": name})
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
    """Shards first, then node type, then replicas; AWS changes the shard count in place only with the update policy."""
    elasticache = site.client("elasticache")
    changed = resource.changed_since(before)
    if "NumNodeGroups" in changed:
        if not resource.update_policy.get("UseOnlineResharding"):
            raise LoadRefused(
                f"{resource.place.stack}/{resource.logical_id}: without UpdatePolicy UseOnlineResharding another "
                "NumNodeGroups replaces the replication group, and with it all its data."
            )
        elasticache.modify_replication_group_shard_configuration(
            ReplicationGroupId=made.id, NodeGroupCount=int(resource["NumNodeGroups"]), ApplyImmediately=True
        )
    if "CacheNodeType" in changed:
        elasticache.modify_replication_group(
            ReplicationGroupId=made.id, CacheNodeType=resource["CacheNodeType"], ApplyImmediately=True
        )
    if "ReplicasPerNodeGroup" in changed:
        count, deployed = int(resource["ReplicasPerNodeGroup"]), int(before["ReplicasPerNodeGroup"])
        change = elasticache.decrease_replica_count if count < deployed else elasticache.increase_replica_count
        change(ReplicationGroupId=made.id, NewReplicaCount=count, ApplyImmediately=True)
    return made


TYPES: Mapping[str, ResourceType] = {
    "AWS::ElastiCache::SubnetGroup": ResourceType(create_subnet_group),
    "AWS::ElastiCache::ReplicationGroup": ResourceType(
        create_replication_group,
        update_replication_group,
        frozenset({"NumNodeGroups", "CacheNodeType", "ReplicasPerNodeGroup"}),
    ),
}
