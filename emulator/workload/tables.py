"""AWS/DynamoDB: consumption by table and by index, latency by operation. Only non-zero values are published.

Every write of a table also writes its indexes; only the access patterns that use an index read it.
"""

from __future__ import annotations

import numpy as np

from emulator.workload.metric_catalog import Dimensions, signal
from emulator.workload.noise import PERIOD, Array
from emulator.workload.points import Points
from emulator.workload.scene import Scene

NAMESPACE = "AWS/DynamoDB"

# Operations of one request, by table.
OPERATIONS = {
    "tenants": {"GetItem": 1.0, "Query": 0.21, "UpdateItem": 0.02},
    "users": {"GetItem": 1.2, "Query": 0.55, "PutItem": 0.02, "UpdateItem": 0.1},
    "audit_logs": {"PutItem": 1.0, "Query": 0.015},
}
READS, WRITES = ("GetItem", "Query"), ("PutItem", "UpdateItem")
_RCU, _WCU = 0.5, 1.0  # an eventually consistent read of up to 4 KB, a write of up to 1 KB
_LATENCY_MS = {"GetItem": 2.5, "Query": 4.0, "PutItem": 4.5, "UpdateItem": 5.0}
_POLLS = 4 * PERIOD  # by one stream consumer: four a second (Lambda Developer Guide, "Using Lambda with DynamoDB")


def _there(scene: Scene, dimensions: Dimensions) -> Array:
    table, index = dimensions["TableName"], dimensions.get("GlobalSecondaryIndexName")
    return scene.of(lambda r: table in r.tables and (index is None or index in r.tables[table]))


def _operations(scene: Scene, dimensions: Dimensions, names: tuple[str, ...]) -> Array:
    """Number of these operations that the table, or one of its indexes, served."""
    table, index = dimensions["TableName"], dimensions.get("GlobalSecondaryIndexName")
    if index is not None and names == READS:
        return _index_queries(scene, dimensions, table, index)
    per_request = sum(OPERATIONS.get(table, {}).get(name, 0.0) for name in names)
    label = f"{table} {index} {' '.join(names)}"
    return scene.drawn(label, scene.demand * per_request * _there(scene, dimensions))


def _index_queries(scene: Scene, dimensions: Dimensions, table: str, index: str) -> Array:
    """Queries that the index answered: denied ones consume nothing."""
    of_requests = scene.drawn(f"{table} {index} queries", scene.demand * scene.index_queries(table, index))
    answered = _there(scene, dimensions) * (1 - scene.unreadable(table, index))
    return (of_requests + scene.by_calendar(table, index)) * answered


def _is_table(dimensions: Dimensions) -> bool:
    return set(dimensions) in ({"TableName"}, {"TableName", "GlobalSecondaryIndexName"})


def _consumed(operations: Array, units: float) -> Points:
    """The units of each request as samples; a period without requests has no datapoint."""
    mean = np.full_like(operations, units)
    return Points(operations, mean, mean, mean, mean, np.zeros_like(mean))


@signal(NAMESPACE, "ConsumedReadCapacityUnits", unit="Count", resolution=60)
def consumed_reads(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _consumed(_operations(scene, dimensions, READS), _RCU) if _is_table(dimensions) else None


@signal(NAMESPACE, "ConsumedWriteCapacityUnits", unit="Count", resolution=60)
def consumed_writes(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _consumed(_operations(scene, dimensions, WRITES), _WCU) if _is_table(dimensions) else None


@signal(NAMESPACE, "SuccessfulRequestLatency", unit="Milliseconds", resolution=60)
def latency(scene: Scene, dimensions: Dimensions) -> Points | None:
    if set(dimensions) == {"TableName", "Operation", "StreamLabel"} and dimensions["Operation"] == "GetRecords":
        return _stream_reads(scene, dimensions["TableName"], dimensions["StreamLabel"])
    if set(dimensions) != {"TableName", "Operation"}:
        return None
    operation = dimensions["Operation"]
    count = _operations(scene, {"TableName": dimensions["TableName"]}, (operation,))
    median = _LATENCY_MS.get(operation, 1.0) * np.exp(0.03 * scene.wander(f"latency {operation}", 1))
    return Points.latency(count, median, np.full_like(median, 0.35))


def _stream_reads(scene: Scene, table: str, label: str) -> Points:
    """GetRecords calls of all readers of the table's stream of this label, with or without new records."""
    consumers = scene.of(lambda r: r.consumers.get(table, 0) if r.streams.get(table) == label else 0)
    median = np.full_like(consumers, 3.0)
    return Points.latency(consumers * _POLLS, median, np.full_like(median, 0.35))


@signal(NAMESPACE, "ReadThrottleEvents", unit="Count", resolution=60)
def read_throttles(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _throttles(scene, dimensions)


@signal(NAMESPACE, "WriteThrottleEvents", unit="Count", resolution=60)
def write_throttles(scene: Scene, dimensions: Dimensions) -> Points | None:
    return _throttles(scene, dimensions)


def _throttles(scene: Scene, dimensions: Dimensions) -> Points | None:
    """None: the tables are on demand, and the load stays under the limits of a partition."""
    return Points.counter(np.zeros(len(scene.periods))) if _is_table(dimensions) else None
