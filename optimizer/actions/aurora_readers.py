"""Go down to one Aurora reader.

Saves one instance. Risks the read load, which the reader that stays carries alone, at the writer's class
after `aurora_writer`, whose turn comes first; and availability: the one that stays is in another zone than
the writer, and is what Aurora promotes when the writer fails, when for some minutes there is no reader.

The instance of the highest promotion tier goes. Undone by making it again under its own identifier, in its
own zone, in about ten minutes, with a cold cache: no data lives in an instance. What AWS makes new is the
instance's resource id, so Performance Insights begins anew. No metric tells whether somebody connects to
the endpoint of the instance itself: clients that do lose it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from domain.names import DATABASE_NAME
from domain.sizing import Sizing
from optimizer.action import Action, Before, Bills, Move, Order, Permission, When
from optimizer.decide.arithmetic import times
from optimizer.decide.policy import Policy
from optimizer.model.decision import Criterion, Decision, Measured, Projection, brief, decide_by, guard
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.metrics import Measurements, Query, Series
from optimizer.observe.series import at_times_of, highest, p95_or_lately, scaled
from optimizer.ports.aws import Aws
from optimizer.resources.capacities import DATABASE_CLASSES, POSTGRESQL, database_class
from optimizer.resources.database import cluster as aurora
from optimizer.resources.database.instance import DELETING_AND_CREATING, InstanceState
from optimizer.resources.registry import is_sized
from optimizer.resources.scalable_targets import scalable_targets

ID = "aurora_readers"


@dataclass(frozen=True)
class Evidence:
    """60 days of one cluster's readers, and who they are.

    CPU in percent: p95 of the mean over all readers; `summed_cpu_p95` of all of them together, as many as there
    were in each period; connections likewise, their highest. Reads in percent of writes, at the volume, p95 of
    the hours. `leaving` are the readers to go, `staying` the one that is
    in another zone than the writer; `autoscaled_to` is the least that replica scaling keeps, `custom` the
    custom endpoints by name.
    """

    cluster: str
    before: Before
    primary: bool
    members: tuple[aurora.Member, ...]
    lag_p99_ms: float | None
    reads_of_writes_p95: float | None
    cpu_p95: float | None
    summed_cpu_p95: float | None
    connections_max: float | None
    summed_connections_max: float | None
    coverage: float
    autoscaled_to: int
    custom: tuple[str, ...]
    engine: str = POSTGRESQL

    @property
    def staying(self) -> aurora.Member | None:
        return aurora.successor(self.members)

    @property
    def leaving(self) -> tuple[aurora.Member, ...]:
        return tuple(each for each in self.members if not each.is_writer and each != self.staying)

    @property
    def readers(self) -> int:
        return sum(not each.is_writer for each in self.members)


def queries(cluster: Governed) -> tuple[Query, ...]:
    """Reads and writes both at the volume, where they are billed: counts of five minutes, not per second."""
    whole = (("DBClusterIdentifier", cluster.name),)
    readers = (*whole, ("Role", "READER"))

    def of(name: str, dimensions: tuple[tuple[str, str], ...], statistic: str) -> Query:
        return Query("AWS/RDS", name, dimensions, (statistic,), region=cluster.region)

    return (
        of("AuroraReplicaLag", readers, "Maximum"),
        of("VolumeReadIOPs", whole, "Sum"),
        of("VolumeWriteIOPs", whole, "Sum"),
        aurora.cpu_of("READER", cluster.name, cluster.region),
        of("DatabaseConnections", readers, "Maximum"),
    )


def collect(aws: Aws, cluster: Governed, measured: Measurements) -> Evidence:
    lag, reads, writes, cpu, connections = wanted = queries(cluster)
    then = aurora.readers_then(measured.of(cpu, "SampleCount"))
    members = aurora.cluster_members(aws, cluster.name)
    today = sum(not each.is_writer for each in members)

    def summed(query: Query, statistic: str) -> Series:
        """The sum over all readers, as many as there were in each period."""
        mean = measured.of(query, statistic)
        return scaled(mean, at_times_of(mean, then, today))

    endpoints = aws.rds.describe_db_cluster_endpoints(DBClusterIdentifier=cluster.name)["DBClusterEndpoints"]
    return Evidence(
        cluster=cluster.arn,
        before=describe(aws, cluster),
        primary=aurora.is_primary(aws, cluster.name),
        members=members,
        lag_p99_ms=measured.percentile(lag, "Maximum", 99),
        reads_of_writes_p95=_share_p95(measured.of(reads, "Sum"), measured.of(writes, "Sum")),
        cpu_p95=measured.percentile(cpu, "Average", 95),
        summed_cpu_p95=p95_or_lately(summed(cpu, "Average")),
        connections_max=measured.percentile(connections, "Maximum", 100),
        summed_connections_max=highest([summed(connections, "Maximum")]),
        coverage=min(measured.coverage(query, query.statistics[0]) for query in wanted),
        autoscaled_to=_autoscaled_to(aws, cluster.name),
        custom=tuple(e["DBClusterEndpointIdentifier"] for e in endpoints if e["EndpointType"] == "CUSTOM"),
        engine=aurora.engine_of(aws, cluster.name),
    )


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The brief's two thresholds, then whether one reader carries what all carry."""
    limits, staying, readers = policy.readers, evidence.staying, evidence.readers
    # At the smaller of its own class and the one that the writer's action leaves behind.
    names = (staying.instance_class, policy.writer.target_class) if staying else ()
    known = [instance_class for each in names if (instance_class := database_class(each, evidence.engine))]
    after = min(known, key=lambda each: each.vcpus) if len(known) == 2 else None
    today = max((DATABASE_CLASSES.get(m.instance_class, _UNKNOWN).vcpus for m in evidence.members), default=0)
    scale = today / after.vcpus if after and today else None
    cpu_after = times(evidence.summed_cpu_p95, scale)
    connections = times(evidence.summed_connections_max, 100 / after.max_connections if after else None)

    def over(name: str, observed: Measured, unit: str = "", **limit: Any) -> Criterion:
        return guard(name, observed, unit=unit, lifted=policy.is_lifted(ID, name), **limit)

    criteria = (
        brief("p99 replica lag", evidence.lag_p99_ms, unit="ms", below=limits.lag_ms),
        brief(
            "p95 of read IOPS in an hour's write IOPS",
            evidence.reads_of_writes_p95,
            unit="%",
            below=limits.reads_of_writes,
        ),
        over("the cluster that writes", evidence.primary, equals=True),
        over("hours with metrics", evidence.coverage, "%", at_least=limits.coverage),
        over("readers today", readers, at_least=limits.keep + 1),
        over("the one that stays is in another zone than the writer", staying is not None, equals=True),
        over("it is of the writer's class", _is_as_large(evidence), equals=True),
        over("p95 CPU of the one that stays", cpu_after, "%", at_most=limits.cpu_after),
        over("its connections of max_connections", connections, "%", at_most=limits.connections_after),
        over("readers that replica scaling keeps", evidence.autoscaled_to, at_most=limits.keep),
        over("custom endpoints", ", ".join(evidence.custom) or "none", equals="none"),
    )
    projected = (
        Projection("readers", readers, limits.keep, ""),
        Projection("p95 CPU of a reader", evidence.cpu_p95, cpu_after, "%"),
        Projection("connections of a reader", evidence.connections_max, evidence.summed_connections_max, ""),
    )
    leaving = {each.id: {"class": each.instance_class, "tier": each.tier} for each in evidence.leaving}
    return decide_by(
        ID,
        evidence.cluster,
        criteria,
        before=evidence.before,
        target={"stays": staying.id if staying else None, "leaves": leaving},
        projected=projected,
        undo="the instance is made again under its identifier: about ten minutes, with a cold cache",
    )


def describe(aws: Aws, cluster: Governed) -> Before:
    """Every instance as CreateDBInstance would make it. Roles, classes and tiers are the writer's action's."""
    return {"instances": {name: aurora.as_created(each) for name, each in aurora.instances(aws, cluster.name).items()}}


def moves(cluster: Governed, before: Before, decision: Decision) -> list[Move]:
    """One instance after the other."""
    leaves: Mapping[str, Mapping[str, Any]] = decision.target["leaves"]
    return [_delete(cluster, name, before["instances"][name], was) for name, was in sorted(leaves.items())]


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    if name_in(decision.resource) != DATABASE_NAME:
        return sizing  # it speaks of one, and this is another
    kept = tuple(each for each in sizing.aurora.instances if each.id not in decision.target["leaves"])
    return sizing.model_copy(update={"aurora": sizing.aurora.model_copy(update={"instances": kept})})


def bills(cluster: Governed, decision: Decision) -> Bills:
    classes = Counter(each["class"] for each in decision.target["leaves"].values())
    variant = aurora.variant_in(cluster)
    return {(cluster.region, name + variant): Decimal(-count) for name, count in classes.items()}


def _delete(cluster: Governed, name: str, description: Mapping[str, Any], was: Mapping[str, Any]) -> Move:
    instance = InstanceState(cluster.name, name)

    def is_ready(aws: Aws) -> bool:
        return instance.is_ready(aws) and not instance.writes(aws)

    def delete(aws: Aws) -> None:
        instance.require_reader(aws)
        instance.delete(aws, was["class"])

    return Move(
        name=f"delete {name}",
        when=When.APPLY,
        summary=f"delete the reader {name}, {was['class']}",
        is_done=instance.is_gone,
        do=delete,
        undo=lambda aws: instance.create(aws, description, was["class"], was["tier"]),
        is_undone=lambda aws: instance.is_back(aws, description, was["class"], was["tier"]),
        is_ready=is_ready,
        touches=instance.touched,
        deadline=timedelta(hours=1),
        settle=timedelta(minutes=30),
    )


_UNKNOWN = DATABASE_CLASSES["db.r6g.8xlarge"]  # a class that is not in the table is taken for the largest that is


def _is_as_large(evidence: Evidence) -> bool | None:
    """A reader in tier 0 is the next writer on its way: its class is the one that the writer will have."""
    writing, staying = aurora.writer_of(evidence.members), evidence.staying
    if writing is None or staying is None:
        return None
    own, its = (DATABASE_CLASSES.get(each.instance_class) for each in (staying, writing))
    return staying.tier == 0 or (own is not None and its is not None and own.vcpus >= its.vcpus)


def _share_p95(reads: Series, writes: Series) -> float | None:
    """Reads in percent of the writes of the same hour, p95: a mean would hide the hours of reports."""
    if not len(reads) or not writes.values.any():
        return None
    written = dict(zip(writes.at.tolist(), writes.values.tolist(), strict=True))
    shares = [
        100 * read / max(written.get(at, 0.0), 1.0)
        for at, read in zip(reads.at.tolist(), reads.values.tolist(), strict=True)
    ]
    return float(np.percentile(shares, 95))


def _autoscaled_to(aws: Aws, name: str) -> int:
    """The least number of readers that Application Auto Scaling keeps; 0 when it keeps none."""
    return max((each["MinCapacity"] for each in scalable_targets(aws, "rds", f"cluster:{name}")), default=0)


_SERVICES = "https://docs.aws.amazon.com/service-authorization/latest/reference"
_REFERENCE = f"{_SERVICES}/list_amazonrds.html"

ACTION = Action(
    id=ID,
    phase=Phase.DATABASE,
    title="Go down to one Aurora reader",
    kind=Kind.DATABASE,
    applies_to=aurora.is_no_copy,
    queries=queries,
    collect=collect,
    decide=decide,
    describe=describe,
    moves=moves,
    resize=resize,
    bills=bills,
    sized=is_sized,
    permissions=(
        Permission("rds:DescribeDBClusterEndpoints", source=_REFERENCE),
        Permission("rds:DescribeGlobalClusters", source=_REFERENCE),
        Permission(
            "application-autoscaling:DescribeScalableTargets", source=f"{_SERVICES}/list_applicationautoscaling.html"
        ),
        *DELETING_AND_CREATING,
    ),
    order=Order(after=("aurora_presence", "aurora_writer")),
)
