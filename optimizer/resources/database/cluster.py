"""Aurora clusters and instances, described as the actions need them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.list_prices import MYSQL, OPTIMIZED
from optimizer.model.resource import Governed
from optimizer.observe.metrics import Query, Series
from optimizer.ports.aws import Aws

if TYPE_CHECKING:
    from types_boto3_rds.type_defs import DBClusterTypeDef, DBInstanceTypeDef, GlobalClusterTypeDef

# What CreateDBInstance takes under the name that DescribeDBInstances shows it by. Role, status, class and
# promotion tier are not among them: those move. Nor is the engine's version: it is the cluster's, which may have
# another by the time the instance is made again ("not applicable: the version ... is managed by the DB cluster").
_CREATED_WITH = (
    "DBInstanceIdentifier",
    "DBClusterIdentifier",
    "AvailabilityZone",
    "Engine",
    "MonitoringInterval",
    "MonitoringRoleArn",
    "PerformanceInsightsKMSKeyId",
    "PerformanceInsightsRetentionPeriod",
    "AutoMinorVersionUpgrade",
    "PubliclyAccessible",
    "CACertificateIdentifier",
    "PreferredMaintenanceWindow",
)


def cluster(aws: Aws, name: str) -> DBClusterTypeDef | None:
    """The cluster; None when there is none."""
    try:
        (described,) = aws.rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"]
    except aws.rds.exceptions.DBClusterNotFoundFault:
        return None
    return described


def variant_of(engine: str, storage_type: str) -> str:
    """The suffix of an instance class's name in the price table."""
    of_engine = MYSQL if engine == "aurora-mysql" else ""
    return of_engine + (OPTIMIZED if storage_type.startswith("aurora-iopt") else "")


def variant_in(cluster: Governed) -> str:
    """The same, by what finding the cluster showed."""
    return variant_of(cluster.attributes.get("engine", ""), cluster.attributes.get("storage", ""))


def engine_of(aws: Aws, name: str) -> str:
    """The engine of a cluster, as aurora-postgresql; empty when there is no such cluster."""
    described = cluster(aws, name)
    return described.get("Engine", "") if described else ""


def instances(aws: Aws, name: str) -> dict[str, DBInstanceTypeDef]:
    """The instances of a cluster, by identifier."""
    pages = aws.rds.get_paginator("describe_db_instances").paginate(
        Filters=[{"Name": "db-cluster-id", "Values": [name]}]
    )
    by_id = {each["DBInstanceIdentifier"]: each for page in pages for each in page["DBInstances"]}
    return dict(sorted(by_id.items()))


def instance(aws: Aws, name: str) -> DBInstanceTypeDef | None:
    """The instance; None when there is none."""
    try:
        (described,) = aws.rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"]
    except aws.rds.exceptions.DBInstanceNotFoundFault:
        return None
    return described


def global_cluster(aws: Aws, name: str) -> GlobalClusterTypeDef:
    (described,) = aws.rds.describe_global_clusters(GlobalClusterIdentifier=name)["GlobalClusters"]
    return described


def is_settled(described: Mapping[str, Any] | None) -> bool:
    """Whether the instance is available, with no change pending.

    Right after a call the status still says available: what is pending tells.
    """
    return (
        described is not None
        and described["DBInstanceStatus"] == "available"
        and not described.get("PendingModifiedValues")
    )


def as_created(described: DBInstanceTypeDef) -> dict[str, Any]:
    """Parameters of CreateDBInstance that make the instance again as it is, but for class and promotion tier.

    Tags that begin with `aws:` are AWS's own, and nobody else can put them on.
    """
    parameters = {name: described[name] for name in _CREATED_WITH if described.get(name) is not None}  # type: ignore[literal-required]
    if described.get("PerformanceInsightsEnabled"):
        parameters["EnablePerformanceInsights"] = True
    if groups := described.get("DBParameterGroups"):
        parameters["DBParameterGroupName"] = groups[0]["DBParameterGroupName"]
    parameters = of_its_own(parameters)
    tags = [each for each in described.get("TagList", []) if not each["Key"].startswith("aws:")]
    return {**parameters, "Tags": sorted(tags, key=lambda tag: tag["Key"])}


def of_its_own(description: Mapping[str, Any]) -> dict[str, Any]:
    """A description without what follows from the cluster's version: the version, and AWS's default parameter group."""

    def follows(name: str, value: object) -> bool:
        return name == "EngineVersion" or (name == "DBParameterGroupName" and str(value).startswith("default."))

    return {name: value for name, value in description.items() if not follows(name, value)}


@dataclass(frozen=True)
class Member:
    """One instance of a cluster as it stands now. Tier 0 is promoted first."""

    id: str
    instance_class: str
    tier: int
    zone: str
    is_writer: bool


def cluster_members(aws: Aws, name: str) -> tuple[Member, ...]:
    """The instances of a cluster with their roles, by identifier; none for a cluster without instances."""
    described = cluster(aws, name)
    roles = {each["DBInstanceIdentifier"]: each for each in described.get("DBClusterMembers", [])} if described else {}
    return tuple(
        Member(
            each["DBInstanceIdentifier"],
            each["DBInstanceClass"],
            each.get("PromotionTier", 1),
            each.get("AvailabilityZone", ""),
            roles[each["DBInstanceIdentifier"]].get("IsClusterWriter", False),
        )
        for each in instances(aws, name).values()
        if each["DBInstanceIdentifier"] in roles
    )


def writer_of(members: Sequence[Member]) -> Member | None:
    return next((each for each in members if each.is_writer), None)


def successor(members: Sequence[Member]) -> Member | None:
    """The reader that shall write next: the lowest tier in another zone than the writer's; None without one.

    It is also the one to keep when one reader stays, so that writer and reader never share a zone.
    """
    writing = writer_of(members)
    readers = [each for each in members if writing and not each.is_writer and each.zone != writing.zone]
    return min(readers, key=lambda each: (each.tier, each.id), default=None)


def is_no_copy(cluster: Governed) -> bool:
    """Whether a cluster is sized by itself: a global database's secondaries go or stay with their Region."""
    return not cluster.attributes.get("secondary", False)


def is_primary(aws: Aws, name: str) -> bool:
    """Whether the cluster writes: it belongs to no global database, or is its primary."""
    described = cluster(aws, name)
    if described is None:
        return False
    for page in aws.rds.get_paginator("describe_global_clusters").paginate():
        for database in page["GlobalClusters"]:
            for member in database.get("GlobalClusterMembers", []):
                if member["DBClusterArn"] == described["DBClusterArn"]:
                    return member.get("IsWriter", False)
    return True


def busy(aws: Aws, name: str) -> Iterator[str]:
    """In words, what a change of an instance would trip over, or apply along with itself."""
    described = cluster(aws, name)
    if described is None or described["Status"] != "available":
        yield f"the cluster is {described['Status'] if described else 'gone'}"
    elif pending := described.get("PendingModifiedValues"):
        yield f"the cluster has other changes pending: {', '.join(sorted(pending))}"
    for each in instances(aws, name).values():
        if each["DBInstanceStatus"] != "available":
            yield f"{each['DBInstanceIdentifier']} is {each['DBInstanceStatus']}"
        elif waiting := each.get("PendingModifiedValues"):
            yield f"{each['DBInstanceIdentifier']} has other changes pending: {', '.join(sorted(waiting))}"


def cpu_of(role: str, cluster: str, region: str) -> Query:
    """CPU of whoever has the role, WRITER or READER: a failover moves it. At 5 minutes: hours would hide its peaks."""
    # How many readers there were is told by the samples: each instance publishes one a minute.
    statistics = ("Average", "SampleCount") if role == "READER" else ("Average",)
    dimensions = (("DBClusterIdentifier", cluster), ("Role", role))
    return Query("AWS/RDS", "CPUUtilization", dimensions, statistics, 300, region)


def readers_then(samples: Series) -> Series:
    """The number of readers in each period in which their CPU was measured."""
    return Series(samples.at, np.maximum(np.ceil(samples.values * 60 / samples.period), 1.0), samples.period)
