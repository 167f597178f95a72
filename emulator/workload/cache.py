"""AWS/ElastiCache: the nodes of the Redis replication group ("Metrics for Valkey and Redis OSS").

The first node of a shard is its primary: it takes all writes; reads are spread over all nodes.
"""

from __future__ import annotations

import numpy as np

from emulator.core.instance_types import usable_cache_bytes, vcpus
from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import PERIOD, Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene
from emulator.workload.snapshot import CacheSnapshot, RegionSnapshot

NAMESPACE = "AWS/ElastiCache"

_GETS, _SETS = 40.0, 8.0  # commands of one request
_ENGINE_SECONDS = 40e-6  # one command, on the engine's one thread
_IDLE_ENGINE, _IDLE_CPU = 0.01, 0.012
_CONNECTIONS = 8  # from each application instance to every node
_ITEM_BYTES = 4096
_COMMAND_BYTES = 120  # a command without its value, or the answer to one


def _group(region: RegionSnapshot, dimensions: Dimensions) -> CacheSnapshot | None:
    node = dimensions["CacheClusterId"]
    return next((c for c in region.caches.values() if any(node == each for each, _ in c.members)), None)


def _is_node(dimensions: Dimensions) -> bool:
    if set(dimensions) == {"CacheClusterId", "CacheNodeId"}:
        return dimensions["CacheNodeId"] == "0001"  # every node of a Redis cluster is its own cluster's first
    return set(dimensions) == {"CacheClusterId"}


def _there(scene: Scene, dimensions: Dimensions) -> Array:
    return scene.of(lambda region: _group(region, dimensions) is not None)


def _gets(scene: Scene, dimensions: Dimensions) -> Array:
    """Reads that this node serves in each period."""
    share = scene.of(lambda r: 1 / len(c.members) if (c := _group(r, dimensions)) else 0.0)
    return np.floor(scene.demand * _GETS * share)


def _sets(scene: Scene, dimensions: Dimensions) -> Array:
    """Writes that this node applies: replicas apply those of their primary."""
    share = scene.of(lambda r: 1 / len(c.shards) if (c := _group(r, dimensions)) else 0.0)
    return np.floor(scene.demand * _SETS * share)


def _is_primary(region: RegionSnapshot, dimensions: Dimensions) -> bool:
    group, node = _group(region, dimensions), dimensions["CacheClusterId"]
    if group is None:
        return False
    shard = dict(group.members)[node]
    return node == next(each for each, of in group.members if of == shard)


def _bytes(scene: Scene, dimensions: Dimensions) -> tuple[Array, Array]:
    """Bytes that the node would hold without a limit, and bytes that it can hold."""
    shards = scene.of(lambda r: len(c.shards) if (c := _group(r, dimensions)) else 1)
    usable = scene.of(lambda r: usable_cache_bytes(c.node_type) if (c := _group(r, dimensions)) else 1.0)
    skew = 1 + 0.02 * scene.wander(f"slot skew {dimensions['CacheClusterId'].rpartition('-')[0]}", 24)
    return scene.cache_bytes_wanted / shards * skew, usable


def _engine(scene: Scene, dimensions: Dimensions) -> Array:
    busy = (_gets(scene, dimensions) + _sets(scene, dimensions)) / PERIOD * _ENGINE_SECONDS
    return np.minimum(_IDLE_ENGINE + busy * (1 + 0.05 * scene.white("engine cpu")), 1.0)


@signal(NAMESPACE, "EngineCPUUtilization", unit="Percent", resolution=60)
def engine_cpu(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _is_node(dimensions):
        return None
    mean = 100 * _engine(scene, dimensions)
    return Points.spread(5 * _there(scene, dimensions), mean, 0.05 * mean, ceiling=100.0)


@signal(NAMESPACE, "CPUUtilization", unit="Percent", resolution=60)
def cpu(scene: Scene, dimensions: Dimensions) -> Points | None:
    """CPU of all processors: one saturated engine thread on 16 of them reads about 6 percent."""
    if not _is_node(dimensions):
        return None
    processors = scene.of(lambda r: vcpus(c.node_type) if (c := _group(r, dimensions)) else 1)
    mean = 100 * np.minimum(_IDLE_CPU + _engine(scene, dimensions) / processors, 1.0)
    return Points.spread(5 * _there(scene, dimensions), mean, 0.05 * mean, ceiling=100.0)


@signal(NAMESPACE, "BytesUsedForCache", unit="Bytes", resolution=60)
def bytes_used(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _is_node(dimensions):
        return None
    held = np.minimum(*_bytes(scene, dimensions))
    return Points.spread(5 * _there(scene, dimensions), held, 0.001 * held, ceiling=np.inf)


@signal(NAMESPACE, "DatabaseMemoryUsagePercentage", unit="Percent", resolution=60)
def memory_share(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _is_node(dimensions):
        return None
    wanted, usable = _bytes(scene, dimensions)
    mean = 100 * np.minimum(wanted / usable, 1.0)
    return Points.spread(5 * _there(scene, dimensions), mean, 0.001 * mean, ceiling=100.0)


@signal(NAMESPACE, "Evictions", unit="Count", resolution=60)
def evictions(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Evictions: items that do not fit replace stored ones, on the primary, in proportion to the writes."""
    if not _is_node(dimensions):
        return None
    wanted, usable = _bytes(scene, dimensions)
    primary = scene.of(lambda region: _is_primary(region, dimensions))
    missing = np.clip(1 - usable / wanted, 0.0, 1.0)
    pushed = np.floor(np.minimum(_sets(scene, dimensions) * missing * primary, wanted / _ITEM_BYTES))
    return Points.total(pushed, 5).only(_there(scene, dimensions) > 0)


@signal(NAMESPACE, "CurrConnections", unit="Count", resolution=60)
def connections(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _is_node(dimensions):
        return None
    clients = scene.of(lambda region: sum(len(fleet.instances) for fleet in region.fleets.values()))
    mean = clients * _CONNECTIONS + 6  # replication and monitoring
    return Points.spread(5 * _there(scene, dimensions), mean, np.zeros_like(mean), ceiling=65_000.0)


@signal(NAMESPACE, "GetTypeCmds", unit="Count", resolution=60)
def get_commands(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _is_node(dimensions):
        return None
    return Points.total(_gets(scene, dimensions), 5).only(_there(scene, dimensions) > 0)


@signal(NAMESPACE, "SetTypeCmds", unit="Count", resolution=60)
def set_commands(scene: Scene, dimensions: Dimensions) -> Points | None:
    if not _is_node(dimensions):
        return None
    return Points.total(_sets(scene, dimensions), 5).only(_there(scene, dimensions) > 0)


@signal(NAMESPACE, "NetworkBytesIn", unit="Bytes", resolution=60)
def network_in(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _bytes_moved(scene, dimensions, _COMMAND_BYTES, _ITEM_BYTES)


@signal(NAMESPACE, "NetworkBytesOut", unit="Bytes", resolution=60)
def network_out(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _bytes_moved(scene, dimensions, _ITEM_BYTES, _COMMAND_BYTES)


def _bytes_moved(scene: Scene, dimensions: Dimensions, of_get: int, of_set: int) -> Points | None:
    if not _is_node(dimensions):
        return None
    moved = _gets(scene, dimensions) * of_get + _sets(scene, dimensions) * of_set
    return Points.total(moved, 5).only(_there(scene, dimensions) > 0)


@signal(NAMESPACE, "NonKeyTypeCmds", unit="Count", resolution=60)
def keyless_commands(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Pings of the connections, one a minute each."""
    if not _is_node(dimensions):
        return None
    clients = scene.of(lambda region: sum(len(fleet.instances) for fleet in region.fleets.values()))
    return Points.total(5.0 * clients * _CONNECTIONS, 5).only(_there(scene, dimensions) > 0)


@signal(NAMESPACE, "EvalBasedCmds", unit="Count", resolution=60)
def eval_commands(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _none_of_it(scene, dimensions)


@signal(NAMESPACE, "PubSubBasedCmds", unit="Count", resolution=60)
def pubsub_commands(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _none_of_it(scene, dimensions)


@signal(NAMESPACE, "ClusterBasedCmds", unit="Count", resolution=60)
def cluster_commands(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _none_of_it(scene, dimensions)


def _none_of_it(scene: Scene, dimensions: Dimensions) -> Points | None:
    """Commands that the platform does not use: published as zero, as in the engine's statistics."""
    if not _is_node(dimensions):
        return None
    return Points.total(np.zeros(len(scene.periods)), 5).only(_there(scene, dimensions) > 0)
