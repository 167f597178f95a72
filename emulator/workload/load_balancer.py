"""AWS/ApplicationELB: the platform as its clients see it.

Published only with traffic, 5xx only when not zero; RequestCount counts only requests that a target
was chosen for (Elastic Load Balancing, "CloudWatch metrics for your Application Load Balancer").
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log
from statistics import NormalDist

import numpy as np

from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene

NAMESPACE = "AWS/ApplicationELB"

# A request takes 45 ms in the median and 190 ms in the 99th percentile on an idle fleet.
_MEDIAN, _WIDTH, _Z99 = 0.045, 0.62, 2.3263
_TARGET_ERRORS, _ELB_ERRORS = 0.0002, 0.00002  # shares of all requests on a good day
_TARGET_4XX, _ELB_4XX, _TLS_ERRORS, _REFUSED = 0.02, 0.0005, 0.0002, 0.000005
_PATHS = {"tap-api": 0.70, "tap-default": 0.20, "tap-auth": 0.07, "tap-admin": 0.03}  # shares of the target groups


def _share(scene: Scene, dimensions: Dimensions) -> Array | None:
    """This load balancer's share of the Region's traffic; None for dimensions under which it has no metrics."""
    if set(dimensions) != {"LoadBalancer"}:
        return None
    name = dimensions["LoadBalancer"]
    return scene.of(lambda region: (name in region.balancers) / max(len(region.balancers), 1))


def _share_of_targets(scene: Scene, dimensions: Dimensions) -> Array | None:
    """The same share for metrics of targets, which are also published by target group."""
    whole = _share(scene, {key: value for key, value in dimensions.items() if key != "TargetGroup"})
    if whole is None or "TargetGroup" not in dimensions:
        return whole
    balancer, group = dimensions["LoadBalancer"], dimensions["TargetGroup"]
    return whole * scene.of(lambda region: path_share(region.target_groups.get(balancer, ()), group))


def path_share(groups: Sequence[str], group: str) -> float:
    """One target group's share of its load balancer's requests."""
    weights = {each: _PATHS.get(each.split("/")[1], 1.0) for each in groups}
    return weights.get(group, 0.0) / sum(weights.values()) if weights else 0.0


def _path(dimensions: Dimensions) -> str | None:
    """The name of the target group in the dimensions; None: the whole load balancer."""
    return dimensions["TargetGroup"].split("/")[1] if "TargetGroup" in dimensions else None


def _of_paths(scene: Scene, name: str) -> Array:
    """The share of all requests that goes to the target groups of this name."""
    return scene.of(
        lambda region: sum(
            path_share(groups, group) / len(region.target_groups)
            for groups in region.target_groups.values()
            for group in groups
            if group.split("/")[1] == name
        )
    )


def answered(scene: Scene) -> Array:
    """Requests that reach a target: none in an outage or without a fleet."""
    return np.where(scene.effects.outage | (scene.fleet_vcpus == 0), 0.0, scene.demand)


def target_errors(scene: Scene, path: str | None = None) -> Array:
    """Requests that a target answers with an error, if all went to that path; None: over all paths."""
    usual = _TARGET_ERRORS * np.exp(0.5 * scene.wander("error level", 2))
    failing = scene.effects.failing_paths
    if path is None:
        of_paths = sum((_of_paths(scene, name) * rate for name, rate in failing.items()), np.zeros(len(usual)))
    else:
        of_paths = failing[path] if path in failing else np.zeros(len(usual))
    rate = np.clip(usual + scene.effects.error_rate + of_paths + scene.lost + scene.denied, 0.0, 1.0)
    return scene.drawn("target errors", answered(scene) * rate)


def _balancer_errors(scene: Scene) -> Array:
    unanswered = scene.demand - answered(scene)
    return unanswered + scene.drawn("elb errors", answered(scene) * _ELB_ERRORS)


def queueing(utilization: Array) -> Array:
    """Factor on the slowest percent's time at a utilization: near 1 below half load, unbounded near saturation."""
    busy = np.clip(utilization, 0.0, 0.98)
    return 1 + 0.45 * busy**2 / (1 - busy)


@signal(NAMESPACE, "RequestCount", unit="Count", resolution=60)
def request_count(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share_of_targets(scene, dimensions)
    return None if share is None else Points.counter(share * answered(scene))


@signal(NAMESPACE, "HTTPCode_Target_5XX_Count", unit="Count", resolution=60)
def target_5xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share_of_targets(scene, dimensions)
    return None if share is None else Points.counter(share * target_errors(scene, _path(dimensions)))


@signal(NAMESPACE, "HTTPCode_Target_4XX_Count", unit="Count", resolution=60)
def target_4xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share_of_targets(scene, dimensions)
    return None if share is None else Points.counter(share * _target_4xx(scene))


@signal(NAMESPACE, "HTTPCode_Target_2XX_Count", unit="Count", resolution=60)
def target_2xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share_of_targets(scene, dimensions)
    if share is None:
        return None
    failed = target_errors(scene, _path(dimensions)) + _target_4xx(scene)
    return Points.counter(share * np.maximum(answered(scene) - failed, 0.0))


@signal(NAMESPACE, "TargetConnectionErrorCount", unit="Count", resolution=60)
def target_connection_errors(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share_of_targets(scene, dimensions)
    if share is None:
        return None
    return Points.counter(share * scene.drawn("refused", answered(scene) * _also(scene, "connection_errors", _REFUSED)))


@signal(NAMESPACE, "HTTPCode_ELB_5XX_Count", unit="Count", resolution=60)
def elb_5xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    return None if share is None else Points.counter(share * _balancer_errors(scene))


@signal(NAMESPACE, "HTTPCode_ELB_4XX_Count", unit="Count", resolution=60)
def elb_4xx(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    if share is None:
        return None
    return Points.counter(share * scene.drawn("elb 4xx", scene.demand * _also(scene, "elb_4xx", _ELB_4XX)))


@signal(NAMESPACE, "ClientTLSNegotiationErrorCount", unit="Count", resolution=60)
def client_tls_errors(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share(scene, dimensions)
    if share is None:
        return None
    return Points.counter(share * scene.drawn("tls errors", scene.demand * _also(scene, "tls_errors", _TLS_ERRORS)))


@signal(NAMESPACE, "RejectedConnectionCount", unit="Count", resolution=60)
def rejected_connections(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Connections beyond the load balancer's capacity: none without an event, and so none is published."""
    share = _share(scene, dimensions)
    return None if share is None else Points.counter(np.rint(share * scene.demand * _also(scene, "rejected", 0.0)))


def _target_4xx(scene: Scene) -> Array:
    usual = _TARGET_4XX * np.exp(0.2 * scene.wander("4xx level", 2))
    return scene.drawn("target 4xx", answered(scene) * _also(scene, "target_4xx", usual))


def _also(scene: Scene, name: str, usual: float | Array) -> float | Array:
    """The usual share of the requests, and what the scenario has go unserved in that way on top of it."""
    more = scene.effects.unserved.get(name)
    return usual if more is None else usual + more


@signal(NAMESPACE, "TargetResponseTime", unit="Seconds", resolution=60)
def target_response_time(scene: Scene, dimensions: Dimensions) -> Points | None:
    share = _share_of_targets(scene, dimensions)
    if share is None:
        return None
    return response_time(scene, share * answered(scene), path=_path(dimensions))


def response_time(scene: Scene, count: Array, slower: float = 1.0, path: str | None = None) -> Points:
    """Response times of `count` requests, in seconds; `slower` multiplies the platform's usual time."""
    level = 1 + 0.03 * (scene.rhythm - 1) + 0.012 * scene.wander("latency day", 24) + 0.015 * scene.wander("latency", 1)
    blips = 1 + scene.bursts("latency blip", per_day=1.5, longest=3, highest=0.8)
    databases = queueing(scene.writer_utilization) * queueing(scene.reader_utilization)
    tail = queueing(scene.fleet_utilization) * np.sqrt(databases) * blips * scene.effects.p99_factor
    tail = tail * _slower_paths(scene, path)
    # The 99th percentile of n samples itself scatters, by 2.7 % at 7,000 (order statistics of this distribution).
    scatter = 1 + 0.0187 * np.sqrt(7_000 / np.maximum(count, 50)) * scene.white("latency sampling")
    width = (_WIDTH + np.log(tail) / _Z99) * scatter
    return Points.latency(count, _MEDIAN * slower * level, width)


def _slower_paths(scene: Scene, path: str | None) -> Array:
    """Factor on the slowest percent's time caused by slower paths: for that path, or for all requests (None)."""
    slower = scene.effects.slower_paths
    if path is not None:
        return slower[path] if path in slower else np.ones(len(scene.periods))
    times = np.ones(len(scene.periods))
    for name, factor in slower.items():
        pairs, which = np.unique(np.stack([_of_paths(scene, name), factor]), axis=1, return_inverse=True)
        times = times * np.array([_mixed(share, each) for share, each in pairs.T.tolist()])[which.ravel()]
    return times


def _mixed(share: float, factor: float) -> float:
    """Factor on the p99 of all requests when `share` of them have a p99 that is `factor` times the usual one."""
    usual, slow = NormalDist(0, _WIDTH), NormalDist(0, max(_WIDTH + log(factor) / _Z99, 1e-6))
    low, high = sorted((_Z99 * _WIDTH, _Z99 * _WIDTH + log(factor)))
    for _ in range(30):
        middle = (low + high) / 2
        over = (1 - share) * (1 - usual.cdf(middle)) + share * (1 - slow.cdf(middle))
        low, high = (middle, high) if over > 0.01 else (low, middle)
    return exp((low + high) / 2 - _Z99 * _WIDTH)


FAILS_FROM, SERVES_FROM = 45, 105  # seconds after a launch: the third failed check, and the service's start


@signal(NAMESPACE, "UnHealthyHostCount", unit="Count", resolution=60)
def unhealthy_hosts(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Per target group: all of its instances in an outage; else those that boot.

    A new target is unhealthy from its first failed checks until its service answers (Elastic Load Balancing,
    "Health checks for your target groups").
    """
    share = _share(scene, {key: value for key, value in dimensions.items() if key != "TargetGroup"})
    if share is None or "TargetGroup" not in dimensions:
        return None
    hosts = scene.of(lambda region: sum(len(fleet.instances) for fleet in region.fleets.values()))
    return Points.gauge(np.where(scene.effects.outage, hosts, _booting(scene)), (share > 0) & (hosts > 0))


@signal(NAMESPACE, "HealthyHostCount", unit="Count", resolution=60)
def healthy_hosts(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Per target group: instances in service less the unhealthy ones; published while it has targets."""
    unhealthy = unhealthy_hosts(scene, dimensions)
    if unhealthy is None:
        return None
    hosts = scene.of(lambda region: sum(len(fleet.instances) for fleet in region.fleets.values()))
    return Points.gauge(np.maximum(hosts - unhealthy.mean, 0.0), unhealthy.count > 0)


def _booting(scene: Scene) -> Array:
    """1 in each period in which a launched instance of the Region did not serve yet."""
    booting = np.zeros(len(scene.periods))
    known: set[str] | None = None
    for at, configuration in scene.timeline:
        region = configuration.get(scene.region)
        now = {name for fleet in region.fleets.values() for name, _ in fleet.instances} if region else set()
        if known and now - known:
            for second in FAILS_FROM, SERVES_FROM:
                place = int((at + second) // 300) - scene.start
                if 0 <= place < len(booting):
                    booting[place] = 1.0
        known = now or known
    return booting
