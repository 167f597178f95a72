"""What cache nodes and database instances of a class have: no API call tells it, so the guides' tables do.

A class that is not here is unknown: what depends on it has no data, and no data is never consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

NODES_FROM = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html"
CLASSES_FROM = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Managing.html"
# Network baselines are those of the EC2 type of the same name (Amazon EC2 User Guide, "Network bandwidth" of r6g).
MAXCLIENTS = 65_000  # of every Redis node, whatever its type


@dataclass(frozen=True)
class CacheNode:
    """Virtual processors, `maxmemory` in bytes before the reserved share is taken off, and network baseline in Gbps."""

    vcpus: int
    maxmemory: int
    baseline_gbps: float

    def usable(self, reserved_percent: float) -> float:
        """Bytes for data."""
        return self.maxmemory * (1 - reserved_percent / 100)


@dataclass(frozen=True)
class DatabaseClass:
    """Virtual processors, memory in GiB, Aurora PostgreSQL's default `max_connections`, network baseline in Gbps."""

    vcpus: int
    memory_gib: int
    max_connections: int
    baseline_gbps: float


CACHE_NODES: Mapping[str, CacheNode] = {
    "cache.r6g.large": CacheNode(2, 14_037_181_030, 0.75),
    "cache.r6g.xlarge": CacheNode(4, 28_261_849_702, 1.25),
    "cache.r6g.2xlarge": CacheNode(8, 56_711_183_565, 2.5),
    "cache.r6g.4xlarge": CacheNode(16, 113_609_865_216, 5.0),
    "cache.r6g.8xlarge": CacheNode(32, 225_000_375_228, 12.0),
}

# max_connections is LEAST(memory in bytes / 9531392, 5000), as the guide lists them.
DATABASE_CLASSES: Mapping[str, DatabaseClass] = {
    "db.r6g.xlarge": DatabaseClass(4, 32, 3479, 1.25),
    "db.r6g.2xlarge": DatabaseClass(8, 64, 5000, 2.5),
    "db.r6g.4xlarge": DatabaseClass(16, 128, 5000, 5.0),
    "db.r6g.8xlarge": DatabaseClass(32, 256, 5000, 12.0),
}
