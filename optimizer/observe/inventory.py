"""What the optimizer may change: resources found by stack tag, and owned by no tenant.

Ownership fails closed. A resource is tenant-owned when it carries the tag key `TenantId`, or a key
that begins with `TenantId:` (both readings of the brief's `TenantId:*`), in any letter case; when
its tags cannot be read, it counts as owned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from optimizer.model.resource import Excluded, Governed, Inventory, Kind, Tags, tenant_tag
from optimizer.ports.aws import Aws

Found = tuple[str, str, Mapping[str, Any]]  # name, ARN, what the describe call showed


def take_inventory(aws: Aws, regions: Sequence[str], kinds: Sequence[Kind] = tuple(Kind)) -> Inventory:
    """All resources of these kinds with the governed tag, in these Regions, split by who owns them.

    Found by each service's own describe calls: the tagging API leaves out resources that were never
    tagged and services it does not cover, without saying so. Only a resource whose native tags say
    that it is governed counts at all; one of those that is tenant-owned, or has a part whose tags
    cannot be read, is excluded.
    """
    governed: list[Governed] = []
    excluded: list[Excluded] = []
    seen: set[str] = set()  # a global cluster shows in each of its Regions
    for region in regions:
        here = aws.at(region)
        for kind in kinds:
            reader = _READERS[kind]
            for name, arn, attributes in reader.find(here):
                if arn in seen:
                    continue
                seen.add(arn)
                try:
                    tags = reader.tags(here, arn)
                except ClientError as error:
                    excluded.append(Excluded(kind, name, arn, region, _unreadable(error)))
                    continue
                if tags.get(GOVERNED_TAG) != GOVERNED_VALUE:
                    continue
                each = Governed(kind, name, arn, region, tags, attributes)
                owner = owner_of(here, each, tags)
                if owner:
                    excluded.append(Excluded(kind, name, arn, region, owner))
                else:
                    governed.append(each)
    return Inventory(tuple(governed), tuple(excluded))


def owner_of(aws: Aws, governed: Governed, tags: Tags | None = None) -> str | None:
    """Why the resource is not ours to change; None when it is. Reads native tags now, parts included."""
    here = aws.at(governed.region)
    reader = _READERS[governed.kind]
    try:
        own = reader.tags(here, governed.arn) if tags is None else tags
        if owned := tenant_tag(own):
            return f"owned by a tenant: tag {owned}"
        if own.get(GOVERNED_TAG) != GOVERNED_VALUE:
            return f"not governed: tag {GOVERNED_TAG} is gone"
        for part, part_tags in reader.parts(here, governed.name):
            if owned := tenant_tag(part_tags):
                return f"its part {part} is owned by a tenant: tag {owned}"
    except ClientError as error:
        return _unreadable(error)
    return None


def _unreadable(error: ClientError) -> str:
    return (
        f"ownership unknown, so it counts as owned: {error.operation_name} answered {error.response['Error']['Code']}"
    )


@dataclass(frozen=True)
class _Reader:
    """How one kind is found, how its tags are read, and which parts of it could be owned by themselves."""

    find: Callable[[Aws], Iterator[Found]]
    tags: Callable[[Aws, str], Tags]
    parts: Callable[[Aws, str], Iterator[tuple[str, Tags]]] = lambda _aws, _name: iter(())


def _flat(tags: Iterable[Any]) -> Tags:
    return {each["Key"]: each.get("Value", "") for each in tags}


def _find_tables(aws: Aws) -> Iterator[Found]:
    for page in aws.dynamodb.get_paginator("list_tables").paginate():
        for name in page["TableNames"]:
            yield name, f"arn:aws:dynamodb:{aws.region}:{aws.account}:table/{name}", {}


def _table_tags(aws: Aws, arn: str) -> Tags:
    pages = aws.dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return _flat(tag for page in pages for tag in page["Tags"])


def _table_parts(aws: Aws, name: str) -> Iterator[tuple[str, Tags]]:
    """The replicas of a global table: a change of one is a change of all."""
    for replica in aws.dynamodb.describe_table(TableName=name)["Table"].get("Replicas", []):
        if (region := replica["RegionName"]) != aws.region:
            arn = f"arn:aws:dynamodb:{region}:{aws.account}:table/{name}"
            yield arn, _table_tags(aws.at(region), arn)


def _find_fleets(aws: Aws) -> Iterator[Found]:
    for page in aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate():
        for group in page["AutoScalingGroups"]:
            yield group["AutoScalingGroupName"], group["AutoScalingGroupARN"], {}


def _fleet_tags(aws: Aws, arn: str) -> Tags:
    name = arn.rsplit("autoScalingGroupName/", 1)[1]
    pages = aws.autoscaling.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "auto-scaling-group", "Values": [name]}]
    )
    return _flat(tag for page in pages for tag in page["Tags"])


def _fleet_parts(aws: Aws, name: str) -> Iterator[tuple[str, Tags]]:
    (group,) = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    template = group.get("LaunchTemplate", {}).get("LaunchTemplateId")
    if template:
        described = aws.ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [template]}])["Tags"]
        yield template, _flat(described)


def _find_load_balancers(aws: Aws) -> Iterator[Found]:
    for page in aws.elbv2.get_paginator("describe_load_balancers").paginate():
        for each in page["LoadBalancers"]:
            yield each["LoadBalancerName"], each["LoadBalancerArn"], {}


def _load_balancer_tags(aws: Aws, arn: str) -> Tags:
    return _flat(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def _find_caches(aws: Aws) -> Iterator[Found]:
    for page in aws.elasticache.get_paginator("describe_replication_groups").paginate():
        for group in page["ReplicationGroups"]:
            shards = {shard["NodeGroupId"]: shard["NodeGroupMembers"] for shard in group["NodeGroups"]}
            nodes = {each["CacheClusterId"]: shard for shard, members in shards.items() for each in members}
            yield group["ReplicationGroupId"], group["ARN"], {"nodes": nodes}


def _cache_tags(aws: Aws, arn: str) -> Tags:
    return _flat(aws.elasticache.list_tags_for_resource(ResourceName=arn)["TagList"])


def _find_clusters(aws: Aws) -> Iterator[Found]:
    """With whether each is a global database's secondary: a copy, that has no sizing of its own."""
    copies = {arn for _, _, database in _find_global_clusters(aws) for arn in database["secondaries"]}
    for page in aws.rds.get_paginator("describe_db_clusters").paginate():
        for cluster in page["DBClusters"]:
            arn = cluster["DBClusterArn"]
            yield cluster["DBClusterIdentifier"], arn, {"secondary": arn in copies}


def _find_instances(aws: Aws) -> Iterator[Found]:
    for page in aws.rds.get_paginator("describe_db_instances").paginate():
        for instance in page["DBInstances"]:
            yield (
                instance["DBInstanceIdentifier"],
                instance["DBInstanceArn"],
                {"cluster": instance.get("DBClusterIdentifier")},
            )


def _find_global_clusters(aws: Aws) -> Iterator[Found]:
    for page in aws.rds.get_paginator("describe_global_clusters").paginate():
        for cluster in page["GlobalClusters"]:
            members = cluster["GlobalClusterMembers"]
            secondaries = sorted(each["DBClusterArn"] for each in members if not each["IsWriter"])
            writers = [each["DBClusterArn"] for each in members if each["IsWriter"]]
            attributes = {"primary": next(iter(writers), None), "secondaries": secondaries}
            yield cluster["GlobalClusterIdentifier"], cluster["GlobalClusterArn"], attributes


def _rds_tags(aws: Aws, arn: str) -> Tags:
    return _flat(aws.rds.list_tags_for_resource(ResourceName=arn)["TagList"])


def _cluster_parts(aws: Aws, name: str) -> Iterator[tuple[str, Tags]]:
    for instance, arn, attributes in _find_instances(aws):
        if attributes["cluster"] == name:
            yield instance, _rds_tags(aws, arn)


def _cache_parts(aws: Aws, name: str) -> Iterator[tuple[str, Tags]]:
    """The nodes, each of which carries tags of its own."""
    for page in aws.elasticache.get_paginator("describe_cache_clusters").paginate():
        for node in page["CacheClusters"]:
            if node.get("ReplicationGroupId") == name:
                yield node["CacheClusterId"], _cache_tags(aws, node["ARN"])


def _global_cluster_parts(aws: Aws, name: str) -> Iterator[tuple[str, Tags]]:
    """The member clusters in all their Regions, and the instances of each."""
    for database in aws.rds.describe_global_clusters(GlobalClusterIdentifier=name)["GlobalClusters"]:
        for member in database["GlobalClusterMembers"]:
            region, cluster = (member["DBClusterArn"].split(":")[place] for place in (3, 6))
            there = aws.at(region)
            yield cluster, _rds_tags(there, member["DBClusterArn"])
            yield from _cluster_parts(there, cluster)


_READERS: Mapping[Kind, _Reader] = {
    Kind.TABLE: _Reader(_find_tables, _table_tags, _table_parts),
    Kind.FLEET: _Reader(_find_fleets, _fleet_tags, _fleet_parts),
    Kind.LOAD_BALANCER: _Reader(_find_load_balancers, _load_balancer_tags),
    Kind.CACHE: _Reader(_find_caches, _cache_tags, _cache_parts),
    Kind.DATABASE: _Reader(_find_clusters, _rds_tags, _cluster_parts),
    Kind.DATABASE_INSTANCE: _Reader(_find_instances, _rds_tags),
    Kind.GLOBAL_DATABASE: _Reader(_find_global_clusters, _rds_tags, _global_cluster_parts),
}
