"""AWS/ApplicationELB: what clients see of the platform.

Published only with traffic, 5xx only when not zero; RequestCount counts only requests that a target
was chosen for (Elastic Load Balancing, "CloudWatch metrics for your Application Load Balancer").
"""

from __future__ import annotations

import numpy as np

from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene

NAMESPACE = "AWS/ApplicationELB"

# A request takes 45 ms in the median and 190 ms in the 99th percentile on an idle fleet.
_MEDIAN, _WIDTH, _Z99 = 0.045, 0.62, 2.3263
_TARGET_ERRORS, _ELB_ERRORS = 0.0002, 0.00002  # shares of all requests on a good day


def _share(scene: Scene, dimensions: Dimensions) -> Array | None:
    """The share of the Region's traffic that this load balancer takes; None for dimensions it has no metrics under."""
    if set(dimensions) != {"LoadBalancer"}:
        return None
    name = dimensions["LoadBalancer"]
    return scene.of(lambda region: (name in region.balancers) / max(len(region.balancers), 1))


def answered(scene: Scene) -> Array:
    """Requests that reach a target: none in an outage or without a fleet."""
    return np.where(scene.effects.outage | (scene.fleet_vcpus == 0), 0.0, scene.demand)


def target_errors(scene: Scene) -> Array:
    """Requests that a target answers with an error."""
    usual = _TARGET_ERRORS * np.exp(0.5 * scene.wander("error level", 2))
    rate = np.clip(usual + scene.effects.error_rate + scene.lost + scene.denied, 0.0, 1.0)
    return scene.drawn("target errors", answered(scene) * rate)


def _balancer_errors(scene: Scene) -> Array:
    unanswered = scene.demand - answered(scene)
    return unanswered + scene.drawn("elb errors", answered(scene) * _ELB_ERRORS)


def queueing(utilization: Array) -> Array:
    """How many times longer the slowest percent takes: little below half load, without bound near saturation."""
    busy = np.clip(utilization, 0.0, 0.98)
    return 1 + 0.45 * busy**2 / (1 - busy)


@signal(NAMESPACE, "RequestCount", unit="Count", resolution=60)
def request_count(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    return None if share is None else Points.counter(share * answered(scene))


@signal(NAMESPACE, "HTTPCode_Target_5XX_Count", unit="Count", resolution=60)
def target_5xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    return None if share is None else Points.counter(share * target_errors(scene))


@signal(NAMESPACE, "HTTPCode_Target_2XX_Count", unit="Count", resolution=60)
def target_2xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    return None if share is None else Points.counter(share * (answered(scene) - target_errors(scene)))


@signal(NAMESPACE, "HTTPCode_ELB_5XX_Count", unit="Count", resolution=60)
def elb_5xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    return None if share is None else Points.counter(share * _balancer_errors(scene))


@signal(NAMESPACE, "TargetResponseTime", unit="Seconds", resolution=60)
def target_response_time(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    if share is None:
        return None
    return response_time(scene, share * answered(scene))


def response_time(scene: Scene, count: Array, slower: float = 1.0) -> Points:
    """How long so many requests take, in seconds; `slower` times the platform's usual time."""
    level = 1 + 0.03 * (scene.rhythm - 1) + 0.012 * scene.wander("latency day", 24) + 0.015 * scene.wander("latency", 1)
    blips = 1 + scene.bursts("latency blip", per_day=1.5, longest=3, highest=0.8)
    databases = queueing(scene.writer_utilization) * queueing(scene.reader_utilization)
    tail = queueing(scene.fleet_utilization) * np.sqrt(databases) * blips * scene.effects.p99_factor
    # The 99th percentile of n samples itself scatters, by 2.7 % at 7,000 (order statistics of this distribution).
    scatter = 1 + 0.0187 * np.sqrt(7_000 / np.maximum(count, 50)) * scene.white("latency sampling")
    width = (_WIDTH + np.log(tail) / _Z99) * scatter
    return Points.latency(count, _MEDIAN * slower * level, width)


@signal(NAMESPACE, "UnHealthyHostCount", unit="Count", resolution=60)
def unhealthy_hosts(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Per target group: all of its instances in an outage, none otherwise."""
    share = _share(scene, {key: value for key, value in dimensions.items() if key != "TargetGroup"})
    if share is None or "TargetGroup" not in dimensions:
        return None
    hosts = scene.of(lambda region: sum(len(fleet.instances) for fleet in region.fleets.values()))
    return Points.gauge(np.where(scene.effects.outage, hosts, 0.0), (share > 0) & (hosts > 0))
