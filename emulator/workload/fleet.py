"""AWS/EC2: the instances of the Auto Scaling group. Basic monitoring: one sample per instance every 5 minutes.

The module also has the group's own metrics, where enabled, and memory, where the instances start an agent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from emulator.core.instance_types import GIB, memory_bytes, vcpus
from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import PERIOD, Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene
from emulator.workload.snapshot import RegionSnapshot

NAMESPACE = "AWS/EC2"

_BYTES_IN, _BYTES_OUT = 250_000, 750_000  # of one request, with the fleet's own calls to cache and database
# The instances store logs and their image on EBS, and no data of the platform.
_WRITTEN_BYTES, _BYTES_OF_A_WRITE = 6_000, 16_384  # of one request
_BYTES_READ, _BYTES_OF_A_READ = 500, 32_768
_MEMORY, _WORKING_MEMORY = 5 * GIB, 6 * GIB  # of each instance: at rest, and in addition at full load
_BACKGROUND_BYTES = 20e6  # in five minutes: logs and metrics


def _members(dimensions: Dimensions) -> Callable[[RegionSnapshot], list[str]] | None:
    """The types of the instances that a set of dimensions covers; None when EC2 publishes nothing under it."""
    match sorted(dimensions.items()):
        case [("AutoScalingGroupName", group)]:
            return lambda r: [kind for _, kind in r.fleets[group].instances] if group in r.fleets else []
        case [("InstanceId", instance)]:
            return lambda r: [kind for f in r.fleets.values() for each, kind in f.instances if each == instance]
    return None


def _per_instance(scene: Scene, dimensions: Dimensions) -> tuple[Array, Array] | None:
    """Number of instances that report, and each one's share of the Region's traffic."""
    members = _members(dimensions)
    if members is None:
        return None
    count = scene.of(lambda region: len(members(region)))
    work = scene.of(lambda region: sum(vcpus(kind) for kind in members(region)))
    return count, work / np.maximum(scene.fleet_vcpus, 1e-9) / np.maximum(count, 1)


def _label(dimensions: Dimensions) -> str:
    return next(iter(dimensions.values()))


@signal(NAMESPACE, "CPUUtilization", unit="Percent")
def cpu(scene: Scene, dimensions: Dimensions) -> Points | None:
    found = _per_instance(scene, dimensions)
    if found is None:
        return None
    noise = 1 + 0.02 * scene.white(f"cpu {_label(dimensions)}")
    mean = 100 * np.clip(scene.fleet_utilization * noise, 0.0, 1.0)
    return Points.spread(found[0], mean, 0.06 * mean + 0.1, ceiling=100.0)


@signal(NAMESPACE, "NetworkIn", unit="Bytes")
def network_in(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _bytes(scene, dimensions, _BYTES_IN, "in")


@signal(NAMESPACE, "NetworkOut", unit="Bytes")
def network_out(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _bytes(scene, dimensions, _BYTES_OUT, "out")


def _bytes(scene: Scene, dimensions: Dimensions, of_request: float, direction: str) -> Points | None:
    found = _per_instance(scene, dimensions)
    if found is None:
        return None
    count, share = found
    noise = np.exp(0.08 * scene.white(f"network {direction} {_label(dimensions)}"))
    mean = (_BACKGROUND_BYTES + scene.demand * share * of_request) * noise
    return Points.spread(count, mean, 0.08 * mean, ceiling=25e9 / 8 * PERIOD)


@signal(NAMESPACE, "EBSReadBytes", unit="Bytes")
def ebs_read_bytes(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _bytes(scene, dimensions, _BYTES_READ, "ebs read")


@signal(NAMESPACE, "EBSWriteBytes", unit="Bytes")
def ebs_write_bytes(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _bytes(scene, dimensions, _WRITTEN_BYTES, "ebs write")


@signal(NAMESPACE, "EBSReadOps", unit="Count")
def ebs_read_ops(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _operations(_bytes(scene, dimensions, _BYTES_READ, "ebs read"), _BYTES_OF_A_READ)


@signal(NAMESPACE, "EBSWriteOps", unit="Count")
def ebs_write_ops(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _operations(_bytes(scene, dimensions, _WRITTEN_BYTES, "ebs write"), _BYTES_OF_A_WRITE)


def _operations(of_bytes: Points | None, each: int) -> Points | None:
    """The number of operations that carry those bytes."""
    if of_bytes is None:
        return None
    return replace(
        of_bytes,
        mean=of_bytes.mean / each,
        low=of_bytes.low / each,
        high=of_bytes.high / each,
        centre=of_bytes.centre / each,
        width=of_bytes.width / each,
    )


@signal(NAMESPACE, "StatusCheckFailed", unit="Count", resolution=60)
def status_check_failed(scene: Scene, dimensions: Dimensions) -> Points | None:
    members = _members(dimensions)
    if members is None:
        return None
    count = 5 * scene.of(lambda region: len(members(region)))
    return Points.spread(count, np.zeros_like(count), np.zeros_like(count), ceiling=1.0)


@signal("AWS/AutoScaling", "GroupInServiceInstances", unit="None", resolution=60)
def in_service(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Published only where group metrics are enabled (Auto Scaling User Guide, "Monitor CloudWatch metrics")."""
    if set(dimensions) != {"AutoScalingGroupName"}:
        return None
    name = dimensions["AutoScalingGroupName"]
    count = scene.of(lambda r: len(r.fleets[name].instances) if name in r.fleets else 0)
    counted = scene.of(lambda r: name in r.fleets and r.fleets[name].counted)
    return replace(Points.gauge(count, counted > 0), count=5 * counted)


def _starts_agent(region: RegionSnapshot, member: str) -> bool:
    """Whether the group of that name, or of that instance, starts the CloudWatch agent."""
    return any(
        fleet.agent and (member == name or member in (id for id, _ in fleet.instances))
        for name, fleet in region.fleets.items()
    )


@signal("CWAgent", "mem_used_percent", unit="Percent", resolution=60)
def memory(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Memory from the agent: under the group's name alone if its configuration says so, or per instance."""
    members = _members(dimensions)
    if members is None or ("InstanceId" in dimensions) != scene.load.memory_of_each_instance:
        return None
    reporting = scene.of(lambda r: len(members(r)) if _starts_agent(r, _label(dimensions)) else 0)
    if not reporting.any():
        return None
    kinds = scene.of(lambda r: sum(memory_bytes(kind) for kind in members(r)))
    used = _MEMORY + _WORKING_MEMORY * np.minimum(scene.fleet_utilization, 1.0)
    mean = 100 * np.minimum(used / np.maximum(kinds / np.maximum(reporting, 1), 1.0), 1.0)
    return Points.spread(5 * reporting, mean, 0.03 * mean, ceiling=100.0)
