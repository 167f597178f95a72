"""Capacities of instance types, in the units of their metrics."""

from __future__ import annotations

from functools import cache

from moto.ec2.models.instance_types import INSTANCE_TYPES

GIB = 1024**3

# maxmemory as ElastiCache sets it (ElastiCache User Guide, "Redis OSS node-type specific parameters")
_MAXMEMORY = {
    "cache.t4g.micro": 536_870_912,
    "cache.t4g.small": 1_471_026_299,
    "cache.t4g.medium": 3_317_862_236,
    "cache.r6g.large": 14_037_181_030,
    "cache.r6g.xlarge": 28_261_849_702,
    "cache.r6g.2xlarge": 56_711_183_565,
    "cache.r6g.4xlarge": 113_609_865_216,
    "cache.r6g.8xlarge": 225_000_375_228,
}
_OF_MEMORY = 0.8  # of a type's memory, where that page was not read: the ones above have 0.81 to 0.84 of theirs
# An Aurora Serverless v2 instance at 16 ACU of about 2 GiB, at 8 GiB a processor as the r classes have (Aurora User
# Guide, "How Aurora Serverless v2 works"). That it stays there is ours: no capacity of it is emulated.
_SERVERLESS, _SERVERLESS_VCPUS, _SERVERLESS_MEMORY = "db.serverless", 4, 32 * GIB
RESERVED_MEMORY = 0.25  # reserved-memory-percent, ElastiCache's default since 2017


@cache
def vcpus(instance_type: str) -> int:
    """Virtual processors of an EC2, RDS or ElastiCache type. Raises KeyError for an unknown type."""
    if instance_type == _SERVERLESS:
        return _SERVERLESS_VCPUS
    return int(INSTANCE_TYPES[_plain(instance_type)]["VCpuInfo"]["DefaultVCpus"])


@cache
def memory_bytes(instance_type: str) -> int:
    """Main memory of an EC2, RDS or ElastiCache type. Raises KeyError for an unknown type."""
    if instance_type == _SERVERLESS:
        return _SERVERLESS_MEMORY
    return int(INSTANCE_TYPES[_plain(instance_type)]["MemoryInfo"]["SizeInMiB"]) * 1024**2


def usable_cache_bytes(node_type: str) -> float:
    """Bytes that one cache node holds before it evicts. Raises KeyError for an unknown type."""
    whole = _MAXMEMORY.get(node_type) or _OF_MEMORY * memory_bytes(node_type)
    return whole * (1 - RESERVED_MEMORY)


def cache_node_types() -> tuple[str, ...]:
    """The cache node types that are known here."""
    return tuple(_MAXMEMORY)


def _plain(instance_type: str) -> str:
    return instance_type.removeprefix("db.").removeprefix("cache.")
