"""AWS/RDS, by instance: Aurora's writer and readers. The same figures by cluster, and by cluster and role."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from emulator.core.instance_types import memory_bytes
from emulator.workload.load_balancer import queueing
from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import PERIOD, Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene
from emulator.workload.snapshot import RegionSnapshot

NAMESPACE = "AWS/RDS"

_IDLE_CPU = 0.015
_POOL = 20  # connections from each application instance to the writer, and half as many to the readers
_READS_PER_REQUEST, _WRITES_PER_REQUEST = 0.8, 6.0  # by one request, at the volume
_BYTES_OF_REQUEST, _BYTES_TO_STORAGE = 12_000, 20_000
_REPLICA_LAG_MS = 18.0
# A secondary Region serves reports: ten connections for each back office, one back office per 4,000 tenants.
_REPORTING_POOL, _TENANTS_PER_OFFICE = 10, 4_000
_FREE_MEMORY = 0.28  # the buffer cache takes the rest, for every size

WRITER, READER = "WRITER", "READER"


@dataclass(frozen=True)
class _Member:
    """One instance: its class and role; instances of a secondary Region serve no requests."""

    kind: str
    role: str
    serving: bool


def _members(region: RegionSnapshot, dimensions: Dimensions) -> list[_Member]:
    """The instances that the dimensions cover."""
    return [
        member
        for name, database in region.databases.items()
        for instance, kind in database.instances
        if (member := _Member(kind, WRITER if instance == database.writer else READER, not database.secondary))
        and dimensions.get("DBClusterIdentifier", name) == name
        and dimensions.get("DBInstanceIdentifier", instance) == instance
        and dimensions.get("Role", member.role) == member.role
    ]


def _covers(dimensions: Dimensions) -> bool:
    return set(dimensions) in (
        {"DBInstanceIdentifier"},
        {"DBClusterIdentifier"},
        {"DBClusterIdentifier", "Role"},
    )


def _count(scene: Scene, dimensions: Dimensions, wanted: Callable[[_Member], bool]) -> Array:
    return scene.of(lambda region: sum(map(wanted, _members(region, dimensions))))


def _readings(
    scene: Scene, dimensions: Dimensions, *, writer: Array, reader: Array, idle: float, scatter: float, ceiling: float
) -> Points | None:
    """One reading per minute and instance: the role decides the value, `scatter` is the relative noise."""
    if not _covers(dimensions):
        return None
    parts = (
        (writer, _count(scene, dimensions, lambda m: m.serving and m.role == WRITER)),
        (reader, _count(scene, dimensions, lambda m: m.serving and m.role == READER)),
        (np.full_like(writer, idle), _count(scene, dimensions, lambda m: not m.serving)),
    )
    count = sum((number for _, number in parts), np.zeros_like(writer))
    share = np.maximum(count, 1)
    mean = sum((value * number for value, number in parts), np.zeros_like(writer)) / share
    between = sum((number * (value - mean) ** 2 for value, number in parts), np.zeros_like(writer)) / share
    label = "/".join(dimensions.values())
    mean = np.clip(mean * (1 + scatter * scene.white(f"instances {label}")), 0.0, ceiling)
    return Points.spread(5 * count, mean, np.sqrt(between + (scatter * mean) ** 2), ceiling)


@signal(NAMESPACE, "CPUUtilization", unit="Percent", resolution=60)
def cpu(scene: Scene, dimensions: Dimensions) -> Points | None:
    writer = 100 * np.minimum(_IDLE_CPU + scene.writer_utilization, 1.0)
    reader = 100 * np.minimum(_IDLE_CPU + scene.reader_utilization, 1.0)
    return _readings(scene, dimensions, writer=writer, reader=reader, idle=100 * _IDLE_CPU, scatter=0.04, ceiling=100.0)


@signal(NAMESPACE, "DatabaseConnections", unit="Count", resolution=60)
def connections(scene: Scene, dimensions: Dimensions) -> Points | None:
    clients = scene.of(lambda region: sum(len(fleet.instances) for fleet in region.fleets.values()))
    writer = np.floor(clients * _POOL + scene.demand / PERIOD)
    readers = np.maximum(_readers(scene), 1)
    reader = np.floor(clients * _POOL / 2 / readers + scene.demand / PERIOD / readers)
    elsewhere = float(_REPORTING_POOL * (scene.load.tenants // _TENANTS_PER_OFFICE))
    return _readings(scene, dimensions, writer=writer, reader=reader, idle=elsewhere, scatter=0.01, ceiling=np.inf)


@signal(NAMESPACE, "ReadIOPS", unit="Count/Second", resolution=60)
def read_iops(scene: Scene, dimensions: Dimensions) -> Points | None:
    each = scene.demand / PERIOD * _READS_PER_REQUEST * scene.cache_pressure
    readers = _readers(scene)
    reader = each / np.maximum(readers, 1)
    writer = np.where(readers > 0, 0.1 * each, each)
    return _readings(scene, dimensions, writer=writer, reader=reader, idle=0.0, scatter=0.1, ceiling=np.inf)


@signal(NAMESPACE, "WriteIOPS", unit="Count/Second", resolution=60)
def write_iops(scene: Scene, dimensions: Dimensions) -> Points | None:
    writer = scene.demand / PERIOD * _WRITES_PER_REQUEST
    return _readings(
        scene, dimensions, writer=writer, reader=np.zeros_like(writer), idle=0.0, scatter=0.1, ceiling=np.inf
    )


@signal(NAMESPACE, "NetworkThroughput", unit="Bytes/Second", resolution=60)
def network(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Traffic with clients, both directions together."""
    return _moved(scene, dimensions, _BYTES_OF_REQUEST)


@signal(NAMESPACE, "StorageNetworkThroughput", unit="Bytes/Second", resolution=60)
def storage_network(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _moved(scene, dimensions, _BYTES_TO_STORAGE)


def _moved(scene: Scene, dimensions: Dimensions, of_request: int) -> Points | None:
    moved = scene.demand / PERIOD * of_request
    reader = moved / np.maximum(_readers(scene), 1)
    return _readings(scene, dimensions, writer=moved, reader=reader, idle=1_000.0, scatter=0.05, ceiling=np.inf)


@signal(NAMESPACE, "AuroraReplicaLag", unit="Milliseconds", resolution=60)
def replica_lag(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Lag of readers; a writer reports none."""
    if not _covers(dimensions):
        return None
    return _lag(scene, dimensions)


@signal(NAMESPACE, "AuroraReplicaLagMaximum", unit="Milliseconds", resolution=60)
def replica_lag_maximum(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Lag of the cluster's slowest reader."""
    return _lag(scene, dimensions) if set(dimensions) == {"DBClusterIdentifier"} else None


def _lag(scene: Scene, dimensions: Dimensions) -> Points:
    readers = _count(scene, dimensions, lambda m: m.serving and m.role == READER)
    median = _REPLICA_LAG_MS * queueing(scene.writer_utilization) * np.exp(0.06 * scene.wander("replica lag", 1))
    return Points.latency(5 * readers, median, np.full_like(median, 0.25))


@signal(NAMESPACE, "FreeableMemory", unit="Bytes", resolution=60)
def freeable_memory(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _covers(dimensions):
        return None
    count = _count(scene, dimensions, lambda _: True)
    memory = scene.of(lambda r: sum(memory_bytes(m.kind) for m in _members(r, dimensions)))
    mean = _FREE_MEMORY * memory / np.maximum(count, 1) * (1 + 0.02 * scene.wander("freeable memory", 2))
    return Points.spread(5 * count, mean, 0.01 * mean, ceiling=np.inf)


@signal(NAMESPACE, "SwapUsage", unit="Bytes", resolution=60)
def swap_usage(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _covers(dimensions):
        return None
    count = 5 * _count(scene, dimensions, lambda _: True)
    return Points.spread(count, np.zeros_like(count), np.zeros_like(count), ceiling=np.inf)


def _readers(scene: Scene) -> Array:
    return _count(scene, {}, lambda m: m.serving and m.role == READER)
