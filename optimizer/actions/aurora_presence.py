"""Remove the idle Aurora secondaries from the other Regions.

Saves their instances, storage, replication and backups. Risks recovery: today the loss of the primary
Region costs about a second of data and minutes of time; afterwards what was written since the newest copy
outside the Region, and hours. That is a choice about the business, not about load: the policy must accept
it (`recovery_loss_accepted`), and approving the plan is approving it.

In the window the secondaries are headless only: their instances are deleted, storage stays in sync, and
undo makes the instances again under their identifiers in about ten minutes. At acceptance each cluster
leaves the global database, for good: it could write by itself then, so its security groups are closed
first; then it is deleted with a final snapshot. Coming back is a full copy, hours without a secondary.
Network and key of the Region stay: the snapshot needs the key. The page shows what they go on to cost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.errors import PriceMissing
from domain.names import GLOBAL_DATABASE_NAME
from domain.sizing import Sizing
from optimizer.action import Action, Before, Bills, Move, Permission, permissions
from optimizer.costs.footprint import BACKUP
from optimizer.costs.list_bill import bill
from optimizer.costs.running_footprint import footprint_in
from optimizer.decide.arithmetic import largest
from optimizer.decide.policy import Policy
from optimizer.model.decision import ChangeCost, Criterion, Decision, Measured, Projection, decide_by, guard
from optimizer.model.fingerprint import fingerprint
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.metrics import Measurements, Query
from optimizer.ports.aws import Aws
from optimizer.resources.database import cluster as aurora
from optimizer.resources.database.global_database import forwarding, name_of, obstacles, region_of, secondaries_of
from optimizer.resources.database.instance import DELETING_AND_CREATING
from optimizer.resources.database.secondary import SecondaryCluster
from optimizer.resources.database.secondary_moves import make_headless, remove
from optimizer.resources.registry import is_sized

ID = "aurora_presence"
GUIDE = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide"
STAYS = ("network", "keys")  # parts of the Region's bill that outlive the database


@dataclass(frozen=True)
class Evidence:
    """60 days of the secondaries of one global database.

    The highest over all of them: connections in any hour, p99 of replication lag. `forwarding` names the
    members that forward writes; `stays_monthly` is what their Regions cost on, in US dollars.
    """

    database: str
    before: Before
    connections_max: float | None
    lag_p99_ms: float | None
    writer_cpu_p95: float | None
    coverage: float
    forwarding: tuple[str, ...]
    stays_monthly: float | None
    obstacles: tuple[str, ...]
    volume_gb: Mapping[str, float | None] = field(default_factory=dict)  # by secondary: its final snapshot's size


def queries(database: Governed) -> tuple[Query, ...]:
    """Metrics of each secondary, in the Region that publishes them, and the load of the primary's writer."""
    secondaries = database.attributes.get("secondaries", ())
    own = tuple(query for arn in secondaries for query in (_connections(arn), *_lag(arn, database), _volume(arn)))
    return (*own, *_of_writer(database))


def collect(aws: Aws, database: Governed, measured: Measurements) -> Evidence:
    described = aurora.global_cluster(aws, database.name)
    before = describe(aws, database)
    connections = [_connections(arn) for arn in before["secondaries"]]
    lags = [
        max(
            (lag for each in _lag(arn, database) if (lag := measured.percentile(each, "Maximum", 99)) is not None),
            default=None,
        )
        for arn in before["secondaries"]
    ]
    return Evidence(
        database=database.arn,
        before=before,
        connections_max=largest([measured.percentile(each, "Maximum", 100) for each in connections]),
        lag_p99_ms=largest(lags),
        writer_cpu_p95=largest([measured.percentile(query, "Average", 95) for query in _of_writer(database)]),
        coverage=min((measured.coverage(each, "Maximum") for each in connections), default=0.0),
        forwarding=tuple(forwarding(aws, described)),
        stays_monthly=_stays_monthly(aws, before),
        obstacles=tuple(obstacles(aws, described, before["secondaries"])),
        volume_gb={arn: _gigabytes(measured.of(_volume(arn), "Average").values) for arn in before["secondaries"]},
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """Whether nobody uses them, as the brief asks; then whether they are what they seem."""
    limits, secondaries = policy.presence, evidence.before["secondaries"]

    def over(name: str, observed: Measured, unit: str = "", source: str = "", **limit: Any) -> Criterion:
        return guard(name, observed, unit=unit, source=source, lifted=policy.is_lifted(ID, name), **limit)

    criteria = (
        over(
            "connections to a secondary in any hour",
            evidence.connections_max,
            source="the brief asks that nobody uses them and names no limit: this one is ours",
            at_most=limits.connections,
        ),
        over("secondaries", len(secondaries), at_least=1),
        over("hours with metrics", evidence.coverage, "%", at_least=limits.coverage),
        over(
            "p95 CPU of the writer, far from the design's load",
            evidence.writer_cpu_p95,
            "%",
            at_most=limits.design_load,
        ),
        over("p99 replication lag", evidence.lag_p99_ms, "ms", at_most=limits.lag_ms),
        over(
            "members that forward writes",
            ", ".join(evidence.forwarding) or "none",
            source=f"{GUIDE}/aurora-global-database-write-forwarding.html",
            equals="none",
        ),
        over("loss of recovery accepted by the policy", limits.recovery_loss_accepted, equals=True),
        over("obstacles to a change", "; ".join(evidence.obstacles) or "none", equals="none"),
    )
    lag = None if evidence.lag_p99_ms is None else evidence.lag_p99_ms / 1000
    projected = (
        Projection("secondary clusters", len(secondaries), 0, ""),
        Projection(
            "data lost with the primary Region (RPO): now the lag, then all since the last copy", lag, None, "s"
        ),
        Projection("back after it is lost (RTO): now a failover, then a restore", 1.0, None, "minutes"),
        Projection("network and keys of their Regions", evidence.stays_monthly, evidence.stays_monthly, "USD a month"),
    )
    return decide_by(
        ID,
        evidence.database,
        criteria,
        before=evidence.before,
        target={"secondaries": [], "snapshots": {arn: _snapshot_name(arn, evidence.before) for arn in secondaries}},
        projected=projected,
        costs=tuple(
            ChangeCost(
                f"final snapshot of {name_of(arn)}, until it is deleted",
                "database",
                BACKUP,
                region_of(arn),
                evidence.volume_gb.get(arn),
                monthly=True,
            )
            for arn in secondaries
        ),
        undo="in the window the instances are made again, ten minutes; after acceptance a full copy, hours",
    )


def _of_writer(database: Governed) -> tuple[Query, ...]:
    arn = database.attributes.get("primary")
    return (aurora.cpu_of("WRITER", name_of(arn), region_of(arn)),) if arn else ()


def describe(aws: Aws, database: Governed) -> Before:
    """The secondaries, each with its instances as CreateDBInstance would make them."""
    return {
        "secondaries": {
            arn: {
                name: {
                    "created": aurora.as_created(each),
                    "class": each["DBInstanceClass"],
                    "tier": each.get("PromotionTier", 1),
                }
                for name, each in aurora.instances(aws.at(region_of(arn)), name_of(arn)).items()
            }
            for arn in secondaries_of(aurora.global_cluster(aws, database.name))
        }
    }


def moves(database: Governed, before: Before, decision: Decision) -> list[Move]:
    """All headless in the window; at acceptance closed, detached, unprotected and deleted, one Region at a time."""
    ordered = []
    for arn, instances in before["secondaries"].items():
        ordered += [make_headless(arn, name, description) for name, description in instances.items()]
    for arn, snapshot in decision.target["snapshots"].items():
        ordered += remove(SecondaryCluster(database.name, arn), snapshot)
    return ordered


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    if name_in(decision.resource) != GLOBAL_DATABASE_NAME:
        return sizing  # it speaks of one, and this is another
    aurora_sizing = sizing.aurora.model_copy(update={"secondaries": tuple(decision.target["secondaries"])})
    return sizing.model_copy(update={"aurora": aurora_sizing})


def bills(database: Governed, decision: Decision) -> Bills:
    """The secondaries' instances."""
    variant = aurora.variant_of(database.attributes.get("engine", ""), "")
    classes = Counter(
        (region_of(arn), each["class"] + variant)
        for arn, instances in decision.before["secondaries"].items()
        for each in instances.values()
    )
    return {item: Decimal(-count) for item, count in classes.items()}


def _connections(arn: str) -> Query:
    dimensions = (("DBClusterIdentifier", name_of(arn)),)
    return Query("AWS/RDS", "DatabaseConnections", dimensions, ("Maximum",), region=region_of(arn))


def _lag(arn: str, database: Governed) -> tuple[Query, ...]:
    """Under every set of dimensions that AWS publishes it by: GetMetricData wants the exact one.

    The Aurora guide lists the metric with SourceRegion, its examples ask by the cluster alone.
    """
    cluster = ("DBClusterIdentifier", name_of(arn))
    primary = database.attributes.get("primary")
    source = (("SourceRegion", region_of(primary)),) if primary else ()
    sets = dict.fromkeys(((cluster,), source, (cluster, *source)))
    return tuple(
        Query("AWS/RDS", "AuroraGlobalDBReplicationLag", each, ("Maximum",), region=region_of(arn))
        for each in sets
        if each
    )


def _volume(arn: str) -> Query:
    return Query(
        "AWS/RDS", "VolumeBytesUsed", (("DBClusterIdentifier", name_of(arn)),), ("Average",), region=region_of(arn)
    )


def _gigabytes(sizes: NDArray[np.float64]) -> float | None:
    """The newest size; None where none was published."""
    return round(float(sizes[-1]) / 1024**3, 3) if len(sizes) else None


def _stays_monthly(aws: Aws, before: Before) -> float | None:
    """US dollars a month for what the Regions keep, at list price; None when that is not known."""
    total = 0.0
    for arn in before["secondaries"]:
        there = aws.at(region_of(arn))
        cluster = Governed(Kind.DATABASE, name_of(arn), arn, there.region, {})
        footprint = footprint_in(there, [cluster])
        kept = replace(footprint, usages=tuple(each for each in footprint.usages if each.part in STAYS))
        try:
            total += float(bill(kept).monthly)
        except PriceMissing:
            return None
    return total


def _snapshot_name(arn: str, before: Before) -> str:
    """The same for the same state: a second run finds what the first one made."""
    return f"{name_of(arn)}-final-{fingerprint(before)}"


_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html"
_EC2 = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html"
_SECONDARIES = "arn:{partition}:rds:{region}:{account}:cluster:tap-database-region*"
_GLOBAL = "arn:{partition}:rds::{account}:global-cluster:tap-*"
_FINAL = "arn:{partition}:rds:{region}:{account}:cluster-snapshot:tap-database-region*-final-*"
_GROUPS = "arn:{partition}:ec2:{region}:{account}:security-group/*"

ACTION = Action(
    id=ID,
    phase=Phase.DATABASE,
    title="Remove the idle Aurora secondaries",
    kind=Kind.GLOBAL_DATABASE,
    queries=queries,
    collect=collect,
    decide=decide,
    describe=describe,
    moves=moves,
    resize=resize,
    bills=bills,
    sized=is_sized,
    permissions=(
        *DELETING_AND_CREATING,
        Permission("rds:DescribeGlobalClusters", source=_REFERENCE),
        Permission("rds:DescribeDBClusterSnapshots", source=_REFERENCE),
        Permission("ec2:DescribeNatGateways", source=_EC2),
        Permission("ec2:DescribeSecurityGroups", source=_EC2),
        Permission(
            "ec2:RevokeSecurityGroupIngress",
            (_GROUPS,),
            writes=True,
            conditions={"StringEquals": {"aws:ResourceTag/tap:part": "database"}},
            source=_EC2,
        ),
        Permission("rds:RemoveFromGlobalCluster", (_SECONDARIES, _GLOBAL), writes=True, source=_REFERENCE),
        Permission("rds:ModifyDBCluster", (_SECONDARIES,), writes=True, source=_REFERENCE),
        Permission("rds:DeleteDBCluster", (_SECONDARIES, _FINAL), writes=True, source=_REFERENCE),
        *permissions(
            "rds:CreateDBClusterSnapshot",
            "rds:AddTagsToResource",
            resources=(_SECONDARIES, _FINAL),
            writes=True,
            dependent=True,
            source=_REFERENCE,
        ),
    ),
)
