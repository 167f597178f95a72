"""AWS/RDS, by cluster: Aurora's storage, backups and copies to other Regions.

Sources: "Amazon CloudWatch metrics for Amazon Aurora", "Understanding Aurora backup storage usage".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emulator.core.instance_types import GIB
from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import DAY, PERIOD, Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene
from emulator.workload.snapshot import NOTHING, DatabaseSnapshot, RegionSnapshot

NAMESPACE = "AWS/RDS"

_BYTES_PER_TENANT, _GROWTH_PER_DAY = 0.2 * GIB, 0.0004
CHANGED_PER_DAY = 0.02  # of the volume: stored by continuous backup for each day of retention
WRITES_PER_REQUEST, READS_PER_REQUEST = 6.0, 0.8  # at the volume; most reads come from memory
_GLOBAL_LAG_MS = 110.0


def _cluster(region: RegionSnapshot, dimensions: Dimensions) -> DatabaseSnapshot | None:
    return region.databases.get(dimensions["DBClusterIdentifier"])


def _is_cluster(dimensions: Dimensions) -> bool:
    return set(dimensions) == {"DBClusterIdentifier"}


def volume(scene: Scene) -> Array:
    """Bytes in the cluster volume, growing from the account's first day."""
    born = scene.timeline[0][0] / PERIOD if scene.timeline else 0.0
    return scene.load.tenants * _BYTES_PER_TENANT * (1 + _GROWTH_PER_DAY * (scene.periods - born) / DAY)


@signal(NAMESPACE, "VolumeBytesUsed", unit="Bytes")
def volume_bytes_used(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _is_cluster(dimensions):
        return None
    return Points.gauge(volume(scene), _there(scene, dimensions))


@signal(NAMESPACE, "BackupRetentionPeriodStorageUsed", unit="Bytes")
def backup_bytes(scene: Scene, dimensions: Dimensions) -> Points | None:
    """The volume and the changes of the restorable days; a longer retention fills daily, a shorter one cuts at once."""
    if not _is_cluster(dimensions):
        return None
    return Points.gauge(volume(scene) * (1 + CHANGED_PER_DAY * days_kept(scene, dimensions)), _there(scene, dimensions))


@signal(NAMESPACE, "SnapshotStorageUsed", unit="Bytes")
def snapshot_bytes(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Manual snapshots outside the retention period, each at the volume's full size."""
    if not _is_cluster(dimensions):
        return None
    return Points.gauge(kept_snapshots(scene, dimensions) * volume(scene), _there(scene, dimensions))


@signal(NAMESPACE, "VolumeReadIOPs", unit="Count")
def volume_reads(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Billed reads in five minutes, cluster level: not per second, unlike ReadIOPS of an instance."""
    return _operations(scene, dimensions, READS_PER_REQUEST * scene.cache_pressure)


@signal(NAMESPACE, "VolumeWriteIOPs", unit="Count")
def volume_writes(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _operations(scene, dimensions, WRITES_PER_REQUEST * np.ones(len(scene.periods)))


def _operations(scene: Scene, dimensions: Dimensions, of_request: Array) -> Points | None:
    if not _is_cluster(dimensions):
        return None
    primary = scene.of(lambda r: (c := _cluster(r, dimensions)) is not None and not c.secondary)
    return Points.gauge(np.floor(scene.demand * of_request * primary), _there(scene, dimensions))


@signal(NAMESPACE, "AuroraGlobalDBReplicationLag", unit="Milliseconds", resolution=60)
def global_lag(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Replication lag in the secondary Regions, also of headless clusters: their storage still replicates.

    Dimensions: source Region, and cluster (Aurora User Guide, "Amazon CloudWatch metrics for Amazon Aurora").
    """
    if set(dimensions) == {"SourceRegion"} and dimensions["SourceRegion"] != scene.region:
        secondary = scene.of(lambda r: any(each.secondary for each in r.databases.values()))
    elif _is_cluster(dimensions):
        secondary = scene.of(lambda r: (c := _cluster(r, dimensions)) is not None and c.secondary)
    else:
        return None
    median = _GLOBAL_LAG_MS * np.exp(0.05 * scene.wander(f"global lag {scene.region}", 1))
    return Points.latency(5 * secondary, median, np.full_like(median, 0.2))


def _there(scene: Scene, dimensions: Dimensions) -> NDArray[np.bool_]:
    return scene.of(lambda r: _cluster(r, dimensions) is not None) > 0


def days_kept(scene: Scene, dimensions: Dimensions) -> Array:
    """Restorable days of the cluster: at most the retention in force, growing by one each day."""
    marks, kept, since = [], 0.0, None
    for at, configuration in scene.timeline:
        cluster = _cluster(configuration.get(scene.region, NOTHING), dimensions)
        limit = float(cluster.retention_days) if cluster else 0.0
        if since is not None:
            kept = min(kept + (at - since) / 86_400, marks[-1][2])
        kept, since = min(kept, limit), at
        marks.append((at, kept, limit))
    if not marks:
        return np.zeros(len(scene.periods))
    ats, starts, limits = (np.array(each) for each in zip(*marks, strict=True))
    seconds = scene.periods * float(PERIOD)
    place = np.clip(np.searchsorted(ats, seconds, side="right") - 1, 0, None)
    result: Array = np.minimum(starts[place] + np.maximum(seconds - ats[place], 0) / 86_400, limits[place])
    return result


def kept_snapshots(scene: Scene, dimensions: Dimensions) -> Array:
    """Number of manual snapshots outside the retention period: those within it cost nothing."""
    total = np.zeros(len(scene.periods))
    for taken, here in _snapshots(scene, dimensions).items():
        total += here * ((scene.periods * PERIOD - taken) / 86_400 > days_kept(scene, dimensions))
    return total


def _snapshots(scene: Scene, dimensions: Dimensions) -> dict[float, Array]:
    """All manual snapshots by the time they were taken: 1 in the periods in which they existed."""
    taken = {
        each
        for _, configuration in scene.timeline
        if (cluster := _cluster(configuration.get(scene.region, NOTHING), dimensions))
        for each in cluster.snapshots
    }
    return {each: _existing(scene, dimensions, each) for each in taken}


def _existing(scene: Scene, dimensions: Dimensions, snapshot: float) -> Array:
    return scene.of(lambda r: (c := _cluster(r, dimensions)) is not None and snapshot in c.snapshots)
