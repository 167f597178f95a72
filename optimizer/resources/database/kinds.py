"""Aurora clusters, their instances, and global databases: found by tag or all, owned with all their members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from domain.names import DATABASE_NAME, GLOBAL_DATABASE_NAME
from optimizer.model.resource import Kind, Selection, Tags, Touched
from optimizer.ports.aws import Aws
from optimizer.resources.database.actual_state import CLUSTER, GLOBAL_DATABASE, INSTANCE
from optimizer.resources.database.cluster import variant_of
from optimizer.resources.kind import Billed, Found, ResourceKind
from optimizer.resources.tags import flat, known, touched_in_ec2


def _find_clusters(aws: Aws, selection: Selection) -> Iterator[Found]:
    """With whether each is a global database's secondary, a copy that has no sizing of its own, and with its engine.

    The call shows clusters of Neptune, DocumentDB and Multi-AZ RDS as well.
    """
    copies = {
        member["DBClusterArn"]
        for page in aws.rds.get_paginator("describe_global_clusters").paginate()
        for database in page["GlobalClusters"]
        for member in database.get("GlobalClusterMembers", [])
        if not member.get("IsWriter", False)
    }
    for page in aws.rds.get_paginator("describe_db_clusters").paginate():
        for cluster in (each for each in page["DBClusters"] if selection.holds(flat(each.get("TagList", [])))):
            arn = cluster["DBClusterArn"]
            attributes = {
                "secondary": arn in copies,
                "engine": cluster.get("Engine", ""),
                "storage": cluster.get("StorageType", ""),
            }
            yield cluster["DBClusterIdentifier"], arn, attributes


def _find_instances(aws: Aws, selection: Selection) -> Iterator[Found]:
    for page in aws.rds.get_paginator("describe_db_instances").paginate():
        for instance in (each for each in page["DBInstances"] if selection.holds(flat(each.get("TagList", [])))):
            attributes = {"cluster": instance.get("DBClusterIdentifier"), "engine": instance.get("Engine", "")}
            yield instance["DBInstanceIdentifier"], instance["DBInstanceArn"], attributes


def _find_global_clusters(aws: Aws, selection: Selection) -> Iterator[Found]:
    for page in aws.rds.get_paginator("describe_global_clusters").paginate():
        for cluster in (each for each in page["GlobalClusters"] if selection.holds(flat(each.get("TagList", [])))):
            members = cluster.get("GlobalClusterMembers", [])
            secondaries = sorted(each["DBClusterArn"] for each in members if not each.get("IsWriter", False))
            writers = [each["DBClusterArn"] for each in members if each.get("IsWriter", False)]
            primary = next(iter(writers), None)
            attributes = {"primary": primary, "secondaries": secondaries, "engine": cluster.get("Engine", "")}
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
        yield touched_in_rds(aws, f"arn:{aws.partition}:rds:{aws.region}:{aws.account}:pg:{group}")


def _global_cluster_parts(aws: Aws, name: str) -> Iterator[Touched]:
    """The member clusters in all their Regions with their instances, and what lets others into the secondaries."""
    for database in aws.rds.describe_global_clusters(GlobalClusterIdentifier=name)["GlobalClusters"]:
        for member in database.get("GlobalClusterMembers", []):
            region, cluster = (member["DBClusterArn"].split(":")[place] for place in (3, 6))
            yield from member_parts(aws.at(region), cluster, doors=not member.get("IsWriter", False))


def member_parts(aws: Aws, cluster: str, *, doors: bool) -> Iterator[Touched]:
    """A cluster with its instances, and with what lets others in, where asked."""
    for shown in aws.rds.describe_db_clusters(DBClusterIdentifier=cluster)["DBClusters"]:
        yield known(cluster, flat(shown.get("TagList", [])))
        groups = [each["VpcSecurityGroupId"] for each in shown.get("VpcSecurityGroups", ())]
        yield from touched_in_ec2(aws, groups if doors else [])
    yield from _cluster_parts(aws, cluster)


def _billed(aws: Aws, name: str) -> Billed:
    """The cluster's instances by class, its key, and the days that its backups are kept."""
    (cluster,) = aws.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    variant = variant_of(cluster.get("Engine", ""), cluster.get("StorageType", ""))
    pages = aws.rds.get_paginator("describe_db_instances").paginate(
        Filters=[{"Name": "db-cluster-id", "Values": [name]}]
    )
    return Billed(
        Counter(
            each["DBInstanceClass"] + variant
            for page in pages
            for each in page["DBInstances"]
            if each.get("DBInstanceStatus") != "deleting"
        ),
        keys=[cluster["KmsKeyId"]] if cluster.get("KmsKeyId") else [],
        backup_days=cluster.get("BackupRetentionPeriod", 1),
    )


_SERVICE = "Amazon Relational Database Service"
KINDS = (
    ResourceKind(
        Kind.DATABASE,
        words="Aurora cluster",
        arn=("rds", "cluster"),
        part="database",
        service=_SERVICE,
        find=_find_clusters,
        tags=_rds_tags,
        parts=_cluster_parts,
        sized=lambda _: (DATABASE_NAME,),
        compared={Kind.DATABASE.value: CLUSTER},
        billed=_billed,
        reads={
            "amazonrds": ("rds:DescribeDBClusterSnapshots", "rds:DescribeDBClusters", "rds:ListTagsForResource"),
        },
        none="no Aurora cluster: nothing to decide about writer, readers and backups",
    ),
    ResourceKind(
        Kind.DATABASE_INSTANCE,
        words="Aurora instance",
        arn=("rds", "db"),
        part="database",
        service=_SERVICE,
        find=_find_instances,
        tags=_rds_tags,
        compared={Kind.DATABASE_INSTANCE.value: INSTANCE},
        reads={"amazonrds": ("rds:DescribeDBInstances", "rds:ListTagsForResource")},
    ),
    ResourceKind(
        Kind.GLOBAL_DATABASE,
        words="Aurora global database",
        arn=("rds", "global-cluster"),
        part="database",
        service=_SERVICE,
        find=_find_global_clusters,
        tags=_rds_tags,
        parts=_global_cluster_parts,
        sized=lambda _: (GLOBAL_DATABASE_NAME,),
        compared={Kind.GLOBAL_DATABASE.value: GLOBAL_DATABASE},
        reads={"amazonrds": ("rds:DescribeGlobalClusters", "rds:ListTagsForResource")},
        none="no Aurora global database: there is no other Region's copy to give up",
    ),
)
