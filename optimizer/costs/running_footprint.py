"""What the account is billed for now, counted by describing what runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from optimizer.costs.footprint import Footprint, Surroundings, footprint_from
from optimizer.model.resource import GOVERNED, Governed, Kind, Selection
from optimizer.ports.aws import Aws
from optimizer.resources.cache.replication_group import variant_of as cache_variant
from optimizer.resources.database.cluster import variant_of as database_variant
from optimizer.resources.database.storage import Storage, storage_in
from optimizer.resources.tags import flat


def footprint_in(
    aws: Aws, governed: Iterable[Governed], *, storage: Storage | None = None, selection: Selection = GOVERNED
) -> Footprint:
    """What the account is billed for now, by describing the governed resources and what surrounds them.

    Only instances that run are counted. Keys are those that the governed resources are encrypted
    with; NAT gateways are those of the selection.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    retention: dict[str, int] = {}
    keys: set[tuple[str, str]] = set()
    load_balancers: Counter[str] = Counter()
    regions = {aws.region}
    for each in governed:
        there = aws.at(each.region)
        regions.add(each.region)
        if each.kind is Kind.FLEET:
            counted.update(_fleet(there, each.name))
        elif each.kind is Kind.CACHE:
            counted.update(_cache(there, each.name, keys))
        elif each.kind is Kind.DATABASE:
            counted.update(_database(there, each.name, retention, keys))
        elif each.kind is Kind.TABLE:
            keys |= _table_key(there, each.name)
        elif each.kind is Kind.LOAD_BALANCER:
            load_balancers[each.region] += 1
    gateways = {region: _nat_gateways(aws.at(region), selection) for region in sorted(regions)}
    around = Surroundings(gateways, load_balancers, Counter(region for region, _ in keys))
    return footprint_from(counted, storage, retention, around)


def footprint_now(aws: Aws, governed: Sequence[Governed]) -> tuple[Footprint, Storage | None]:
    """What the account is billed for now, with what the primary Region's Aurora volume was measured to hold."""
    primary = [each for each in governed if each.kind is Kind.DATABASE and each.region == aws.region]
    storage = storage_in(aws, primary[0]) if primary else None
    return footprint_in(aws, governed, storage=storage), storage


def _fleet(aws: Aws, name: str) -> Counter[tuple[str, str, str]]:
    """The group's instances that run, by type."""
    groups = aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    return Counter(
        ("fleet", each["InstanceType"], aws.region)
        for each in (one for group in groups for one in group.get("Instances", []))
        if not each["LifecycleState"].startswith("Terminat")
    )


def _cache(aws: Aws, name: str, keys: set[tuple[str, str]]) -> Counter[tuple[str, str, str]]:
    """The replication group's nodes."""
    (group,) = aws.elasticache.describe_replication_groups(ReplicationGroupId=name)["ReplicationGroups"]
    # A group that is being created or deleted has no shards (ElastiCache API, ReplicationGroup).
    nodes = sum(len(shard.get("NodeGroupMembers", [])) for shard in group.get("NodeGroups", []))
    if group.get("KmsKeyId"):
        keys.add((aws.region, group["KmsKeyId"]))
    variant, kind = cache_variant(group.get("Engine", "")), group.get("CacheNodeType")
    return Counter({("cache", kind + variant, aws.region): nodes}) if kind and nodes else Counter()


def _database(
    aws: Aws, name: str, retention: dict[str, int], keys: set[tuple[str, str]]
) -> Counter[tuple[str, str, str]]:
    """The cluster's instances by class; its retention period and key are noted on the way."""
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    retention[aws.region] = cluster.get("BackupRetentionPeriod", 1)
    variant = database_variant(cluster.get("Engine", ""), cluster.get("StorageType", ""))
    if cluster.get("KmsKeyId"):
        keys.add((aws.region, cluster["KmsKeyId"]))
    pages = aws.rds.get_paginator("describe_db_instances").paginate(
        Filters=[{"Name": "db-cluster-id", "Values": [name]}]
    )
    return Counter(
        ("database", each["DBInstanceClass"] + variant, aws.region)
        for page in pages
        for each in page["DBInstances"]
        if each.get("DBInstanceStatus") != "deleting"
    )


def _table_key(aws: Aws, name: str) -> set[tuple[str, str]]:
    """The customer key that encrypts a table."""
    table = aws.dynamodb.describe_table(TableName=name)["Table"]
    key = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
    return {(aws.region, key)} if key else set()


def _nat_gateways(aws: Aws, selection: Selection) -> int:
    """How many of the selection's NAT gateways stand in the Region."""
    pages = aws.ec2.get_paginator("describe_nat_gateways").paginate()
    return sum(
        selection.holds(flat(each.get("Tags", [])))
        for page in pages
        for each in page["NatGateways"]
        if each["State"] in {"pending", "available"}
    )
