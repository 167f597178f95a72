"""Existence and use, hour by hour: instances and storage from the account's history, the rest from the workload.

Before its first lived day the account is assumed unchanged, for as many months as the scenario says,
with a load that grew and changed with the seasons. A request costs the same as in the metrics
(see `signals`); no noise is added to that of the demand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from domain.sizing import FLEET_VOLUME_GB
from emulator.core.instance_types import GIB
from emulator.workload.database_volume import (
    CHANGED_PER_DAY,
    READS_PER_REQUEST,
    WRITES_PER_REQUEST,
    days_kept,
    kept_snapshots,
    volume,
)
from emulator.workload.noise import DAY, PERIOD, Array
from emulator.workload.scene import Scene
from emulator.workload.snapshot import Configuration, RegionSnapshot
from emulator.workload.tables import OPERATIONS, READS, WRITES
from emulator.workload.workload import Workload

Timeline = Sequence[tuple[float, Configuration]]

PER_HOUR = 3600 // PERIOD
SETTLED = 86_400  # seconds after its first change in which the foundation was built
_GROWTH_PER_MONTH, _SEASON, _PEAK_DAY = 0.015, 0.06, 330.0  # before the lived days; the peak is late in November

# Of one request.
_BYTES_TO_CLIENT, _BYTES_THROUGH_NAT = 25_000, 2_000
_NEW_CONNECTIONS, _KMS_REQUESTS = 0.4, 0.002
_LCU_CONNECTIONS, _LCU_BYTES = 25 * 3600, 1e9  # of one hour (Elastic Load Balancing pricing, "LCU details")
METRICS_IN_DETAIL = 7  # of one instance (Amazon CloudWatch pricing, "EC2 Detailed Monitoring")
# GB of one tenant, by table; every index repeats so much of it.
_TABLE_GB = {"tenants": 0.0001, "users": 0.002, "audit_logs": 0.02}
_INDEX_SHARE = 0.4


@dataclass(frozen=True)
class Metered:
    """Quantities by Region and item, for each hour from `first` (counted since 1970) on."""

    first: int
    quantities: Mapping[tuple[str, str], Array]


def history(timeline: Timeline, begin: float) -> Timeline:
    """The account's configurations from `begin` on; before its first one, that first one."""
    if begin >= timeline[0][0]:
        return timeline
    founded = timeline[0][0] + SETTLED
    early = [each for each in timeline if each[0] <= founded]
    return [(begin, early[-1][1]), *timeline[len(early) :]]


def meter(workload: Workload, first: int, last: int) -> Metered:
    """All use from hour `first` up to hour `last`, both counted since 1970."""
    if not workload.timeline or first >= last:
        return Metered(first, {})
    steps = history(workload.timeline, first * 3600.0)
    regions = sorted({region for _, configuration in steps for region in configuration})
    quantities: dict[tuple[str, str], Array] = {}
    for region in regions:
        scene = workload.scene_of(steps, region, first * PER_HOUR, last * PER_HOUR)
        lived = replace(scene, timeline=workload.timeline)
        for name, amounts in {**_existing(scene), **_stored(scene, lived), **_used(scene, lived)}.items():
            if amounts.any():
                quantities[region, name] = amounts
    return Metered(first, quantities)


def _existing(scene: Scene) -> dict[str, Array]:
    """Hours of the items that are billed for existing."""
    types = sorted({kind for _, configuration in scene.timeline for kind in kinds(_here(configuration, scene))})
    found = {kind: _hours(scene, _count_of(kind)) for kind in types}
    found["NAT gateway"] = _hours(scene, lambda r: r.gateways)
    found["Application Load Balancer"] = _hours(scene, lambda r: len(r.balancers))
    found["KMS key"] = _hours(scene, lambda r: r.keys) / month_hours(scene)
    instances = _hours(scene, lambda r: sum(len(fleet.instances) for fleet in r.fleets.values()))
    found["EBS gp3 volume"] = instances * FLEET_VOLUME_GB / month_hours(scene)
    found["EC2 detailed monitoring"] = instances * METRICS_IN_DETAIL / month_hours(scene)
    return found


def _stored(scene: Scene, lived: Scene) -> dict[str, Array]:
    """GB-months of Aurora volumes and of their backups beyond the free amount, and of the tables.

    Aurora User Guide, "Understanding Amazon Aurora backup storage usage": one volume's size is free.
    """
    clusters = sorted({name for _, configuration in scene.timeline for name in _here(configuration, scene).databases})
    size = volume(lived)
    storage, backup = np.zeros(len(size)), np.zeros(len(size))
    for name in clusters:
        storage += size * scene.of(_has_database(name))
        dimensions = {"DBClusterIdentifier": name}
        backup += size * (CHANGED_PER_DAY * days_kept(scene, dimensions) + kept_snapshots(scene, dimensions))
    backup += size * scene.of(lambda r: r.left_snapshots)
    growth = size / max(float(size[-1]), 1.0)
    tables = scene.of(_table_gb) * scene.load.tenants * growth
    months = month_hours(scene)
    return {
        "Aurora storage": _summed(storage) / GIB / PER_HOUR / months,
        "Aurora backup": _summed(backup) / GIB / PER_HOUR / months,
        "DynamoDB storage": _summed(tables) / PER_HOUR / months,
    }


def _used(scene: Scene, lived: Scene) -> dict[str, Array]:
    """Consumption by requests, in the hours in which the consumed resource exists."""
    serving = scene.of(lambda r: bool(r.balancers and r.fleets))
    writing = scene.of(lambda r: any(each.writer and not each.secondary for each in r.databases.values()))
    if not (serving.any() or writing.any() or scene.of(lambda r: bool(r.tables)).any()):
        return {}
    demand = scene.demand * earlier(scene, lived)
    served = _summed(demand * serving)
    per_request = WRITES_PER_REQUEST + READS_PER_REQUEST * scene.cache_pressure
    reads, writes = request_units(scene, demand)
    return {
        "Load balancer capacity unit": served * max(_NEW_CONNECTIONS / _LCU_CONNECTIONS, _BYTES_TO_CLIENT / _LCU_BYTES),
        "Data transfer out": served * _BYTES_TO_CLIENT / GIB,
        "NAT gateway data": served * _BYTES_THROUGH_NAT / GIB * (_hours(scene, lambda r: r.gateways) > 0),
        "Aurora I/O": _summed(demand * per_request * writing),
        "KMS request": served * _KMS_REQUESTS,
        "DynamoDB read request units": _summed(reads),
        "DynamoDB write request units": _summed(writes),
    }


def request_units(scene: Scene, demand: Array) -> tuple[Array, Array]:
    """Read and write request units: half a unit a read; a write counts once in the table and once in each index."""
    reads, writes = np.zeros(len(demand)), np.zeros(len(demand))
    names = sorted({name for _, configuration in scene.timeline for name in _here(configuration, scene).tables})
    for name in names:
        copies = scene.of(_copies_of(name))
        operations = OPERATIONS.get(name, {})
        reads += 0.5 * (copies > 0) * demand * sum(operations.get(each, 0.0) for each in READS)
        writes += copies * demand * sum(operations.get(each, 0.0) for each in WRITES)
    return reads, writes


def earlier(scene: Scene, lived: Scene) -> Array:
    """The load relative to the workload's own: 1 in the lived days, less and with the seasons before them."""
    born = lived.timeline[0][0] / PERIOD
    days = np.minimum(scene.periods - born, 0.0) / DAY
    swing = np.cos(2 * np.pi * ((born + days * DAY) / DAY - _PEAK_DAY) / 365.25)
    at_birth = np.cos(2 * np.pi * (born / DAY - _PEAK_DAY) / 365.25)
    result: Array = (1 + _GROWTH_PER_MONTH) ** (days / 30.44) * (1 + _SEASON * (swing - at_birth))
    return result


def month_hours(scene: Scene) -> Array:
    """By hour, the number of hours in its month."""
    hours = (scene.periods[::PER_HOUR] // PER_HOUR).astype("datetime64[h]")
    months = hours.astype("datetime64[M]")
    lengths = (months + 1).astype("datetime64[h]") - months.astype("datetime64[h]")
    result: Array = lengths.astype(np.float64)
    return result


def _here(configuration: Configuration, scene: Scene) -> RegionSnapshot:
    return configuration.get(scene.region, RegionSnapshot())


def kinds(region: RegionSnapshot) -> Counter[str]:
    """Instances and nodes by type."""
    found = Counter(kind for fleet in region.fleets.values() for _, kind in fleet.instances)
    found.update(kind for database in region.databases.values() for _, kind in database.instances)
    for each in region.caches.values():
        found[each.node_type] += len(each.members)
    return found


def _count_of(kind: str) -> Callable[[RegionSnapshot], float]:
    return lambda region: kinds(region)[kind]


def _has_database(name: str) -> Callable[[RegionSnapshot], float]:
    return lambda region: name in region.databases


def _copies_of(table: str) -> Callable[[RegionSnapshot], float]:
    """Number of copies of each write: one in the table and one in each of its indexes."""
    return lambda region: 1 + len(region.tables[table]) if table in region.tables else 0


def _table_gb(region: RegionSnapshot) -> float:
    return sum(_TABLE_GB.get(name, 0.0) * (1 + _INDEX_SHARE * len(indexes)) for name, indexes in region.tables.items())


def _hours(scene: Scene, count: Callable[[RegionSnapshot], float]) -> Array:
    return _summed(scene.of(count)) / PER_HOUR


def _summed(by_period: Array) -> Array:
    result: Array = by_period.reshape(-1, PER_HOUR).sum(axis=1)
    return result
