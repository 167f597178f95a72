"""Effect of a sizing on the service in the model: the same time simulated twice, with it and as designed.

Both simulations share seed, load and events, so every difference between their hours comes from the sizing:
a sharper measure than any judgement of a window, and independent of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from domain.sizing import Sizing
from emulator.workload.noise import PERIOD, Array
from emulator.workload.snapshot import CacheSnapshot, Configuration, DatabaseSnapshot, FleetSnapshot
from emulator.workload.workload import MetricRequest, Workload

ERROR_RATE = 0.005  # the brief's limits: half a percent of all requests,
SLOWER = 1.20  # and a p99 a fifth above that of the design
_HOUR = 3600 // PERIOD


@dataclass(frozen=True)
class ServiceLevel:
    """The worst hour: the share of failed requests, and the p99 as a multiple of the design's."""

    error_rate: float
    slower: float

    @property
    def broken(self) -> bool:
        return self.error_rate > ERROR_RATE or self.slower > SLOWER


def resized(present: Configuration, region: str, sizing: Sizing) -> Configuration:
    """The configuration with the primary Region's fleet, cache and database as in the sizing.

    Nothing else that the phases change affects users: indexes and secondaries carry no requests.
    """
    here, fleet, cache, aurora = present[region], sizing.fleet, sizing.cache, sizing.aurora
    nodes = range(1, 2 + cache.replicas_per_shard)
    instances = tuple((each.id, each.instance_class) for each in aurora.instances)
    changed = replace(
        here,
        fleets={
            name: FleetSnapshot(tuple((f"i-{number}", fleet.instance_type) for number in range(fleet.desired)))
            for name in here.fleets
        },
        caches={
            name: CacheSnapshot(
                cache.node_type,
                cache.shards,
                tuple((f"{name}-{shard}-{node:03}", shard) for shard in cache.shards for node in nodes),
            )
            for name in here.caches
        },
        databases={name: _database(each, instances) for name, each in here.databases.items()},
    )
    return {**present, region: changed}


def service_level(
    with_it: Workload, as_designed: Workload, place: tuple[str, str], start: datetime, length: timedelta
) -> ServiceLevel:
    """The worst hour from `start` on. `place` is a Region and the load balancer's name in its metrics."""
    ours, design = (_hours(each, place, start, start + length) for each in (with_it, as_designed))
    asked = np.maximum(ours["requests"] + ours["elb"], 1)
    return ServiceLevel(
        error_rate=float(np.max((ours["target"] + ours["elb"]) / asked)),
        slower=float(np.max(ours["p99"] / design["p99"])),
    )


_METRICS = {
    "requests": ("RequestCount", "Sum"),
    "target": ("HTTPCode_Target_5XX_Count", "Sum"),
    "elb": ("HTTPCode_ELB_5XX_Count", "Sum"),
    "p99": ("TargetResponseTime", "p99"),
}


def _hours(life: Workload, place: tuple[str, str], start: datetime, end: datetime) -> Mapping[str, Array]:
    region, balancer = place
    asked = MetricRequest(int(start.timestamp()), int(end.timestamp()), PERIOD)
    found = {}
    for key, (name, statistic) in _METRICS.items():
        values = np.zeros(len(asked.starts()))
        samples = life.samples(
            region, "AWS/ApplicationELB", name, {"LoadBalancer": balancer}, asked, end + timedelta(hours=1)
        )
        if samples is not None:
            at, known = samples.statistic(statistic)
            values[(at - asked.start) // PERIOD] = known
        hours = values.reshape(-1, _HOUR)
        found[key] = hours.mean(axis=1) if statistic == "p99" else hours.sum(axis=1)
    return found


def _database(before: DatabaseSnapshot, instances: tuple[tuple[str, str], ...]) -> DatabaseSnapshot:
    """The cluster with these instances: a secondary stays as it is; the primary's first instance writes."""
    return before if before.secondary else replace(before, instances=instances, writer=instances[0][0])
