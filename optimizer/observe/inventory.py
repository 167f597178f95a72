"""What the optimizer may change: resources found by stack tag, and owned by no tenant.

A resource is tenant-owned when it carries the tag key `TenantId`, or a key that begins with `TenantId:`
(both readings of the brief's `TenantId:*`), in any letter case; and so is what has a tenant's part, as a
group of instances of which one is a tenant's. Whose something is has three answers: ours, a tenant's, or
unreadable. What is unreadable is not changed, and is not called a tenant's (docs/adr/0021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from typing import Any

from botocore.exceptions import ClientError

from domain.names import GOVERNED_TAG, GOVERNED_VALUE
from optimizer.model.resource import Excluded, Governed, Inventory, Kind, Tags, tenant_tag
from optimizer.ports.aws import Aws


class Answer(Enum):
    """Whose something is."""

    OURS = "ours"
    TENANT = "a tenant's"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Ownership:
    """Whose one or several resources are, and the reason: the tag, or the call that could not tell.

    `passes`: what could not be read now can be read later, as the tags of a cache that is being changed.
    """

    answer: Answer
    reason: str = ""
    passes: bool = False


Found = tuple[str, str, Mapping[str, Any]]  # name, ARN, what the describe call showed


@dataclass(frozen=True)
class Touched:
    """One resource that a move changes or destroys: its ARN or id, and how its tags are read now."""

    name: str
    read: Callable[[], Tags]


OURS = Ownership(Answer.OURS)


def take_inventory(aws: Aws, regions: Sequence[str], kinds: Sequence[Kind] = tuple(Kind)) -> Inventory:
    """All resources of these kinds with the governed tag, in these Regions, split by who owns them.

    Found by their tag, in as many calls as there are pages; then the native tags of each, and of its parts,
    say whose it is. What was found by the tagging API and natively has no governed tag does not count.
    """
    governed: list[Governed] = []
    excluded: list[Excluded] = []
    unreadable: dict[str, Ownership] = {}
    seen: set[str] = set()  # a global cluster shows in each of its Regions
    for region in regions:
        here = aws.at(region)
        for kind in kinds:
            for name, arn, attributes in _READERS[kind].find(here):
                if arn in seen:
                    continue
                seen.add(arn)
                each = Governed(kind, name, arn, region, {}, attributes)
                tags, owner = _own(here, each)
                if owner.answer is Answer.OURS:
                    owner = ownership(_parts(here, each))
                if owner.answer is Answer.OURS:
                    governed.append(Governed(kind, name, arn, region, tags, attributes))
                elif tags.get(GOVERNED_TAG) == GOVERNED_VALUE or owner.answer is Answer.UNREADABLE:
                    excluded.append(Excluded(kind, name, arn, region, owner.reason))
                    if owner.answer is Answer.UNREADABLE:
                        unreadable[arn] = owner
    return Inventory(tuple(governed), tuple(excluded), unreadable)


def named(kind: Kind, arn: str, region: str) -> Governed:
    """The resource of that ARN without asking for it: its name is in the ARN, and its Region, where it has one."""
    *_, place, _, rest = arn.split(":", 5)
    name = arn.split("/")[-2] if kind is Kind.LOAD_BALANCER else rest.rsplit(":", 1)[-1].rsplit("/", 1)[-1]
    return Governed(kind, name, arn, place or region, {})


def owner_of(aws: Aws, governed: Governed) -> str | None:
    """Why the resource is not ours to change now; None when it is. Reads native tags, parts included."""
    found = ownership_of(aws, governed)
    return None if found.answer is Answer.OURS else found.reason


def ownership_of(aws: Aws, governed: Governed, touched: Iterable[Touched] = ()) -> Ownership:
    """Whose a resource is, with all its parts, and what else is touched: what a change going forward asks.

    A resource that lost its governed tag is not ours either.
    """
    here = aws.at(governed.region)
    _, own = _own(here, governed)
    if own.answer is Answer.TENANT:
        return own
    rest = ownership(chain(_parts(here, governed), touched))
    return own if rest.answer is Answer.OURS else rest


def tenants_of(aws: Aws, governed: Governed, touched: Iterable[Touched] | None) -> Ownership:
    """Whether a tenant owns the resource, or any of what is touched (None: of its parts): what the way back asks."""
    here = aws.at(governed.region)
    own = Touched(governed.name, lambda: _READERS[governed.kind].tags(here, governed.arn))
    return ownership(chain((own,), _parts(here, governed) if touched is None else touched))


def ownership(touched: Iterable[Touched]) -> Ownership:
    """Whose these are. A tenant's tag on one of them decides; then what could not be read; what is gone is nobody's."""
    unread = OURS
    try:
        for each in touched:
            try:
                tags = each.read()
            except ClientError as error:
                unread = unread if unread.answer is Answer.UNREADABLE else _unread(error)
                continue
            if owned := tenant_tag(tags):
                return Ownership(Answer.TENANT, f"its part {each.name} is owned by a tenant: tag {owned}")
    except ClientError as error:  # of the call that lists them
        unread = unread if unread.answer is Answer.UNREADABLE else _unread(error)
    return unread


def _own(aws: Aws, governed: Governed) -> tuple[Tags, Ownership]:
    """A resource's own tags, and whose it is by them alone."""
    try:
        tags = _READERS[governed.kind].tags(aws, governed.arn)
    except ClientError as error:
        return {}, Ownership(Answer.TENANT, "it is gone") if is_gone(error) else _unread(error)
    if owned := tenant_tag(tags):
        return tags, Ownership(Answer.TENANT, f"owned by a tenant: tag {owned}")
    if tags.get(GOVERNED_TAG) != GOVERNED_VALUE:
        return tags, Ownership(Answer.TENANT, f"not governed: tag {GOVERNED_TAG} is gone")
    return tags, OURS


def _parts(aws: Aws, governed: Governed) -> Iterator[Touched]:
    return _READERS[governed.kind].parts(aws, governed.name)


# Errors that pass by themselves: a resource that is being changed, and a service that is asked too much.
_THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "TooManyRequestsException",
    "ProvisionedThroughputExceededException",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
)


def is_gone(error: ClientError) -> bool:
    """Whether AWS says that what was asked about does not exist."""
    code = error.response["Error"]["Code"]
    return "NotFound" in code or code in ("ResourceNotFoundException", "NoSuchEntity")


def _unread(error: ClientError) -> Ownership:
    """What an error says of the owner: nothing; but that a resource is gone says that nobody's is touched."""
    code = error.response["Error"]["Code"]
    if is_gone(error):
        return OURS
    if code in _THROTTLED:
        told = f"its owner cannot be read now: {error.operation_name} is throttled ({code})"
        return Ownership(Answer.UNREADABLE, told, passes=True)
    if "State" in code or code in ("ResourceInUseException", "ResourceInUse"):
        told = f"its owner cannot be read now: it is being changed ({error.operation_name} answered {code})"
        return Ownership(Answer.UNREADABLE, told, passes=True)
    return Ownership(
        Answer.UNREADABLE, f"ownership unknown, so it counts as owned: {error.operation_name} answered {code}"
    )


@dataclass(frozen=True)
class _Reader:
    """How one kind is found by its tag, how its tags are read, and which parts of it could be owned by themselves."""

    find: Callable[[Aws], Iterator[Found]]
    tags: Callable[[Aws, str], Tags]
    parts: Callable[[Aws, str], Iterator[Touched]] = lambda _aws, _name: iter(())


def flat(tags: Iterable[Any]) -> Tags:
    """A list of keys and values as AWS shows it, as a mapping."""
    return {each["Key"]: each.get("Value", "") for each in tags}


def known(name: str, tags: Tags) -> Touched:
    """A resource whose tags were shown along with it."""
    return Touched(name, lambda: tags)


def _governed(tags: Iterable[Any]) -> bool:
    return flat(tags).get(GOVERNED_TAG) == GOVERNED_VALUE


def _tagged(aws: Aws, kind: str) -> Iterator[str]:
    """The ARNs of one kind that carry the governed tag."""
    pages = aws.tagging.get_paginator("get_resources").paginate(
        TagFilters=[{"Key": GOVERNED_TAG, "Values": [GOVERNED_VALUE]}], ResourceTypeFilters=[kind]
    )
    for page in pages:
        yield from (each["ResourceARN"] for each in page["ResourceTagMappingList"])


def tagging_tags(aws: Aws, arns: Sequence[str]) -> dict[str, Tags]:
    """The tags of these, as the Resource Groups Tagging API has them, whatever state they are in.

    It answers for up to 100 ARNs at once, and leaves out what never had a tag (API Reference, GetResources).
    """
    found: dict[str, Tags] = {}
    for first in range(0, len(arns), 100):
        shown = aws.tagging.get_resources(ResourceARNList=list(arns[first : first + 100]))
        found |= {each["ResourceARN"]: flat(each["Tags"]) for each in shown["ResourceTagMappingList"]}
    return found


def _find_tables(aws: Aws) -> Iterator[Found]:
    for arn in _tagged(aws, "dynamodb:table"):
        yield arn.rsplit("/", 1)[1], arn, {}


def _table_tags(aws: Aws, arn: str) -> Tags:
    pages = aws.dynamodb.get_paginator("list_tags_of_resource").paginate(ResourceArn=arn)
    return flat(tag for page in pages for tag in page["Tags"])


def _table_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """The replicas of a global table: a change of one is a change of all."""
    for replica in aws.dynamodb.describe_table(TableName=name)["Table"].get("Replicas", []):
        if (region := replica["RegionName"]) != aws.region:
            yield touched_table(aws, f"arn:aws:dynamodb:{region}:{aws.account}:table/{name}")


def touched_table(aws: Aws, arn: str) -> Touched:
    """A table, in the Region of its ARN."""
    there = aws.at(arn.split(":")[3])
    return Touched(arn, lambda: _table_tags(there, arn))


def _find_fleets(aws: Aws) -> Iterator[Found]:
    pages = aws.autoscaling.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "key", "Values": [GOVERNED_TAG]}, {"Name": "value", "Values": [GOVERNED_VALUE]}]
    )
    names = sorted({tag["ResourceId"] for page in pages for tag in page["Tags"]})
    for first in range(0, len(names), 50):
        groups = aws.autoscaling.get_paginator("describe_auto_scaling_groups").paginate(
            AutoScalingGroupNames=names[first : first + 50]
        )
        for group in (each for page in groups for each in page["AutoScalingGroups"]):
            yield group["AutoScalingGroupName"], group["AutoScalingGroupARN"], {}


def _fleet_tags(aws: Aws, arn: str) -> Tags:
    name = arn.rsplit("autoScalingGroupName/", 1)[1]
    pages = aws.autoscaling.get_paginator("describe_tags").paginate(
        Filters=[{"Name": "auto-scaling-group", "Values": [name]}]
    )
    return flat(tag for page in pages for tag in page["Tags"])


def _fleet_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """Launch templates with the tags that they give, and every instance with its volumes and interfaces."""
    for group in aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]:
        ids: list[str] = []
        for template, version in _templates(group):
            ids.append(template)
            yield from _given(aws, template, version)
        instances = [each["InstanceId"] for each in group["Instances"]]
        yield from touched_in_ec2(aws, [*dict.fromkeys(ids), *instances, *_attached(aws, instances)])


def _templates(group: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The id and version of every launch template that a group launches from."""
    mixed = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    named = (
        group.get("LaunchTemplate"),
        mixed.get("LaunchTemplateSpecification"),
        *(each.get("LaunchTemplateSpecification") for each in mixed.get("Overrides", ())),
    )
    for each in named:
        if each and each.get("LaunchTemplateId"):
            yield each["LaunchTemplateId"], each.get("Version", "$Default")


def _given(aws: Aws, template: str, version: str) -> Iterator[Touched]:
    """The tags that a template's version puts on what it launches: they say whose that will be."""
    versions = aws.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=[version])
    for shown in versions["LaunchTemplateVersions"]:
        for each in shown["LaunchTemplateData"].get("TagSpecifications", ()):
            kind = each.get("ResourceType", "instance")
            yield known(f"{template} (version {version}, tags of each {kind})", flat(each.get("Tags", ())))


def _attached(aws: Aws, instances: Sequence[str]) -> Iterator[str]:
    """The volumes and network interfaces of these instances: they go with them."""
    pages = aws.ec2.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-id", "Values": list(instances)}]
    )
    for page in pages if instances else ():
        for each in (one for reservation in page["Reservations"] for one in reservation["Instances"]):
            yield from (disk["Ebs"]["VolumeId"] for disk in each.get("BlockDeviceMappings", ()) if "Ebs" in disk)
            yield from (card["NetworkInterfaceId"] for card in each.get("NetworkInterfaces", ()))


def touched_in_ec2(aws: Aws, ids: Sequence[str]) -> Iterator[Touched]:
    """Resources of EC2, by id; their tags are read together."""
    tags: dict[str, dict[str, str]] = {each: {} for each in ids}
    for first in range(0, len(ids), 200):  # a filter takes up to 200 values (EC2 User Guide, "Filtering")
        pages = aws.ec2.get_paginator("describe_tags").paginate(
            Filters=[{"Name": "resource-id", "Values": list(ids[first : first + 200])}]
        )
        for tag in (each for page in pages for each in page["Tags"]):
            tags[tag["ResourceId"]][tag["Key"]] = tag.get("Value", "")
    yield from (known(name, found) for name, found in tags.items())


def _find_load_balancers(aws: Aws) -> Iterator[Found]:
    for arn in _tagged(aws, "elasticloadbalancing:loadbalancer"):
        if "loadbalancer/app/" in arn:
            yield arn.split("/")[-2], arn, {}


def _load_balancer_tags(aws: Aws, arn: str) -> Tags:
    return flat(aws.elbv2.describe_tags(ResourceArns=[arn])["TagDescriptions"][0]["Tags"])


def _find_caches(aws: Aws) -> Iterator[Found]:
    """With the shard of each node; a group that is being created or deleted has none."""
    ours = {arn for arn in _tagged(aws, "elasticache") if ":replicationgroup:" in arn}
    for page in aws.elasticache.get_paginator("describe_replication_groups").paginate() if ours else ():
        for group in (each for each in page["ReplicationGroups"] if each["ARN"] in ours):
            nodes = {
                node["CacheClusterId"]: shard["NodeGroupId"]
                for shard in group.get("NodeGroups", [])
                for node in shard.get("NodeGroupMembers", [])
            }
            yield group["ReplicationGroupId"], group["ARN"], {"nodes": nodes}


def cache_tags(aws: Aws, arn: str) -> Tags:
    """The tags of something in ElastiCache.

    It tells them itself only while it is available ("If the cluster is not in the available state,
    ListTagsForResource returns an error"); while it is being changed, the tagging API does.
    """
    try:
        return flat(aws.elasticache.list_tags_for_resource(ResourceName=arn)["TagList"])
    except ClientError as error:
        if "State" not in error.response["Error"]["Code"]:
            raise
    return tagging_tags(aws, [arn]).get(arn, {})


def _cache_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """The nodes, each of which carries tags of its own."""
    arns = {
        node["ARN"]: node["CacheClusterId"]
        for page in aws.elasticache.get_paginator("describe_cache_clusters").paginate()
        for node in page["CacheClusters"]
        if node.get("ReplicationGroupId") == name
    }
    tags = tagging_tags(aws, list(arns))
    yield from (known(node, tags.get(arn, {})) for arn, node in arns.items())


def _find_clusters(aws: Aws) -> Iterator[Found]:
    """With whether each is a global database's secondary: a copy, that has no sizing of its own."""
    copies = {
        member["DBClusterArn"]
        for page in aws.rds.get_paginator("describe_global_clusters").paginate()
        for database in page["GlobalClusters"]
        for member in database.get("GlobalClusterMembers", [])
        if not member["IsWriter"]
    }
    for page in aws.rds.get_paginator("describe_db_clusters").paginate():
        for cluster in (each for each in page["DBClusters"] if _governed(each.get("TagList", []))):
            arn = cluster["DBClusterArn"]
            yield cluster["DBClusterIdentifier"], arn, {"secondary": arn in copies}


def _find_instances(aws: Aws) -> Iterator[Found]:
    for page in aws.rds.get_paginator("describe_db_instances").paginate():
        for instance in (each for each in page["DBInstances"] if _governed(each.get("TagList", []))):
            attributes = {"cluster": instance.get("DBClusterIdentifier")}
            yield instance["DBInstanceIdentifier"], instance["DBInstanceArn"], attributes


def _find_global_clusters(aws: Aws) -> Iterator[Found]:
    for page in aws.rds.get_paginator("describe_global_clusters").paginate():
        for cluster in (each for each in page["GlobalClusters"] if _governed(each.get("TagList", []))):
            members = cluster.get("GlobalClusterMembers", [])
            secondaries = sorted(each["DBClusterArn"] for each in members if not each["IsWriter"])
            writers = [each["DBClusterArn"] for each in members if each["IsWriter"]]
            attributes = {"primary": next(iter(writers), None), "secondaries": secondaries}
            yield cluster["GlobalClusterIdentifier"], cluster["GlobalClusterArn"], attributes


def _rds_tags(aws: Aws, arn: str) -> Tags:
    return flat(aws.rds.list_tags_for_resource(ResourceName=arn)["TagList"])


def touched_in_rds(aws: Aws, arn: str) -> Touched:
    """An instance, cluster, snapshot or parameter group, in the Region of its ARN."""
    there = aws.at(arn.split(":")[3])
    return Touched(arn.rsplit(":", 1)[1], lambda: _rds_tags(there, arn))


def _cluster_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """The instances, with the parameter groups that were made for them."""
    pages = aws.rds.get_paginator("describe_db_instances").paginate(
        Filters=[{"Name": "db-cluster-id", "Values": [name]}]
    )
    groups: set[str] = set()
    for instance in (each for page in pages for each in page["DBInstances"]):
        yield known(instance["DBInstanceIdentifier"], flat(instance.get("TagList", [])))
        groups |= {each["DBParameterGroupName"] for each in instance.get("DBParameterGroups", ())}
    for group in sorted(each for each in groups if not each.startswith("default.")):
        yield touched_in_rds(aws, f"arn:aws:rds:{aws.region}:{aws.account}:pg:{group}")


def _global_cluster_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """The member clusters in all their Regions with their instances, and what lets others into the secondaries."""
    for database in aws.rds.describe_global_clusters(GlobalClusterIdentifier=name)["GlobalClusters"]:
        for member in database.get("GlobalClusterMembers", []):
            region, cluster = (member["DBClusterArn"].split(":")[place] for place in (3, 6))
            there = aws.at(region)
            for shown in there.rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]:
                yield known(cluster, flat(shown.get("TagList", [])))
                doors = [each["VpcSecurityGroupId"] for each in shown.get("VpcSecurityGroups", ())]
                yield from touched_in_ec2(there, [] if member["IsWriter"] else doors)
            yield from _cluster_parts(there, cluster)


_READERS: Mapping[Kind, _Reader] = {
    Kind.TABLE: _Reader(_find_tables, _table_tags, _table_parts),
    Kind.FLEET: _Reader(_find_fleets, _fleet_tags, _fleet_parts),
    Kind.LOAD_BALANCER: _Reader(_find_load_balancers, _load_balancer_tags),
    Kind.CACHE: _Reader(_find_caches, cache_tags, _cache_parts),
    Kind.DATABASE: _Reader(_find_clusters, _rds_tags, _cluster_parts),
    Kind.DATABASE_INSTANCE: _Reader(_find_instances, _rds_tags),
    Kind.GLOBAL_DATABASE: _Reader(_find_global_clusters, _rds_tags, _global_cluster_parts),
}
