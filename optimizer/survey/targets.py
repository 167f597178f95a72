"""The target of each surveyed resource: the brief's step down, taken from where the resource stands.

The brief makes 15 m5.4xlarge 8 m5.2xlarge, 4 shards of cache.r6g.4xlarge with 2 replicas 2 of cache.r6g.xlarge with 1,
and db.r6g.4xlarge db.r6g.xlarge. A resource of those sizes gets exactly that target, any other the same step.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from domain.sizing import CacheSizing, FleetSizing
from optimizer.decide.policy import Policy
from optimizer.model.decision import Json
from optimizer.model.resource import Kind
from optimizer.resources.capacities import CACHE_NODES, DATABASE_CLASSES

# The action that describes a resource's size.
SIZED_BY = {Kind.FLEET: "fleet_rightsize", Kind.CACHE: "redis_rightsize", Kind.DATABASE: "aurora_writer"}
SIZES = ("medium", "large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge", "24xlarge", "32xlarge")
_HALVED = {"12xlarge": "4xlarge", "24xlarge": "12xlarge"}  # sizes that do not double


def smaller(kind: str, steps: int) -> str:
    """The type so many sizes down in its family; the smallest of it where there are not as many."""
    family, _, size = kind.rpartition(".")
    for _ in range(steps):
        if size in _HALVED:
            size = _HALVED[size]
        elif size in SIZES and SIZES.index(size) > 1:
            size = SIZES[SIZES.index(size) - 1]
    return f"{family}.{size}"


def _smallest_known(kind: str, steps: int, known: Mapping[str, object]) -> str:
    """The same, no further down than the tables know the family."""
    while steps and (candidate := smaller(kind, steps)) not in known:
        steps -= 1
    return candidate if steps else kind


def policy_for(policy: Policy, kind: Kind, before: Mapping[str, Json]) -> Policy:
    """The policy with the targets of one resource, by how it stands."""
    match kind:
        case Kind.FLEET if before.get("instance_type"):
            return replace(policy, fleet=replace(policy.fleet, target=_fleet(before)))
        case Kind.CACHE if before.get("shards"):
            return replace(policy, cache=replace(policy.cache, target=_cache(before)))
        case Kind.DATABASE if before.get("writer"):
            instances = before["instances"]
            today = str(instances[before["writer"]]["class"])
            return replace(
                policy, writer=replace(policy.writer, target_class=_smallest_known(today, 2, DATABASE_CLASSES))
            )
    return policy


def _fleet(before: Mapping[str, Json]) -> FleetSizing:
    """One size smaller, and 8 for each 15: never fewer than 2, nor more bounds than now."""
    desired, kind = max(int(before["desired"]), 1), str(before["instance_type"])
    wanted = min(max(math.ceil(desired * 8 / 15), 2), desired)
    least = max(min(math.ceil(wanted * 6 / 8), int(before["minimum"])), 1)
    return FleetSizing(
        instance_type=smaller(kind, 1),
        minimum=least,
        desired=max(wanted, least),
        maximum=max(min(math.ceil(wanted * 15 / 8), int(before["maximum"])), wanted, least),
        scale_in=True,
    )


def _cache(before: Mapping[str, Json]) -> CacheSizing:
    """Two sizes smaller, half the shards, one replica."""
    shards = sorted(before["shards"])
    return CacheSizing(
        node_type=_smallest_known(str(before["node_type"]), 2, CACHE_NODES),
        shards=tuple(shards[: math.ceil(len(shards) / 2)]),
        replicas_per_shard=1,
    )
