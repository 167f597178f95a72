"""A surveyed account as a scenario: its sizes in the foundation's shape, its load as the workload, the rest listed.

The foundation has one group, one replication group, one Aurora PostgreSQL cluster with up to two copies elsewhere, and
tables of its own. The largest resource of each kind in the record stands for all; its work per request is taken over,
so that the emulated metrics have the account's own level and weekly rhythm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from domain.errors import UsageError
from domain.sizing import AuroraInstance, AuroraSizing, CacheSizing, FleetSizing, Sizing
from emulator.core.instance_types import cache_node_types, usable_cache_bytes, vcpus
from emulator.workload.scene import (
    CACHE_BYTES_PER_TENANT,
    IDLE_CPU,
    READER_VCPU_SECONDS,
    REQUEST_VCPU_SECONDS,
    WRITER_VCPU_SECONDS,
)
from emulator.workload.spec import Work, WorkloadSpec
from optimizer.model.resource import Kind
from optimizer.survey.record import Record, Recorded, Resource, metrics_of, read_record
from rehearsal.scenario import Expectation, Scenario

SECONDS_A_DAY, HOURS_A_DAY = 86_400, 24
NAME = "account"
MOST_COPIES = 2
SERVERLESS = "db.serverless"


@dataclass(frozen=True)
class Fitted:
    """A scenario made from a record, and the parts of the record that it leaves out or replaces."""

    scenario: Scenario
    left_out: tuple[str, ...]


def scenario_of(path: Path) -> Fitted:
    """The scenario of the record in a file. Raises UsageError if nothing in the record can be rehearsed."""
    record = read_record(path)
    left_out: list[str] = []
    sizing = _sizing(record, left_out)
    if sizing is None:
        why = f" ({'; '.join(each for each in left_out if not each.startswith('no '))})"
        raise UsageError(
            f"{path}: holds no group, replication group or Aurora cluster that could be rehearsed"
            f"{why if why != ' ()' else ''}."
        )
    workload = _workload(record, sizing, left_out)
    tables = len(record.of(Kind.TABLE))
    left_out.append(f"{tables} tables: the foundation's tenants, users and audit_logs stand in, with its own queries")
    scenario = Scenario(
        name=NAME,
        summary=f"The account recorded on {record.at:%Y-%m-%d}, in the foundation's shape.",
        days=61,
        workload=workload,
        starts_from=sizing,
        expect=Expectation(phases={}, drift_differences=None, next_deployment_changes=None),  # any result is expected
    )
    return Fitted(scenario, tuple(left_out))


def _sizing(record: Record, left_out: list[str]) -> Sizing | None:
    """The recorded sizes, with the design's where there is none of a kind; None where there is none of any."""
    parts = {"fleet": _fleet(record, left_out), "cache": _cache(record, left_out), "aurora": _aurora(record, left_out)}
    found = {name: part for name, part in parts.items() if part is not None}
    return Sizing.AS_DESIGNED.model_copy(update=found) if found else None


def _largest(candidates: Sequence[tuple[float, Resource]], what: str, left_out: list[str]) -> Resource | None:
    """The largest resource; the others are listed as left out. None if there is none."""
    ranked = [each for _, each in sorted(candidates, key=lambda pair: (-pair[0], pair[1].name))]
    if not ranked:
        left_out.append(f"no {what} is in the record: the foundation's own stands in")
        return None
    left_out += [f"the {what} {each.name}: the largest, {ranked[0].name}, stands for all" for each in ranked[1:]]
    return ranked[0]


def _fleet(record: Record, left_out: list[str]) -> FleetSizing | None:
    sized = [
        (float(vcpus_of(f.instance_type) * f.desired), each) for each in record.of(Kind.FLEET) if (f := each.fleet)
    ]
    left_out += [
        f"the Auto Scaling group {each.name}: it has no launch template of one instance type"
        for each in record.of(Kind.FLEET)
        if each.fleet is None
    ]
    largest = _largest([pair for pair in sized if pair[0] > 0], "Auto Scaling group", left_out)
    if largest is None or largest.fleet is None:
        return None
    fleet = largest.fleet
    desired = max(fleet.desired, 1)
    return FleetSizing(
        instance_type=fleet.instance_type,
        minimum=min(max(fleet.minimum, 1), desired),
        desired=desired,
        maximum=max(fleet.maximum, desired),
        scale_in=False,
    )


def _cache(record: Record, left_out: list[str]) -> CacheSizing | None:
    known = []
    for each in record.of(Kind.CACHE):
        if (
            each.cache is None
            or each.cache.node_type not in cache_node_types()
            or min(each.cache.replicas, default=0) < 1
        ):
            left_out.append(
                f"the replication group {each.name}: its node type or a shard without a replica is not emulated"
            )
            continue
        known.append((usable_cache_bytes(each.cache.node_type) * len(each.cache.replicas), each))
    largest = _largest(known, "replication group", left_out)
    if largest is None or largest.cache is None:
        return None
    if largest.engine == "valkey":
        left_out.append(f"{largest.name} is Valkey: it is rehearsed as Redis, whose shards and nodes change alike")
    shards = tuple(f"{number:04}" for number in range(1, len(largest.cache.replicas) + 1))
    replicas = max(largest.cache.replicas)
    return CacheSizing(node_type=largest.cache.node_type, shards=shards, replicas_per_shard=replicas)


def _aurora(record: Record, left_out: list[str]) -> AuroraSizing | None:
    sized: list[tuple[float, Resource]] = []
    for each in record.of(Kind.DATABASE):
        instances = each.cluster.instances if each.cluster else ()
        if any(i.instance_class == SERVERLESS for i in instances):
            left_out.append(f"the Aurora cluster {each.name}: the capacity of serverless instances is not emulated")
        elif instances:
            sized.append((float(sum(vcpus_of(i.instance_class) for i in instances)), each))
    largest = _largest([pair for pair in sized if pair[0] > 0], "Aurora cluster", left_out)
    if largest is None or largest.cluster is None:
        return None
    if largest.engine != "aurora-postgresql":
        left_out.append(f"{largest.name} is {largest.engine}: it is rehearsed as Aurora PostgreSQL")
    ordered = sorted(largest.cluster.instances, key=lambda each: not each.writes)  # the first becomes the writer
    named = tuple(
        AuroraInstance(id=f"tap-database-{n}", instance_class=each.instance_class, promotion_tier=each.tier)
        for n, each in enumerate(ordered, 1)
    )
    copies = max((each.database.secondaries for each in record.of(Kind.GLOBAL_DATABASE) if each.database), default=0)
    if copies > MOST_COPIES:
        left_out.append(f"{copies - MOST_COPIES} of {copies} copies in other Regions: the foundation has {MOST_COPIES}")
    return AuroraSizing(
        instances=named,
        secondaries=tuple(range(2, 2 + min(copies, MOST_COPIES))),
        backup_retention_days=largest.cluster.retention_days or 1,
    )


def _workload(record: Record, sizing: Sizing, left_out: list[str]) -> WorkloadSpec:
    """Requests a day and their rhythm from the load balancers; cost of a request from the work of the resources."""
    design = WorkloadSpec(tenants=2500, requests_per_day=2_000_000)
    hourly = _summed(list(metrics_of(record, "RequestCount", "Sum")))
    if hourly is None:
        left_out.append("no load balancer's requests are in the record: 2 million a day are assumed")
        return design
    requests = sum(hourly) / len(hourly) * HOURS_A_DAY
    stored = [each.highest for each in metrics_of(record, "BytesUsedForCache", "Maximum")]
    copies = 1 + sizing.cache.replicas_per_shard
    tenants = round(sum(stored) / copies / CACHE_BYTES_PER_TENANT) if stored else 0
    return WorkloadSpec(
        tenants=max(tenants, 1) if stored else design.tenants,
        requests_per_day=max(requests, 1.0),
        rhythm=tuple(each * len(hourly) / sum(hourly) for each in hourly) if sum(hourly) else None,
        work=_work(record, sizing, max(requests, 1.0) / SECONDS_A_DAY),
    )


def _work(record: Record, sizing: Sizing, per_second: float) -> Work:
    """Work of a request as a multiple of the emulated platform's, where it was measured."""
    fleet = _mean(_of_largest(record, "AWS/EC2", "CPUUtilization"))
    writer, reader = (_mean(_by_role(record, role)) for role in ("WRITER", "READER"))
    kinds = [vcpus_of(each.instance_class) for each in sizing.aurora.instances]
    processors = sizing.fleet.desired * vcpus_of(sizing.fleet.instance_type)

    def times(share: float | None, of: int, usual: float, idle: float = 0.0) -> float:
        worked = 0.0 if share is None else max(share / 100 - idle, 0.0) * of / per_second
        return round(worked / usual, 4) if worked > 0 else 1.0

    return Work(
        fleet=times(fleet, processors, REQUEST_VCPU_SECONDS, IDLE_CPU),
        writer=times(writer, kinds[0], WRITER_VCPU_SECONDS),
        readers=times(reader, sum(kinds[1:]), READER_VCPU_SECONDS),
    )


def _of_largest(record: Record, namespace: str, metric: str) -> Iterator[Recorded]:
    """The averages that belong to the largest group."""
    sized = [(vcpus_of(f.instance_type) * f.desired, each.name) for each in record.of(Kind.FLEET) if (f := each.fleet)]
    name = max(sized, default=(0, ""))[1]
    for each in metrics_of(record, metric, "Average"):
        if each.namespace == namespace and ("AutoScalingGroupName", name) in each.dimensions:
            yield each


def _by_role(record: Record, role: str) -> Iterator[Recorded]:
    for each in metrics_of(record, "CPUUtilization", "Average"):
        if ("Role", role) in each.dimensions:
            yield each


def _mean(recorded: Iterator[Recorded]) -> float | None:
    hours = [hour for each in recorded for hour in each.hours if hour is not None]
    return sum(hours) / len(hours) if hours else None


def _summed(recorded: Sequence[Recorded]) -> list[float] | None:
    """The sum of all series, by hour of the week."""
    return [sum(each.hours[hour] or 0.0 for each in recorded) for hour in range(168)] if recorded else None


def vcpus_of(kind: str) -> int:
    """Processors of a type; 0 if the emulated account does not know it."""
    try:
        return vcpus(kind)
    except KeyError:
        return 0
