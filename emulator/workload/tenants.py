"""Tap/Tenants: the application's metrics of its tenants, by tier (docs/application.md).

The tiers are constants of the workload: each one's share of the tenants and of the traffic,
and its response time relative to the platform's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from domain.names import NAMESPACE
from emulator.workload.load_balancer import answered, response_time, target_errors
from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene


@dataclass(frozen=True)
class Tier:
    """Shares of the tenants and of their requests; `slower` multiplies the response time."""

    tenants: float
    requests: float
    slower: float


TIERS = {
    "enterprise": Tier(tenants=0.04, requests=0.46, slower=1.12),
    "business": Tier(tenants=0.26, requests=0.38, slower=0.98),
    "starter": Tier(tenants=0.70, requests=0.16, slower=0.90),
}


def _tier(dimensions: Dimensions) -> Tier | None:
    return TIERS.get(dimensions["Tier"]) if set(dimensions) == {"Tier"} else None


@signal(NAMESPACE, "Tenants", unit="Count", resolution=60)
def tenants(scene: Scene, dimensions: Dimensions) -> Points | None:
    tier = _tier(dimensions)
    if tier is None:
        return None
    reporting: Array = np.where(scene.fleet_vcpus > 0, 5.0, 0.0)
    number = np.full(len(reporting), np.floor(scene.load.tenants * tier.tenants))
    return Points.spread(reporting, number, np.zeros(len(reporting)), ceiling=np.inf)


@signal(NAMESPACE, "Requests", unit="Count", resolution=60)
def requests(scene: Scene, dimensions: Dimensions) -> Points | None:
    tier = _tier(dimensions)
    return None if tier is None else Points.counter(_requests(scene, tier))


@signal(NAMESPACE, "Errors", unit="Count", resolution=60)
def errors(scene: Scene, dimensions: Dimensions) -> Points | None:
    tier = _tier(dimensions)
    if tier is None:
        return None
    return Points.counter(scene.drawn(f"errors of {dimensions['Tier']}", target_errors(scene) * tier.requests))


@signal(NAMESPACE, "Latency", unit="Seconds", resolution=60)
def latency(scene: Scene, dimensions: Dimensions) -> Points | None:
    tier = _tier(dimensions)
    return None if tier is None else response_time(scene, _requests(scene, tier), slower=tier.slower)


def _requests(scene: Scene, tier: Tier) -> Array:
    share: Array = np.floor(answered(scene) * tier.requests)
    return share
