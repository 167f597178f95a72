"""Make the Aurora writer smaller: db.r6g.4xlarge to db.r6g.xlarge, by way of a reader.

Saves three quarters of two instances. Risks CPU (16 to 4 vCPU is four times the load), connections, and a
buffer cache of a quarter: reads that memory answered go to storage. Changing the writer's own class would
be an outage of minutes, so a reader is changed first and watched for an hour, the best proof there is;
then the cluster fails over to it, and the old writer, by then a reader, is changed as well.

The failover is the one moment that clients notice: half a minute, in which requests that write fail
unless they try again. Undone the same way upward: the old writer grows, takes over again by a second
failover, and the reader gets its class and tier back; about half an hour, no data involved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from domain.names import DATABASE_NAME
from domain.sizing import Sizing
from optimizer.action import Action, Before, Bills, Move, Order, Permission, When, permissions
from optimizer.decide.arithmetic import times
from optimizer.decide.policy import Policy
from optimizer.model.decision import Criterion, Decision, Measured, Projection, decide_by, guard
from optimizer.model.phase import Phase
from optimizer.model.resource import Governed, Kind, name_in
from optimizer.observe.metrics import Measurements, Query, Series
from optimizer.observe.series import at_times_of, p95_or_lately, scaled, together
from optimizer.ports.aws import Aws
from optimizer.resources.capacities import POSTGRESQL, database_class
from optimizer.resources.database import cluster as aurora
from optimizer.resources.database.instance import InstanceState
from optimizer.resources.registry import is_sized

ID = "aurora_writer"
GUIDE = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide"
FIRST = 0  # the promotion tier that is nobody else's: within one tier Aurora promotes the largest
GIB, MIB = 1024**3, 1024**2


@dataclass(frozen=True)
class Evidence:
    """60 days of one Aurora cluster's writer, of its readers where they matter, and how it stands.

    CPU in percent, p95 of the 5-minute averages over the period or over its newest day, which alone is a share
    of a class that was changed yesterday; that of the readers as if there had always been as many as today.
    `freeable_gib` is the least, `swap_growth_mib` the span; network in Gbps, with clients and storage together.
    `next_writer` is the reader to be promoted; None when no reader is in another zone.
    """

    cluster: str
    before: Before
    primary: bool
    next_writer: str | None
    writer_cpu_p95: float | None
    reader_cpu_p95: float | None
    connections_max: float | None
    freeable_gib: float | None
    swap_growth_mib: float | None
    coverage: float
    obstacles: tuple[str, ...]
    network_gbps_p95: float | None = None
    engine: str = POSTGRESQL


def queries(cluster: Governed) -> tuple[Query, ...]:
    """By role, not by instance: a failover moves the role."""

    def of(name: str, role: str, statistic: str, period: int = 3600) -> Query:
        dimensions = (("DBClusterIdentifier", cluster.name), ("Role", role))
        return Query("AWS/RDS", name, dimensions, (statistic,), period, cluster.region)

    return (
        aurora.cpu_of("WRITER", cluster.name, cluster.region),
        aurora.cpu_of("READER", cluster.name, cluster.region),
        of("DatabaseConnections", "WRITER", "Maximum"),
        of("FreeableMemory", "WRITER", "Minimum"),
        of("SwapUsage", "WRITER", "Maximum"),
        *(of(name, "WRITER", "Average", 300) for name in ("NetworkThroughput", "StorageNetworkThroughput")),
    )


def collect(aws: Aws, cluster: Governed, measured: Measurements) -> Evidence:
    *wanted, clients, storage = queries(cluster)
    cpu, reader_cpu, connections, freeable, swap = wanted
    members = aurora.cluster_members(aws, cluster.name)
    successor = aurora.successor(members)
    swapped = measured.of(swap, "Maximum").values
    least = measured.percentile(freeable, "Minimum", 0)
    return Evidence(
        cluster=cluster.arn,
        before=describe(aws, cluster),
        primary=aurora.is_primary(aws, cluster.name),
        next_writer=successor.id if successor else None,
        writer_cpu_p95=p95_or_lately(measured.of(cpu, "Average")),
        reader_cpu_p95=p95_or_lately(_of_a_reader(measured, reader_cpu, sum(not each.is_writer for each in members))),
        connections_max=measured.percentile(connections, "Maximum", 100),
        freeable_gib=None if least is None else least / GIB,
        swap_growth_mib=float(swapped.max() - swapped.min()) / MIB if len(swapped) else None,
        coverage=min(measured.coverage(query, query.statistics[0]) for query in wanted),
        obstacles=tuple(aurora.busy(aws, cluster.name)),
        network_gbps_p95=times(
            p95_or_lately(together([measured.of(each, "Average") for each in (clients, storage)])), 8 / 1e9
        ),
        engine=aurora.engine_of(aws, cluster.name),
    )


def _of_a_reader(measured: Measurements, cpu: Query, today: int) -> Series:
    """The readers' mean share as it would have been with as many readers as today."""
    share = measured.of(cpu, "Average")
    then = aurora.readers_then(measured.of(cpu, "SampleCount"))
    return scaled(share, at_times_of(share, then, today) / max(today, 1))


def decide(evidence: Evidence, policy: Policy) -> Decision:
    """The brief asks for the class without a condition: all criteria are guards."""
    limits, instances = policy.writer, evidence.before["instances"]
    writer = instances.get(evidence.before["writer"])
    today = database_class(writer["class"], evidence.engine) if writer else None
    after = database_class(limits.target_class, evidence.engine)
    smaller = today.vcpus / after.vcpus if today and after else None
    writer_after = times(evidence.writer_cpu_p95, smaller)
    reader_after = times(evidence.reader_cpu_p95, smaller)
    connections = times(evidence.connections_max, 100 / after.max_connections if after else None)
    network = times(evidence.network_gbps_p95, 100 / after.baseline_gbps if after else None)
    memory = times(evidence.freeable_gib, 100 / today.memory_gib if today else None)

    def over(name: str, observed: Measured, unit: str = "", source: str = "", **limit: Any) -> Criterion:
        return guard(name, observed, unit=unit, source=source, lifted=policy.is_lifted(ID, name), **limit)

    others_first = [each for each, one in instances.items() if one["tier"] == FIRST and each != evidence.next_writer]
    criteria = (
        over("the cluster that writes", evidence.primary, equals=True),
        over("hours with metrics", evidence.coverage, "%", at_least=limits.coverage),
        over("vCPU today for each one after", smaller, at_least=1.1),
        over("p95 CPU of the writer after", writer_after, "%", at_most=limits.cpu_after),
        over("p95 CPU of a reader after, as large", reader_after, "%", at_most=limits.cpu_after),
        over("connections of max_connections after", connections, "%", at_most=limits.connections_after),
        *(
            ()
            if network is None
            else (over("p95 network of the baseline after", network, "%", at_most=limits.network_after),)
        ),
        over("memory that was always free", memory, "%", at_least=limits.freeable_memory),
        over("growth of swap", evidence.swap_growth_mib, "MiB", at_most=limits.swap_growth_mib),
        over("a reader in another zone", evidence.next_writer is not None, equals=True),
        over(
            "others in promotion tier 0",
            ", ".join(others_first) or "none",
            source=f"{GUIDE}/Concepts.AuroraHighAvailability.html",
            equals="none",
        ),
        over("obstacles to a change", "; ".join(evidence.obstacles) or "none", equals="none"),
    )
    projected = (
        Projection("p95 CPU of the writer", evidence.writer_cpu_p95, writer_after, "%"),
        Projection(
            "memory of the writer",
            float(today.memory_gib) if today else None,
            float(after.memory_gib) if after else None,
            "GiB",
        ),
        Projection(
            "connections of max_connections",
            times(evidence.connections_max, 100 / today.max_connections if today else None),
            connections,
            "%",
        ),
    )
    return decide_by(
        ID,
        evidence.cluster,
        criteria,
        before=evidence.before,
        target=_target(evidence, limits.target_class),
        projected=projected,
        undo="the same way upward, with a second failover: about half an hour, no data involved",
        unmeasured=("network of the writer",) if network is None else (),
    )


def describe(aws: Aws, cluster: Governed) -> Before:
    """The writer, and every instance's class, promotion tier and zone."""
    members = aurora.cluster_members(aws, cluster.name)
    writing = aurora.writer_of(members)
    return {
        "writer": writing.id if writing else None,
        "instances": {
            each.id: {"class": each.instance_class, "tier": each.tier, "zone": each.zone} for each in members
        },
    }


def moves(cluster: Governed, before: Before, decision: Decision) -> list[Move]:
    """The reader first, then the failover, then the old writer."""
    coming, leaving = decision.target["writer"], before["writer"]
    target: Mapping[str, Mapping[str, Any]] = decision.target["instances"]
    return [
        _resize(cluster, coming, before["instances"][coming], target[coming], settle=timedelta(hours=1)),
        _fail_over(cluster, leaving, coming),
        _resize(cluster, leaving, before["instances"][leaving], target[leaving], settle=timedelta(minutes=15)),
    ]


def resize(sizing: Sizing, decision: Decision) -> Sizing:
    """Class and tier of the instances that were changed; one that is not in the sizing any more stays away."""
    if name_in(decision.resource) != DATABASE_NAME:
        return sizing  # it speaks of one, and this is another
    target: Mapping[str, Mapping[str, Any]] = decision.target["instances"]
    instances = tuple(
        each.model_copy(update={"instance_class": new["class"], "promotion_tier": new["tier"]})
        if (new := target.get(each.id))
        else each
        for each in sizing.aurora.instances
    )
    return sizing.model_copy(update={"aurora": sizing.aurora.model_copy(update={"instances": instances})})


def bills(cluster: Governed, decision: Decision) -> Bills:
    variant, counted = aurora.variant_in(cluster), Counter[tuple[str, str]]()
    for name, new in decision.target["instances"].items():
        counted[cluster.region, decision.before["instances"][name]["class"] + variant] -= 1
        counted[cluster.region, new["class"] + variant] += 1
    return {item: Decimal(count) for item, count in counted.items()}


def _target(evidence: Evidence, instance_class: str) -> dict[str, Any]:
    """The next writer in tier 0; the old one keeps its tier, and so follows it."""
    before, coming = evidence.before, evidence.next_writer
    leaving = before["instances"].get(before["writer"])
    if coming is None or leaving is None:
        return {"writer": None, "instances": {}}
    instances = {
        coming: {"class": instance_class, "tier": FIRST},
        before["writer"]: {"class": instance_class, "tier": leaving["tier"]},
    }
    return {"writer": coming, "instances": instances}


def _resize(cluster: Governed, name: str, old: Mapping[str, Any], new: Mapping[str, Any], *, settle: timedelta) -> Move:
    instance = InstanceState(cluster.name, name)

    def change(aws: Aws) -> None:
        instance.require_reader(aws)
        instance.change(aws, new["class"], new["tier"])

    return Move(
        name=f"class {name}",
        when=When.APPLY,
        summary=f"{name} from {old['class']} to {new['class']}, promotion tier {new['tier']}",
        is_done=lambda aws: instance.has(aws, new["class"], new["tier"]),
        do=change,
        undo=lambda aws: instance.change(aws, old["class"], old["tier"]),
        is_undone=lambda aws: instance.has(aws, old["class"], old["tier"]),
        is_ready=instance.is_ready,
        touches=instance.touched,
        deadline=timedelta(hours=2),
        settle=settle,
    )


def _fail_over(cluster: Governed, leaving: str, coming: str) -> Move:
    old, new = InstanceState(cluster.name, leaving), InstanceState(cluster.name, coming)

    def is_ready(aws: Aws) -> bool:
        return old.is_ready(aws) and new.is_ready(aws)

    return Move(
        name="failover",
        when=When.APPLY,
        summary=f"fail over from {leaving} to {coming}",
        is_done=new.writes,
        do=new.promote,
        undo=old.promote,
        is_undone=old.writes,
        is_ready=is_ready,
        touches=lambda aws: (*old.touched(aws), *new.touched(aws)),
        deadline=timedelta(minutes=30),
        poll=timedelta(seconds=10),
        settle=timedelta(minutes=15),
    )


_REFERENCE = "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html"
_CLUSTERS = "arn:{partition}:rds:{region}:{account}:cluster:tap-database*"
_INSTANCES = "arn:{partition}:rds:{region}:{account}:db:tap-database-*"

ACTION = Action(
    id=ID,
    phase=Phase.DATABASE,
    title="Make the Aurora writer smaller",
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
        *permissions(
            "rds:DescribeDBClusters", "rds:DescribeDBInstances", "rds:DescribeGlobalClusters", source=_REFERENCE
        ),
        Permission("rds:ModifyDBInstance", (_INSTANCES,), writes=True, source=_REFERENCE),
        Permission("rds:FailoverDBCluster", (_CLUSTERS,), writes=True, source=_REFERENCE),
    ),
    order=Order(after=("aurora_presence",)),
)
