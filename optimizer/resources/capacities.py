"""Capacities of cache nodes and database instances by class: no API call returns them, so the guides' tables do.

A class that is not here is unknown: what depends on it has no data, and no data is never consent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

NODES_FROM = "https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ParameterGroups.Engine.html"
CLASSES_FROM = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraPostgreSQL.Managing.html"
MYSQL_FROM = "https://docs.aws.amazon.com/AmazonRDS/latest/AuroraUserGuide/AuroraMySQL.Managing.Performance.html"
# Network baselines are those of the EC2 type of the same name (Amazon EC2 User Guide, "Network bandwidth").
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
    """Virtual processors, memory in GiB, the default `max_connections`, network baseline in Gbps."""

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
    "cache.r5.large": CacheNode(2, 14_037_181_030, 0.75),
    "cache.r5.xlarge": CacheNode(4, 28_261_849_702, 1.25),
    "cache.r5.2xlarge": CacheNode(8, 56_711_183_565, 2.5),
    "cache.r5.4xlarge": CacheNode(16, 113_609_865_216, 5.0),
    "cache.r7g.large": CacheNode(2, 14_037_181_030, 0.937),
    "cache.r7g.xlarge": CacheNode(4, 28_261_849_702, 1.876),
    "cache.r7g.2xlarge": CacheNode(8, 56_711_183_565, 3.75),
    "cache.r7g.4xlarge": CacheNode(16, 113_609_865_216, 7.5),
    "cache.r7g.8xlarge": CacheNode(32, 225_000_375_228, 15.0),
    "cache.m6g.large": CacheNode(2, 6_854_542_746, 0.75),
    "cache.m6g.xlarge": CacheNode(4, 13_891_921_715, 1.25),
    "cache.m6g.2xlarge": CacheNode(8, 27_966_669_210, 2.5),
    "cache.m6g.4xlarge": CacheNode(16, 56_116_178_125, 5.0),
    "cache.m7g.large": CacheNode(2, 6_854_542_746, 0.937),
    "cache.m7g.xlarge": CacheNode(4, 13_891_921_715, 1.876),
    "cache.m7g.2xlarge": CacheNode(8, 27_966_669_210, 3.75),
    "cache.m7g.4xlarge": CacheNode(16, 56_116_178_125, 7.5),
}

# max_connections is LEAST(memory in bytes / 9531392, 5000), as the guide lists them.
DATABASE_CLASSES: Mapping[str, DatabaseClass] = {
    "db.r6g.xlarge": DatabaseClass(4, 32, 3479, 1.25),
    "db.r6g.2xlarge": DatabaseClass(8, 64, 5000, 2.5),
    "db.r6g.4xlarge": DatabaseClass(16, 128, 5000, 5.0),
    "db.r6g.8xlarge": DatabaseClass(32, 256, 5000, 12.0),
    # The same memory gives as many connections, whatever the family.
    "db.r5.xlarge": DatabaseClass(4, 32, 3479, 1.25),
    "db.r5.2xlarge": DatabaseClass(8, 64, 5000, 2.5),
    "db.r5.4xlarge": DatabaseClass(16, 128, 5000, 5.0),
    "db.r6i.xlarge": DatabaseClass(4, 32, 3479, 1.562),
    "db.r6i.2xlarge": DatabaseClass(8, 64, 5000, 3.125),
    "db.r6i.4xlarge": DatabaseClass(16, 128, 5000, 6.25),
    "db.r7g.xlarge": DatabaseClass(4, 32, 3479, 1.876),
    "db.r7g.2xlarge": DatabaseClass(8, 64, 5000, 3.75),
    "db.r7g.4xlarge": DatabaseClass(16, 128, 5000, 7.5),
    "db.r7g.8xlarge": DatabaseClass(32, 256, 5000, 15.0),
}
# Aurora MySQL's default max_connections by GiB of memory, as its guide lists them by class (MYSQL_FROM).
_MYSQL_CONNECTIONS = {32: 2000, 64: 3000, 128: 4000, 256: 5000}
POSTGRESQL, MYSQL = "aurora-postgresql", "aurora-mysql"


def database_class(name: str, engine: str = POSTGRESQL) -> DatabaseClass | None:
    """The capacities of a class under an engine of Aurora; None where no guide's table here has it."""
    capacities = DATABASE_CLASSES.get(name)
    if capacities is None or engine == POSTGRESQL:
        return capacities
    return replace(capacities, max_connections=_MYSQL_CONNECTIONS[capacities.memory_gib]) if engine == MYSQL else None
